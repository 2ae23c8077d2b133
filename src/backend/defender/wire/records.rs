//! Device and file records, as far as resolving a name or a hash needs them.

use serde::Deserialize;

use super::records as page_of;
use crate::backend::defender::devices::DeviceRecord;
use crate::client::ClientError;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceId, Sha1, Sha256};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
use crate::lenient_json::members::Members;

/// A page of `GET /api/machines`.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/machine>; `mergedIntoMachineId`, `isPotentialDuplication`
/// and `isExcluded` are sent, but not documented there.
pub(in crate::backend::defender) fn devices(body: &SharedStr) -> Result<Page<DeviceRecord>, ClientError> {
    let Page { items, next_link, made } = page_of(body, device)?;
    Ok(Page { items: items.into_iter().flatten().collect(), next_link, made })
}

/// A record without an id of the known form is of no use: the alerts could not be asked for.
fn device(mut members: Members<'_>) -> Option<DeviceRecord> {
    // What is wrong in a record that only stands for its id is of no interest to the caller.
    let notes = &mut Warnings::default();
    let mut says = |name: &'static str, word: &str| {
        members.text(&[name], notes).is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let is_active = says("healthStatus", "Active") && says("onboardingStatus", "Onboarded");
    let is_superseded = says("isPotentialDuplication", "true") | says("isExcluded", "true");
    Some(DeviceRecord {
        id: DeviceId::parse(&members.text(&["id"], notes)?)?,
        name: members.text(&["computerDnsName"], notes).unwrap_or_default(),
        last_seen: members.moment(&["lastSeen"], notes),
        is_active,
        is_superseded: is_superseded || members.text(&["mergedIntoMachineId"], notes).is_some_and(|id| !id.is_empty()),
    })
}

/// The body of `GET /api/files/{sha256}`: the file's SHA-1.
pub(in crate::backend::defender) fn sha1_of_file(body: &SharedStr, asked: &Sha256) -> Result<Sha1, ClientError> {
    #[derive(Deserialize)]
    struct File {
        sha1: String,
        sha256: Option<String>,
    }
    let file: File = serde_json::from_str(body).map_err(|_| ClientError::malformed("no file record"))?;
    if file.sha256.is_some_and(|sha256| !sha256.eq_ignore_ascii_case(asked.as_str())) {
        return Err(ClientError::malformed("the answer is about another subject"));
    }
    Sha1::parse(&file.sha1).ok_or(ClientError::malformed("a file record without a SHA-1"))
}
