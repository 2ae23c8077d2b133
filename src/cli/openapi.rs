//! `openapi`: prints or writes the OpenAPI documents and the JSON Schemas.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::{CommandError, print};
use crate::api::{document, flat_document, schemas};

/// Prints one document, or writes all documents and schemas into a directory.
pub(super) fn run(flat: bool, write: Option<PathBuf>) -> Result<ExitCode, CommandError> {
    match write {
        None if flat => print(&pretty(&flat_document()))?,
        None => print(&pretty(&document()))?,
        Some(directory) => {
            let write_error = |cause| CommandError::Write { path: directory.clone(), cause };
            std::fs::create_dir_all(&directory).map_err(write_error)?;
            write_document(&directory.join("openapi.json"), &document())?;
            write_document(&directory.join("openapi-flat.json"), &flat_document())?;
            for (name, schema) in schemas() {
                write_document(&directory.join(name), &schema)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pretty(document: &Value) -> String {
    format!("{document:#}")
}

fn write_document(path: &Path, document: &Value) -> Result<(), CommandError> {
    let text = pretty(document) + "\n";
    std::fs::write(path, text).map_err(|cause| CommandError::Write { path: path.to_owned(), cause })
}
