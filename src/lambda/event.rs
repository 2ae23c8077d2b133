//! Converts a Lambda event to an HTTP request.
//!
//! Lambda passes an event as JSON, in a form that depends on the entry point. Only a dozen members of all forms matter.
//! One struct reads them all, and they show which form it is.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::response::EntryPoint;
use crate::api::IamIdentity;

/// Replaces a body that cannot be decoded. It is never valid JSON, so the API rejects it like any other invalid body.
const UNDECODABLE_BODY: &[u8] = b"\0";

/// A request with the entry point that it came through.
#[derive(Debug)]
pub struct Event {
    pub(super) entry_point: EntryPoint,
    pub(super) request: Request<Body>,
}

impl Event {
    /// Reads an event. Returns `None` if it is not an HTTP request.
    pub fn read(json: &[u8]) -> Option<Self> {
        let mut wire: Wire<'_> = serde_json::from_slice(json).ok()?;
        let context = &mut wire.request_context;
        let (entry_point, method) = if let Some(http) = context.http.take() {
            (EntryPoint::V2, http.method)
        } else {
            (if context.elb.is_some() { EntryPoint::Alb } else { EntryPoint::V1 }, wire.http_method.take()?)
        };
        let mut request = Request::new(Body::from(wire.decoded_body()));
        *request.method_mut() = method.parse::<Method>().ok()?;
        *request.uri_mut() = match entry_point {
            EntryPoint::V2 => address(wire.path_without_stage(), wire.raw_query_string.as_deref().unwrap_or_default()),
            EntryPoint::V1 | EntryPoint::Alb => {
                address(wire.path.as_deref().unwrap_or_default(), &wire.query(entry_point))
            }
        };
        *request.headers_mut() = wire.headers();
        if let Some(arn) = wire.identity(entry_point).filter(|arn| !arn.is_empty()) {
            request.extensions_mut().insert(IamIdentity { arn });
        }
        Some(Self { entry_point, request })
    }
}

