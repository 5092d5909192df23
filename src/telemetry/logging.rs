//! The log: lines on stderr, for people or as JSON (stdout is for results).

use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal;
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    filter::{EnvFilter, FilterExt, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// Libraries whose lines below WARN print whole request bodies, tokens in routes included: no filter turns those on.
const TALKATIVE: [&str; 5] = ["serenity", "teloxide", "teloxide_core", "tungstenite", "tokio_tungstenite"];

/// Starts the log on stderr, in colour where that is a terminal. A second call changes nothing.
pub fn start(log: &LogConfig) {
    // Refused only where a log runs already: a program that embeds the library has its own.
    let _ = tracing::subscriber::set_global_default(subscriber(log, std::io::stderr().is_terminal(), std::io::stderr));
}

/// What takes the lines and writes those that are wanted.
pub fn subscriber<W>(log: &LogConfig, colour: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let wanted = EnvFilter::builder().parse_lossy(&log.filter);
    let filter = wanted.and(filter_fn(is_discreet).with_max_level_hint(LevelFilter::TRACE));
    let lines = fmt::layer().with_writer(writer).with_ansi(colour);
    match log.format {
        LogFormat::Text => Box::new(Registry::default().with(lines.with_filter(filter))),
        LogFormat::Json => Box::new(Registry::default().with(lines.json().flatten_event(true).with_filter(filter))),
    }
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str, format: LogFormat, act: impl FnOnce()) -> String {
        let out = Written::default();
        let writer = out.clone();
        let log = LogConfig { filter: filter.to_owned(), format };
        tracing::subscriber::with_default(subscriber(&log, false, move || writer.clone()), act);
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_filter_turns_on_the_spans_that_print_request_bodies() {
        for filter in ["trace", "serenity=trace", "serenity::http::client=info,info", "info,serenity::http=trace,tungstenite=trace"] {
            let text = written(filter, LogFormat::Text, || {
                let span = tracing::info_span!(target: "serenity::http::client", "fire", body = "s3cret");
                span.in_scope(|| {
                    tracing::info!(target: "serenity::http::client", "s3cret");
                    tracing::trace!(target: "tungstenite::protocol", "s3cret");
                    tracing::warn!(target: "serenity::gateway", "kept");
                });
            });
            assert!(!text.contains("s3cret"), "{filter}: {text}");
            assert!(text.contains("kept") || filter.starts_with("serenity::http"), "{filter}: {text}");
        }
    }

    #[test]
    fn the_filter_of_the_environment_decides_about_the_rest() {
        let act = || {
            tracing::debug!(target: "bellwether::x", "small");
            tracing::info!(target: "bellwether::x", "large");
        };
        let text = written("info", LogFormat::Text, act);
        assert!(text.contains("large") && !text.contains("small") && !text.contains('\u{1b}'), "{text}");
        assert!(written("bellwether=debug", LogFormat::Text, act).contains("small"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written("info", LogFormat::Json, || tracing::info!(target: "bellwether::x", feed = "daily", "polled"));
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["feed"], &line["message"], &line["level"]), (&"daily".into(), &"polled".into(), &"INFO".into()));
    }
}
