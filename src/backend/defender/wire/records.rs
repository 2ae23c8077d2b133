//! Device and file records: only the members that resolve a name or a hash.

use serde::Deserialize;

use super::records as page_of;
use crate::backend::defender::devices::DeviceRecord;
use crate::client::ClientError;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceId, Sha1, Sha256};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
use crate::lenient_json::members::Members;

/// Reads a page of `GET /api/machines`.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/machine>; `mergedIntoMachineId`, `isPotentialDuplication`
/// and `isExcluded` are sent, but not documented there.
pub(in crate::backend::defender) fn devices(body: &SharedStr) -> Result<Page<DeviceRecord>, ClientError> {
    let Page { items, next_link, made } = page_of(body, device)?;
    Ok(Page { items: items.into_iter().flatten().collect(), next_link, made })
}

/// Reads a device record. `None`: its id does not have the known form, so its alerts cannot be requested.
fn device(mut members: Members<'_>) -> Option<DeviceRecord> {
    // The answer contains only the id of a record, so faults in its other members do not matter to the caller.
    let warnings = &mut Warnings::default();
    let mut has_word = |name: &'static str, word: &str| {
        members.text(&[name], warnings).is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let is_active = has_word("healthStatus", "Active") && has_word("onboardingStatus", "Onboarded");
    let is_superseded = has_word("isPotentialDuplication", "true") | has_word("isExcluded", "true");
    Some(DeviceRecord {
        id: DeviceId::parse(&members.text(&["id"], warnings)?)?,
        name: members.text(&["computerDnsName"], warnings).unwrap_or_default(),
        last_seen: members.timestamp(&["lastSeen"], warnings),
        is_active,
        is_superseded: is_superseded
            || members.text(&["mergedIntoMachineId"], warnings).is_some_and(|id| !id.is_empty()),
    })
}

/// Reads the file's SHA-1 from the body of `GET /api/files/{sha256}`.
pub(in crate::backend::defender) fn sha1_of_file(body: &SharedStr, requested: &Sha256) -> Result<Sha1, ClientError> {
    #[derive(Deserialize)]
    struct File {
        sha1: String,
        sha256: Option<String>,
    }
    let file: File = serde_json::from_str(body).map_err(|_| ClientError::malformed("no file record"))?;
    if file.sha256.is_some_and(|sha256| !sha256.eq_ignore_ascii_case(requested.as_str())) {
        return Err(ClientError::malformed("the answer is about another subject"));
    }
    Sha1::parse(&file.sha1).ok_or(ClientError::malformed("a file record without a SHA-1"))
}
