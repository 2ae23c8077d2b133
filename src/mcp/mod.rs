//! The Model Context Protocol: the same lookups, as tools for AI agents and chat assistants.
//!
//! Everything here is pure: bytes in, bytes out. `api` answers `POST /mcp` with it, and `cli` speaks it over standard
//! input and output.

mod brief;
mod protocol;
mod tools;

pub(crate) use brief::{Place, brief};
pub(crate) use protocol::{Call, Incoming, Reply, Server, ToolResult, read};
pub(crate) use tools::{ArgumentError, Detail, INSTRUCTIONS, LOOKUP, LOOKUP_MANY, LookupOptions, MAX_VALUES, list, take_values};
