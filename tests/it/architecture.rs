//! Who may know whom: the arrows between the rooms of the house, read from the imports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may use beside itself. `http`, `cli` and the programs see the edge.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("sandbox", &[]),
    ("telemetry", &["config"]),
    ("config", &["domain", "hooks"]),
    ("hooks", &["domain"]),
    ("render", &["domain"]),
    ("upstream", &["config", "domain"]),
    ("afterwards", &["domain", "upstream"]),
    ("response_url", &["hooks", "upstream"]),
    ("cache", &["config", "domain", "upstream"]),
    ("credentials", &["config", "domain", "upstream"]),
    ("callers", &["config", "credentials", "domain", "hooks", "notify", "upstream"]),
    ("defender", &["config", "credentials", "domain", "upstream"]),
    ("graph", &["config", "credentials", "domain", "upstream"]),
    ("enrich", &["cache", "config", "credentials", "defender", "domain", "graph", "upstream"]),
    ("notify", &["config", "domain", "hooks", "render", "upstream"]),
    ("http", &["cache", "callers", "domain", "enrich", "hooks", "notify", "render", "service"]),
    (
        "service",
        &[
            "afterwards",
            "cache",
            "callers",
            "config",
            "credentials",
            "defender",
            "domain",
            "enrich",
            "graph",
            "hooks",
            "http",
            "notify",
            "response_url",
            "upstream",
        ],
    ),
    ("front_door", &["afterwards", "domain", "enrich", "http"]),
    (
        "cli",
        &[
            "callers",
            "config",
            "credentials",
            "defender",
            "domain",
            "enrich",
            "graph",
            "http",
            "notify",
            "render",
            "sandbox",
            "service",
            "telemetry",
            "upstream",
        ],
    ),
    ("main", &["cli"]),
    ("bin", &["config", "front_door", "service", "telemetry"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// The room that a file is in.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix(source()).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// A file's text without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms that a text names, by `crate::room`, `crate::{room, …}`, or the crate's name from a program.
fn named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for prefix in ["crate::", "defender_enrich::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default(),
                None => {
                    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
                }
            };
            rooms.extend(names.split(',').map(|name| name.trim().split("::").next().unwrap_or_default().to_owned()));
        }
    }
    rooms.retain(|name| !name.is_empty());
    rooms
}

#[test]
fn no_room_uses_another_against_the_arrows() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    let mut wrong = Vec::new();
    for file in &all {
        let room = room(file);
        if room == "lib" {
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{room} has no arrows"));
        let others = named(&code(file)).into_iter().filter(|name| *name != room && !allowed.contains(&name.as_str()));
        wrong.extend(others.map(|name| format!("{}: {name}", file.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all.len() > 60, "{}", all.len());
}

#[test]
fn there_is_no_arrow_that_nobody_uses() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    for (name, allowed) in ARROWS {
        let used: BTreeSet<_> =
            all.iter().filter(|file| room(file) == *name).flat_map(|file| named(&code(file))).collect();
        let idle: Vec<_> = allowed.iter().filter(|room| !used.contains(**room)).collect();
        assert!(idle.is_empty(), "{name} does not use {idle:?}");
    }
}

#[test]
fn the_pure_rooms_know_of_no_network_and_no_runtime() {
    // Hooks read headers, in the types of the crate `http`.
    for (room, known) in [("domain", None), ("render", None), ("hooks", Some("http::"))] {
        let mut pure = Vec::new();
        files(&source().join(room), &mut pure);
        for file in pure {
            let code = code(&file);
            for outside in
                ["tokio", "reqwest", "axum", "http::", "aws_", "lambda", "hyper", "tracing", "std::env", "std::fs"]
            {
                assert!(
                    known == Some(outside)
                        || !code.contains(&format!("use {outside}")) && !code.contains(&format!(" {outside}")),
                    "{}: {outside}",
                    file.display()
                );
            }
            assert!(room == "domain" || !code.contains("Moment::now"), "{}: the clock", file.display());
        }
    }
}

#[test]
fn only_the_front_door_knows_of_lambda_and_only_credentials_of_aws() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    for file in all {
        let (room, code) = (room(&file), code(&file));
        if code.contains("lambda_http") {
            assert!(["front_door", "bin"].contains(&room.as_str()), "{}", file.display());
        }
        if code.contains("lambda_runtime_api_client") {
            assert!(["front_door", "afterwards"].contains(&room.as_str()), "{}", file.display());
        }
        if code.contains("aws_sdk_") || code.contains("aws_smithy_") || code.contains("aws_config") {
            assert_eq!(room, "credentials", "{}", file.display());
        }
        if code.contains("reqwest::") {
            assert!(["upstream", "credentials", "notify"].contains(&room.as_str()), "{}", file.display());
        }
    }
}

#[test]
fn the_test_would_notice() {
    assert_eq!(named("use crate::http::Problem;"), BTreeSet::from(["http".to_owned()]));
    assert_eq!(named("use crate::{cache::Memory, http};"), BTreeSet::from(["cache".to_owned(), "http".to_owned()]));
    assert_eq!(named("let x = crate::render::json(a, b);"), BTreeSet::from(["render".to_owned()]));
}
