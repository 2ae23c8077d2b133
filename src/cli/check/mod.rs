//! `check`: verifies a deployment for its operator. It prints a table, and never a secret.

mod backend;
mod deployed;
mod report;
mod secrets;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;

use self::report::Report;
use super::{CommandError, Session};
use crate::config::is_loopback;
use crate::lookup::{Context, Deadline};

/// The timeout for each part: a secret, a token, a call.
const PART_TIMEOUT: Duration = Duration::from_secs(10);

/// The options of `check`.
#[derive(Args)]
pub(super) struct Options {
    /// Check the invented company.
    #[arg(long)]
    demo: bool,
    /// Post a test message to every destination of the caller secret.
    #[arg(long)]
    post_test: bool,
    /// Ask a deployed service at this address instead, such as one of the outputs of the stack.
    #[arg(long, value_parser = service_address, conflicts_with_all = ["demo", "post_test"])]
    url: Option<Url>,
    /// A key of the caller secret, for --url; `-` reads it from standard input.
    #[arg(long, requires = "url")]
    key: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, CommandError> {
    let mut report = Report::default();
    match options.url {
        Some(url) => deployed::check(url, options.key, &mut report).await?,
        None => settings(&options, &mut report).await?,
    }
    report.end()
}

/// Checks the settings of this shell, and everything that they configure.
async fn settings(options: &Options, report: &mut Report) -> Result<(), CommandError> {
    let session = match Session::start(options.demo).await {
        Ok(session) => session,
        Err(error @ CommandError::Setting(_)) => {
            report.wrong("settings", &error.explanation());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if let Some(aws) = &session.aws {
        match aws.missing_credentials(PART_TIMEOUT).await {
            None => report.skipped("AWS credentials", "those of this shell, not those of the function's role"),
            Some(reason) => {
                report.wrong("AWS credentials", &reason.to_string());
                report.skipped("secrets", "not tried: nothing can be read without AWS credentials");
                return Ok(());
            }
        }
    }
    secrets::check_callers(&session, options.post_test, report).await;
    if secrets::check_defender_secret(&session, report).await {
        backend::check(&session, report).await;
    } else {
        report.skipped("backend", "not tried: there is no credential");
    }
    Ok(())
}

fn context() -> Context {
    Context::new(Deadline::after(PART_TIMEOUT), "check", None)
}

/// Parses the URL of a service, with or without the path of a route. Plain http is rejected, since it would expose
/// the key.
fn service_address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|_| "it has to be an address such as https://HOST".to_owned())?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err("it has to begin with https:// (http:// only for this machine)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user or a password: give the key with --key".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let base = ["/v1/enrich/batch", "/v1/enrich", "/v1", "/healthz"].iter().find_map(|route| path.strip_suffix(route));
    let base = base.unwrap_or(path).to_owned();
    url.set_path(&base);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_url_may_include_a_route() {
        for (text, base) in [
            ("https://api.example", "https://api.example/"),
            ("https://api.example/v1/enrich", "https://api.example/"),
            ("https://api.example/prod/v1/enrich/?alert_id=x#y", "https://api.example/prod"),
            ("https://api.example/prod/", "https://api.example/prod"),
            ("http://127.0.0.1:9000/healthz", "http://127.0.0.1:9000/"),
            ("http://localhost:9000", "http://localhost:9000/"),
        ] {
            assert_eq!(service_address(text).map(String::from).as_deref(), Ok(base), "{text}");
        }
    }

    #[test]
    fn key_is_never_sent_over_plain_http() {
        for text in
            ["http://api.example", "ftp://127.0.0.1", "api.example", "https://user:CANARY@api.example", "data:,x"]
        {
            let error = service_address(text).expect_err(text);
            assert!(!error.contains("CANARY"), "{error}");
        }
    }
}
