//! Generates answers in which an attacker wrote every text, for tests of the human formats.

use std::sync::Arc;

use fastrand::Rng;

use crate::domain::alert::{Alert, AlertAccount, Device};
use crate::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use crate::domain::evidence::{Address, Detail, Evidence, File, Ip, Mail, Mailbox, Process, User};
use crate::domain::findings::Findings;
use crate::domain::incident::Incident;
use crate::domain::resolution::{Step, StepName};
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::{AlertStatus, AlertVerdict, ClosedVocabulary, IncidentStatus, Severity};
use crate::domain::warning::{Warning, WarningCode, Warnings};

/// Texts that are known to trigger actions in clients, and fragments of them.
pub(super) const TRICKS: &[&str] = &[
    "<!channel>",
    "<!here|here>",
    "<@U123>",
    "<#C123>",
    "<https://evil.example|Portal>",
    "@everyone",
    "@here",
    "@dana",
    "[x](http://evil.example)",
    "![x](https://evil.example/x.png)",
    "[x]: http://evil.example",
    "](",
    ")](",
    "]",
    "[",
    "```",
    "`",
    "`` ` ``",
    "*b*",
    "**b**",
    "_i_",
    "__b__",
    "~s~",
    "~~s~~",
    "*",
    "_",
    "~",
    "||",
    "|",
    "\n| a | b |\n",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<at>Dana</at>",
    "<b>",
    "<",
    ">",
    "&lt;",
    "&#64;everyone",
    "&amp;",
    "&",
    "&commat;here",
    "\\",
    "\\\\",
    "\\*",
    "\\`",
    ":tada:",
    "::skin-tone-2:",
    ":",
    "# h",
    "- x",
    "1. x",
    "> q",
    "www.evil.example",
    "evil.com",
    "evil",
    ".",
    "com",
    "http",
    "https",
    "://",
    "HTTPS://EVIL.EXAMPLE",
    "ftp://files.example",
    "https://security.microsoft.com.evil.example/",
    "https://security.microsoft.com@evil.example/",
    "//evil.example",
    "mailto:dana@contoso.com",
    "javascript:alert(1)",
    "192.0.2.7",
    "http://192.0.2.7/",
    "2001:db8::7",
    "[::1]",
    "dana@contoso.com",
    "desk-042.contoso.com",
    "CONTOSO\\dana.reyes",
    "rundll32.exe",
    "evil.com..x",
    "bank\u{301}.com",
    "❤.ws",
    "payload.zip",
    "Trojan:Win32/AgentTesla.AMBB!MTB",
    "Trojan:Win32/Grelmoor.AC!MTB",
    "#123",
    "GH-12",
    "ABC-123",
    "org/repo#4",
    "!5",
    "+ x",
    "---",
    "=== ",
    "C:\\Windows\\System32",
    "evil。com",
    "ｅｖｉｌ．ｃｏｍ",
    "@",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{ad}",
    "\u{e0041}",
    "\u{fe0f}",
    "\u{3164}",
    "\r\n",
    "\n",
    "\n\n",
    "\t",
    "\u{0}",
    "\u{7}",
    "\u{8}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{2028}",
    "\u{1b}[31m",
    "\u{1b}]8;;http://evil.example\u{1b}\\",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{301}",
    "\u{338}",
    "\u{1f512}",
    "\u{1d54f}",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "会議室の端末",
    "שלום",
    " ",
    "  ",
    "a",
    "x1",
    "$x$",
    "{code}",
    "^x^",
    "--",
    "==",
    "...",
    "…",
    "'",
    "\"",
    "{{x}}",
    "%0a",
];

/// Names in the form of devices and accounts, which no other text has. Longer names come before the names that they
/// contain.
pub(super) const NAMES: &[&str] = &[
    "guest_fabrikam.example#EXT#@tenant.named.net",
    "NAMED\\dana.named.net",
    "desk-042.named.net",
    "Dana's R&D named.net (2)",
    "dana_x.named.net$",
    "dana@named.net",
    "named.net",
    "NAMED-7",
];

/// Generates a text of tricks and arbitrary characters.
pub(super) fn text(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(0..4) {
        match rng.u8(0..10) {
            0 => text.extend((0..rng.usize(0..12)).map(|_| rng.char(..))),
            1 => text.extend((0..rng.usize(0..12)).map(|_| rng.char(' '..='~'))),
            _ => text.push_str(trick(rng)),
        }
    }
    // Some texts are longer than any limit, and a few are much longer.
    match rng.u16(0..1000) {
        0 => text.repeat(2000),
        1..20 => text.repeat(20),
        _ => text,
    }
}

/// Generates the name of a device or an account: one that clients act on, or one that is not a valid name.
fn name(rng: &mut Rng) -> SharedStr {
    if rng.bool() {
        return NAMES[rng.usize(..NAMES.len())].into();
    }
    let sign = ["<", "`", "|", "*", "://", "[", "\""][rng.usize(..7)];
    let text = text(rng);
    if rng.bool() { format!("{sign}{text}").into() } else { format!("{text}{sign}").into() }
}

fn named(rng: &mut Rng) -> Option<SharedStr> {
    (rng.u8(0..8) > 0).then(|| name(rng))
}

fn trick(rng: &mut Rng) -> &'static str {
    TRICKS[rng.usize(..TRICKS.len())]
}

fn some(rng: &mut Rng) -> Option<SharedStr> {
    (rng.u8(0..8) > 0).then(|| text(rng).into())
}

fn list<T>(rng: &mut Rng, most: usize, mut item: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(0..=most)).map(|_| item(rng)).collect()
}

fn word<W: ClosedVocabulary>(rng: &mut Rng) -> W {
    W::ALL[rng.usize(..W::ALL.len())]
}

