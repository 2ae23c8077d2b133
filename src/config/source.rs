//! Parsers for single variables: texts, words from a list, numbers, secret names and URLs.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use url::{Host, Url};

use super::{SecretId, SettingError, TableName};

/// Looks up variables by name. An empty variable counts as absent.
pub(super) struct Source<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Source<'_> {
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn optional_word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let meaning = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        meaning.map(Some).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            SettingError::new(name, format!("must be one of: {}", known.join(", ")))
        })
    }

    pub(super) fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)], default: T) -> Result<T, SettingError> {
        Ok(self.optional_word(name, words)?.unwrap_or(default))
    }

    pub(super) fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, SettingError> {
        let Some(value) = self.text(name) else { return Ok(default) };
        value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            SettingError::new(name, format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(super) fn count(&self, name: &'static str) -> Result<Option<NonZeroU32>, SettingError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let wrong = || SettingError::new(name, format!("must be a whole number from 1 to {}", u32::MAX));
        value.parse().map(Some).map_err(|_| wrong())
    }

    pub(super) fn secret(&self, name: &'static str) -> Result<Option<SecretId>, SettingError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        // Secrets Manager allows names of 1 to 512 of these characters, and ARNs of at most 2048.
        let fits = value.len() <= 2048
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-:!".contains(&byte));
        fits.then_some(Some(SecretId(value)))
            .ok_or_else(|| SettingError::new(name, "must be the name or the ARN of a secret in AWS Secrets Manager"))
    }

    /// The name of a table, or its ARN.
    ///
    /// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>.
    pub(super) fn table(&self, name: &'static str) -> Result<Option<TableName>, SettingError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let is_name = |text: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            (3..=255).contains(&text.len()) && text.bytes().all(fits)
        };
        let fits = match value.split(':').collect::<Vec<_>>().as_slice() {
            [text] => is_name(text),
            ["arn", partition, "dynamodb", region, account, table] => {
                let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
                let is_place = partition.starts_with("aws") && !region.is_empty();
                is_place && is_account && table.strip_prefix("table/").is_some_and(is_name)
            }
            _ => false,
        };
        let problem = "must be the name or the ARN of a table in Amazon DynamoDB";
        fits.then_some(Some(TableName(value))).ok_or_else(|| SettingError::new(name, problem))
    }

    /// A URL on loopback.
    pub(super) fn loopback(&self, name: &'static str) -> Result<Option<Url>, SettingError> {
        let url = self.optional_url(name)?;
        if url.as_ref().is_some_and(|url| url.scheme() != "http") {
            return Err(SettingError::new(name, "must be an http:// address on loopback, for tests"));
        }
        Ok(url)
    }

    pub(super) fn optional_url(&self, name: &'static str) -> Result<Option<Url>, SettingError> {
        self.text(name).map(|value| parse_url(name, &value)).transpose()
    }

    pub(super) fn url(&self, name: &'static str, default: &str) -> Result<Url, SettingError> {
        parse_url(name, self.text(name).as_deref().unwrap_or(default))
    }
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Parses a base URL: https, or http on loopback, without credentials, query and fragment.
fn parse_url(name: &'static str, value: &str) -> Result<Url, SettingError> {
    let problem = "must be an https:// address without user, query and fragment (http:// only for loopback)";
    let refused = || SettingError::new(name, problem);
    let url = Url::parse(value).map_err(|_| refused())?;
    let scheme_fits = url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)));
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if scheme_fits && plain { Ok(url) } else { Err(refused()) }
}
