//! The table in `DynamoDB`. Whatever happens to it, a request waits for it briefly, and never fails because of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use tokio::time::{Instant, timeout};

use crate::config::TableName;
use crate::credentials::aws::AwsAccess;
use crate::domain::timestamp::Timestamp;

/// How long a request waits for the table.
pub(super) const TABLE_TIMEOUT: Duration = Duration::from_millis(150);
/// How long the table is left alone after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The partition key.
const KEY: &str = "pk";
/// The calls to an API, as bytes.
const LEDGER: &str = "ledger";
/// The time in seconds after which `DynamoDB` may delete the item.
const EXPIRES_AT: &str = "expires_at";

pub(super) type Item = HashMap<String, AttributeValue>;

/// Why the table does not answer as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TableError {
    #[error("it did not answer within 150 ms")]
    TimedOut,
    #[error("there is no such table")]
    NotFound,
    #[error("it is throttled")]
    Throttled,
    #[error("the role of this process may not use it")]
    Denied,
    #[error("the connection broke")]
    BrokenConnection,
    #[error("it answered with an error, or with something else than an answer")]
    Failed,
}

/// What a process has last seen of an item that holds a ledger. The next write replaces exactly this.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen {
    #[default]
    NoItem,
    /// An item, and its attribute for the ledger, whatever it is.
    Item(Option<AttributeValue>),
}

impl Seen {
    pub(super) fn of(item: &Item) -> Self {
        Self::Item(item.get(LEDGER).cloned())
    }

    /// The ledger's bytes, if there are any.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Item(Some(AttributeValue::B(bytes))) => Some(bytes.as_ref()),
            Self::Item(_) | Self::NoItem => None,
        }
    }
}

/// The outcome of a conditional write.
#[derive(Debug)]
pub(super) enum Write {
    Done(Seen),
    /// Another process has written, and this is the item now. `None`: there is no item.
    Lost(Option<Item>),
}

/// A table, and whether it is left alone.
#[derive(Debug)]
pub(crate) struct Table {
    client: aws_sdk_dynamodb::Client,
    name: TableName,
    avoided_until: Mutex<Option<Instant>>,
}

impl Table {
    pub(crate) fn new(access: &AwsAccess, name: TableName) -> Self {
        Self { client: access.dynamodb(), name, avoided_until: Mutex::default() }
    }

    /// Reads an item that does not exist, so that the first request finds an open connection: opening one takes most of
    /// the time that a request waits for the table, on a small function all of it. A failure is left to that request.
    pub(crate) async fn open_connection(&self, within: Duration) {
        drop(timeout(within, self.contains("none", Timestamp::from_unix_seconds(0))).await);
    }

    /// Whether the table failed a short time ago.
    pub(super) fn is_avoided(&self) -> bool {
        self.avoided_until().is_some_and(|until| Instant::now() < until)
    }

    /// Runs operations on the table, unless it failed a short time ago. `None`: it failed.
    pub(super) async fn attempt<T: Send + 'static>(
        &self,
        operations: impl Future<Output = Result<T, TableError>> + Send + 'static,
    ) -> Option<T> {
        if self.is_avoided() {
            return None;
        }
        // A task, which goes on when nobody waits any longer: dropping a request closes its connection, and a small function
        // needs more than the time for the table to open another.
        let error = match timeout(TABLE_TIMEOUT, tokio::spawn(operations)).await {
            Ok(Ok(Ok(value))) => return Some(value),
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => TableError::Failed,
            Err(_) => TableError::TimedOut,
        };
        *self.avoided_until() = Some(Instant::now() + PAUSE_AFTER_FAILURE);
        tracing::warn!(%error, "the shared state is not used for 10 s, and this process keeps to its own share");
        None
    }

    /// Writes a ledger if the item is still as it was `seen`.
    pub(super) async fn swap_ledger(
        &self,
        key: &str,
        seen: &Seen,
        ledger: Vec<u8>,
        expires_at: Timestamp,
    ) -> Result<Write, TableError> {
        let ledger = AttributeValue::B(Blob::new(ledger));
        let (condition, seen) = match seen {
            Seen::NoItem => ("attribute_not_exists(pk)", None),
            Seen::Item(None) => ("attribute_not_exists(ledger)", None),
            Seen::Item(Some(seen)) => ("ledger = :seen", Some(seen)),
        };
        let mut values =
            HashMap::from([(":ledger".to_owned(), ledger.clone()), (":end".to_owned(), seconds(expires_at))]);
        values.extend(seen.map(|seen| (":seen".to_owned(), seen.clone())));
        let call = self
            .client
            .update_item()
            .table_name(self.name.as_str())
            .key(KEY, AttributeValue::S(key.to_owned()))
            .update_expression("SET ledger = :ledger, expires_at = :end")
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // The futures of the SDK are large. Boxing keeps the futures that contain them small.
        match Box::pin(call.send()).await {
            // An answer without the new value does not prove that it was written.
            Ok(output) if output.attributes.as_ref().and_then(|item| item.get(LEDGER)) == Some(&ledger) => {
                Ok(Write::Done(Seen::Item(Some(ledger))))
            }
            Ok(_) => Err(TableError::Failed),
            Err(SdkError::ServiceError(failure)) => match failure.into_err() {
                UpdateItemError::ConditionalCheckFailedException(refusal) => Ok(Write::Lost(refusal.item)),
                error => Err(meaning(&error)),
            },
            Err(error) => Err(transport_error(&error)),
        }
    }

    /// Whether there is an item with this key that has not expired.
    pub(super) async fn contains(&self, key: &str, now: Timestamp) -> Result<bool, TableError> {
        let call = self
            .client
            .get_item()
            .table_name(self.name.as_str())
            .key(KEY, AttributeValue::S(key.to_owned()))
            .consistent_read(true);
        let item = Box::pin(call.send()).await.map_err(|error| any_error(&error))?.item.unwrap_or_default();
        let end = item.get(EXPIRES_AT).and_then(|end| end.as_n().ok()).and_then(|end| end.parse().ok());
        Ok(end.is_some_and(|end| now < Timestamp::from_unix_seconds(end)))
    }

    /// Writes an item that has nothing but its key and its end.
    pub(super) async fn put(&self, key: &str, expires_at: Timestamp) -> Result<(), TableError> {
        let call = self
            .client
            .put_item()
            .table_name(self.name.as_str())
            .item(KEY, AttributeValue::S(key.to_owned()))
            .item(EXPIRES_AT, seconds(expires_at));
        Box::pin(call.send()).await.map(drop).map_err(|error| any_error(&error))
    }

    fn avoided_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.unix_seconds().to_string())
}

fn any_error<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> TableError {
    error.as_service_error().map_or_else(|| transport_error(error), meaning)
}

/// The error that a service's answer stands for.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.
fn meaning(error: &impl ProvideErrorMetadata) -> TableError {
    match error.code() {
        Some("ResourceNotFoundException") => TableError::NotFound,
        Some("ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException") => {
            TableError::Throttled
        }
        Some(
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException",
        ) => TableError::Denied,
        Some(_) | None => TableError::Failed,
    }
}

fn transport_error<E, R>(error: &SdkError<E, R>) -> TableError {
    match error {
        SdkError::TimeoutError(_) => TableError::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_io() => TableError::BrokenConnection,
        _ => TableError::Failed,
    }
}
