//! What the older APIs say of a subject itself: which subject has which documents, their routes and permissions.

use super::{Defender, DefenderQuery, READ_FILES, READ_MACHINES, wire};
use crate::client::{self, Api, ClientError, Context};
use crate::credentials::CallError;
use crate::domain::context::SubjectContext;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceId, DomainName, IpAddress, Sha1};

pub(crate) const READ_IPS: &str = "Ip.Read.All";
pub(crate) const READ_DOMAINS: &str = "URL.Read.All";

/// A document about a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DefenderContextQuery {
    Device(DeviceId),
    File(Sha1),
    FileStatistics(Sha1),
    IpStatistics(IpAddress),
    DomainStatistics(DomainName),
}

impl DefenderContextQuery {
    /// Returns the documents about the subject of a query.
    pub(crate) fn of(query: &DefenderQuery) -> Vec<Self> {
        match query {
            DefenderQuery::Machine(id) => vec![Self::Device(id.clone())],
            DefenderQuery::File(sha1) => vec![Self::File(sha1.clone()), Self::FileStatistics(sha1.clone())],
            DefenderQuery::Ip(address) => vec![Self::IpStatistics(*address)],
            DefenderQuery::Domain(name) => vec![Self::DomainStatistics(name.clone())],
            DefenderQuery::Alert(_) | DefenderQuery::User(_) | DefenderQuery::Incident(_) => Vec::new(),
        }
    }

    /// Whether it is the record that a name or a SHA-256 is resolved by.
    pub(crate) fn is_record(&self) -> bool {
        match self {
            Self::Device(_) | Self::File(_) => true,
            Self::FileStatistics(_) | Self::IpStatistics(_) | Self::DomainStatistics(_) => false,
        }
    }
}

impl Defender {
    /// Gets a document about a subject; `None` if Defender does not know the subject.
    pub(crate) async fn context(
        &self,
        query: &DefenderContextQuery,
        ctx: &Context,
    ) -> Result<Option<SubjectContext>, CallError> {
        type Read = fn(&SharedStr) -> Result<SubjectContext, ClientError>;
        let (entities, id, document, permission, read): (_, _, _, _, Read) = match query {
            DefenderContextQuery::Device(id) => {
                ("machines", id.as_str().to_owned(), None, READ_MACHINES, wire::device_context)
            }
            DefenderContextQuery::File(sha1) => {
                ("files", sha1.as_str().to_owned(), None, READ_FILES, wire::file_context)
            }
            DefenderContextQuery::FileStatistics(sha1) => {
                ("files", sha1.as_str().to_owned(), Some("stats"), READ_FILES, wire::file_context)
            }
            DefenderContextQuery::IpStatistics(address) => {
                ("ips", address.to_string(), Some("stats"), READ_IPS, wire::ip_context)
            }
            DefenderContextQuery::DomainStatistics(name) => {
                ("domains", name.as_str().to_owned(), Some("stats"), READ_DOMAINS, wire::domain_context)
            }
        };
        let path: Vec<&str> = ["api", entities, &id].into_iter().chain(document).collect();
        let url = client::address(&self.endpoint, &path)?;
        let body = CallError::none_if_not_found(self.calls.get(Api::Endpoint, &url, permission, ctx).await)?;
        let context = body.as_ref().map(read).transpose()?;
        match context.as_ref().and_then(identity) {
            Some(returned) if !returned.eq_ignore_ascii_case(&id) => {
                Err(CallError::Client(ClientError::malformed("the answer is about another subject")))
            }
            _ => Ok(context),
        }
    }
}

/// Returns the id or hash that identifies the subject. Addresses and domains have several spellings.
fn identity(context: &SubjectContext) -> Option<&str> {
    let device = context.device.as_ref().and_then(|device| device.id.as_deref());
    device.or_else(|| context.file.as_ref()?.sha1.as_deref())
}
