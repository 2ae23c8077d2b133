//! The official Rust client of the Model Context Protocol against the demonstration, over HTTP and over standard input
//! and output. `.ci/mcp_check.py` runs it, and counts the lines that it prints.
//!
//! `mcp-client PROGRAM ADDRESS KEY FIELD=VALUE…`

use std::error::Error;

use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value, json};
use tokio::process::Command;

type Client = RunningService<RoleClient, ()>;

/// The generations of the protocol: the first message is `initialize`, or `server/discover`, or the client tries both.
fn modes() -> [(&'static str, ClientLifecycleMode); 3] {
    let preferred_versions = vec![ProtocolVersion::LATEST];
    [
        ("legacy", ClientLifecycleMode::Initialize),
        ("2026-07-28", ClientLifecycleMode::Discover { preferred_versions: preferred_versions.clone() }),
        ("auto", ClientLifecycleMode::Auto { preferred_versions, legacy_version: None }),
    ]
}

fn note(name: &str, is_right: bool, found: impl std::fmt::Debug) {
    if is_right { println!("ok     {name}") } else { println!("FAILED {name}: {found:?}") }
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> Result<CallToolResult, Box<dyn Error>> {
    let Value::Object(arguments) = arguments else { return Err("the arguments are no object".into()) };
    Ok(client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?)
}

/// A member of what a tool answered.
fn member<'a>(result: &'a CallToolResult, name: &str) -> &'a Value {
    result.structured_content.as_ref().map_or(&Value::Null, |content| &content[name])
}

/// Everything that a model would do with the tools.
async fn talk(name: &str, client: Client, subjects: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
    let tools: Vec<_> = client.list_all_tools().await?.into_iter().map(|tool| tool.name).collect();
    note(&format!("{name}: tools"), tools == ["defender_lookup", "defender_lookup_many"], tools);
    for (field, value) in subjects {
        let result = call(&client, "defender_lookup", json!({*field: value})).await?;
        let is_right = result.is_error != Some(true) && *member(&result, "found") == true;
        note(&format!("{name}: {field}"), is_right, result);
    }
    let result = call(&client, "defender_lookup", json!({"alert_id": "a/b"})).await?;
    let is_right = result.is_error == Some(true) && *member(&result, "code") == "invalid_id";
    note(&format!("{name}: a wrong id"), is_right, result);
    // The demonstration's domains are below .example, which `value` does not take for a public top-level domain.
    let values: Vec<_> = subjects.iter().filter(|(field, _)| *field != "domain").map(|(_, value)| value).collect();
    let result = call(&client, "defender_lookup_many", json!({"values": values})).await?;
    let counts = json!({"requests": values.len(), "ok": values.len(), "failed": 0});
    note(&format!("{name}: several values"), *member(&result, "counts") == counts, result);
    client.cancel().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [program, address, key, subjects @ ..] = arguments.as_slice() else {
        return Err("mcp-client PROGRAM ADDRESS KEY FIELD=VALUE…".into());
    };
    let subjects: Vec<_> = subjects.iter().filter_map(|subject| subject.split_once('=')).collect();
    for (mode, lifecycle) in modes() {
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{address}/mcp")).auth_header(key);
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = ().serve_with_lifecycle(transport, lifecycle.clone()).await?;
        talk(&format!("HTTP, {mode}"), client, &subjects).await?;
        let mut command = Command::new(program);
        command.args(["mcp", "--demo"]);
        let client = ().serve_with_lifecycle(TokioChildProcess::new(command)?, lifecycle).await?;
        talk(&format!("stdio, {mode}"), client, &subjects).await?;
    }
    Ok(())
}
