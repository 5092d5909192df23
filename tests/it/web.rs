//! The HTTP door over real sockets.

use axum::{Router, routing::post};
use bellwether::{
    domain::Platform,
    telemetry::Metrics,
    web::{self, OperatorAccess, Parts, Phase, Readiness},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct Door {
    address: SocketAddr,
    readiness: Readiness,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Door {
    async fn open(admin_token: Option<&str>, has_public_url: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Readiness::default();
        let access = Arc::new(OperatorAccess::new(admin_token.map(Into::into), address, has_public_url));
        let parts = Parts { readiness: readiness.clone(), metrics: Arc::new(Metrics::default()), access };
        let extra = Router::new()
            .route("/handed/in", post(async |body: String| body))
            .route("/panics", post(async || -> &'static str { panic!("on purpose") }));
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(web::serve(listener, web::router(parts, extra), shutdown.clone()));
        Self { address, readiness, shutdown, served }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = bellwether::http::client(Duration::from_secs(5)).get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &'static str) -> (u16, String) {
        let answer = bellwether::http::client(Duration::from_secs(5))
            .post(format!("http://{}{path}", self.address))
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn health_and_readiness_are_open_and_the_rest_is_not_there() {
    let door = Door::open(Some("0123456789abcdef"), true).await;
    assert_eq!(door.get("/healthz", &[]).await, (200, "ok".to_owned()));
    let (status, body) = door.get("/readyz", &[]).await;
    assert_eq!((status, body.contains("it is starting")), (503, true));
    door.readiness.enter(Phase::Ready);
    door.readiness.platform(Platform::Discord, true);
    door.readiness.platform(Platform::Telegram, false);
    let (status, body) = door.get("/readyz", &[]).await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"state":"ready","platforms":{"discord":"up","telegram":"down"}}"#));
    for path in ["/", "/outbox", "/healthz/x", "/telegram/webhook"] {
        assert_eq!(door.get(path, &[]).await.0, 404, "{path}");
    }
    assert_eq!(door.post("/healthz", "").await.0, 405);
}

#[tokio::test]
async fn metrics_are_for_operators() {
    let local = Door::open(None, false).await;
    let (status, body) = local.get("/metrics", &[]).await;
    assert!(status == 200 && body.contains("bellwether_source_call_seconds"), "{status} {body}");
    assert_eq!(local.get("/metrics", &[("x-forwarded-for", "10.0.0.9")]).await.0, 404);
    assert_eq!(local.get("/metrics", &[("host", "bot.example.org")]).await.0, 404);
    assert_eq!(Door::open(None, true).await.get("/metrics", &[]).await.0, 404);

    let guarded = Door::open(Some("0123456789abcdef"), true).await;
    assert_eq!(guarded.get("/metrics", &[]).await.0, 401);
    assert_eq!(guarded.get("/metrics", &[("authorization", "Bearer 0123456789abcdeX")]).await.0, 401);
    let (status, body) = guarded.get("/metrics", &[("authorization", "Bearer 0123456789abcdef")]).await;
    assert!(status == 200 && !body.contains("0123456789abcdef"));
}

#[tokio::test]
async fn routes_that_are_handed_in_answer_and_a_panic_is_a_500() {
    let door = Door::open(None, false).await;
    assert_eq!(door.post("/handed/in", "hello").await, (200, "hello".to_owned()));
    assert_eq!(door.post("/panics", "").await.0, 500);
    assert_eq!(door.get("/healthz", &[]).await.0, 200, "and the door stays open");
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let door = Door::open(None, false).await;
    assert_eq!(door.get("/healthz", &[]).await.0, 200);
    door.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), door.served).await.unwrap().unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err());
}
