//! Records of devices and files that resolve a name or a hash.

use super::{context, records as page_of};
use crate::backend::defender::devices::DeviceRecord;
use crate::client::ClientError;
use crate::domain::context::FileContext;
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
fn device(members: Members<'_>) -> Option<DeviceRecord> {
    let mut members = members.detached();
    let warnings = &mut Warnings::default();
    let mut is_true = |name| members.boolean(name, warnings) == Some(true);
    let is_marked = is_true("isPotentialDuplication") | is_true("isExcluded");
    let is_merged = members.text(&["mergedIntoMachineId"], warnings).is_some();
    let context = context::device(&mut members);
    Some(DeviceRecord { id: DeviceId::parse(context.id.as_deref()?)?, is_superseded: is_marked || is_merged, context })
}

/// Reads the body of `GET /api/files/{sha256}`.
pub(in crate::backend::defender) fn file_by_sha256(
    body: &SharedStr,
    requested: &Sha256,
) -> Result<(Sha1, FileContext), ClientError> {
    let file = context::read(body, context::file)?;
    if file.sha256.as_deref().is_some_and(|sha256| !sha256.eq_ignore_ascii_case(requested.as_str())) {
        return Err(ClientError::malformed("the answer is about another subject"));
    }
    let sha1 = file.sha1.as_deref().and_then(Sha1::parse);
    Ok((sha1.ok_or(ClientError::malformed("a file record without a SHA-1"))?, file))
}
