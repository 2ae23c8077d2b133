//! Secrets of callers, by holder: how they are read from a member of the caller secret, and how a request is compared
//! with them. Every comparison takes constant time, and no secret is ever displayed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};

use super::caller_secret::{CallerSecret, Member, MemberForm};
use super::signature::{SignatureError, Tag, sign};

/// The maximum number of secrets of one holder. Two are valid during a rotation, and there may be several workspaces.
const MAX_SECRETS_PER_HOLDER: usize = 8;
/// The maximum number of secrets in one member. A request is compared with each of them.
const MAX_SECRETS_PER_MEMBER: usize = 64;

/// An invalid member of the caller secret: its name, and what it should be, but never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} of the caller secret {problem}")]
pub(crate) struct MemberError {
    pub(super) member: &'static str,
    pub(super) problem: &'static str,
}

/// A member of the caller secret that holds the secrets of one sender.
#[derive(Debug)]
pub(crate) struct SecretList {
    /// The member's name.
    pub(crate) member: &'static str,
    /// The sender's name in the log. It stands for the holders where the secrets have no names.
    pub(crate) sender: &'static str,
    /// Whether holders may be named.
    pub(crate) form: MemberForm,
    /// Who makes the secrets.
    pub(crate) made_by: SecretMaker,
    /// Decodes a secret, or says what is wrong with the member.
    pub(crate) decode: fn(&str) -> Result<Vec<u8>, &'static str>,
}

/// Who makes the secrets that a sender and this service share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretMaker {
    /// The sender, which shows it once.
    Sender,
    /// The operator, who enters it at the sender.
    Operator,
}

impl SecretList {
    /// Reads the secrets. Empty texts are ignored, and an absent member holds no secrets.
    pub(crate) fn read(&self, secret: &CallerSecret) -> Result<Secrets, MemberError> {
        let decoded = self.texts(secret)?.into_iter().map(|(holder, text)| Ok((holder, (self.decode)(text)?)));
        let secrets = decoded.collect::<Result<_, _>>();
        secrets.map(Secrets).map_err(|problem| MemberError { member: self.member, problem })
    }

    /// The holders of a secret that can be guessed, as it is written.
    pub(crate) fn weak_holders(&self, secret: &CallerSecret) -> Vec<Arc<str>> {
        let texts = self.texts(secret).unwrap_or_default().into_iter();
        Secrets(texts.map(|(holder, text)| (holder, text.into())).collect()).weak_holders()
    }

    /// Reads the secrets as they are written.
    fn texts<'a>(&self, secret: &'a CallerSecret) -> Result<Vec<(Arc<str>, &'a str)>, MemberError> {
        let error = |problem| MemberError { member: self.member, problem };
        let form_error = error(match self.form {
            MemberForm::NamedLists => "has to be a list of strings, or an object of such lists by name",
            MemberForm::List | MemberForm::Object => "has to be a list of strings",
        });
        let lists = match secret.member(self.member) {
            None => Vec::new(),
            Some(Value::Array(list)) => vec![(self.sender, list)],
            Some(Value::Object(lists)) if self.form == MemberForm::NamedLists => {
                let lists = lists.iter().map(|(name, list)| Some((name.as_str(), list.as_array()?)));
                lists.collect::<Option<_>>().ok_or(form_error)?
            }
            Some(_) => return Err(form_error),
        };
        let mut secrets = Vec::new();
        for (name, list) in lists {
            if list.len() > MAX_SECRETS_PER_HOLDER {
                return Err(error("has more than 8 secrets in one list"));
            }
            let holder = holder_name(name);
            for text in list {
                match text.as_str().ok_or(form_error)? {
                    "" => {}
                    text => secrets.push((holder.clone(), text)),
                }
            }
        }
        if secrets.len() > MAX_SECRETS_PER_MEMBER {
            return Err(error("has more than 64 secrets"));
        }
        Ok(secrets)
    }

    /// The description of the member.
    pub(crate) fn describe(&'static self) -> Member {
        let errors =
            |secret: &CallerSecret| self.read(secret).err().map(|error| error.to_string()).into_iter().collect();
        Member { name: self.member, form: self.form, errors: Box::new(errors) }
    }
}

/// A holder's name without control characters, for logs and reports.
pub(super) fn holder_name(name: &str) -> Arc<str> {
    name.chars().filter(|character| !character.is_control()).take(64).collect::<String>().into()
}

