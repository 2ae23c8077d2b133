//! The service as its callers, its operators and Microsoft see it: a module per promise, all against the sandbox.
#![cfg(test)]

mod client;
#[cfg(target_os = "linux")]
mod freezing;
mod harness;
mod integrations;
mod log;
mod receiver;
mod requests;
mod rsa_keys;
mod shapes;
mod shared;

#[cfg(target_os = "linux")]
mod api;
mod architecture;
mod auth;
mod background;
mod batch;
mod budget;
mod caches;
mod check;
mod command_line;
mod context;
mod credentials;
mod credentials_signed;
mod delivery;
mod documents;
mod entry_points;
mod formats;
mod graph;
mod hostile;
mod lookups;
mod lookups_paged;
mod mcp;
mod memory;
mod merged;
mod naming;
mod page;
mod published;
mod quota;
mod redaction;
mod round_trips;
mod samples;
mod self_check;
mod tls;
mod upstream_answers;
mod upstream_failures;
mod values;
mod wire;
mod wire_incident;