fn moment(rng: &mut Rng) -> Option<Timestamp> {
    rng.bool().then(|| Timestamp::from_unix_seconds(rng.i64(0..2_000_000_000)))
}

/// Generates a page URL: as Defender sends it, or as an attacker would write it.
fn page(rng: &mut Rng) -> Option<SharedStr> {
    let page = "https://security.microsoft.com/alerts/da1_1";
    match rng.u8(0..4) {
        0 => None,
        1 => Some(page.into()),
        2 => Some(format!("{page}?tid={}", text(rng)).into()),
        _ => Some(text(rng).into()),
    }
}

fn evidence(rng: &mut Rng) -> Evidence {
    let detail = match rng.u8(0..7) {
        0 => Detail::File(File { name: some(rng), path: some(rng), ..File::default() }),
        1 => Detail::Process(Box::new(Process { command_line: some(rng), name: some(rng), ..Process::default() })),
        2 => Detail::User(User { name: named(rng), domain: named(rng), upn: named(rng), ..User::default() }),
        3 => Detail::Ip(Ip { address: some(rng) }),
        4 => Detail::Mailbox(Mailbox { address: some(rng), display_name: some(rng), user: None }),
        5 => Detail::Mail(Box::new(Mail {
            sender: some(rng),
            recipient: some(rng),
            subject: some(rng),
            ..Mail::default()
        })),
        _ => Detail::Url(Address { url: some(rng) }),
    };
    Evidence { kind: text(rng).into(), detail, ..Evidence::default() }
}

fn device(rng: &mut Rng) -> Device {
    Device { id: some(rng), name: named(rng), group: None }
}

pub(super) fn alert(rng: &mut Rng) -> Alert {
    let severity: Severity = word(rng);
    Alert {
        id: some(rng),
        title: some(rng),
        description: some(rng),
        severity,
        severity_id: severity.id(),
        status: word::<AlertStatus>(rng),
        verdict: word::<AlertVerdict>(rng),
        classification: some(rng),
        determination: some(rng),
        category: some(rng),
        categories: list(rng, 2, |rng| text(rng).into()),
        product_name: some(rng),
        actor: some(rng),
        recommended_actions: some(rng),
        tags: list(rng, 2, |rng| text(rng).into()),
        techniques: list(rng, 3, |rng| text(rng).into()),
        threat_name: some(rng),
        threat_family: some(rng),
        assigned_to: named(rng),
        incident_id: some(rng),
        tenant_id: some(rng),
        device: rng.bool().then(|| device(rng)),
        further_devices: list(rng, 1, device),
        user: rng.bool().then(|| AlertAccount { domain: named(rng), name: name(rng) }),
        created_at: moment(rng),
        updated_at: moment(rng),
        first_seen: moment(rng),
        last_seen: moment(rng),
        evidence: list(rng, 2, evidence),
        evidence_loaded: true,
        url: page(rng),
        ..Alert::default()
    }
}

fn incident(rng: &mut Rng) -> Incident {
    let severity: Severity = word(rng);
    Incident {
        id: text(rng).into(),
        name: some(rng),
        description: some(rng),
        summary: some(rng),
        resolving_comment: some(rng),
        tenant_id: some(rng),
        severity,
        severity_id: severity.id(),
        status: word::<IncidentStatus>(rng),
        classification: some(rng),
        determination: some(rng),
        assigned_to: named(rng),
        created_at: moment(rng),
        updated_at: moment(rng),
        tags: list(rng, 5, |rng| text(rng).into()),
        url: page(rng),
        ..Incident::default()
    }
}

fn warning(rng: &mut Rng) -> Warning {
    let codes = [WarningCode::Partial, WarningCode::SeveralDevicesMatch, WarningCode::UnknownOrNoAlerts];
    Warning { code: codes[rng.usize(..codes.len())], detail: text(rng) }
}

fn step(rng: &mut Rng) -> Step {
    let names = [StepName::IncidentRedirect, StepName::UpnToAccountName, StepName::Sha256ToSha1];
    Step::new(names[rng.usize(..names.len())], text(rng), text(rng))
}

/// Generates an answer of any kind.
pub(super) fn answer(rng: &mut Rng) -> Answer {
    let kind = Kind::ALL[rng.usize(..Kind::ALL.len())];
    let alerts = match (kind, rng.u8(0..10)) {
        (_, 0) => Vec::new(),
        (Kind::Alert, _) => vec![alert(rng)],
        (_, 1) => list(rng, 12, alert),
        _ => list(rng, 3, alert),
    };
    let incident = (kind == Kind::Incident && rng.u8(0..6) > 0).then(|| incident(rng));
    let cache = [CacheState::Miss, CacheState::Hit, CacheState::Stale][rng.usize(..3)];
    let of_subject = |rng: &mut Rng| match kind {
        Kind::Machine | Kind::User => name(rng).to_string(),
        Kind::Alert | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => text(rng),
    };
    Answer {
        kind,
        input: of_subject(rng),
        id: of_subject(rng),
        url: page(rng).map(|page| page.to_string()),
        resolution: list(rng, 2, step),
        warnings: list(rng, 3, warning),
        findings: Arc::new(Findings::new(alerts, incident, Vec::new(), Warnings::default())),
        source: Source {
            product: "Microsoft Defender for Endpoint",
            backend: BackendName::Defender,
            api: "GET /api/alerts/{id}",
            retrieved_at: Timestamp::from_unix_seconds(1_793_607_240),
            cache,
            age_s: rng.u64(0..100_000),
        },
    }
}

/// Generates render options.
pub(super) fn render_options(rng: &mut Rng) -> RenderOptions {
    RenderOptions { limit: rng.usize(1..=12), raw: false, warnings: Vec::new(), notified: None }
}
