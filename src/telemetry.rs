//! Logging: JSON lines in Lambda, text on a terminal.
//!
//! Libraries log only warnings and errors. Their more detailed logs may contain secrets or personal data. The AWS SDK logs
//! only errors: what it warns of reaches the operator as an error of this crate, in words that say what to do.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::SettingError;

/// The format and the level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// JSON lines instead of text.
    pub json: bool,
    /// The least severe level that this crate logs.
    pub level: LevelFilter,
    /// Whether text has colours.
    pub color: bool,
}

impl LogSettings {
    /// Reads Lambda's log variables, `RUST_LOG`, and the terminal variables `NO_COLOR` and `TERM`.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
        default_level: LevelFilter,
        is_terminal: bool,
    ) -> Result<Self, SettingError> {
        let text = |name| lookup(name).filter(|value| !value.is_empty());
        let level = match (text("AWS_LAMBDA_LOG_LEVEL"), text("RUST_LOG")) {
            (Some(level), _) => parse_level(&level).ok_or(SettingError::new("AWS_LAMBDA_LOG_LEVEL", LEVEL_PROBLEM))?,
            (None, Some(directives)) => {
                parse_directives(&directives, default_level).ok_or(SettingError::new("RUST_LOG", LEVEL_PROBLEM))?
            }
            (None, None) => default_level,
        };
        let name = "AWS_LAMBDA_LOG_FORMAT";
        let json = match text(name) {
            None => false,
            Some(format) if format.eq_ignore_ascii_case("text") => false,
            Some(format) if format.eq_ignore_ascii_case("json") => true,
            Some(_) => return Err(SettingError::new(name, "must be one of: JSON, Text")),
        };
        // Source: https://no-color.org.
        let color = is_terminal && text("NO_COLOR").is_none() && text("TERM").is_none_or(|term| term != "dumb");
        Ok(Self { json, level, color })
    }

    /// Reads the settings of this process.
    #[expect(clippy::disallowed_methods, reason = "the log has to work before the settings are known to be right")]
    pub fn read(default_level: LevelFilter) -> Result<Self, SettingError> {
        Self::from_lookup(|name| std::env::var(name).ok(), default_level, io::stderr().is_terminal())
    }
}

const LEVEL_PROBLEM: &str = "must be one of: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF";

/// This crate, as a target of log lines.
const THIS_CRATE: &str = env!("CARGO_CRATE_NAME");
/// The targets of the AWS SDK begin with this, and a filter applies to all targets that begin with its own.
const AWS_SDK: &str = "aws";

/// Reads the level of this crate from a list such as `hyper=warn,info`, the form of `RUST_LOG` that other programs take.
/// Directives for libraries are valid, but have no effect. The last directive for this crate wins over a bare level.
fn parse_directives(directives: &str, default_level: LevelFilter) -> Option<LevelFilter> {
    let (mut bare, mut own) = (None, None);
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        match directive.split_once('=') {
            None => bare = Some(parse_level(directive)?),
            Some((target, level)) => {
                let level = parse_level(level.trim())?;
                if target.trim() == THIS_CRATE {
                    own = Some(level);
                }
            }
        }
    }
    Some(own.or(bare).unwrap_or(default_level))
}

fn parse_level(level: &str) -> Option<LevelFilter> {
    let levels = [
        ("TRACE", LevelFilter::TRACE),
        ("DEBUG", LevelFilter::DEBUG),
        ("INFO", LevelFilter::INFO),
        ("WARN", LevelFilter::WARN),
        ("ERROR", LevelFilter::ERROR),
        // Lambda has this level. Rust has none above ERROR.
        ("FATAL", LevelFilter::ERROR),
        ("OFF", LevelFilter::OFF),
    ];
    levels.into_iter().find(|(name, _)| level.eq_ignore_ascii_case(name)).map(|(_, level)| level)
}

/// What is logged if this crate logs at this level: of libraries only warnings and errors, of the AWS SDK only errors.
fn targets(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target(AWS_SDK, LevelFilter::ERROR.min(level))
        .with_target(THIS_CRATE, level)
}

