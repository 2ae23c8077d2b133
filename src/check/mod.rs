//! Checks a deployment: both secrets, a token for each API, its permissions, one harmless call, the destinations. A
//! report never holds a secret. The command line prints it; the function answers and logs it.

mod advice;
mod backend;
mod report;
mod secrets;

use std::time::Duration;

pub(crate) use self::advice::Viewpoint;
#[cfg(feature = "cli")]
pub(crate) use self::advice::error_message;
#[cfg(feature = "cli")]
pub(crate) use self::report::Status;
pub(crate) use self::report::{Report, Row, Table};
use crate::api::Code;
use crate::app::Service;
use crate::config::Settings;
use crate::lookup::{Context, Deadline};

/// The timeout for each part: a secret, a token, a call.
pub(crate) const PART_TIMEOUT: Duration = Duration::from_secs(10);

/// What is checked, and from where.
pub(crate) struct Deployment<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) service: &'a Service,
    pub(crate) viewpoint: Viewpoint,
    /// The end of the whole check.
    pub(crate) deadline: Option<Deadline>,
}

impl Deployment<'_> {
    /// Checks everything, and posts test messages to the destinations if `post_test` is set.
    pub(crate) async fn check(&self, post_test: bool, report: &mut Report<'_>) {
        self.check_callers(post_test, report).await;
        if self.check_defender_secret(report).await {
            self.check_backend(report).await;
        } else {
            report.skipped("backend", "not tried: there is no credential");
        }
    }

    /// A context for one part.
    fn context(&self) -> Context {
        let deadline = Deadline::after(PART_TIMEOUT);
        Context::new(self.deadline.map_or(deadline, |end| end.min(deadline)), "check", None)
    }
}

/// Lets the function check itself with its own role, and logs the outcome. It builds a service of its own, since one in
/// use would answer from its caches: with a token whose secret has expired, for example.
pub(crate) async fn check_function(settings: &Settings, deadline: Option<Deadline>) -> Table {
    let mut watch = |_: &Row| {};
    let mut report = Report::new(&mut watch);
    match Service::from_environment(settings) {
        Ok(service) => {
            let deployment = Deployment { settings, service: &service, viewpoint: Viewpoint::Function, deadline };
            deployment.check(false, &mut report).await;
        }
        Err(error) => report.wrong("settings", Code::Misconfigured, &error.to_string()),
    }
    report.finish()
}
