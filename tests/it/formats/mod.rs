//! The formats of an answer beside its own JSON.

mod attacks;
mod context;
mod ecs;
mod hostile;
mod live_markup;
mod mail;
mod ocsf;
mod schemas;
mod selection;
mod snapshots;
