//! `check`: what an operator runs after a deployment, when something is wrong. It prints a table, never a secret.

use std::process::ExitCode;
use std::time::Duration;

use url::Url;

use super::serve::article;
use super::{CommandError, Stage, print};
use crate::config::{BackendChoice, CallerAuth};
use crate::credentials::{CallError, Mends, carries};
use crate::defender::END;
use crate::domain::subject::{Kind, Question};
use crate::enrich::{Backend, Context, Deadline, EnrichError, Family};
use crate::graph::{READ_ALERTS, READ_INCIDENTS, RUN_HUNTING};
use crate::http::told_in_full;
use crate::upstream::Api;

/// Time for each part.
const EACH: Duration = Duration::from_secs(10);

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

/// The table, line by line as it comes about.
struct Table {
    wrong: usize,
}

impl Table {
    fn good(part: &str, detail: &str) {
        Self::line("ok", part, detail);
    }

    fn bad(&mut self, part: &str, detail: &str) {
        self.wrong += 1;
        Self::line("WRONG", part, detail);
    }

    fn line(state: &str, part: &str, detail: &str) {
        print(&format!("{state:<6} {part:<34} {detail}"));
    }
}

pub(super) async fn run(demo: bool) -> Result<ExitCode, CommandError> {
    let stage = Stage::set(demo).await?;
    let mut table = Table { wrong: 0 };
    if !demo {
        Table::line("-", "identity", "the AWS credentials of this shell: not those of the function's role");
    }
    callers(&stage, &mut table).await;
    let readable = secret(&stage, &mut table).await;
    if readable {
        backend(&stage, &mut table).await;
    } else {
        Table::line("-", "backend", "not tried: there is no credential");
    }
    let verdict = match table.wrong {
        0 => "All is well.".to_owned(),
        1 => "1 thing is wrong.".to_owned(),
        wrong => format!("{wrong} things are wrong."),
    };
    print(&format!("\n{verdict}"));
    Ok(ExitCode::from(u8::from(table.wrong > 0)))
}

fn context() -> Context {
    Context::new(Deadline::after(EACH), "check", None)
}

async fn callers(stage: &Stage, table: &mut Table) {
    let part = "callers";
    let secret = stage.service.callers.secret(&context()).await;
    let mends = stage.service.callers.mends();
    match stage.settings.caller_auth {
        CallerAuth::Iam => Table::good(part, "those whom the front door has identified by IAM"),
        CallerAuth::Nobody => Table::good(part, "everybody who can reach the service"),
        CallerAuth::ApiKey => {
            let names = match &secret {
                Ok(secret) => secret.as_ref().map_or_else(|| Ok(Vec::new()), |secret| secret.names()),
                Err(error) => Err(*error),
            };
            match names {
                Ok(names) if names.is_empty() => table.bad(
                    part,
                    "no keys: every call is 401. Set CALLER_SECRET_ID to a secret {\"api_keys\":{\"name\":[\"key\"]}}",
                ),
                Ok(names) => Table::good(part, &format!("with keys: {}", names.join(", "))),
                Err(error) => {
                    table.bad(part, &format!("{error}: check CALLER_SECRET_ID, its form, and who may read it"));
                }
            }
        }
    }
    mended("caller secret", &mends);
    let holders = secret.ok().flatten().map(|secret| secret.hooks.holders());
    for (sender, holders) in holders.into_iter().flatten() {
        let part = format!("  {sender}");
        match holders {
            Ok(holders) if holders.is_empty() => Table::line("-", &part, "no secrets: closed"),
            Ok(holders) => Table::good(&part, &format!("with secrets: {}", holders.join(", "))),
            Err(error) => table.bad(&part, &format!("{error}: closed")),
        }
    }
}

/// What had to be understood in a secret: it works, and should be corrected.
fn mended(part: &str, mends: &Mends) {
    for mend in mends.iter() {
        Table::line("NOTE", part, &mend.to_string());
    }
}

