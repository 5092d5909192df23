//! The HTTP door: health, readiness, metrics, and whatever routes the rooms hand in. Knows no SQL and no rule about alerts.

mod access;
mod listener;
mod readiness;

pub use access::OperatorAccess;
pub use listener::Peer;
pub use readiness::{Phase, Readiness};

use crate::telemetry::Metrics;
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use listener::PatientListener;
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

/// The longest that any request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the door's own pages show.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Whether the process can do its work.
    pub readiness: Readiness,
    /// What it counted.
    pub metrics: Arc<Metrics>,
    /// Who may see operators' pages.
    pub access: Arc<OperatorAccess>,
}

/// Every route: the door's own, and those handed in (interactions, webhooks), which bring their own limits of size.
pub fn router(parts: Parts, extra: Router) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(parts)
        .merge(extra)
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::new())
}

/// Serves until `shutdown`, then finishes the requests that are under way.
///
/// # Errors
/// Where the listener cannot be asked for its address.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(PatientListener::new(listener), service).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn readyz(State(parts): State<Parts>) -> Response {
    let report = parts.readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(report)).into_response()
}

async fn metrics(State(parts): State<Parts>, request: Request) -> Response {
    match parts.access.check(&request) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], parts.metrics.render()).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}
