//! What the stand-ins were asked.

use std::collections::VecDeque;

use http::HeaderMap;

use super::Service;
use super::script::Route;

/// Requests beyond this number push the oldest out, so that a long run does not fill the memory.
const CAPACITY: usize = 10_000;

/// A request that has arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whom it was addressed to.
    pub service: Service,
    /// What it asked for; none if there is no such route.
    pub route: Option<Route>,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark; empty if there is none.
    pub query: String,
    /// The headers. In the place of `Authorization` stands what it was good for: the audience of the token, the AWS service
    /// that was signed for, or `unknown`.
    pub headers: HeaderMap,
    /// The id that was asked for, decoded; or the secret's name, or the audience of a token.
    pub key: String,
}

impl Seen {
    /// A header as text; none if it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The latest requests, oldest first.
#[derive(Default)]
pub(super) struct Journal {
    entries: VecDeque<Seen>,
}

impl Journal {
    pub(super) fn note(&mut self, seen: Seen) {
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back(seen);
    }

    pub(super) fn entries(&self) -> Vec<Seen> {
        self.entries.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
