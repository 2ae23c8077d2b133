//! A post to a destination: within its time, tried again where that is safe, judged by what the destination says.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode, header};
use tokio::time::timeout_at;

use super::destination::{Destination, Kind, Proof};
use super::names::{AllowedNames, NotAllowed};
use super::splunk_hec;
use crate::config::{DestinationAddresses, SettingError};
use crate::domain::notified::{Notified, Outcome};
use crate::domain::time::Moment;
use crate::render::Format;
use crate::upstream::{Attempts, Context, HttpClient, Retry, longest_silence, retry_after};

/// What is read of an answer: that of Splunk's collector has less than 100 bytes.
const MOST_ANSWER: usize = 4 << 10;

/// Posts to destinations.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    client: reqwest::Client,
}

/// A try that did not deliver.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Failure {
    /// It answered with another status than those below: never tried again.
    #[error("the destination does not take it")]
    Refused { status: u16 },
    /// 429 or 5xx: tried again.
    #[error("the destination cannot take it")]
    Busy { status: u16, retry_after: Option<Duration> },
    /// No connection, so that nothing was sent: tried again.
    #[error("no connection")]
    Unreachable,
    /// Its name leads only where nothing is posted: never tried again.
    #[error("the name leads only to addresses that a destination may not have")]
    NotAllowed,
    /// It may have the post: tried again only where it can tell a repetition.
    #[error("the connection broke")]
    Broken,
    /// The same.
    #[error("no answer in time")]
    Silent,
}

/// What is posted: the same in every try.
struct Letter {
    /// In `webhook-id`; without a full stop.
    id: String,
    media_type: &'static str,
    body: Bytes,
}

impl Notifier {
    /// A client of its own, which goes only where destinations may be.
    pub(crate) fn new(http: &HttpClient, allowed: DestinationAddresses) -> Result<Self, SettingError> {
        Ok(Self { client: http.resolving_with(AllowedNames(allowed))? })
    }

    /// Posts an answer that is rendered in the destination's format, and tells what became of it.
    pub(crate) async fn post(&self, destination: &Destination, rendered: Vec<u8>, ctx: &Context) -> Notified {
        let letter = Letter::new(destination, rendered);
        let (outcome, status, tries) = if letter.is_empty(destination) {
            (Outcome::NothingToSend, None, 0)
        } else {
            match self.deliver(destination, &letter, ctx).await {
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
        letter: &Letter,
        ctx: &Context,
    ) -> (Result<StatusCode, Failure>, u32) {
        let mut attempts = Attempts::until(ctx.deadline);
        loop {
            attempts.begin();
            let failure = match self.attempt(destination, letter, ctx).await {
                Ok(status) => return (Ok(status), attempts.made()),
                Err(failure) => failure,
            };
            if !attempts.again(failure.retry(destination.tells_repetitions())).await {
                return (Err(failure), attempts.made());
            }
        }
    }

    async fn attempt(&self, destination: &Destination, letter: &Letter, ctx: &Context) -> Result<StatusCode, Failure> {
        let remaining = ctx.deadline.remaining();
        let time = if destination.tells_repetitions() { longest_silence(remaining) } else { remaining };
        let request = self
            .client
            .post(destination.url.clone())
            .header(header::CONTENT_TYPE, letter.media_type)
            .headers(destination.proof_of(letter))
            .body(letter.body.clone());
        let exchange = async {
            let response = request.send().await.map_err(|error| Failure::of_transport(&error))?;
            let status = response.status();
            if let Some(failure) = Failure::of_status(status, response.headers()) {
                return Err(failure);
            }
            if destination.kind == Kind::SplunkHec && !splunk_hec::is_taken(&head(response).await?) {
                return Err(Failure::Refused { status: status.as_u16() });
            }
            Ok(status)
        };
        let end = ctx.deadline.within(time);
        timeout_at(end.instant(), exchange).await.map_err(|_| Failure::Silent)?
    }
}

/// The beginning of an answer.
async fn head(mut response: reqwest::Response) -> Result<Bytes, Failure> {
    let mut head = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Failure::of_transport(&error))? {
        head.extend_from_slice(piece.get(..MOST_ANSWER.saturating_sub(head.len())).unwrap_or(&piece));
        if head.len() >= MOST_ANSWER {
            break;
        }
    }
    Ok(head.freeze())
}

impl Letter {
    fn new(destination: &Destination, rendered: Vec<u8>) -> Self {
        let id = format!("msg_{:032x}", fastrand::u128(..));
        let format = destination.format();
        match destination.kind {
            Kind::SplunkHec => {
                let events = splunk_hec::events(format, &rendered, Moment::now());
                Self { id, media_type: Format::Json.media_type(), body: events.into() }
            }
            Kind::Slack | Kind::Teams | Kind::Webhook => {
                Self { id, media_type: format.media_type(), body: rendered.into() }
            }
        }
    }

    /// Only formats with an event per alert can have nothing in them.
    fn is_empty(&self, destination: &Destination) -> bool {
        self.body.is_empty() && matches!(destination.format(), Format::OcsfNdjson | Format::Ecs)
    }
}

impl Destination {
    /// Whether it can tell that it has a post already.
    fn tells_repetitions(&self) -> bool {
        match self.proof {
            Proof::Address | Proof::Header(_) => false,
            Proof::Signature(_) => true,
        }
    }

    /// The headers that prove a post to be ours, at this moment.
    fn proof_of(&self, letter: &Letter) -> HeaderMap {
        match &self.proof {
            Proof::Address => HeaderMap::new(),
            Proof::Header(value) => HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]),
            Proof::Signature(secret) => {
                let headers = secret.headers(&letter.id, Moment::now(), &letter.body);
                let header =
                    |(name, value): (&'static str, String)| Some((HeaderName::from_static(name), value.parse().ok()?));
                headers.into_iter().filter_map(header).collect()
            }
        }
    }
}

impl Failure {
    /// What a status stands for; `None`: it is taken.
    ///
    /// Sources: <https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks>,
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    fn of_status(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status.as_u16() {
            200..=299 => None,
            status @ (429 | 500..=599) => Some(Self::Busy { status, retry_after: retry_after(headers, Moment::now()) }),
            status => Some(Self::Refused { status }),
        }
    }

    /// What went wrong below HTTP. reqwest's own text holds the URL: it is not used.
    fn of_transport(error: &reqwest::Error) -> Self {
        if NotAllowed::is_behind(error) {
            Self::NotAllowed
        } else if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Silent
        } else {
            Self::Broken
        }
    }

    /// What it means for the next try.
    fn retry(self, tells_repetitions: bool) -> Retry {
        match self {
            Self::Busy { retry_after, .. } => Retry::after(retry_after),
            Self::Unreachable => Retry::Backoff,
            Self::Broken | Self::Silent if tells_repetitions => Retry::Backoff,
            Self::Broken | Self::Silent | Self::Refused { .. } | Self::NotAllowed => Retry::Never,
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Refused { .. } => Outcome::Refused,
            Self::Busy { .. } | Self::Unreachable | Self::Broken => Outcome::Failed,
            Self::NotAllowed => Outcome::Misconfigured,
            Self::Silent => Outcome::TimedOut,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Self::Refused { status } | Self::Busy { status, .. } => Some(status),
            Self::Unreachable | Self::NotAllowed | Self::Broken | Self::Silent => None,
        }
    }
}
