//! Accepted snapshots of whole bodies: `snapshots/FORMAT-KIND-SUBJECT.snap`.
//!
//! To accept changes: `INSTA_UPDATE=always cargo test --test it snapshots`, then read the difference.

use std::fs;
use std::path::Path;

use defender_enrich::formats::Format;
use defender_sandbox::company::showcase::Subject;
use defender_sandbox::showcase;
use serde_json::Value;

use crate::client::{timeless, timeless_text};
use crate::harness::{World, field};

/// A list of alerts with evidence, and an incident.
const SUBJECTS: [(&str, &str); 2] = [("machine", "desk-042.contoso.com"), ("incident", "3085")];

fn subjects() -> impl Iterator<Item = &'static Subject> {
    showcase().iter().filter(|subject| SUBJECTS.contains(&(subject.kind, subject.value)))
}

fn name(format: Format, subject: &Subject) -> String {
    let format = format.as_str();
    let value = subject.value.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    format!("{format}-{}-{value}", subject.kind)
}

/// Removes the time of the query from a body, and formats JSON.
fn normalized(body: &str, retrieved_at: &str) -> String {
    let body = timeless_text(&body.replace(retrieved_at, "[retrieved_at]"));
    serde_json::from_str(&body).map_or(body, |value: Value| format!("{:#}", timeless(value)))
}

#[tokio::test]
async fn bodies_equal_their_snapshots() {
    let world = World::start().await;
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for subject in subjects() {
        let asked = (field(subject.kind), subject.value);
        // The answers in the other formats come from the cache.
        let answer = world.get(&[asked]).await.answer();
        let retrieved_at = answer["source"]["retrieved_at"].as_str().expect("a time");
        for format in Format::ALL {
            let body = world.get(&[asked, ("format", format.as_str())]).await.text();
            insta::assert_snapshot!(name(format, subject), normalized(&body, retrieved_at));
        }
    }
}

#[test]
fn each_format_and_subject_has_one_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats/snapshots");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| !file.ends_with(".snap.new"));
    let mut names: Vec<_> = Format::ALL
        .into_iter()
        .flat_map(|format| subjects().map(move |subject| format!("{}.snap", name(format, subject))))
        .collect();
    files.sort();
    names.sort();
    assert_eq!(names.len(), SUBJECTS.len() * Format::ALL.len());
    assert_eq!(files, names);
}