async fn secret(stage: &Stage, table: &mut Table) -> bool {
    let part = "Defender secret";
    match stage.service.tokens.secret(&context()).await {
        Ok(secret) => {
            let form = secret.content.form();
            Table::good(part, &format!("{}: {form}", stage.settings.defender_secret.as_str()));
            mended(part, &secret.mends);
            true
        }
        Err(error) => {
            table.bad(part, &told_in_full(CallError::from(error).into()));
            false
        }
    }
}

/// What each API in use needs; with `auto`, what Graph's token carries decides, and nothing there is wrong.
async fn backend(stage: &Stage, table: &mut Table) {
    let backend = stage.service.enricher.backend();
    let apis = match backend.apis(&context()).await {
        Ok(apis) => apis,
        Err(error) => {
            table.bad("backend", &told_in_full(error));
            return;
        }
    };
    if let Backend::Auto(auto) = backend
        && let Ok(chosen) = auto.chosen(&context()).await
    {
        Table::good("backend", &format!("auto. {}", chosen.told()));
        if !apis.contains(&Api::Graph) {
            carried_by_graph(stage).await;
        }
    }
    for needs in NEEDS.iter().filter(|needs| apis.contains(&needs.api)) {
        api(stage, needs, table).await;
    }
    if apis.iter().any(|api| api.is_older()) {
        let detail = format!("Microsoft switches the older Defender APIs off on {END}: move to DEFENDER_BACKEND=graph");
        Table::line("NOTE", "end of the older APIs", &detail);
    }
}

/// What is missing before Graph can be used at all.
async fn carried_by_graph(stage: &Stage) {
    let Ok(token) = stage.service.tokens.token(Api::Graph, &context()).await else { return };
    let carried = token.roles().unwrap_or_default();
    for needs in NEEDS.iter().filter(|needs| needs.api == Api::Graph) {
        for (role, what_for) in needs.roles {
            let mark = if carries(&carried, role) { "ok" } else { "-" };
            Table::line(mark, &format!("  {role}"), &format!("of Microsoft Graph, for {what_for}"));
        }
    }
}

async fn api(stage: &Stage, needs: &Needs, table: &mut Table) {
    let part = format!("{}: token", needs.name);
    match stage.service.tokens.token(needs.api, &context()).await {
        Err(error) => {
            table.bad(&part, &explained(CallError::from(error).into(), &stage.settings.endpoints.login));
            return;
        }
        Ok(token) => {
            let end = token.expires_at().map_or_else(|| "of unknown end".to_owned(), |end| format!("good until {end}"));
            Table::good(&part, &end);
            match token.roles() {
                Some(carried) => roles(stage, needs, &carried, table),
                None => Table::line("-", "  permissions", "cannot be read from this token: the call tells"),
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
                let answer = stage.service.enricher.enrich(&question, false, &context()).await;
                answer.map_err(|error| explained(error, address))
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(_) => Table::good(&part, &format!("about {} {}: answered", article(*kind), kind.as_str())),
            Err(error) => table.bad(&part, &error),
        }
    }
}

/// What a caller would be told, and where to look when there may be no network.
fn explained(error: EnrichError, address: &Url) -> String {
    let silent = matches!(error, EnrichError::Unavailable { .. } | EnrichError::TimedOut { .. });
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

fn roles(stage: &Stage, needs: &Needs, carried: &[String], table: &mut Table) {
    for (role, what_for) in needs.roles {
        let part = format!("  {role}");
        if carries(carried, role) {
            Table::good(&part, what_for);
        } else if stage.settings.backend == BackendChoice::Auto && needs.api == Api::Graph {
            Table::line("-", &part, &format!("missing, for {what_for}: the older APIs are asked"));
        } else if carried.is_empty() {
            let detail = format!(
                "missing, for {what_for}: the token carries no permission at all; has an admin granted consent?"
            );
            table.bad(&part, &detail);
        } else {
            let detail = format!(
                "missing, for {what_for}: add it under {}, grant admin consent, wait up to an hour",
                needs.resource
            );
            table.bad(&part, &detail);
        }
    }
}
