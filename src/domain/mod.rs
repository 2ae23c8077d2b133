//! What Defender knows, in the one form that every backend's answer is turned into.
//!
//! Pure: no I/O, no clock but [`time::Moment::now`], no knowledge of any API, front door or format.

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
pub mod public_names;
pub mod raw;
pub mod resolution;
mod rollup;
pub mod subject;
mod summary;
pub mod tactic;
pub mod text;
pub mod time;
pub mod value;
pub mod warning;
pub mod words;
