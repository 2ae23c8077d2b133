//! One HTTPS call from an alert id, a machine, a user, a file hash or an incident to one normalized answer: what
//! Microsoft Defender knows, how bad it is, whom it touches, where to click.
//!
//! The house is described in `ARCHITECTURE.md`.

pub mod afterwards;
mod cache;
mod callers;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod credentials;
pub mod defender;
pub mod domain;
pub mod enrich;
pub mod front_door;
mod graph;
pub mod hooks;
pub mod http;
mod notify;
pub mod render;
mod response_url;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod service;
pub mod telemetry;
pub mod upstream;
