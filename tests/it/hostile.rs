//! Ten thousand hostile values per kind: whatever is sent as a subject, Defender sees its documented routes and no other.

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{PATIENT, Route, Seen, Service, World, field};

const VALUES: usize = 10_000;
/// Values that are asked about concurrently: few enough that none waits long for the others on a busy machine.
const AT_ONCE: usize = 50;

/// What has been used to leave a path segment, a header, a quotation or a line.
const TRICKS: &[&str] = &[
    "..",
    ".",
    "/",
    "\\",
    "../",
    "..\\",
    "..;/",
    "//",
    "%2e",
    "%2f",
    "%2F..",
    "%5c",
    "%00",
    "%0d%0a",
    "%252f",
    "%c0%af",
    "%",
    "%%",
    "?",
    "?$filter=1 eq 1",
    "?$expand=evidence",
    "&$top=1",
    "#",
    "#x",
    ";",
    ";x=y",
    "@",
    "@evil.example",
    ":",
    "://",
    "http://169.254.169.254/",
    "https://security.microsoft.com/alerts/",
    "https://security.microsoft.com/incidents/",
    "https://security.microsoft.com/machines/..%2f",
    "https://security.microsoft.com/users/%2e%2e",
    "https://security.microsoft.com/user?upn=",
    "javascript:",
    "file:///etc/passwd",
    "'",
    "''",
    "' or '1'='1",
    "') or startswith(id,'",
    "\"",
    "`",
    "$(id)",
    "${x}",
    "{{7*7}}",
    "\r\nX-Evil: 1",
    "\n",
    "\r",
    "\t",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{ad}",
    "\u{200b}",
    "\u{200f}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffd}",
    "\u{e0041}",
    "\u{1F512}",
    "e\u{301}",
    "\u{ff0e}\u{ff0e}\u{ff0f}",
    "\u{ff41}\u{ff44}",
    "\u{2215}",
    "\u{2044}",
    "\u{29f8}",
    "\u{ff05}2f",
    "\u{130}",
    "\u{df}",
    "\u{3c3}\u{3c2}",
    "\u{645}",
    "\u{65e5}\u{672c}",
    "alerts",
    "machines",
    "api",
    "v1.0",
    "me",
    "null",
    "undefined",
    "-1",
    "0",
    "1e9",
    "0x10",
    "+1",
    " ",
    "  ",
    "CONTOSO\\",
    "a",
    "Z",
    "7",
    "_",
    "-",
    "desk-042",
    ".contoso.com",
    "da637472900382838869_1364969609",
    "dana.reyes",
    "3107",
    "+",
    "=",
    "&",
    "*",
    "|",
    "~",
    "!",
    "$",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    ",",
];

fn value(random: &mut Rng) -> String {
    let trick = |random: &mut Rng| TRICKS[random.usize(..TRICKS.len())];
    match random.u8(..9) {
        0 => (0..random.usize(1..4)).map(|_| trick(random)).collect(),
        1 => (0..random.usize(1..12)).map(|_| random.char('\u{0}'..='\u{10ffff}')).collect(),
        2 => format!("{}{}", "desk-042".repeat(random.usize(1..60)), trick(random)),
        3 => format!("{:040x}{}", random.u128(..), trick(random)),
        4 => format!("{}{}{}", random.u64(..), trick(random), random.u32(..)),
        5 => format!("{}{}{}", trick(random), random.alphanumeric(), trick(random)),
        6 => format!(
            "https://security.microsoft.com/{}/{}",
            ["alerts", "users", "machines", "files", "incident2"][random.usize(..5)],
            trick(random)
        ),
        7 => format!("{:0length$X}", random.u128(..), length = [32, 40, 64, 39, 65][random.usize(..5)]),
        _ => (0..random.usize(1..9)).map(|_| random.char('\u{20}'..='\u{17f}')).collect(),
    }
}

