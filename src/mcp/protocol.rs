//! Messages of the Model Context Protocol, as a server of tools speaks it: JSON-RPC 2.0, without sessions or streams.
//!
//! There are two generations. The older versions begin with `initialize`. From 2026-07-28 on, each request carries its
//! version, and headers repeat parts of its body. A request says itself which generation it belongs to.
//!
//! Source: <https://modelcontextprotocol.io/specification>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// The version whose requests stand alone.
const STATELESS: &str = "2026-07-28";
/// The versions that begin with `initialize`, the newest first.
const WITH_HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const PROTOCOL_VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// How long a client may keep the list of tools, in milliseconds. It changes only with a new version of the service.
const LIST_TTL_MS: u32 = 3_600_000;

/// An error code of JSON-RPC, or of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorCode {
    /// The body is not JSON.
    Parse,
    /// The JSON is not one message.
    InvalidRequest,
    /// The method is unknown.
    MethodNotFound,
    /// The parameters do not have the form that the method needs.
    InvalidParams,
    /// A header is missing, or differs from the body.
    HeaderMismatch,
    /// The version is unknown.
    UnsupportedVersion,
}

impl ErrorCode {
    fn number(self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::InvalidRequest => -32_600,
            Self::MethodNotFound => -32_601,
            Self::InvalidParams => -32_602,
            Self::HeaderMismatch => -32_020,
            Self::UnsupportedVersion => -32_022,
        }
    }
}

/// The generation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    WithHandshake,
    Stateless,
}

/// What a message asks for.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message that gets no answer: a notification, or a response that nobody asked for.
    Accepted,
    /// The client no longer waits for the request with this id.
    Cancelled(
        #[cfg_attr(not(any(feature = "cli", test)), expect(dead_code, reason = "only stdio cancels by id"))] Value,
    ),
    /// A request that is answered already.
    Answered(Reply),
    /// A call of a tool.
    Call(ToolCall),
}

/// A call of a tool.
#[derive(Debug)]
pub(crate) struct ToolCall {
    id: Value,
    generation: Generation,
    /// The name of the tool, as sent.
    pub(crate) tool: String,
    /// Its arguments.
    pub(crate) arguments: Map<String, Value>,
}

/// A response message, with the status that HTTP gives it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Whether it names the request that it answers. Over stdio, no other reply is sent: answers to unreadable lines
    /// have made clients and servers answer each other without end.
    #[cfg_attr(not(any(feature = "cli", test)), expect(dead_code, reason = "only stdio leaves a reply out"))]
    pub(crate) has_id: bool,
    pub(crate) body: Vec<u8>,
}

/// What a tool returns.
#[derive(Debug)]
pub(crate) struct ToolResult {
    /// For people, and for clients that know no structured content.
    pub(crate) text: String,
    /// A JSON object.
    pub(crate) structured: Box<RawValue>,
    /// Whether the result is a problem.
    pub(crate) is_error: bool,
}

/// The name and version of this server, and what clients should know before they call a tool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    pub(super) instructions: &'static str,
    /// The tools, as `tools/list` returns them.
    pub(super) tools: fn() -> Value,
}

impl ToolCall {
    /// The id of the request.
    #[cfg(feature = "cli")]
    pub(crate) fn id(&self) -> &Value {
        &self.id
    }

