//! The promises of the service, kept by a real service beside the sandbox.
#![allow(missing_docs, reason = "the tests are named as sentences")]

mod graph;
