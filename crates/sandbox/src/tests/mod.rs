//! The stand-ins over loopback, spoken to byte by byte.

mod client;
mod company;
mod credentials;
mod defender;
mod dynamodb;
mod faults;
mod graph;
