//! The backend: a token for each API in use, the permissions that it carries, and a harmless call.

use url::Url;

use super::context;
use super::report::Report;
use super::secrets::unreadable;
use crate::api::told_in_full;
use crate::backend::defender::RETIREMENT;
use crate::backend::graph::{READ_ALERTS, READ_INCIDENTS, RUN_HUNTING};
use crate::cli::Stage;
use crate::cli::serve::article;
use crate::client::Api;
use crate::config::BackendChoice;
use crate::credentials::{CallError, CredentialError, RefusalReason, carries};
use crate::domain::subject::{Kind, Question};
use crate::lookup::{Backend, EnrichError, Family};

/// An API, what its token has to carry, and a question whose answer is "not known".
struct Needs {
    api: Api,
    name: &'static str,
    resource: &'static str,
    roles: &'static [(&'static str, &'static str)],
    harmless: &'static [(Kind, &'static str)],
}

const NEEDS: [Needs; 3] = [
    Needs {
        api: Api::Graph,
        name: "Microsoft Graph",
        resource: "Microsoft Graph",
        roles: &[
            (READ_ALERTS, "alerts"),
            (READ_INCIDENTS, "incidents"),
            (RUN_HUNTING, "the alerts of machines, users and files"),
        ],
        harmless: &[
            (Kind::Alert, "da0_0"),
            (Kind::Incident, "1"),
            (Kind::File, "0000000000000000000000000000000000000000"),
        ],
    },
    Needs {
        api: Api::Endpoint,
        name: "Defender for Endpoint",
        resource: "WindowsDefenderATP",
        roles: &[
            ("Alert.Read.All", "alerts, and the alerts of machines, users and files"),
            ("Machine.Read.All", "machines by name"),
            ("File.Read.All", "files by SHA-256"),
        ],
        harmless: &[(Kind::Alert, "da0_0")],
    },
    Needs {
        api: Api::Xdr,
        name: "Defender XDR",
        resource: "Microsoft Threat Protection",
        roles: &[("Incident.Read.All", "incidents")],
        harmless: &[(Kind::Incident, "1")],
    },
];

/// What each API in use needs; with `auto`, what Graph's token carries decides, and nothing there is wrong.
pub(super) async fn check(stage: &Stage, report: &mut Report) {
    let backend = stage.service.enricher.backend();
    let apis = match backend.apis(&context()).await {
        Ok(apis) => apis,
        Err(error) => {
            report.wrong("backend", &told_in_full(error));
            return;
        }
    };
    match backend {
        Backend::Defender(_) => report.good("backend", "the older APIs, for every kind, as DEFENDER_BACKEND says"),
        Backend::Graph(_) => report.good("backend", "Microsoft Graph, for every kind, as DEFENDER_BACKEND says"),
        Backend::Auto(auto) => {
            report.good("backend", "auto: Graph for each kind that its token's permissions allow");
            match auto.choice(&context()).await {
                Ok(choice) => {
                    for kind in Kind::ALL {
                        report.good(&format!("  {}", kind.as_str()), &choice.explanation(kind));
                    }
                }
                Err(error) => report.wrong("backend", &told_in_full(error)),
            }
            if !apis.contains(&Api::Graph) {
                optional(stage, Api::Graph, report).await;
            }
            if !apis.contains(&Api::Endpoint) {
                report.skipped(
                    "beyond 30 days",
                    "optional: where hunting finds nothing, Defender for Endpoint is asked if it may be",
                );
                optional(stage, Api::Endpoint, report).await;
            }
        }
    }
    for needs in NEEDS.iter().filter(|needs| apis.contains(&needs.api)) {
        api(stage, needs, report).await;
    }
    if apis.iter().any(|api| api.is_older()) {
        let detail = format!(
            "{RETIREMENT}. With DEFENDER_BACKEND=auto, lookups move to Graph as soon as its permissions are consented to"
        );
        report.warning("end of the older APIs", &detail);
    }
}

/// What the token of an API carries that need not be there.
async fn optional(stage: &Stage, api: Api, report: &mut Report) {
    let Ok(token) = stage.service.tokens.token(api, &context()).await else { return };
    let carried = token.roles().unwrap_or_default();
    for needs in NEEDS.iter().filter(|needs| needs.api == api) {
        for (role, what_for) in needs.roles {
            let part = format!("  {role}");
            if carries(&carried, role) {
                report.good(&part, &format!("of {}, for {what_for}", needs.resource));
            } else {
                let detail = format!("optional, and missing: of {}, for {what_for}", needs.resource);
                report.skipped(&part, &detail);
            }
        }
    }
}

