//! Posts to a destination: within the deadline, with retries where they are safe, and with an outcome by the
//! response.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::json;
use tokio::time::timeout_at;
use url::Host;

use super::destination::{Destination, DestinationError, Destinations, Kind, Proof};
use super::names::{AddressNotAllowed, AllowedAddresses};
use super::splunk_hec;
use crate::auth::{CallerSecret, Member};
use crate::client::{Attempts, Context, HttpClient, PostFailure, Retry, longest_silence};
use crate::clock::Clock;
use crate::config::{DestinationAddresses, SettingError};
use crate::domain::notified::{Notified, Outcome};
use crate::domain::timestamp::Timestamp;
use crate::formats::{BodyKind, Format};

/// How much of a response is read. Splunk's collector answers with less than 100 bytes.
const MAX_RESPONSE_BYTES: usize = 4 << 10;

/// Posts to destinations.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    client: reqwest::Client,
    clock: Clock,
    names: AllowedAddresses,
}

/// Why a destination's host cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    /// The resolver returns no address.
    #[error("the host in its url has no address")]
    NoAddress,
    /// The resolver returns only private or loopback addresses.
    #[error("the host in its url has only addresses that a destination may not have")]
    AddressNotAllowed,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Failure {
    /// A failure that any post can have.
    #[error(transparent)]
    Post(#[from] PostFailure),
    /// The host name has only forbidden addresses. There is no retry.
    #[error("the name leads only to addresses that a destination may not have")]
    AddressNotAllowed,
}

/// The content of a post.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// An answer, or one message about several, in the destination's format.
    Body(Vec<u8>),
    /// A JSON document about several subjects.
    Document(Vec<u8>),
    /// For several subjects: an answer in the destination's format, or a problem as JSON.
    Events(Vec<Result<Vec<u8>, Vec<u8>>>),
}

/// The request that every attempt sends.
struct Delivery {
    /// The `webhook-id`, without a full stop.
    id: String,
    body: Bytes,
}

impl Notifier {
    /// Creates a notifier with its own client, which connects only to allowed addresses.
    pub(crate) fn new(http: &HttpClient, allowed: DestinationAddresses, clock: Clock) -> Result<Self, SettingError> {
        let names = AllowedAddresses(allowed);
        Ok(Self { client: http.resolving_with(names)?, clock, names })
    }

    /// The description of the member of the caller secret with the destinations.
    pub(crate) fn member(&self) -> Member {
        Destinations::member(self.names.0)
    }

    /// The destinations of the caller secret.
    pub(crate) fn destinations(&self, secret: &CallerSecret) -> Result<Destinations, DestinationError> {
        Destinations::parse(secret, self.names.0)
    }

    /// Checks that the host has an allowed address. Nothing is sent.
    pub(crate) async fn check_host(&self, destination: &Destination, ctx: &Context) -> Result<(), HostError> {
        // An IP address as host was checked when the entry was parsed.
        let Some(Host::Domain(name)) = destination.url.host() else { return Ok(()) };
        match timeout_at(ctx.deadline.instant(), self.names.find(name)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if AddressNotAllowed::is_behind(&*error) => Err(HostError::AddressNotAllowed),
            Ok(Err(_)) | Err(_) => Err(HostError::NoAddress),
        }
    }

    /// Posts the content, and returns the outcome.
    pub(crate) async fn post(&self, destination: &Destination, content: Content, ctx: &Context) -> Notified {
        let delivery = Delivery::new(destination, content, self.clock.now());
        let (outcome, status, tries) = if delivery.body.is_empty() {
            (Outcome::NothingToSend, None, 0)
        } else {
            match self.deliver(destination, &delivery, ctx).await {
                (Ok(status), tries) => (Outcome::Delivered, Some(status.as_u16()), tries),
                (Err(failure), tries) => {
                    tracing::warn!(
                        request_id = %ctx.request_id,
                        destination = destination.name,
                        destination_kind = destination.kind.as_str(),
                        status = failure.status(),
                        tries,
                        %failure,
                        "an answer was not delivered to its destination"
                    );
                    (failure.outcome(), failure.status(), tries)
                }
            }
        };
        tracing::debug!(request_id = %ctx.request_id, destination = destination.name, outcome = outcome.as_str(), tries);
        Notified { destination: destination.name.clone(), outcome, status }
    }

    async fn deliver(
        &self,
        destination: &Destination,
        delivery: &Delivery,
        ctx: &Context,
    ) -> (Result<StatusCode, Failure>, u32) {
        let mut attempts = Attempts::until(ctx.deadline);
        loop {
            attempts.begin();
            let failure = match self.attempt(destination, delivery, ctx).await {
                Ok(status) => return (Ok(status), attempts.made()),
                Err(failure) => failure,
            };
            if !attempts.again(failure.retry(destination.is_deduplicating())).await {
                return (Err(failure), attempts.made());
            }
        }
    }

