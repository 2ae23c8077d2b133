//! Microsoft Graph as the backend.

mod choice;
mod comparison;
mod errors;
mod lists;
mod naming;
mod support;