/// The relevant members of events of all forms: payload versions 1.0 and 2.0, and ALB.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    request_context: Context<'a>,
    /// In 1.0 and ALB events. In 2.0 events the method is in the context.
    http_method: Option<String>,
    /// In 1.0 events (without the stage) and ALB events.
    path: Option<String>,
    /// In 2.0 events, with the stage.
    raw_path: Option<String>,
    /// In 2.0 events, still encoded.
    raw_query_string: Option<String>,
    /// In 1.0 events (decoded) and ALB events (still encoded).
    #[serde(borrow)]
    query_string_parameters: Option<Lists<'a>>,
    #[serde(borrow)]
    multi_value_query_string_parameters: Option<Lists<'a>>,
    #[serde(borrow)]
    headers: Option<Lists<'a>>,
    #[serde(borrow)]
    multi_value_headers: Option<Lists<'a>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct Context<'a> {
    /// Only in ALB events.
    elb: Option<IgnoredAny>,
    /// Only in 2.0 events.
    http: Option<Http>,
    stage: Option<String>,
    /// The output of a custom authorizer in any form, or `{"iam":{"userArn":…}}` in 2.0 events.
    #[serde(borrow)]
    authorizer: Option<&'a RawValue>,
    /// In 1.0 events.
    identity: Option<Identity>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

#[derive(Deserialize)]
struct Authorizer {
    iam: Identity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    user_arn: Option<String>,
}

impl Wire<'_> {
    fn decoded_body(&mut self) -> Vec<u8> {
        let text = self.body.take().unwrap_or_default();
        if self.is_base64_encoded != Some(true) {
            return text.into_bytes();
        }
        STANDARD.decode(text).unwrap_or_else(|_| UNDECODABLE_BODY.to_vec())
    }

    fn path_without_stage(&self) -> &str {
        let path = self.raw_path.as_deref().unwrap_or_default();
        let stage = self.request_context.stage.as_deref().filter(|stage| *stage != "$default");
        let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
        rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
    }

    fn query(&self, entry_point: EntryPoint) -> String {
        let lists = self.multi_value_query_string_parameters.as_ref().filter(|lists| !lists.is_empty());
        let pairs = lists.or(self.query_string_parameters.as_ref()).into_iter().flat_map(pairs);
        if entry_point == EntryPoint::Alb {
            // An ALB passes the query still encoded.
            let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            return pairs.join("&");
        }
        Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// All values of all headers. A single value counts only if there is no list for the same name.
    fn headers(&self) -> HeaderMap {
        // Members that are not valid headers cannot come from an HTTP request, so they are ignored.
        let header = |(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
        let all = |lists| Option::into_iter(lists).flat_map(pairs).filter_map(header);
        let mut headers = HeaderMap::new();
        // More names than the map can hold are omitted. No entry point accepts so many.
        for (name, value) in all(self.multi_value_headers.as_ref()) {
            drop(headers.try_append(name, value));
        }
        for (name, value) in all(self.headers.as_ref()) {
            if let Ok(entry) = headers.try_entry(name) {
                drop(entry.or_try_insert(value));
            }
        }
        headers
    }

    /// The ARN of the caller, if the entry point has verified a signature.
    fn identity(&mut self, entry_point: EntryPoint) -> Option<String> {
        let context = &mut self.request_context;
        match entry_point {
            EntryPoint::V1 => context.identity.take()?.user_arn,
            EntryPoint::V2 => serde_json::from_str::<Authorizer>(context.authorizer?.get()).ok()?.iam.user_arn,
            EntryPoint::Alb => None,
        }
    }
}

/// Names, each with one value or a list of values.
type Lists<'a> = BTreeMap<String, Values<'a>>;

#[derive(Deserialize)]
#[serde(untagged)]
enum Values<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(#[serde(borrow)] Vec<Option<Cow<'a, str>>>),
    /// The value is `null`.
    Absent,
}

fn pairs<'l>(lists: &'l Lists<'_>) -> impl Iterator<Item = (&'l str, &'l str)> {
    lists.iter().flat_map(|(name, values)| {
        let (one, several) = match values {
            Values::One(one) => (Some(one), &[][..]),
            Values::Several(several) => (None, several.as_slice()),
            Values::Absent => (None, &[][..]),
        };
        one.into_iter().chain(several.iter().flatten()).map(|value| (&**name, &**value))
    })
}

/// Joins path and query to a request target. An invalid target becomes `/-`, which matches no route.
fn address(path: &str, query: &str) -> Uri {
    let path = if path.starts_with('/') { path } else { "/" };
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let escaped = if target.bytes().all(is_plain) {
        target
    } else {
        target
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    escaped.parse().unwrap_or_else(|_| Uri::from_static("/-"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(event: &Value) -> Event {
        Event::read(event.to_string().as_bytes()).expect("an event")
    }

    fn values(event: &Event, name: &str) -> Vec<String> {
        event.request.headers().get_all(name).iter().map(|value| value.to_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn header_lists_take_precedence_over_single_values() {
        let event = read(&json!({
            "httpMethod": "GET", "path": "/healthz", "requestContext": {},
            "headers": {"Accept": "text/plain", "X-One": "1", "not a name": "x", "x-bad": "a\nb"},
            "multiValueHeaders": {"accept": ["text/markdown", "text/plain"], "x-none": []},
            "multiValueQueryStringParameters": null, "queryStringParameters": {"a b": "c&d", "e": ["1", "2"]},
        }));
        assert_eq!(event.entry_point, EntryPoint::V1);
        assert_eq!(values(&event, "accept"), ["text/markdown", "text/plain"]);
        assert_eq!((values(&event, "x-one"), event.request.headers().keys_len()), (vec!["1".to_owned()], 2));
        assert_eq!(event.request.uri(), "/healthz?a+b=c%26d&e=1&e=2");
    }

    #[test]
    fn null_values_are_ignored() {
        let event = read(&json!({
            "httpMethod": "GET", "path": "/healthz", "requestContext": {},
            "headers": {"x-one": null, "x-two": "2"}, "multiValueHeaders": {"x-many": [null, "1"]},
            "queryStringParameters": {"a": null, "b": "1"},
        }));
        assert_eq!((values(&event, "x-two"), values(&event, "x-many")), (vec!["2".to_owned()], vec!["1".to_owned()]));
        assert_eq!((event.request.headers().len(), event.request.uri().to_string()), (2, "/healthz?b=1".to_owned()));
    }

    #[test]
    fn more_header_names_than_the_map_holds_are_omitted() {
        let names = |count: u32| (0..count).map(|number| (format!("x-{number}"), json!("1"))).collect();
        for (member, values) in [("headers", json!("1")), ("multiValueHeaders", json!(["1"]))] {
            let mut headers: serde_json::Map<String, Value> = names(40_000);
            headers.values_mut().for_each(|value| *value = values.clone());
            let event = read(&json!({"httpMethod": "GET", "path": "/healthz", "requestContext": {}, member: headers}));
            assert!(event.request.headers().len() > 20_000, "{member}");
        }
    }

    #[test]
    fn only_an_entry_point_that_verifies_signatures_identifies_a_caller() {
        let arn = "arn:aws:iam::123456789012:user/soar";
        for (context, expected) in [
            (json!({"http": {"method": "GET"}, "authorizer": {"iam": {"userArn": arn}}}), Some(arn)),
            (json!({"http": {"method": "GET"}, "authorizer": {"iam": {"userArn": ""}}}), None),
            (json!({"http": {"method": "GET"}, "authorizer": {"lambda": {"iam": {"userArn": arn}}}}), None),
            (json!({"http": {"method": "GET"}, "authorizer": {"iam": "of the caller's own"}}), None),
            (json!({"http": {"method": "GET"}, "authorizer": null}), None),
            (json!({"identity": {"userArn": arn}}), Some(arn)),
            (json!({"identity": {"userArn": null}, "authorizer": {"iam": {"userArn": arn}}}), None),
            (json!({"elb": {"targetGroupArn": "x"}, "identity": {"userArn": arn}}), None),
        ] {
            let event = read(&json!({"httpMethod": "GET", "requestContext": context}));
            let identity = event.request.extensions().get::<IamIdentity>();
            assert_eq!(identity.map(|identity| identity.arn.as_str()), expected, "{context}");
        }
    }
}
