//! The service as its callers, its operators and Microsoft see it: a module per promise, all against the sandbox.
#![cfg(test)]

mod client;
#[cfg(target_os = "linux")]
mod freezing;
mod harness;
mod hooks;
mod log;
mod receiver;
mod requests;
mod rsa_keys;
mod shapes;

#[cfg(target_os = "linux")]
mod afterwards;
mod architecture;
mod batch;
mod budget;
mod caches;
mod callers;
mod check;
mod command_line;
mod credentials;
mod credentials_signed;
mod edge;
mod formats;
mod front_doors;
mod graph;
mod hostile;
mod lookups;
mod lookups_paged;
mod memory;
mod merged;
mod naming;
mod notify;
mod published;
mod quota;
mod redaction;
mod samples;
mod upstream;
mod upstream_answers;
mod wire;
mod wire_incident;
