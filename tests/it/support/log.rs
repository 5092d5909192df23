//! The log of one test: an ERROR line that the test does not declare fails it.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{Layer, Registry, layer::Context, layer::SubscriberExt};

/// Catches the lines of this thread, on which a `#[tokio::test]` runs everything, until it is dropped.
pub(crate) struct TestLog {
    errors: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl TestLog {
    pub(crate) fn start() -> Self {
        let errors = Arc::default();
        let layer = Errors(Arc::clone(&errors));
        Self { errors, _guard: tracing::subscriber::set_default(Registry::default().with(layer)) }
    }

    /// The ERROR lines so far; looked at here, they do not fail the test.
    pub(crate) fn take_errors(&self) -> Vec<String> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }
}

impl Drop for TestLog {
    fn drop(&mut self) {
        let errors = self.take_errors();
        assert!(std::thread::panicking() || errors.is_empty(), "ERROR lines that no test declared: {errors:#?}");
    }
}

struct Errors(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Everything of ours, and nothing of the libraries below.
        if *event.metadata().level() == Level::ERROR && event.metadata().target().starts_with("bellwether") {
            self.0.lock().unwrap().push(line_of(event));
        }
    }
}

/// The message and the fields of an event.
pub(crate) fn line_of(event: &Event<'_>) -> String {
    let mut line = Line(String::new());
    event.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}
