//! Warnings about accounts of one name in different domains. The older APIs take only the bare name, and mix such
//! accounts. In advanced hunting, evidence that names only a part of an account can belong to another account of the name.

use std::collections::BTreeSet;

use super::join_ids;
use crate::domain::alert::Alert;
use crate::domain::evidence::{Detail, Evidence};
use crate::domain::findings::Findings;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Account;
use crate::domain::warning::{Warning, WarningCode};

/// Returns a warning about alerts of the same name in another domain, if the caller sent a domain.
pub(super) fn defender_warning(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let (domains, ids) = domains_and_ids(account, findings, |alert| {
        let accounts = accounts(alert, account.name());
        !accounts.is_empty() && !accounts.iter().any(|known| known.is_in(domain))
    });
    if domains.is_empty() {
        return None;
    }
    let detail = format!(
        "Defender is asked by the bare name {:?}; these alerts are of the account of that name in {domains}, not in {domain}: {}.",
        account.name(),
        join_ids(ids.into_iter())
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// Returns a warning about alerts from advanced hunting whose evidence does not prove that the account is the requested
/// one: it contains the name, but no domain and no user principal name.
pub(super) fn hunting_warning(account: &Account, findings: &Findings) -> Option<Warning> {
    let domain = account.domain()?;
    let (domains, ids) = domains_and_ids(account, findings, |alert| !names_account_in_full(alert, account, domain));
    if ids.is_empty() {
        return None;
    }
    let elsewhere = if domains.is_empty() { domains } else { format!(" (it tells of {domains})") };
    let detail = format!(
        "The evidence of these alerts names an account {:?} and does not say that it is the one in {domain}{elsewhere}: {}.",
        account.name(),
        join_ids(ids.into_iter())
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// Returns the domains of the accounts of this name in the alerts that `is_doubtful` accepts, and the ids of these alerts.
fn domains_and_ids<'f>(
    account: &Account,
    findings: &'f Findings,
    is_doubtful: impl Fn(&Alert) -> bool,
) -> (String, Vec<&'f str>) {
    let (mut domains, mut ids) = (BTreeSet::new(), Vec::new());
    for alert in findings.alerts.iter().filter(|alert| is_doubtful(alert)) {
        domains.extend(accounts(alert, account.name()).into_iter().filter_map(|known| known.domain));
        ids.extend(alert.id.as_deref());
    }
    (domains.into_iter().collect::<Vec<_>>().join(", "), ids)
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
