//! The promises of the service, kept by a real service beside the sandbox.
#![cfg(test)]

mod graph;
