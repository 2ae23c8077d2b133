//! `check`: verifies a deployment for its operator. It prints a table, and never a secret.

mod deployed;

use std::process::ExitCode;

use clap::Args;
use url::Url;

use super::{CommandError, Session, print};
use crate::api::Code;
use crate::check::{Deployment, PART_TIMEOUT, Report, Row, Status, Viewpoint};
use crate::config::is_loopback;

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
    // The first error of writing a line.
    let mut failure = None;
    let mut print_row = |row: &Row| {
        if let Err(error) = print(&format!("{:<6} {:<34} {}", mark(row.status), row.part, row.detail)) {
            failure.get_or_insert(error);
        }
    };
    let mut report = Report::new(&mut print_row);
    match options.url {
        Some(url) => deployed::check(url, options.key, &mut report).await?,
        None => settings(&options, &mut report).await?,
    }
    let wrong = report.count(Status::Wrong);
    let verdict = match (wrong, report.count_unproven()) {
        (0, 0) => "All is well.".to_owned(),
        (0, _) => "Nothing is wrong, as far as it can be told from here.".to_owned(),
        (1, _) => "1 thing is wrong.".to_owned(),
        (wrong, _) => format!("{wrong} things are wrong."),
    };
    drop(report);
    match failure {
        Some(failure) => Err(failure),
        None => print(&format!("\n{verdict}")).map(|()| ExitCode::from(u8::from(wrong > 0))),
    }
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Good => "ok",
        Status::Notice | Status::Warning => "NOTE",
        Status::Wrong => "WRONG",
        Status::Skipped => "-",
    }
}

/// Checks the settings of this shell, and everything that they configure.
async fn settings(options: &Options, report: &mut Report<'_>) -> Result<(), CommandError> {
    let session = match Session::start(options.demo).await {
        Ok(session) => session,
        Err(error @ CommandError::Setting(_)) => {
            report.wrong("settings", Code::Misconfigured, &error.explanation());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if let Some(aws) = &session.aws {
        match aws.missing_credentials(PART_TIMEOUT).await {
            None => report.skipped("AWS credentials", "those of this shell, not those of the function's role"),
            Some(reason) => {
                report.wrong("AWS credentials", Code::SecretUnavailable, &reason.to_string());
                report.skipped("secrets", "not tried: nothing can be read without AWS credentials");
                return Ok(());
            }
        }
    }
    let (settings, service) = (&session.settings, &*session.service);
    let deployment = Deployment { settings, service, viewpoint: Viewpoint::Shell, deadline: None };
    deployment.check(options.post_test, report).await;
    Ok(())
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
