//! What is written to the log, and in which shape: JSON lines in Lambda, text on a terminal.
//!
//! Only this crate speaks below the level of a warning: what libraries say at `trace` is not ours to vouch for, and may
//! hold what must not be logged.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// JSON lines instead of text.
    pub json: bool,
    /// From which level on this crate speaks.
    pub level: LevelFilter,
}

impl LogSettings {
    /// Reads Lambda's own variables; a level that is none is taken as the default.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, default_level: LevelFilter) -> Self {
        let level = lookup("AWS_LAMBDA_LOG_LEVEL").or_else(|| lookup("RUST_LOG"));
        Self {
            json: lookup("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")),
            level: level.and_then(|level| parse_level(&level)).unwrap_or(default_level),
        }
    }

    /// Reads the process's own.
    #[expect(clippy::disallowed_methods, reason = "the log has to work before the settings are known to be right")]
    pub fn read(default_level: LevelFilter) -> Self {
        Self::from_lookup(|name| std::env::var(name).ok(), default_level)
    }
}

fn parse_level(level: &str) -> Option<LevelFilter> {
    // Lambda says FATAL where Rust has nothing above ERROR.
    if level.eq_ignore_ascii_case("fatal") { Some(LevelFilter::ERROR) } else { level.parse().ok() }
}

/// Starts logging to standard error, and makes a panic one line without its message: that may hold anything.
pub fn start(settings: LogSettings) {
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(settings.level))
        .with_target("defender_enrich", settings.level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = if settings.json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.with_target(false).compact().boxed()
    };
    // A second subscriber in one process is a test's: the first stays.
    drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: a panic was caught, and what it was part of has failed");
    }));
}
