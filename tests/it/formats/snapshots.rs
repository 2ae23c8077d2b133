//! Whole bodies of the demonstration, as they were last accepted: `snapshots/FORMAT-KIND-SUBJECT.snap`.
//!
//! A body that differs, or for which there is no snapshot, fails. To accept what the code says, and to see it in the
//! difference: `INSTA_UPDATE=always cargo test --test it snapshots`.

use std::fs;
use std::path::Path;

use defender_enrich::sandbox::company::showcase::Subject;
use defender_enrich::sandbox::showcase;
use serde_json::Value;

use crate::client::{timeless, timeless_text};
use crate::harness::{World, field};

/// The formats whose bodies are kept.
const FORMATS: &[&str] = &["json", "ocsf", "ocsf_ndjson", "ecs", "slack", "teams", "markdown", "text"];

fn name(format: &str, subject: &Subject) -> String {
    let value = subject.value.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    format!("{format}-{}-{value}", subject.kind)
}

/// A body as it is kept: without what says when it was fetched, and laid out where it is JSON.
fn kept(body: &str, retrieved_at: &str) -> String {
    let body = timeless_text(&body.replace(retrieved_at, "[retrieved_at]"));
    serde_json::from_str(&body).map_or(body, |value: Value| format!("{:#}", timeless(value)))
}

#[tokio::test]
async fn the_demonstration_is_answered_as_it_was_accepted() {
    let world = World::start().await;
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for subject in showcase() {
        let asked = (field(subject.kind), subject.value);
        // Whatever the format, this is what is remembered from here on.
        let answer = world.get(&[asked]).await.answer();
        let retrieved_at = answer["source"]["retrieved_at"].as_str().expect("a time");
        for format in FORMATS {
            let body = world.get(&[asked, ("format", format)]).await.text();
            insta::assert_snapshot!(name(format, subject), kept(&body, retrieved_at));
        }
    }
}

#[test]
fn there_is_a_snapshot_for_each_format_and_subject_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats/snapshots");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| !file.ends_with(".snap.new"));
    let name = |(format, subject)| format!("{}.snap", name(format, subject));
    let mut names: Vec<_> =
        FORMATS.iter().flat_map(|format| showcase().iter().map(move |subject| (*format, subject))).map(name).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}