    /// The response to this call.
    pub(crate) fn reply(self, result: ToolResult) -> Reply {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Response {
            jsonrpc: &'static str,
            id: Value,
            result: CallResult,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct CallResult {
            #[serde(skip_serializing_if = "Option::is_none")]
            result_type: Option<&'static str>,
            content: [Content; 1],
            structured_content: Box<RawValue>,
            is_error: bool,
        }
        #[derive(Serialize)]
        struct Content {
            r#type: &'static str,
            text: String,
        }
        let result = CallResult {
            result_type: (self.generation == Generation::Stateless).then_some("complete"),
            content: [Content { r#type: "text", text: result.text }],
            structured_content: result.structured,
            is_error: result.is_error,
        };
        let response = Response { jsonrpc: "2.0", id: self.id, result };
        Reply { status: StatusCode::OK, has_id: true, body: serde_json::to_vec(&response).unwrap_or_default() }
    }

    /// The response to a call of a tool that does not exist.
    pub(crate) fn unknown_tool(self) -> Reply {
        error(StatusCode::OK, Some(self.id), ErrorCode::InvalidParams, "Unknown tool", None)
    }
}

/// Reads a message. Over HTTP, `headers` are checked against it; over stdio there are none.
pub(super) fn read(body: &[u8], headers: Option<&HeaderMap>, server: Server) -> Incoming {
    match Request::read(body) {
        Ok(Some(request)) => request.answer(headers, server).unwrap_or_else(Incoming::Answered),
        Ok(None) => Incoming::Accepted,
        Err(reply) => Incoming::Answered(reply),
    }
}

/// A message that names a method.
struct Request {
    /// `None` for a notification.
    id: Option<Value>,
    method: String,
    params: Option<Value>,
}

impl Request {
    /// Reads the envelope of a message. A response gives `None`.
    fn read(body: &[u8]) -> Result<Option<Self>, Reply> {
        let refused = |id, code, message| Err(error(StatusCode::BAD_REQUEST, id, code, message, None));
        let Ok(message) = serde_json::from_slice(body) else {
            return refused(None, ErrorCode::Parse, "The message is not JSON");
        };
        let Value::Object(mut message) = message else {
            return refused(None, ErrorCode::InvalidRequest, "One message is expected: an object, not a list");
        };
        let id = message.remove("id");
        let readable = id.clone().filter(|id| id.is_string() || id.is_number());
        if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return refused(readable, ErrorCode::InvalidRequest, "jsonrpc has to be \"2.0\"");
        }
        let Some(Value::String(method)) = message.remove("method") else {
            let is_response = readable.is_some() && (message.contains_key("result") || message.contains_key("error"));
            return if is_response {
                Ok(None)
            } else {
                refused(readable, ErrorCode::InvalidRequest, "method has to be a text")
            };
        };
        // Some clients send notifications with an id of null.
        let is_null_notification = id == Some(Value::Null) && method.starts_with("notifications/");
        if id.is_some() && readable.is_none() && !is_null_notification {
            return refused(None, ErrorCode::InvalidRequest, "id has to be a text or a number");
        }
        Ok(Some(Self { id: readable, method, params: message.remove("params") }))
    }

    fn answer(self, headers: Option<&HeaderMap>, server: Server) -> Result<Incoming, Reply> {
        let generation = self.generation(headers)?;
        let Some(id) = self.id.clone() else {
            let cancelled = self.param("requestId").filter(|_| self.method == "notifications/cancelled");
            return Ok(cancelled.cloned().map_or(Incoming::Accepted, Incoming::Cancelled));
        };
        let result = match (self.method.as_str(), generation) {
            ("initialize", Generation::WithHandshake) => self.initialize(server)?,
            ("ping", Generation::WithHandshake) => json!({}),
            ("server/discover", Generation::Stateless) => json!({
                "supportedVersions": supported_versions(),
                "capabilities": {"tools": {}},
                "instructions": server.instructions
            }),
            ("tools/list", _) => json!({"tools": (server.tools)()}),
            ("tools/call", _) => return self.call(id, generation).map(Incoming::Call),
            _ => {
                let status = match generation {
                    Generation::Stateless => StatusCode::NOT_FOUND,
                    Generation::WithHandshake => StatusCode::OK,
                };
                return Err(error(status, Some(id), ErrorCode::MethodNotFound, "Unknown method", None));
            }
        };
        Ok(Incoming::Answered(success(&id, generation, result)))
    }

    /// Checks the version and the headers, and returns the generation.
    fn generation(&self, headers: Option<&HeaderMap>) -> Result<Generation, Reply> {
        let header = |name: &HeaderName| {
            headers.and_then(|headers| headers.get(name)).map(|value| value.to_str().unwrap_or_default())
        };
        let in_header = header(&PROTOCOL_VERSION_HEADER);
        let meta = self.param("_meta");
        let in_body = meta.and_then(|meta| meta.get(META_VERSION));
        if in_body.is_none() && in_header != Some(STATELESS) {
            return match in_header.filter(|version| !WITH_HANDSHAKE.contains(version)) {
                Some(unknown) => Err(self.unsupported(unknown)),
                None => Ok(Generation::WithHandshake),
            };
        }
        let Some(version) = in_body.and_then(Value::as_str) else {
            return Err(self.refused(ErrorCode::InvalidParams, "params._meta needs the protocol version as a text"));
        };
        if headers.is_some() && in_header != Some(version) {
            return Err(self.refused(ErrorCode::HeaderMismatch, "MCP-Protocol-Version differs from the body"));
        }
        if WITH_HANDSHAKE.contains(&version) {
            return Ok(Generation::WithHandshake);
        }
        if version != STATELESS {
            return Err(self.unsupported(version));
        }
        if !meta.and_then(|meta| meta.get(META_CAPABILITIES)).is_some_and(Value::is_object) {
            return Err(self.refused(ErrorCode::InvalidParams, "params._meta needs the client's capabilities"));
        }
        if headers.is_some() {
            if header(&METHOD_HEADER) != Some(&self.method) {
                return Err(self.refused(ErrorCode::HeaderMismatch, "Mcp-Method differs from the body"));
            }
            let name = self.param("name").and_then(Value::as_str);
            if self.method == "tools/call" && header(&NAME_HEADER).and_then(decoded).as_deref() != name {
                return Err(self.refused(ErrorCode::HeaderMismatch, "Mcp-Name differs from the body"));
            }
        }
        Ok(Generation::Stateless)
    }

    fn param(&self, name: &str) -> Option<&Value> {
        self.params.as_ref()?.get(name)
    }

    /// The answer to `initialize`: the client's version if it is known, else the newest with a handshake.
    fn initialize(&self, server: Server) -> Result<Value, Reply> {
        let Some(wanted) = self.param("protocolVersion").and_then(Value::as_str) else {
            return Err(self.refused(ErrorCode::InvalidParams, "params.protocolVersion has to be a text"));
        };
        let version = WITH_HANDSHAKE.into_iter().find(|known| *known == wanted).unwrap_or(WITH_HANDSHAKE[0]);
        Ok(json!({
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": server_info(),
            "instructions": server.instructions
        }))
    }

    fn call(self, id: Value, generation: Generation) -> Result<ToolCall, Reply> {
        let invalid = |id, message| Err(error(StatusCode::OK, Some(id), ErrorCode::InvalidParams, message, None));
        let Some(Value::Object(mut params)) = self.params else {
            return invalid(id, "params has to be an object");
        };
        let Some(Value::String(tool)) = params.remove("name") else {
            return invalid(id, "params.name has to be the name of a tool");
        };
        let arguments = match params.remove("arguments") {
            Some(Value::Object(arguments)) => arguments,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return invalid(id, "params.arguments has to be an object"),
        };
        Ok(ToolCall { id, generation, tool, arguments })
    }

    fn refused(&self, code: ErrorCode, message: &str) -> Reply {
        error(StatusCode::BAD_REQUEST, self.id.clone(), code, message, None)
    }

    fn unsupported(&self, version: &str) -> Reply {
        let data = json!({"supported": supported_versions(), "requested": version});
        let message = "Unsupported protocol version";
        error(StatusCode::BAD_REQUEST, self.id.clone(), ErrorCode::UnsupportedVersion, message, Some(data))
    }
}

fn supported_versions() -> Vec<&'static str> {
    [STATELESS].into_iter().chain(WITH_HANDSHAKE).collect()
}

fn server_info() -> Value {
    json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")})
}

/// Decodes a header value: `=?base64?…?=` stands for a text that a header cannot carry.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
        None => Some(value.to_owned()),
    }
}

