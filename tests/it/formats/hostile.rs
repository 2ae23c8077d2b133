//! Answers in which an attacker wrote every text.

use std::sync::Arc;

use defender_enrich::domain::alert::{Alert, AlertAccount, Comment, Device, LoggedOnUser};
use defender_enrich::domain::context::{DeviceContext, DomainContext, FileContext, IpContext, SubjectContext};
use defender_enrich::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use defender_enrich::domain::evidence::{
    Address, Detail, Entity, Evidence, File, Ip, Mail, Mailbox, NestedEntities, Parent, Process, Registry, User,
};
use defender_enrich::domain::extra::Extra;
use defender_enrich::domain::findings::Findings;
use defender_enrich::domain::incident::Incident;
use defender_enrich::domain::resolution::{Step, StepName};
use defender_enrich::domain::shared_str::SharedStr;
use defender_enrich::domain::subject::{IncidentId, Kind};
use defender_enrich::domain::timestamp::Timestamp;
use defender_enrich::domain::vocabulary::{ClosedVocabulary, Severity, UnknownWords};
use defender_enrich::domain::warning::{Warning, WarningCode, Warnings};
use fastrand::Rng;
use serde_json::value::{RawValue, to_raw_value};

/// Texts that are known to trigger actions in clients, and fragments of them.
const TRICKS: &[&str] = &[
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
    "null",
    "Other",
    "Automation",
    "T1059.001",
    "o'neil+x@mail.example",
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
            _ => text.push_str(one_of(rng, TRICKS)),
        }
    }
    // Some texts are longer than any limit, so that they are cut at any place, and a few are much longer.
    match rng.u16(0..1000) {
        0 => text.repeat(2000),
        1..60 => text.repeat(20),
        _ => text,
    }
}

/// Generates the name of a device or an account: one that clients act on, or one that is not a valid name.
fn name(rng: &mut Rng) -> SharedStr {
    if rng.bool() {
        return one_of(rng, NAMES).into();
    }
    let sign = one_of(rng, &["<", "`", "|", "*", "://", "[", "\""]);
    let text = text(rng);
    if rng.bool() { format!("{sign}{text}").into() } else { format!("{text}{sign}").into() }
}

fn one_of<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())]
}

fn maybe<T>(rng: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (rng.u8(0..8) > 0).then(|| value(rng))
}

fn some(rng: &mut Rng) -> Option<SharedStr> {
    maybe(rng, |rng| text(rng).into())
}

fn named(rng: &mut Rng) -> Option<SharedStr> {
    maybe(rng, name)
}

fn list<T>(rng: &mut Rng, max: usize, mut item: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(0..=max)).map(|_| item(rng)).collect()
}

fn texts(rng: &mut Rng, max: usize) -> Vec<SharedStr> {
    list(rng, max, |rng| text(rng).into())
}

fn word<W: ClosedVocabulary>(rng: &mut Rng) -> W {
    one_of(rng, W::ALL)
}

