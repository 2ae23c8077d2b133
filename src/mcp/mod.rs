//! The Model Context Protocol: the same lookups, as tools for AI agents and chat assistants.
//!
//! Everything here is pure: bytes in, bytes out. `api` answers `POST /mcp` with it, and `cli` speaks it over standard
//! input and output.

mod brief;
mod protocol;
mod tools;

use http::HeaderMap;

pub(crate) use brief::{Place, brief};
use protocol::Server;
pub(crate) use protocol::{Incoming, Reply, ToolCall, ToolResult};
pub(crate) use tools::{ArgumentError, DEFAULT_ALERTS, Detail, LOOKUP, LOOKUP_MANY, LookupOptions, take_values};

/// Reads a message. Over HTTP, `headers` are checked against it; over stdio there are none.
pub(crate) fn read(message: &[u8], headers: Option<&HeaderMap>) -> Incoming {
    protocol::read(message, headers, Server { instructions: tools::INSTRUCTIONS, tools: tools::list })
}