    async fn attempt(
        &self,
        destination: &Destination,
        delivery: &Delivery,
        ctx: &Context,
    ) -> Result<StatusCode, Failure> {
        let remaining = ctx.deadline.remaining();
        let time = if destination.is_deduplicating() { longest_silence(remaining) } else { remaining };
        let request = self
            .client
            .post(destination.url.clone())
            .header(header::CONTENT_TYPE, Format::Json.media_type())
            .headers(destination.proof_of(delivery, self.clock.now()))
            .body(delivery.body.clone());
        let exchange = async {
            let response = request.send().await.map_err(|error| Failure::of_transport(&error))?;
            let status = response.status();
            if let Some(failure) = PostFailure::of_status(status, response.headers()) {
                return Err(failure.into());
            }
            if destination.kind == Kind::SplunkHec && !splunk_hec::is_accepted(&head(response).await?) {
                return Err(PostFailure::Refused { status }.into());
            }
            Ok(status)
        };
        let end = ctx.deadline.within(time);
        timeout_at(end.instant(), exchange).await.map_err(|_| PostFailure::Silent)?
    }
}

/// Reads the beginning of a response.
async fn head(mut response: reqwest::Response) -> Result<Bytes, Failure> {
    let mut head = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Failure::of_transport(&error))? {
        head.extend_from_slice(piece.get(..MAX_RESPONSE_BYTES.saturating_sub(head.len())).unwrap_or(&piece));
        if head.len() >= MAX_RESPONSE_BYTES {
            break;
        }
    }
    Ok(head.freeze())
}

impl Delivery {
    /// Builds the body, which is always JSON. It is empty if the format has one event per alert and there are no
    /// alerts.
    fn new(destination: &Destination, content: Content, now: Timestamp) -> Self {
        let format = destination.format();
        let body = match (destination.kind, content) {
            (Kind::SplunkHec, Content::Body(body)) => splunk_hec::events(format, &body, now),
            (Kind::SplunkHec, Content::Events(events)) => splunk_hec::events_of_several(format, &events, now),
            (Kind::Webhook, Content::Body(body)) => as_json(format, body),
            (Kind::Slack | Kind::Teams, Content::Body(body))
            | (Kind::SplunkHec | Kind::Webhook | Kind::Slack | Kind::Teams, Content::Document(body)) => body,
            (Kind::Webhook | Kind::Slack | Kind::Teams, Content::Events(events)) => {
                events.into_iter().flatten().flatten().collect()
            }
        };
        Self { id: format!("msg_{:032x}", fastrand::u128(..)), body: body.into() }
    }
}

/// Converts a body to one JSON document, since receivers of webhooks expect JSON: the lines of `ocsf_ndjson` become a
/// list, and a text becomes `{"text":"…"}`, which chats accept too.
fn as_json(format: Format, body: Vec<u8>) -> Vec<u8> {
    match format.body_kind() {
        BodyKind::Json | BodyKind::JsonArray => body,
        BodyKind::JsonLines if body.is_empty() => body,
        BodyKind::JsonLines => {
            let lines: Vec<_> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            [&b"["[..], &lines.join(&b","[..]), b"]"].concat()
        }
        BodyKind::Text => json!({"text": String::from_utf8_lossy(&body)}).to_string().into_bytes(),
    }
}

impl Destination {
    /// Whether the receiver recognizes a repeated post: a signature covers an id, which is the same in each attempt.
    fn is_deduplicating(&self) -> bool {
        match self.proof {
            Proof::Address | Proof::Header(_) => false,
            Proof::Signature(_) => true,
        }
    }

    /// The headers that authenticate a post, signed with this time.
    fn proof_of(&self, delivery: &Delivery, now: Timestamp) -> HeaderMap {
        match &self.proof {
            Proof::Address => HeaderMap::new(),
            Proof::Header(value) => HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]),
            Proof::Signature(secret) => {
                let headers = secret.headers(&delivery.id, now, &delivery.body);
                let header =
                    |(name, value): (&'static str, String)| Some((HeaderName::from_static(name), value.parse().ok()?));
                headers.into_iter().filter_map(header).collect()
            }
        }
    }
}

impl Failure {
    fn of_transport(error: &reqwest::Error) -> Self {
        if AddressNotAllowed::is_behind(error) {
            Self::AddressNotAllowed
        } else {
            Self::Post(PostFailure::of_transport(error))
        }
    }

    /// Whether and when another attempt may follow.
    fn retry(self, is_deduplicating: bool) -> Retry {
        match self {
            Self::Post(failure) => failure.retry(is_deduplicating),
            Self::AddressNotAllowed => Retry::Never,
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Post(PostFailure::Refused { .. }) => Outcome::Refused,
            Self::Post(
                PostFailure::Busy { .. } | PostFailure::Failing { .. } | PostFailure::Unreachable | PostFailure::Broken,
            ) => Outcome::Failed,
            Self::Post(PostFailure::Silent) => Outcome::TimedOut,
            Self::AddressNotAllowed => Outcome::Misconfigured,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Self::Post(failure) => failure.status().map(|status| status.as_u16()),
            Self::AddressNotAllowed => None,
        }
    }
}