/// Starts logging to standard error. A panic is logged as one line without its message, which may contain any data.
pub fn start(settings: LogSettings) {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = if settings.json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.with_target(false).with_ansi(settings.color).compact().boxed()
    };
    // A second subscriber in one process occurs only in tests. The first one stays.
    drop(tracing_subscriber::registry().with(layer.with_filter(targets(settings.level))).try_init());
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: a panic was caught, and the operation it occurred in has failed");
    }));
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn read(variables: &[(&str, &str)], is_terminal: bool) -> Result<LogSettings, SettingError> {
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        LogSettings::from_lookup(lookup, LevelFilter::INFO, is_terminal)
    }

    #[test]
    fn levels_and_formats_are_parsed_and_wrong_ones_rejected() {
        let level = |name, value| read(&[(name, value)], false).expect("a level").level;
        assert_eq!(read(&[], false), Ok(LogSettings { json: false, level: LevelFilter::INFO, color: false }));
        for name in ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"] {
            assert_eq!((level(name, "debug"), level(name, "FATAL")), (LevelFilter::DEBUG, LevelFilter::ERROR));
            assert_eq!(level(name, ""), LevelFilter::INFO);
            for wrong in ["CANARY", "info,hyper=CANARY", "3"] {
                let error = read(&[(name, wrong)], false).expect_err(wrong).to_string();
                assert!(error.starts_with(name) && error.contains("TRACE") && !error.contains(wrong), "{error}");
            }
        }
        for (directives, expected) in [
            ("hyper=warn,info", LevelFilter::INFO),
            ("debug, hyper = off", LevelFilter::DEBUG),
            ("hyper=trace", LevelFilter::INFO),
            ("defender_enrich=warn,trace", LevelFilter::WARN),
            (",", LevelFilter::INFO),
        ] {
            assert_eq!(level("RUST_LOG", directives), expected, "{directives}");
            assert!(read(&[("AWS_LAMBDA_LOG_LEVEL", directives)], false).is_err(), "Lambda has one level");
        }
        let both = [("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("RUST_LOG", "TRACE")];
        assert_eq!(read(&both, false).expect("a level").level, LevelFilter::WARN);
        for (format, json) in [("JSON", true), ("Text", false), ("", false)] {
            assert_eq!(read(&[("AWS_LAMBDA_LOG_FORMAT", format)], false).expect("a format").json, json);
        }
        let error = read(&[("AWS_LAMBDA_LOG_FORMAT", "xml")], false).expect_err("no format").to_string();
        assert_eq!(error, "AWS_LAMBDA_LOG_FORMAT must be one of: JSON, Text");
    }

    #[test]
    fn libraries_log_only_warnings_and_errors_at_every_level() {
        for level in [LevelFilter::TRACE, LevelFilter::DEBUG, LevelFilter::INFO, LevelFilter::ERROR] {
            let logs = |target, at: Level| targets(level).would_enable(target, &at);
            for library in ["hyper", "rustls", "lambda_runtime", AWS_SDK] {
                assert!(!logs(library, Level::INFO) && !logs(library, Level::TRACE), "{level}: {library}");
            }
            assert_eq!(logs("hyper", Level::WARN), level >= LevelFilter::WARN, "{level}");
            assert!(!logs(AWS_SDK, Level::WARN) && logs(AWS_SDK, Level::ERROR), "{level}");
            assert_eq!(logs(THIS_CRATE, Level::INFO), level >= LevelFilter::INFO, "{level}");
        }
    }

    #[test]
    fn colours_are_used_only_on_terminals_that_allow_them() {
        let color = |variables: &[_], is_terminal| read(variables, is_terminal).expect("settings").color;
        assert!(color(&[("TERM", "xterm")], true) && color(&[("NO_COLOR", "")], true));
        assert!(!color(&[], false) && !color(&[("NO_COLOR", "1")], true) && !color(&[("TERM", "dumb")], true));
    }
}
