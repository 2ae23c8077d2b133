//! The queries that the backends answer.

use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::defender::{DefenderContextQuery, DefenderQuery};
use super::graph::{GraphContextQuery, GraphQuery};
use crate::domain::enrichment::BackendName;
use crate::domain::portal::Portal;
use crate::domain::subject::{AlertId, IncidentId, comparable_id};

/// A query to one backend, and the key of its answer in the cache. Both backends know alerts and incidents by the same
/// ids, but return different members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Query {
    Defender(DefenderQuery),
    Graph(GraphQuery),
}

impl Query {
    /// The query for an incident, which both backends answer.
    pub(crate) fn incident(backend: BackendName, id: IncidentId) -> Self {
        match backend {
            BackendName::Defender => Self::Defender(DefenderQuery::Incident(id)),
            BackendName::Graph => Self::Graph(GraphQuery::Incident(id)),
        }
    }

    /// Returns the id or name that is sent to the backend.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Defender(query) => query.id(),
            Self::Graph(query) => query.id(),
        }
    }

    /// Returns the page of the portal, for a subject that has one by the id that is sent.
    pub(crate) fn portal_page(&self, portal: Portal) -> Option<String> {
        match self {
            Self::Defender(query) => query.portal_page(portal),
            Self::Graph(query) => query.portal_page(portal),
        }
    }
}

/// A query about a subject itself, and the key of its answer in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ContextQuery {
    Defender(DefenderContextQuery),
    Graph(GraphContextQuery),
}

impl ContextQuery {
    /// Returns the queries about the subject of a query.
    pub(crate) fn of(query: &Query) -> Vec<Self> {
        match query {
            Query::Defender(query) => DefenderContextQuery::of(query).into_iter().map(Self::Defender).collect(),
            Query::Graph(query) => GraphContextQuery::of(query).into_iter().map(Self::Graph).collect(),
        }
    }

    /// Whether its answer is the record that a name or a SHA-256 is resolved by.
    pub(crate) fn is_record(&self) -> bool {
        match self {
            Self::Defender(query) => query.is_record(),
            Self::Graph(_) => false,
        }
    }
}

/// A value that is sent in the caller's spelling, and compared by a text. Queries with equal texts share one answer.
#[derive(Clone, Debug)]
pub(crate) struct ComparedBy<T> {
    value: T,
    text: String,
}

impl<T> ComparedBy<T> {
    /// Compares `value` by this text without regard to case.
    pub(crate) fn any_case(value: T, text: &str) -> Self {
        Self { value, text: text.to_lowercase() }
    }
}

impl ComparedBy<AlertId> {
    /// Compares an alert's id as Microsoft does.
    pub(crate) fn alert_id(id: &AlertId) -> Self {
        Self { value: id.clone(), text: comparable_id(id.as_str()).into_owned() }
    }
}

impl<T> Deref for ComparedBy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for ComparedBy<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for ComparedBy<T> {}

impl<T> Hash for ComparedBy<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