async fn api(stage: &Stage, needs: &Needs, report: &mut Report) {
    let part = format!("{}: token", needs.name);
    match stage.service.tokens.token(needs.api, &context()).await {
        Err(error) => return no_token(stage, &part, error, report),
        Ok(token) => {
            let end = token.expires_at().map_or_else(|| "of unknown end".to_owned(), |end| format!("good until {end}"));
            report.good(&part, &end);
            match token.roles() {
                Some(carried) => roles(stage, needs, &carried, report),
                None => report.skipped("  permissions", "cannot be read from this token: the call tells"),
            }
        }
    }
    let part = format!("{}: a call", needs.name);
    let address = match needs.api {
        Api::Endpoint => &stage.settings.endpoints.api,
        Api::Xdr => &stage.settings.endpoints.xdr,
        Api::Graph | Api::Hunting => &stage.settings.endpoints.graph,
    };
    for (kind, value) in needs.harmless {
        if !answers(stage, needs.api, *kind).await {
            continue;
        }
        let outcome = match Question::parse(*kind, value) {
            Ok(question) => {
                let answer = stage.service.enricher.enrich(&question, &context()).await;
                answer.map_err(|error| explained(error, address))
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(_) => report.good(&part, &format!("about {} {}: answered", article(*kind), kind.as_str())),
            Err(error) => report.wrong(&part, &error),
        }
    }
}

/// Why there is no token. What only the function's role can get is not wrong.
fn no_token(stage: &Stage, part: &str, error: CredentialError, report: &mut Report) {
    let is_of_the_function = match &error {
        CredentialError::Federation(_) => true,
        CredentialError::Refused(refusal) => refusal.reason == RefusalReason::NoFederation,
        CredentialError::Store(_)
        | CredentialError::Unusable(_)
        | CredentialError::NoTokenForApi
        | CredentialError::Entra(_) => false,
    };
    if is_of_the_function && stage.aws.is_some() {
        let detail = "not from here: Entra trusts the function's role, not the AWS credentials of this shell. Ask the \
                      deployed function: check --url URL --key KEY";
        return report.unproven(part, detail);
    }
    match error {
        CredentialError::Store(error) => report.wrong(part, &unreadable(error, "DEFENDER_SECRET_ID")),
        error => report.wrong(part, &explained(CallError::from(error).into(), &stage.settings.endpoints.login)),
    }
}

/// What a caller would be told, and where to look when there may be no network.
fn explained(error: EnrichError, address: &Url) -> String {
    let silent =
        matches!(error, EnrichError::Unavailable { .. } | EnrichError::NoAddress { .. } | EnrichError::TimedOut { .. });
    let told = told_in_full(error);
    if silent {
        let host = address.host_str().unwrap_or_default();
        format!("{told} Is there a way from here to {host} (subnet, NAT, firewall, DNS)?")
    } else {
        told
    }
}

/// Whether an API is the one that answers this kind of question.
async fn answers(stage: &Stage, api: Api, kind: Kind) -> bool {
    let family = stage.service.enricher.backend().family(kind, &context()).await;
    family.is_ok_and(|family| matches!(family, Family::Graph(_)) == (api == Api::Graph))
}

fn roles(stage: &Stage, needs: &Needs, carried: &[String], report: &mut Report) {
    for (role, what_for) in needs.roles {
        let part = format!("  {role}");
        if carries(carried, role) {
            report.good(&part, what_for);
        } else if stage.settings.backend == BackendChoice::Auto && needs.api == Api::Graph {
            let detail = format!(
                "optional, and missing, for {what_for}: the older APIs are asked. To ask Graph, add it under {} and grant admin \
                 consent",
                needs.resource
            );
            report.skipped(&part, &detail);
        } else if carried.is_empty() {
            let detail = format!(
                "missing, for {what_for}: the token carries no permission at all; has an admin granted consent?"
            );
            report.wrong(&part, &detail);
        } else {
            let detail = format!(
                "missing, for {what_for}: add it under {}, grant admin consent, wait up to an hour",
                needs.resource
            );
            report.wrong(&part, &detail);
        }
    }
}
