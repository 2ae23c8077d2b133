//! One HTTPS call from an alert id, a machine, a user, a file hash or an incident to one normalized answer: what
//! Microsoft Defender knows, how bad it is, whom it touches, where to click.
//!
//! `ARCHITECTURE.md` describes the modules.

pub mod api;
pub mod app;
mod auth;
pub mod backend;
pub mod background;
mod cache;
mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod credentials;
mod delivery;
pub mod domain;
pub mod formats;
mod integrations;
pub mod lambda;
mod lenient_json;
pub mod lookup;
mod mcp;
mod repetitions;
mod shared_state;
mod single_flight;
pub mod telemetry;