/// Generates a time: a plausible one, or one of those that stand for none.
fn time(rng: &mut Rng) -> Option<Timestamp> {
    let seconds = if rng.bool() { 1_700_000_000..1_800_000_000 } else { -20_000_000_000..250_000_000_000_i64 };
    rng.bool().then(|| Timestamp::from_unix_seconds(rng.i64(seconds)))
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

/// Generates unknown members: with values, and with empty ones.
fn extra(rng: &mut Rng) -> Extra {
    let values =
        ["null", "[]", "{}", "[null,{}]", r#"{"a":null,"b":[1.50,null]}"#, r#""x""#, "7", r#"{"":{"a":[[]]}}"#];
    let mut extra = Extra::default();
    for at in 0..rng.usize(0..4) {
        let value = RawValue::from_string(one_of(rng, &values).to_owned()).expect("JSON");
        extra.keep(format!("{}{at}", rng.alphabetic()), value);
    }
    extra
}

fn device(rng: &mut Rng) -> Device {
    Device { id: some(rng), name: named(rng), group: some(rng) }
}

fn user(rng: &mut Rng) -> User {
    User { name: named(rng), domain: named(rng), upn: named(rng), sid: named(rng), aad_id: named(rng) }
}

fn file(rng: &mut Rng) -> File {
    File { name: some(rng), path: some(rng), sha1: some(rng), sha256: some(rng), md5: some(rng) }
}

fn number(rng: &mut Rng) -> Option<i64> {
    maybe(rng, |rng| if rng.bool() { rng.i64(0..9999) } else { rng.i64(..) })
}

fn process(rng: &mut Rng) -> Process {
    Process {
        pid: number(rng),
        command_line: some(rng),
        created_at: time(rng),
        name: some(rng),
        path: some(rng),
        sha1: some(rng),
        sha256: some(rng),
        parent: Parent { pid: number(rng), name: some(rng), path: some(rng), created_at: time(rng) },
        user: rng.bool().then(|| Box::new(user(rng))),
    }
}

fn mailbox(rng: &mut Rng) -> Mailbox {
    Mailbox { address: some(rng), display_name: some(rng), user: rng.bool().then(|| Box::new(user(rng))) }
}

fn mail(rng: &mut Rng) -> Mail {
    Mail {
        sender: some(rng),
        recipient: some(rng),
        subject: some(rng),
        delivery_action: some(rng),
        envelope_sender: some(rng),
        sender_ip: some(rng),
        message_id: some(rng),
        network_message_id: some(rng),
        received_at: time(rng),
    }
}

fn nested_entities(rng: &mut Rng) -> NestedEntities {
    NestedEntities {
        devices: list(rng, 1, device),
        users: list(rng, 1, user),
        files: list(rng, 1, file),
        processes: list(rng, 1, process),
        ips: texts(rng, 1),
        source: some(rng),
        destination: some(rng),
        urls: texts(rng, 1),
        domains: texts(rng, 1),
        mailboxes: list(rng, 1, mailbox),
        mails: list(rng, 1, mail),
    }
}

fn evidence(rng: &mut Rng) -> Evidence {
    let detail = match rng.u8(0..9) {
        0 => Detail::File(file(rng)),
        1 => Detail::Process(Box::new(process(rng))),
        2 => Detail::User(user(rng)),
        3 => Detail::Ip(Ip { address: some(rng) }),
        4 => Detail::Mailbox(mailbox(rng)),
        5 => Detail::Mail(Box::new(mail(rng))),
        6 => Detail::Url(Address { url: some(rng) }),
        7 => Detail::Registry(Registry {
            hive: some(rng),
            key: some(rng),
            value_name: some(rng),
            value: some(rng),
            value_type: some(rng),
        }),
        _ => Detail::Other {},
    };
    let nested = rng.bool().then(|| nested_entities(rng));
    let mut extra = extra(rng);
    if let Some(nested) = &nested {
        // Nested entities are taken from unknown members, which stay where they are.
        extra.keep("nested", to_raw_value(nested).expect("JSON"));
    }
    Evidence {
        kind: format!("kind_{}", rng.lowercase()).into(),
        role: maybe(rng, |rng| one_of(rng, &["destination", "source", ""]).into()),
        verdict: some(rng),
        remediation_status: some(rng),
        detection_status: maybe(rng, |rng| one_of(rng, &["detected", "blocked", "prevented", "unknown", ""]).into()),
        observed_at: time(rng),
        detail,
        extra,
        nested: nested.map(Box::new),
    }
}

fn comment(rng: &mut Rng) -> Comment {
    Comment { text: some(rng), author: some(rng), created_at: time(rng) }
}

fn unknown_words(rng: &mut Rng) -> UnknownWords {
    UnknownWords { severity: some(rng), status: some(rng) }
}

fn alert(rng: &mut Rng) -> Alert {
    let severity: Severity = word(rng);
    let evidence = list(rng, 3, evidence);
    Alert {
        id: some(rng),
        title: some(rng),
        description: some(rng),
        severity,
        severity_id: severity.id(),
        status: word(rng),
        verdict: word(rng),
        classification: some(rng),
        determination: some(rng),
        category: some(rng),
        categories: texts(rng, 2),
        product_name: some(rng),
        actor: some(rng),
        recommended_actions: some(rng),
        custom_details: rng.bool().then(|| extra(rng)),
        tags: texts(rng, 2),
        techniques: texts(rng, 3),
        threat_name: some(rng),
        threat_family: some(rng),
        detection_source: some(rng),
        service_source: some(rng),
        detector_id: some(rng),
        investigation_id: some(rng),
        investigation_state: some(rng),
        assigned_to: named(rng),
        incident_id: some(rng),
        tenant_id: some(rng),
        device: rng.bool().then(|| device(rng)),
        further_devices: list(rng, 1, device),
        user: rng.bool().then(|| AlertAccount { domain: named(rng), name: name(rng) }),
        logged_on_users: list(rng, 1, |rng| LoggedOnUser { name: named(rng), domain: named(rng) }),
        created_at: time(rng),
        updated_at: time(rng),
        first_seen: time(rng),
        last_seen: time(rng),
        resolved_at: time(rng),
        comments: list(rng, 2, comment),
        evidence_loaded: !evidence.is_empty(),
        evidence,
        url: page(rng),
        extra: extra(rng),
        unknown_words: unknown_words(rng),
    }
}

fn incident(rng: &mut Rng) -> Incident {
    let severity: Severity = word(rng);
    Incident {
        id: "77".into(),
        name: some(rng),
        description: some(rng),
        summary: some(rng),
        resolving_comment: some(rng),
        tenant_id: some(rng),
        priority_score: maybe(rng, |rng| rng.i64(0..101)),
        severity,
        severity_id: severity.id(),
        status: word(rng),
        classification: some(rng),
        determination: some(rng),
        assigned_to: named(rng),
        created_at: time(rng),
        updated_at: time(rng),
        redirected_from: Vec::new(),
        tags: texts(rng, 5),
        comments: list(rng, 2, comment),
        url: page(rng),
        extra: extra(rng),
        unknown_words: unknown_words(rng),
        merged_into: rng.bool().then(|| rng.u64(1..99)).and_then(IncidentId::new),
    }
}

fn warning(rng: &mut Rng) -> Warning {
    let codes = [WarningCode::Partial, WarningCode::SeveralDevicesMatch, WarningCode::UnknownOrNoAlerts];
    Warning { code: one_of(rng, &codes), detail: text(rng) }
}

fn step(rng: &mut Rng) -> Step {
    let names = [StepName::IncidentRedirect, StepName::UpnToAccountName, StepName::Sha256ToSha1];
    Step::new(one_of(rng, &names), text(rng), text(rng))
}

/// Generates what is said of the subject: of the device and the file of an alert, or of others.
fn context(rng: &mut Rng, alerts: &[Alert]) -> SubjectContext {
    let files = alerts.iter().flat_map(|alert| &alert.evidence).flat_map(Evidence::entities);
    let mut hashes = files.filter_map(|entity| match entity {
        Entity::File(file) => file.sha1.clone(),
        Entity::Process(process) => process.sha1.clone(),
        _ => None,
    });
    let hash = hashes.next().filter(|_| rng.bool());
    let device = alerts.iter().find_map(|alert| alert.device.clone()).filter(|_| rng.bool()).unwrap_or_default();
    SubjectContext {
        device: rng.bool().then(|| DeviceContext { id: device.id, name: device.name, ..device_context(rng) }),
        file: rng.bool().then(|| FileContext { sha1: hash.or_else(|| some(rng)), ..file_context(rng) }),
        ip: rng.bool().then(|| IpContext {
            address: some(rng),
            org_prevalence: number(rng),
            org_first_seen: time(rng),
            org_last_seen: time(rng),
        }),
        domain: rng.bool().then(|| DomainContext {
            name: some(rng),
            org_prevalence: number(rng),
            org_first_seen: time(rng),
            org_last_seen: time(rng),
        }),
    }
}

fn device_context(rng: &mut Rng) -> DeviceContext {
    let most = if rng.u8(0..50) == 0 { 500 } else { 5 };
    DeviceContext {
        id: None,
        name: None,
        os_platform: word_or_text(rng, &["Windows11", "Other", "macOS", "Linux"]),
        os_version: some(rng),
        health_status: some(rng),
        onboarding_status: some(rng),
        risk_score: word_or_text(rng, &["Informational", "None", "Other", "High"]),
        exposure_level: some(rng),
        device_value: some(rng),
        group: some(rng),
        tags: texts(rng, most),
        ip_addresses: list(rng, most, |rng| {
            word_or_text(rng, &["192.0.2.7", "fe80::1", "::1", "2001:db8::7"]).unwrap_or_default()
        }),
        public_ip: some(rng),
        aad_device_id: some(rng),
        first_seen: time(rng),
        last_seen: time(rng),
    }
}

fn file_context(rng: &mut Rng) -> FileContext {
    FileContext {
        sha1: None,
        sha256: some(rng),
        md5: some(rng),
        size: number(rng),
        publisher: some(rng),
        product: some(rng),
        signer: some(rng),
        issuer: some(rng),
        signature_valid: maybe(rng, Rng::bool),
        determination: some(rng),
        determination_value: some(rng),
        global_prevalence: number(rng),
        global_first_seen: time(rng),
        global_last_seen: time(rng),
        org_prevalence: number(rng),
        org_first_seen: time(rng),
        org_last_seen: time(rng),
    }
}

fn word_or_text(rng: &mut Rng, words: &[&str]) -> Option<SharedStr> {
    if rng.bool() { Some(one_of(rng, words).into()) } else { some(rng) }
}

/// Generates an answer of any kind.
pub(super) fn answer(rng: &mut Rng) -> Answer {
    let kind = one_of(rng, &Kind::ALL);
    let alerts = match (kind, rng.u8(0..10)) {
        (_, 0) => Vec::new(),
        (Kind::Alert, _) => vec![alert(rng)],
        (_, 1) => list(rng, 12, alert),
        _ => list(rng, 3, alert),
    };
    let incident = (kind == Kind::Incident && rng.u8(0..6) > 0).then(|| incident(rng));
    let context = rng.bool().then(|| context(rng, &alerts));
    let subject = |rng: &mut Rng| match kind {
        Kind::Machine | Kind::User => name(rng).to_string(),
        Kind::Alert | Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => text(rng),
    };
    Answer {
        kind,
        input: subject(rng),
        id: subject(rng),
        url: page(rng).map(|page| page.to_string()),
        resolution: list(rng, 2, step),
        warnings: list(rng, 3, warning),
        findings: Arc::new(Findings::new(alerts, incident, Vec::new(), Warnings::default())),
        context,
        source: Source {
            product: "Microsoft Defender for Endpoint",
            backend: BackendName::Defender,
            api: "GET /api/alerts/{id}",
            retrieved_at: Timestamp::from_unix_seconds(1_793_607_240),
            cache: one_of(rng, &[CacheState::Miss, CacheState::Hit, CacheState::Stale]),
            age_s: rng.u64(0..100_000),
        },
    }
}

/// Generates render options.
pub(super) fn render_options(rng: &mut Rng) -> RenderOptions {
    RenderOptions { limit: rng.usize(0..=12), raw: false, warnings: Vec::new(), notified: None }
}
