//! Warnings about accounts of one name in different domains. The older APIs take only the bare name, and mix such
//! accounts. In advanced hunting, evidence that names only a part of an account can belong to a namesake.

use std::collections::BTreeSet;

use crate::domain::alert::Alert;
use crate::domain::evidence::{Detail, Evidence};
use crate::domain::findings::Findings;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Account;
use crate::domain::warning::{Warning, WarningCode};

/// How many ids of alerts a warning lists.
const MAX_LISTED_IDS: usize = 10;

/// Returns a warning about alerts of the same name in another domain, if the caller sent a domain.
pub(super) fn warning(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let mut domains = BTreeSet::new();
    let mut ids = Vec::new();
    for alert in &findings.alerts {
        let namesakes = accounts(alert, account.name());
        if !namesakes.is_empty() && !namesakes.iter().any(|known| known.is_in(domain)) {
            domains.extend(namesakes.into_iter().filter_map(|known| known.domain));
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
        join_ids(ids)
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// Returns a warning about alerts from advanced hunting whose evidence does not prove that the account is the requested
/// one: it contains the name, but no domain and no user principal name.
pub(super) fn hunting_warning(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let (mut domains, mut ids) = (BTreeSet::new(), Vec::new());
    for alert in findings.alerts.iter().filter(|alert| !names_account_in_full(alert, account, domain)) {
        domains.extend(accounts(alert, account.name()).into_iter().filter_map(|known| known.domain));
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
        join_ids(ids)
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// Whether the evidence of an alert, or its row, contains the full name of the account.
fn names_account_in_full(alert: &Alert, account: &Account, domain: &str) -> bool {
    let is_upn = |text: &str| account.is_principal_name() && text.eq_ignore_ascii_case(&account.as_given());
    let is_here = |known: &str| first_label(known) == first_label(domain);
    let column = |name| alert.extra.text(name);
    let row = (column("AccountUpn"), column("AccountDomain"));
    row.0.as_deref().is_some_and(is_upn)
        || row.0.is_none() && row.1.as_deref().is_some_and(is_here)
        || alert.evidence.iter().any(|item| match &item.detail {
            Detail::User(user) => {
                let is_named = user.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account.name()));
                let non_empty = |text: &Option<SharedStr>| text.clone().filter(|text| !text.is_empty());
                match (non_empty(&user.upn), non_empty(&user.domain)) {
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

/// Whether other evidence, such as a mailbox, contains the requested account.
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

/// Joins the first ids for a sentence.
fn join_ids(mut ids: Vec<&str>) -> String {
    let more = if ids.len() > MAX_LISTED_IDS { " …" } else { "" };
    ids.truncate(MAX_LISTED_IDS);
    ids.join(", ") + more
}

/// Returns the first label of a DNS domain, which is usually its NetBIOS name.
fn first_label(domain: &str) -> String {
    domain.split('.').next().unwrap_or_default().to_lowercase()
}

/// An account of the requested name in an alert.
struct NamedAccount<'a> {
    domain: Option<&'a str>,
    upn: Option<&'a str>,
}

impl NamedAccount<'_> {
    /// Whether it is in the domain that the caller sent: a NetBIOS name, or the DNS name of a UPN.
    fn is_in(&self, domain: &str) -> bool {
        let by_upn = self.upn.and_then(|upn| upn.rsplit_once('@')).map(|(_, domain)| domain);
        match (by_upn, self.domain) {
            (Some(known), _) if domain.contains('.') => known.eq_ignore_ascii_case(domain),
            (_, Some(known)) | (Some(known), None) => first_label(known) == first_label(domain),
            (None, None) => true,
        }
    }
}

fn accounts<'a>(alert: &'a Alert, name: &str) -> Vec<NamedAccount<'a>> {
    let related = alert.user.iter().filter(|user| user.name.eq_ignore_ascii_case(name));
    let related = related.map(|user| NamedAccount { domain: user.domain.as_deref(), upn: None });
    let evidence = alert.evidence.iter().filter_map(|item| match &item.detail {
        Detail::User(user) if user.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name)) => {
            Some(NamedAccount { domain: user.domain.as_deref(), upn: user.upn.as_deref() })
        }
        _ => None,
    });
    related.chain(evidence).collect()
}