fn success(id: &Value, generation: Generation, mut result: Value) -> Reply {
    if let (Generation::Stateless, Some(members)) = (generation, result.as_object_mut()) {
        members.insert("resultType".to_owned(), "complete".into());
        members.insert("ttlMs".to_owned(), LIST_TTL_MS.into());
        members.insert("cacheScope".to_owned(), "public".into());
        members.insert("_meta".to_owned(), json!({META_SERVER_INFO: server_info()}));
    }
    let body = json!({"jsonrpc": "2.0", "id": id, "result": result});
    Reply { status: StatusCode::OK, has_id: true, body: body.to_string().into_bytes() }
}

/// An error message. Without a readable id it has none: null would break some clients.
fn error(status: StatusCode, id: Option<Value>, code: ErrorCode, message: &str, data: Option<Value>) -> Reply {
    let mut error =
        Map::from_iter([("code".to_owned(), Value::from(code.number())), ("message".to_owned(), Value::from(message))]);
    error.extend(data.map(|data| ("data".to_owned(), data)));
    let mut body =
        Map::from_iter([("jsonrpc".to_owned(), Value::from("2.0")), ("error".to_owned(), Value::Object(error))]);
    let has_id = id.is_some();
    body.extend(id.map(|id| ("id".to_owned(), id)));
    let body = Value::Object(body);
    Reply { status, has_id, body: body.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SERVER: Server = Server { instructions: "Read only.", tools: || json!([{"name": "look"}]) };

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        };
        pairs.iter().map(header).collect()
    }

    /// A request of the newest version, with its headers.
    fn stateless(method: &str, mut params: Value) -> (Value, HeaderMap) {
        params["_meta"] = json!({META_VERSION: STATELESS, META_CAPABILITIES: {}});
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let sent = headers(&[("mcp-protocol-version", STATELESS), ("mcp-method", method), ("mcp-name", &name)]);
        (json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), sent)
    }

    /// The status, and the result or the error code, of the reply to a message.
    fn reply(message: &Value, headers: Option<&HeaderMap>) -> (u16, Value) {
        let Incoming::Answered(reply) = read(message.to_string().as_bytes(), headers, SERVER) else {
            panic!("{message}")
        };
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(body["jsonrpc"], "2.0");
        assert_eq!(reply.has_id, body.get("id").is_some());
        (
            reply.status.as_u16(),
            body.get("result").or(body["error"].get("code")).cloned().expect("a result or an error"),
        )
    }

    #[test]
    fn initialize_returns_a_version_that_both_know() {
        for (asked, answered) in [
            ("2024-11-05", "2024-11-05"),
            ("2025-03-26", "2025-03-26"),
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("2026-07-28", "2025-11-25"),
            ("3000-01-01", "2025-11-25"),
        ] {
            let message =
                json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {"protocolVersion": asked}});
            let (status, result) = reply(&message, Some(&HeaderMap::new()));
            assert_eq!((status, &result["protocolVersion"]), (200, &answered.into()));
        }
    }

    #[test]
    fn a_stateless_request_says_how_long_its_list_is_valid() {
        for method in ["tools/list", "server/discover"] {
            let (message, sent) = stateless(method, json!({}));
            let (status, result) = reply(&message, Some(&sent));
            assert_eq!(
                (status, &result["resultType"], &result["cacheScope"]),
                (200, &"complete".into(), &"public".into())
            );
            assert_eq!(reply(&message, None), (200, result), "stdio has no headers");
        }
    }

    #[test]
    fn headers_that_differ_from_the_body_are_refused() {
        let (message, right) = stateless("tools/call", json!({"name": "look", "arguments": {}}));
        assert!(
            matches!(read(message.to_string().as_bytes(), Some(&right), SERVER), Incoming::Call(call) if call.tool == "look")
        );
        for (name, value) in [
            ("mcp-protocol-version", "2025-06-18"),
            ("mcp-method", "tools/list"),
            ("mcp-method", "TOOLS/CALL"),
            ("mcp-name", "other"),
            ("mcp-name", "=?base64?%%%?="),
        ] {
            let mut wrong = right.clone();
            wrong.insert(name, HeaderValue::from_static(value));
            assert_eq!(reply(&message, Some(&wrong)), (400, json!(-32_020)), "{name}: {value}");
            wrong.remove(name);
            assert_eq!(reply(&message, Some(&wrong)), (400, json!(-32_020)), "no {name}");
        }
        let mut encoded = right;
        encoded.insert("mcp-name", HeaderValue::from_static("=?base64?bG9vaw==?="));
        assert!(matches!(read(message.to_string().as_bytes(), Some(&encoded), SERVER), Incoming::Call(_)));
    }

    #[test]
    fn unknown_versions_and_methods_are_told_apart() {
        let (mut message, mut sent) = stateless("tools/list", json!({}));
        message["params"]["_meta"][META_VERSION] = "2099-01-01".into();
        sent.insert("mcp-protocol-version", HeaderValue::from_static("2099-01-01"));
        assert_eq!(reply(&message, Some(&sent)), (400, json!(-32_022)));
        let old = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        assert_eq!(reply(&old, Some(&headers(&[("mcp-protocol-version", "latest")]))), (400, json!(-32_022)));
        let (message, sent) = stateless("ping", json!({}));
        assert_eq!(reply(&message, Some(&sent)), (404, json!(-32_601)));
        let old = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"});
        assert_eq!(reply(&old, Some(&HeaderMap::new())), (200, json!(-32_601)));
    }

    #[test]
    fn what_is_not_one_request_is_refused() {
        let code = |body: &[u8]| match read(body, Some(&HeaderMap::new()), SERVER) {
            Incoming::Answered(reply) => {
                let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
                (reply.status.as_u16(), body["error"]["code"].as_i64())
            }
            other => panic!("{other:?}"),
        };
        for body in [&b""[..], b"{", b"id=1", b"{\"a\":1}{\"b\":2}", b"\xff"] {
            assert_eq!(code(body), (400, Some(-32_700)), "{body:?}");
        }
        for body in [
            "null",
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        ] {
            assert_eq!(code(body.as_bytes()), (400, Some(-32_600)), "{body}");
        }
    }

    #[test]
    fn notifications_and_responses_get_no_answer() {
        for message in [
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized", "id": null}),
            json!({"jsonrpc": "2.0", "method": "notifications/unknown"}),
            json!({"jsonrpc": "2.0", "id": 9, "result": {}}),
        ] {
            assert!(matches!(read(message.to_string().as_bytes(), None, SERVER), Incoming::Accepted), "{message}");
        }
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
        assert!(matches!(read(cancelled.to_string().as_bytes(), None, SERVER), Incoming::Cancelled(id) if id == 7));
    }

    #[test]
    fn arguments_are_an_object_or_absent() {
        let call = |params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        for params in [
            json!({}),
            json!({"name": 5}),
            json!({"name": "look", "arguments": []}),
            json!({"name": "look", "arguments": 5}),
        ] {
            assert_eq!(reply(&call(params.clone()), None), (200, json!(-32_602)), "{params}");
        }
        for params in [json!({"name": "look"}), json!({"name": "look", "arguments": null})] {
            let incoming = read(call(params).to_string().as_bytes(), None, SERVER);
            assert!(matches!(incoming, Incoming::Call(call) if call.arguments.is_empty()));
        }
    }
}
