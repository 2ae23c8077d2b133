//! What advanced hunting says of a subject itself. It has nothing on addresses and domains.

use super::{Graph, GraphQuery, hunting, wire};
use crate::backend::ComparedBy;
use crate::client::Context;
use crate::credentials::CallError;
use crate::domain::context::SubjectContext;
use crate::domain::subject::{DeviceId, DeviceName, FileHash};

/// A hunting query about a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GraphContextQuery {
    Device(DeviceId),
    DeviceNamed(ComparedBy<DeviceName>),
    File(FileHash),
}

impl GraphContextQuery {
    /// Returns the query about the subject of a query.
    pub(crate) fn of(query: &GraphQuery) -> Option<Self> {
        match query {
            GraphQuery::Machine(id) => Some(Self::Device(id.clone())),
            GraphQuery::MachineName(name) | GraphQuery::FullMachineName(name) => Some(Self::DeviceNamed(name.clone())),
            GraphQuery::File(hash) => Some(Self::File(hash.clone())),
            GraphQuery::Alert(_)
            | GraphQuery::User(_)
            | GraphQuery::Incident(_)
            | GraphQuery::Ip(_)
            | GraphQuery::Domain(_) => None,
        }
    }
}

impl Graph {
    /// `POST /v1.0/security/runHuntingQuery`. `None`: advanced hunting does not know the subject.
    pub(crate) async fn context(
        &self,
        query: &GraphContextQuery,
        ctx: &Context,
    ) -> Result<Option<SubjectContext>, CallError> {
        let body = self.hunt(hunting::context(query), ctx).await?;
        let context = match query {
            GraphContextQuery::Device(_) => wire::device_context(&body, None)?,
            GraphContextQuery::DeviceNamed(name) => wire::device_context(&body, Some(name))?,
            GraphContextQuery::File(_) => wire::file_context(&body)?,
        };
        Ok(context)
    }
}
