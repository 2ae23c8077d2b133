//! The domain types, to which every backend converts its answers.
//!
//! This module is pure: no I/O, no clock except [`timestamp::Timestamp::now`], no knowledge of an API, an entry point or a
//! format.

mod accounts;
pub mod alert;
pub mod context;
pub mod enrichment;
pub mod entities;
pub mod evidence;
pub mod extra;
pub mod findings;
pub mod incident;
pub mod line;
pub mod notified;
pub mod path;
pub mod portal;
#[cfg(test)]
mod properties;
pub mod raw;
pub mod resolution;
mod rollup;
pub mod shared_str;
pub mod subject;
mod summary;
pub mod tactic;
pub mod timestamp;
pub mod value;
pub mod vocabulary;
pub mod warning;