/// Secrets by holder. Several may be valid at a time.
#[derive(Clone, Default)]
pub(crate) struct Secrets(pub(super) Vec<(Arc<str>, Vec<u8>)>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Secrets {
    /// Whether there are no secrets.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holders' names, without duplicates.
    pub(crate) fn holders(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// The holders of a secret that can be guessed.
    pub(crate) fn weak_holders(&self) -> Vec<Arc<str>> {
        Self(self.0.iter().filter(|(_, secret)| is_weak(secret)).cloned().collect()).holders()
    }

    /// Returns the holder whose secret signed the message, which is given in parts.
    pub(crate) fn signer(&self, message: &[&[u8]], presented: &[Tag]) -> Result<Arc<str>, SignatureError> {
        self.holder_of(|secret| {
            // One HMAC for each secret, however many signatures the request presents.
            let expected = sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message);
            presented.iter().fold(Choice::from(0), |fits, tag| fits | expected.as_ref().ct_eq(tag))
        })
    }

    /// Returns the holder of a secret that is sent as it is. Comparing digests also hides the lengths of the secrets.
    pub(crate) fn owner(&self, presented: &[u8]) -> Result<Arc<str>, SignatureError> {
        let presented = digest(&SHA256, presented);
        self.holder_of(|secret| digest(&SHA256, secret).as_ref().ct_eq(presented.as_ref()))
    }

    /// Compares every secret, so that the time does not depend on the match.
    fn holder_of(&self, fits: impl Fn(&[u8]) -> Choice) -> Result<Arc<str>, SignatureError> {
        if self.is_empty() {
            return Err(SignatureError::NotConfigured);
        }
        let mut holder = None;
        for (name, secret) in &self.0 {
            if bool::from(fits(secret)) {
                holder = Some(name);
            }
        }
        holder.cloned().ok_or(SignatureError::Wrong)
    }
}

/// Shorter keys can be guessed: 16 random bytes have 22 characters as base64, and 32 as hexadecimal digits.
const MIN_KEY_CHARACTERS: usize = 20;
/// A text with fewer distinct characters is not random.
const MIN_DISTINCT_CHARACTERS: usize = 8;

/// Whether an operator-made key can be guessed.
fn is_weak(key: &[u8]) -> bool {
    let key = String::from_utf8_lossy(key);
    let distinct: BTreeSet<char> = key.chars().collect();
    key.chars().count() < MIN_KEY_CHARACTERS || distinct.len() < MIN_DISTINCT_CHARACTERS
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    const NAMED: SecretList = SecretList {
        member: "named",
        sender: "sender",
        form: MemberForm::NamedLists,
        made_by: SecretMaker::Sender,
        decode: |text| if text == "bad canary" { Err("is bad") } else { Ok(text.into()) },
    };
    const UNNAMED: SecretList = SecretList { form: MemberForm::List, ..NAMED };

    fn read(list: &SecretList, value: &Value) -> Result<Secrets, MemberError> {
        list.read(&CallerSecret::of(&json!({"named": value})))
    }

    #[test]
    fn lists_use_the_name_of_the_sender_and_named_lists_their_own() {
        for (list, value, holders) in [
            (&NAMED, json!({"es": ["canary", ""], "itsi": ["canary-2"]}), r#"["es", "itsi"]"#),
            (&NAMED, json!(["canary", "canary"]), r#"["sender", "sender"]"#),
            (&UNNAMED, json!(["canary"]), r#"["sender"]"#),
            (&NAMED, json!(null), "[]"),
            (&UNNAMED, json!([""]), "[]"),
        ] {
            assert_eq!(format!("{:?}", read(list, &value).expect("secrets")), holders);
        }
    }

    #[test]
    fn invalid_member_is_named_and_its_value_not_echoed() {
        let many: Vec<_> = (0..9).map(|at| format!("canary-{at}")).collect();
        let names: Map<_, _> = (0..9).map(|at| (format!("name-{at}"), json!(many[..8]))).collect();
        for (list, value) in [
            (&UNNAMED, json!("canary")),
            (&UNNAMED, json!({"name": ["canary"]})),
            (&UNNAMED, json!(["canary", 7])),
            (&UNNAMED, json!(["bad canary"])),
            (&UNNAMED, json!(many)),
            (&NAMED, json!({"name": "canary"})),
            (&NAMED, json!({"name": [["canary"]]})),
            (&NAMED, json!(names)),
        ] {
            let error = read(list, &value).expect_err("an error").to_string();
            assert!(error.starts_with("named of the caller secret "), "{error}");
            assert!(!error.contains("canary") && !error.contains("name-"), "{error}");
        }
    }

    #[test]
    fn only_the_whole_token_identifies_its_holder() {
        let tokens = read(&NAMED, &json!({"es": ["canary"], "itsi": ["canary-2"]})).expect("secrets");
        assert_eq!(tokens.owner(b"canary-2").as_deref(), Ok("itsi"));
        for wrong in ["", "canary-", "canary-22", "CANARY", "es"] {
            assert_eq!(tokens.owner(wrong.as_bytes()), Err(SignatureError::Wrong), "{wrong}");
        }
        assert_eq!(Secrets::default().owner(b""), Err(SignatureError::NotConfigured));
    }

    #[test]
    fn any_secret_may_match_any_presented_signature() {
        let two = Secrets(vec![("now".into(), b"now".to_vec()), ("before".into(), b"before".to_vec())]);
        let tag = |secret: &[u8]| -> Tag {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            sign(&key, &[b"body"]).as_ref().try_into().expect("32 bytes")
        };
        let signer = |tags: &[Tag]| two.signer(&[b"bo", b"dy"], tags).map(|name| name.to_string());
        assert_eq!(signer(&[tag(b"now")]).as_deref(), Ok("now"));
        assert_eq!(signer(&[tag(b"other"), tag(b"before")]).as_deref(), Ok("before"));
        assert_eq!(signer(&[tag(b"other")]), Err(SignatureError::Wrong));
        assert_eq!(signer(&[]), Err(SignatureError::Wrong));
        assert_eq!(Secrets::default().signer(&[b"body"], &[tag(b"")]), Err(SignatureError::NotConfigured));
    }

    #[test]
    fn weak_keys_are_reported_by_their_holders() {
        for (key, weak) in [
            ("x", true),
            ("correct-horse", true),
            ("abababababababababababababab", true),
            ("3f9c1de07b5a4482c6d1e90fa7b82354", false),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", false),
        ] {
            let secret = CallerSecret::of(&json!({"named": [key]}));
            assert_eq!(!UNNAMED.weak_holders(&secret).is_empty(), weak, "{key}");
        }
    }
}
