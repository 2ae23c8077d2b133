//! Checks the backend: a token for each API in use, its permissions, and one harmless call.

use url::Url;

use super::advice::{NOT_FROM_HERE, Viewpoint, error_message, secret_read_error};
use super::{Deployment, Report};
use crate::api::Code;
use crate::backend::Selection;
use crate::backend::defender::{self, READ_DOMAINS, READ_FILES, READ_IPS, READ_MACHINES, RETIREMENT};
use crate::backend::graph::{READ_ALERTS, READ_INCIDENTS, RUN_HUNTING};
use crate::client::Api;
use crate::config::BackendChoice;
use crate::credentials::{CallError, CredentialError, RefusalReason, carries};
use crate::domain::enrichment::BackendName;
use crate::domain::subject::{Kind, Question};
use crate::lookup::EnrichError;

/// An API with the permissions that its token needs, and questions about subjects that do not exist.
struct ApiNeeds {
    api: Api,
    name: &'static str,
    resource: &'static str,
    roles: &'static [(&'static str, &'static str)],
    /// Roles that add context to an answer, which is complete without it.
    optional_roles: &'static [(&'static str, &'static str)],
    harmless_questions: &'static [(Kind, &'static str)],
}

const API_NEEDS: [ApiNeeds; 3] = [
    ApiNeeds {
        api: Api::Graph,
        name: "Microsoft Graph",
        resource: "Microsoft Graph",
        roles: &[
            (READ_ALERTS, "alerts"),
            (READ_INCIDENTS, "incidents"),
            (RUN_HUNTING, "the alerts of machines, users and files"),
        ],
        optional_roles: &[],
        harmless_questions: &[
            (Kind::Alert, "da0_0"),
            (Kind::Incident, "1"),
            (Kind::File, "0000000000000000000000000000000000000000"),
        ],
    },
    ApiNeeds {
        api: Api::Endpoint,
        name: "Defender for Endpoint",
        resource: "WindowsDefenderATP",
        roles: &[
            (defender::READ_ALERTS, "alerts, and the alerts of machines, users and files"),
            (READ_MACHINES, "machines by name, and the context of machines"),
            (READ_FILES, "files by SHA-256, and the context of files"),
        ],
        optional_roles: &[
            (READ_IPS, "how many devices have met an address"),
            (READ_DOMAINS, "how many devices have met a domain"),
        ],
        harmless_questions: &[(Kind::Alert, "da0_0")],
    },
    ApiNeeds {
        api: Api::Xdr,
        name: "Defender XDR",
        resource: "Microsoft Threat Protection",
        roles: &[(defender::READ_INCIDENTS, "incidents")],
        optional_roles: &[],
        harmless_questions: &[(Kind::Incident, "1")],
    },
];

/// What happens where Graph lacks a permission.
const OLDER_APIS_ARE_ASKED: &str = "the older APIs are asked";

