//! Accounts of one name in different domains: Defender is asked by the bare name, and mixes them.

use std::collections::BTreeSet;

use crate::domain::alert::Alert;
use crate::domain::evidence::Detail;
use crate::domain::findings::Findings;
use crate::domain::subject::Account;
use crate::domain::warning::{Warning, WarningCode};

/// Alerts that a warning names.
const MOST_NAMED: usize = 10;

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
    let more = if ids.len() > MOST_NAMED { " …" } else { "" };
    ids.truncate(MOST_NAMED);
    let detail = format!(
        "Defender is asked by the bare name {:?}; these alerts are of the account of that name in {}, not in {domain}: {}{more}.",
        account.name(),
        domains.into_iter().collect::<Vec<_>>().join(", "),
        ids.join(", ")
    );
    Some(Warning { code: WarningCode::NamesakeInAnotherDomain, detail })
}

/// An account of the asked name, as an alert tells it.
struct Seen<'a> {
    domain: Option<&'a str>,
    upn: Option<&'a str>,
}

impl Seen<'_> {
    /// Whether it is in the domain that the caller gave: NetBIOS, or the DNS name of a UPN.
    fn is_in(&self, domain: &str) -> bool {
        let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
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
