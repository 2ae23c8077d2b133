//! Accounts of one name in different domains: Defender is asked by the bare name, and mixes them; evidence that names
//! half of an account can be of another's.

use std::collections::BTreeSet;

use crate::domain::alert::Alert;
use crate::domain::evidence::{Detail, Evidence};
use crate::domain::findings::Findings;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Account;
use crate::domain::warning::{Warning, WarningCode};

/// Alerts that a warning names.
const MAX_NAMED: usize = 10;

/// A warning about alerts of the same name in another domain, where the caller named a domain.
pub(super) fn warning(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let mut domains = BTreeSet::new();
    let mut ids = Vec::new();
    for alert in &findings.alerts {
        let seen = accounts(alert, account.name());
        if !seen.is_empty() && !seen.iter().any(|seen| seen.is_in(domain)) {
            domains.extend(seen.into_iter().filter_map(|seen| seen.domain));
            ids.extend(alert.id.as_deref());
        }
    }
    if domains.is_empty() {
        return None;
    }
    let detail = format!(
        "Defender is asked by the bare name {:?}; these alerts are of the account of that name in {}, not in {domain}: {}.",
        account.name(),
        domains.into_iter().collect::<Vec<_>>().join(", "),
        listed(ids)
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// A warning about hunted alerts whose evidence does not tell that the account is the one that was asked for: it has the
/// name, and no domain or user principal name that says whose.
pub(super) fn warning_of_hunted(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let (mut domains, mut ids) = (BTreeSet::new(), Vec::new());
    for alert in findings.alerts.iter().filter(|alert| !is_surely_of(alert, account, domain)) {
        domains.extend(accounts(alert, account.name()).into_iter().filter_map(|seen| seen.domain));
        ids.extend(alert.id.as_deref());
    }
    if ids.is_empty() {
        return None;
    }
    let elsewhere = domains.into_iter().collect::<Vec<_>>().join(", ");
    let elsewhere = if elsewhere.is_empty() { elsewhere } else { format!(" (it tells of {elsewhere})") };
    let detail = format!(
        "The evidence of these alerts names an account {:?} and does not say that it is the one in {domain}{elsewhere}: {}.",
        account.name(),
        listed(ids)
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// Whether the evidence of an alert, or its row, names the account in full.
fn is_surely_of(alert: &Alert, account: &Account, domain: &str) -> bool {
    let is_upn = |text: &str| account.is_principal_name() && text.eq_ignore_ascii_case(&account.as_given());
    let is_here = |known: &str| first_label(known) == first_label(domain);
    let of_row = |column| alert.extra.text(column);
    let row = (of_row("AccountUpn"), of_row("AccountDomain"));
    row.0.as_deref().is_some_and(is_upn)
        || row.0.is_none() && row.1.as_deref().is_some_and(is_here)
        || alert.evidence.iter().any(|item| match &item.detail {
            Detail::User(user) => {
                let is_named = user.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account.name()));
                let told = |text: &Option<SharedStr>| text.clone().filter(|text| !text.is_empty());
                match (told(&user.upn), told(&user.domain)) {
                    (Some(upn), _) if account.is_principal_name() => is_upn(&upn),
                    (_, Some(known)) => is_named && is_here(&known),
                    (_, None) => false,
                }
            }
            Detail::Mailbox(mailbox) => mailbox.address.as_deref().is_some_and(is_upn),
            Detail::Process(_)
            | Detail::File(_)
            | Detail::Ip(_)
            | Detail::Url(_)
            | Detail::Registry(_)
            | Detail::Mail(_)
            | Detail::Other {} => false,
        })
        || alert.evidence.iter().any(|item| names_in_full(item, account, domain))
}

/// Whether an account within other evidence, such as that of a mailbox, is the one that was asked for.
fn names_in_full(item: &Evidence, account: &Account, domain: &str) -> bool {
    let wanted = if account.is_principal_name() {
        vec![account.as_given().to_lowercase()]
    } else {
        vec![account.name().to_lowercase(), first_label(domain)]
    };
    let quoted = |text: &String| serde_json::to_string(text).unwrap_or_default();
    let wanted: Vec<_> = wanted.iter().map(quoted).collect();
    item.extra.iter().any(|(_, value)| {
        let text = value.get().to_lowercase();
        wanted.iter().all(|wanted| text.contains(wanted.as_str()))
    })
}

/// The first few ids, for a sentence.
fn listed(mut ids: Vec<&str>) -> String {
    let more = if ids.len() > MAX_NAMED { " …" } else { "" };
    ids.truncate(MAX_NAMED);
    ids.join(", ") + more
}

/// What NetBIOS mostly calls a domain of DNS.
fn first_label(domain: &str) -> String {
    domain.split('.').next().unwrap_or_default().to_lowercase()
}

/// An account of the asked name, as an alert tells it.
struct Seen<'a> {
    domain: Option<&'a str>,
    upn: Option<&'a str>,
}

impl Seen<'_> {
    /// Whether it is in the domain that the caller gave: NetBIOS, or the DNS name of a UPN.
    fn is_in(&self, domain: &str) -> bool {
        let by_upn = self.upn.and_then(|upn| upn.rsplit_once('@')).map(|(_, domain)| domain);
        match (by_upn, self.domain) {
            (Some(known), _) if domain.contains('.') => known.eq_ignore_ascii_case(domain),
            (_, Some(known)) | (Some(known), None) => first_label(known) == first_label(domain),
            (None, None) => true,
        }
    }
}

fn accounts<'a>(alert: &'a Alert, name: &str) -> Vec<Seen<'a>> {
    let related = alert.user.iter().filter(|user| user.name.eq_ignore_ascii_case(name));
    let related = related.map(|user| Seen { domain: user.domain.as_deref(), upn: None });
    let evidence = alert.evidence.iter().filter_map(|item| match &item.detail {
        Detail::User(user) if user.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name)) => {
            Some(Seen { domain: user.domain.as_deref(), upn: user.upn.as_deref() })
        }
        _ => None,
    });
    related.chain(evidence).collect()
}