impl Deployment<'_> {
    /// Checks each API in use. With `auto`, the permissions of Graph's token decide which APIs are used, and a missing
    /// one is not an error.
    pub(super) async fn check_backend(&self, report: &mut Report<'_>) {
        let backends = self.service.enricher.backends();
        let apis = match backends.apis(&self.context()).await {
            Ok(apis) => apis,
            Err(error) => {
                let (code, detail) = self.explanation(error.into(), &self.settings.endpoints.login);
                report.wrong("backend", code, &detail);
                return;
            }
        };
        match &backends.selection {
            Selection::Fixed(BackendName::Defender) => {
                report.good("backend", "the older APIs, for every kind, as DEFENDER_BACKEND says");
            }
            Selection::Fixed(BackendName::Graph) => {
                report.good("backend", "Microsoft Graph, for every kind, as DEFENDER_BACKEND says");
            }
            Selection::Auto(auto) => {
                report.good("backend", "auto: Graph for each kind that its token's permissions allow");
                match auto.choice(&self.context()).await {
                    Ok(choice) => {
                        for kind in Kind::ALL {
                            report.good(&format!("  {}", kind.as_str()), &choice.explanation(kind));
                        }
                    }
                    Err(error) => {
                        let (code, detail) = self.explanation(error.into(), &self.settings.endpoints.login);
                        report.wrong("backend", code, &detail);
                    }
                }
                if !apis.contains(&Api::Graph) {
                    self.check_unused(Api::Graph, OLDER_APIS_ARE_ASKED, report).await;
                }
                if !apis.contains(&Api::Endpoint) {
                    report.skipped(
                        "beyond 30 days",
                        "optional: where hunting finds nothing, Defender for Endpoint is asked if it may be",
                    );
                    self.check_unused(Api::Endpoint, "alerts older than 30 days are not found", report).await;
                }
            }
        }
        for needs in API_NEEDS.iter().filter(|needs| apis.contains(&needs.api)) {
            self.check_api(needs, report).await;
        }
        if apis.iter().any(|api| api.is_older()) {
            let detail = format!(
                "{RETIREMENT}. With DEFENDER_BACKEND=auto, lookups move to Graph as soon as its permissions are consented to"
            );
            report.notice("end of the older APIs", &detail);
        }
    }

    /// Reports the permissions of an API that is not in use. `without` says what happens without them.
    async fn check_unused(&self, api: Api, without: &'static str, report: &mut Report<'_>) {
        let Ok(token) = self.service.tokens.token(api, &self.context()).await else { return };
        for needs in API_NEEDS.iter().filter(|needs| needs.api == api) {
            report_roles(needs, &token.roles().unwrap_or_default(), Some(without), report);
        }
    }

    async fn check_api(&self, needs: &ApiNeeds, report: &mut Report<'_>) {
        let part = format!("{}: token", needs.name);
        match self.service.tokens.token(needs.api, &self.context()).await {
            Err(error) => return self.report_missing_token(&part, error, report),
            Ok(token) => {
                let end =
                    token.expires_at().map_or_else(|| "of unknown end".to_owned(), |end| format!("good until {end}"));
                report.good(&part, &end);
                match token.roles() {
                    Some(token_roles) => {
                        let is_optional = self.settings.backend == BackendChoice::Auto && needs.api == Api::Graph;
                        report_roles(needs, &token_roles, is_optional.then_some(OLDER_APIS_ARE_ASKED), report);
                    }
                    None => report.skipped("  permissions", "cannot be read from this token: the call tells"),
                }
            }
        }
        let part = format!("{}: a call", needs.name);
        let address = match needs.api {
            Api::Endpoint => &self.settings.endpoints.api,
            Api::Xdr => &self.settings.endpoints.xdr,
            Api::Graph | Api::Hunting => &self.settings.endpoints.graph,
        };
        for (kind, value) in needs.harmless_questions {
            if !self.is_answered_by(needs.api, *kind).await {
                continue;
            }
            let outcome = match Question::parse(*kind, value) {
                Ok(question) => {
                    let answer = self.service.enricher.enrich(&question, &self.context()).await;
                    answer.map_err(|error| self.explanation(error, address))
                }
                Err(error) => Err((Code::Internal, error.to_string())),
            };
            match outcome {
                Ok(_) => report.good(&part, &format!("about {} {}: answered", kind.article(), kind.as_str())),
                Err((code, detail)) => report.wrong(&part, code, &detail),
            }
        }
    }

    /// Reports a missing token. A token that only the function's role can get is not an error.
    fn report_missing_token(&self, part: &str, error: CredentialError, report: &mut Report<'_>) {
        let is_of_the_function = match &error {
            CredentialError::Federation(_) => true,
            CredentialError::Refused(refusal) => refusal.reason == RefusalReason::NoFederation,
            CredentialError::Store(_)
            | CredentialError::Unusable(_)
            | CredentialError::NoTokenForApi
            | CredentialError::Entra(_) => false,
        };
        if is_of_the_function && self.viewpoint == Viewpoint::Shell {
            return report.unproven(part, NOT_FROM_HERE);
        }
        match error {
            CredentialError::Store(error) => {
                let detail = secret_read_error(error, "DEFENDER_SECRET_ID", self.viewpoint);
                report.wrong(part, Code::SecretUnavailable, &detail);
            }
            error => {
                let (code, detail) = self.explanation(CallError::from(error).into(), &self.settings.endpoints.login);
                report.wrong(part, code, &detail);
            }
        }
    }

    /// Returns the caller's error text, with a hint if the network may be the cause.
    fn explanation(&self, error: EnrichError, address: &Url) -> (Code, String) {
        let is_network_error = matches!(
            error,
            EnrichError::Unavailable { .. } | EnrichError::NoAddress { .. } | EnrichError::TimedOut { .. }
        );
        let (code, message) = error_message(error, self.viewpoint);
        if is_network_error {
            let host = address.host_str().unwrap_or_default();
            (code, format!("{message} Is there a way from here to {host} (subnet, NAT, firewall, DNS)?"))
        } else {
            (code, message)
        }
    }

    /// Whether this API answers questions of this kind.
    async fn is_answered_by(&self, api: Api, kind: Kind) -> bool {
        let backend = self.service.enricher.backends().backend_for(kind, &self.context()).await;
        backend.is_ok_and(|backend| (backend == BackendName::Graph) == (api == Api::Graph))
    }
}

/// Reports each permission of an API. `without` says what happens without the API; if it is `None`, the API is needed.
fn report_roles(needs: &ApiNeeds, token_roles: &[String], without: Option<&'static str>, report: &mut Report<'_>) {
    let roles = needs.roles.iter().map(|role| (role, without));
    let optional_roles = needs.optional_roles.iter().map(|role| (role, Some("answers come without it")));
    for ((role, what_for), without) in roles.chain(optional_roles) {
        let part = format!("  {role}");
        let resource = needs.resource;
        if carries(token_roles, role) {
            report.good(&part, what_for);
        } else if let Some(without) = without {
            let detail = format!(
                "optional, and missing, for {what_for}: {without}. To have it, add it under {resource} and grant admin consent"
            );
            report.skipped(&part, &detail);
        } else if token_roles.is_empty() {
            let detail = format!(
                "missing, for {what_for}: the token carries no permission at all; has an admin granted consent?"
            );
            report.wrong(&part, Code::UpstreamForbidden, &detail);
        } else {
            let detail =
                format!("missing, for {what_for}: add it under {resource}, grant admin consent, wait up to an hour");
            report.wrong(&part, Code::UpstreamForbidden, &detail);
        }
    }
}
