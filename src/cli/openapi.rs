//! `openapi`: the document, and the JSON Schemas beside it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::{CommandError, print};
use crate::api::{document, flat_document, schemas};

/// Prints the document, or writes all of them into a directory. The flat document has a name of its own there.
pub(super) fn run(flat: bool, write: Option<PathBuf>) -> Result<ExitCode, CommandError> {
    match write {
        None if flat => print(&pretty(&flat_document()))?,
        None => print(&pretty(&document()))?,
        Some(directory) => {
            let unwritten = |cause| CommandError::Write { path: directory.clone(), cause };
            std::fs::create_dir_all(&directory).map_err(unwritten)?;
            save(&directory.join("openapi.json"), &document())?;
            save(&directory.join("openapi-flat.json"), &flat_document())?;
            for (name, schema) in schemas() {
                save(&directory.join(name), &schema)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pretty(document: &Value) -> String {
    format!("{document:#}")
}

fn save(path: &Path, document: &Value) -> Result<(), CommandError> {
    let text = pretty(document) + "\n";
    std::fs::write(path, text).map_err(|cause| CommandError::Write { path: path.to_owned(), cause })
}