/// Whether a filter is conditions on the name of a device, joined by `or`, each with one literal that ends where it should.
fn are_conditions(filter: &str) -> bool {
    let condition = filter.strip_prefix("computerDnsName eq '").map(|rest| (rest, "'"));
    let condition = condition.or_else(|| filter.strip_prefix("startswith(computerDnsName,'").map(|rest| (rest, "')")));
    let Some((rest, end)) = condition else { return false };
    let quotes: Vec<usize> = rest.match_indices('\'').map(|(at, _)| at).collect();
    // A quote inside is doubled: the first that is not ends the literal.
    let mut at = 0;
    while quotes.get(at + 1).is_some_and(|next| *next == quotes[at] + 1) {
        at += 2;
    }
    let Some(after) = quotes.get(at).and_then(|at| rest[*at..].strip_prefix(end)) else { return false };
    after.is_empty() || after.strip_prefix(" or ").is_some_and(are_conditions)
}

/// Whether a request is one that the documentation has, about one subject and nothing else.
fn is_documented(seen: &Seen) -> bool {
    let segments: Vec<_> = seen.path.split('/').collect();
    let is_escaped = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@%[]|^".contains(&byte))
    };
    let is_filter = || {
        let pairs: Vec<_> = form_urlencoded::parse(seen.query.as_bytes()).collect();
        let filter = pairs.first().map(|(_, filter)| filter.to_string()).unwrap_or_default();
        pairs.len() == 1 && pairs[0].0 == "$filter" && are_conditions(&filter)
    };
    let (service, fits) = match (seen.route, segments.as_slice()) {
        (Some(Route::Machines), ["", "api", "machines"]) => (Service::Defender, is_filter()),
        (Some(Route::Alert), ["", "api", "alerts", id])
        | (Some(Route::MachineAlerts), ["", "api", "machines", id, "alerts"])
        | (Some(Route::UserAlerts), ["", "api", "users", id, "alerts"])
        | (Some(Route::FileAlerts), ["", "api", "files", id, "alerts"])
        | (Some(Route::IpAlerts), ["", "api", "ips", id, "alerts"])
        | (Some(Route::DomainAlerts), ["", "api", "domains", id, "alerts"])
        | (Some(Route::File), ["", "api", "files", id]) => (Service::Defender, is_escaped(id) && seen.query.is_empty()),
        (Some(Route::Incident), ["", "api", "incidents", id]) => {
            (Service::Xdr, is_escaped(id) && seen.query.is_empty())
        }
        _ => return false,
    };
    fits && seen.service == service
        && seen.method == "GET"
        && !seen.key.contains(['/', '\\', '?', '#', '\r', '\n', '\0'])
}

async fn storm(kind: &str, seed: u64) {
    let world = World::with(PATIENT).await;
    world.sandbox.set_quota(1_000_000, 1_000_000);
    let mut random = Rng::with_seed(seed);
    let name = if kind == "value" { "value" } else { field(kind) };
    let (mut accepted, mut calls) = (0, 0);
    for _ in 0..VALUES / AT_ONCE {
        let values: Vec<_> = (0..AT_ONCE).map(|_| json!(value(&mut random))).collect();
        let response = join_all(values.iter().map(|value| world.ask(name, value))).await;
        for (value, response) in values.iter().zip(response) {
            // An answer, or a refusal of our own: nothing that Defender did not understand.
            assert!([200, 404, 422].contains(&response.status), "{kind} {value}: {}", response.text());
            accepted += usize::from(response.status != 422);
        }
        let apis =
            world.sandbox.seen().into_iter().filter(|seen| matches!(seen.service, Service::Defender | Service::Xdr));
        for seen in apis {
            assert!(is_documented(&seen), "{kind}: {seen:?}");
            calls += 1;
        }
        world.sandbox.forget();
    }
    assert!(accepted < VALUES * 3 / 4, "{kind}: {accepted} of these are not hostile");
    assert!(calls > 0, "{kind}: at least some of them have a form that is asked for");
}

#[tokio::test]
async fn no_alert_id_leaves_its_route() {
    storm("alert", 1).await;
}

#[tokio::test]
async fn no_machine_leaves_its_route() {
    storm("machine", 2).await;
}

#[tokio::test]
async fn no_user_leaves_its_route() {
    storm("user", 3).await;
}

#[tokio::test]
async fn no_file_hash_leaves_its_route() {
    storm("file", 4).await;
}

#[tokio::test]
async fn no_incident_id_leaves_its_route() {
    storm("incident", 5).await;
}

#[tokio::test]
async fn no_value_of_unknown_kind_leaves_any_route() {
    storm("value", 6).await;
}
