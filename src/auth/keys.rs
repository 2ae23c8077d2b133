//! API keys: those of the caller secret, in its member `api_keys`, and the key that a request presents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::secrets::{MemberError, Secrets, holder_name};

/// The member's name.
pub(super) const MEMBER: &str = "api_keys";

/// The keys by the callers' names. Each caller may have several valid keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) secrets: Secrets,
    /// The entries that are not keys.
    pub(super) errors: Vec<KeyError>,
}

/// An entry that is not a key: its place, but never its value. It affects no other entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// Not a list.
    #[error("api_keys of the caller secret has no list of strings for {0}, who therefore has no keys")]
    NotAList(String),
    /// An entry of a list, counted from 1.
    #[error("entry {1} of {0} in api_keys of the caller secret is not a string, and is ignored")]
    NotAString(String, usize),
}

impl Keys {
    /// Parses the member. Without it there are no keys.
    pub(super) fn parse(member: Option<&Value>) -> Result<Self, MemberError> {
        let mut keys = Self::default();
        let lists = match member {
            None => return Ok(keys),
            Some(Value::Object(lists)) => lists,
            Some(_) => {
                let problem = "has to be an object of lists of strings by name";
                return Err(MemberError { member: MEMBER, problem });
            }
        };
        for (name, list) in lists {
            let holder = holder_name(name);
            let entries = match list {
                Value::Array(entries) => entries.as_slice(),
                // A null is what an empty place in a template leaves.
                Value::Null => &[],
                _ => {
                    keys.errors.push(KeyError::NotAList(holder.to_string()));
                    &[]
                }
            };
            for (at, entry) in entries.iter().enumerate() {
                match entry {
                    Value::String(key) if !key.is_empty() => keys.secrets.0.push((holder.clone(), key.clone().into())),
                    Value::String(_) | Value::Null => {}
                    _ => keys.errors.push(KeyError::NotAString(holder.to_string(), at + 1)),
                }
            }
        }
        Ok(keys)
    }

    /// Whether clients cannot send a key in a header. HTTP allows bytes beyond ASCII, but clients encode them in
    /// different ways.
    pub(super) fn has_unpresentable_keys(&self) -> bool {
        let is_presentable = |key: &[u8]| key.is_ascii() && HeaderValue::from_bytes(key).is_ok();
        self.secrets.0.iter().any(|(_, key)| !is_presentable(key))
    }
}

/// The API key of a request, if there is one: `X-Api-Key`, a bearer token, or the password of Basic authentication.
/// Keys in the query string are not accepted, because URLs end up in logs.
pub(super) fn presented_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let own = headers.get("x-api-key").map(|value| value.as_bytes().to_vec()).filter(|key| !key.is_empty());
    own.or_else(|| authorization(headers)).filter(|key| !key.is_empty())
}

fn authorization(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") && !is_sent_by_another_site(headers) {
        let decoded = STANDARD.decode(rest).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        return decoded.get(colon + 1..).map(<[u8]>::to_vec);
    }
    None
}

/// Whether a page of another site made a browser send the request. Browsers keep a Basic password and add it to such
/// requests too, without asking the person.
fn is_sent_by_another_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_of_a_wrong_type_disables_only_itself() {
        let member =
            json!({"splunk": ["now", 7, "before"], "jira": {"key": "canary"}, "tines": [null, ""], "soar": null});
        let keys = Keys::parse(Some(&member)).expect("keys");
        for (key, owner) in
            [("now", Some("splunk")), ("before", Some("splunk")), ("canary", None), ("7", None), ("", None)]
        {
            assert_eq!(keys.secrets.owner(key.as_bytes()).ok().as_deref(), owner, "{key}");
        }
        let errors = [KeyError::NotAList("jira".to_owned()), KeyError::NotAString("splunk".to_owned(), 2)];
        assert_eq!(keys.errors, errors);
        assert!(!format!("{keys:?} {}", errors[0]).contains("canary"));
        for member in [json!(["canary"]), json!("canary"), json!(7)] {
            assert!(Keys::parse(Some(&member)).is_err(), "{member}");
        }
    }

    #[test]
    fn an_empty_header_does_not_hide_another() {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static(""));
        headers.insert("authorization", HeaderValue::from_static("bearer  k "));
        assert_eq!(presented_key(&headers).as_deref(), Some(&b"k"[..]));
        headers.insert("x-api-key", HeaderValue::from_static("own"));
        assert_eq!(presented_key(&headers).as_deref(), Some(&b"own"[..]));
    }

    #[test]
    fn another_site_cannot_use_the_password_that_a_browser_keeps() {
        let basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode("anyone:k"))).expect("a header");
        for (site, key) in [("same-origin", Some("k")), ("none", Some("k")), ("same-site", None), ("cross-site", None)]
        {
            let mut headers = HeaderMap::from_iter([(header::AUTHORIZATION, basic.clone())]);
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            assert_eq!(presented_key(&headers).as_deref(), key.map(str::as_bytes), "{site}");
            headers.insert("x-api-key", HeaderValue::from_static("own"));
            assert_eq!(presented_key(&headers).as_deref(), Some(&b"own"[..]), "a page has to know it: {site}");
        }
    }

    #[test]
    fn the_password_of_basic_may_contain_colons() {
        for (text, key) in [("anyone:k:1", Some("k:1")), (":k", Some("k")), ("no colon", None), ("k:", None)] {
            let header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(text))).expect("a header");
            let presented = presented_key(&HeaderMap::from_iter([(header::AUTHORIZATION, header)]));
            assert_eq!(presented.as_deref(), key.map(str::as_bytes), "{text}");
        }
    }
}
