//! Which module may use which, read from the imports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module, and the modules that it may use beside itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &["config"]),
    ("config", &["domain"]),
    ("formats", &["domain"]),
    ("lenient_json", &["domain"]),
    ("client", &["config", "domain"]),
    ("background", &["client"]),
    ("clock", &["domain"]),
    ("single_flight", &["client"]),
    ("cache", &["client", "clock", "config", "domain", "single_flight"]),
    ("repetitions", &["cache", "client", "clock", "shared_state"]),
    ("shared_state", &["client", "clock", "config", "credentials", "domain"]),
    ("credentials", &["client", "config", "domain", "single_flight"]),
    ("auth", &["client", "clock", "config", "credentials", "domain"]),
    ("backend", &["client", "config", "credentials", "domain", "lenient_json"]),
    ("lookup", &["backend", "cache", "client", "clock", "config", "credentials", "domain"]),
    ("delivery", &["auth", "client", "clock", "config", "domain", "formats"]),
    ("integrations", &["auth", "config", "delivery", "domain", "formats"]),
    ("mcp", &["domain", "formats"]),
    ("api", &["app", "auth", "delivery", "domain", "formats", "integrations", "lookup", "mcp", "repetitions"]),
    (
        "app",
        &[
            "auth",
            "backend",
            "background",
            "client",
            "clock",
            "config",
            "credentials",
            "delivery",
            "domain",
            "integrations",
            "lookup",
            "repetitions",
            "shared_state",
        ],
    ),
    (
        "check",
        &[
            "api",
            "app",
            "auth",
            "backend",
            "client",
            "config",
            "credentials",
            "delivery",
            "domain",
            "integrations",
            "lookup",
        ],
    ),
    ("lambda", &["api", "background", "check", "config", "domain", "lookup"]),
    (
        "cli",
        &[
            "api",
            "app",
            "check",
            "client",
            "clock",
            "config",
            "credentials",
            "domain",
            "formats",
            "lookup",
            "mcp",
            "telemetry",
        ],
    ),
    ("main", &["cli"]),
    ("bin", &["app", "config", "lambda", "telemetry"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files below a folder of `src`.
fn files(folder: &str) -> Vec<PathBuf> {
    let (mut files, mut left) = (Vec::new(), vec![source().join(folder)]);
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    assert!(!files.is_empty(), "{folder}");
    files
}

/// The module that a file is in.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(source()).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// A file's text without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that a text names, by `crate::module`, `crate::{module, …}`, or the crate's name from a program.
fn named(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for prefix in ["crate::", "defender_enrich::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default(),
                None => {
                    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
                }
            };
            modules.extend(names.split(',').map(|name| name.trim().split("::").next().unwrap_or_default().to_owned()));
        }
    }
    modules.retain(|name| !name.is_empty());
    modules
}

#[test]
fn no_module_uses_another_against_the_arrows() {
    let all = files("");
    let mut wrong = Vec::new();
    for file in &all {
        let module = module(file);
        if module == "lib" {
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{module} has no arrows"));
        let others = named(&code(file)).into_iter().filter(|name| *name != module && !allowed.contains(&name.as_str()));
        wrong.extend(others.map(|name| format!("{}: {name}", file.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all.len() > 60, "{}", all.len());
}

#[test]
fn there_is_no_arrow_that_nobody_uses() {
    let all = files("");
    for (name, allowed) in ARROWS {
        let used: BTreeSet<_> =
            all.iter().filter(|file| module(file) == *name).flat_map(|file| named(&code(file))).collect();
        let idle: Vec<_> = allowed.iter().filter(|module| !used.contains(**module)).collect();
        assert!(idle.is_empty(), "{name} does not use {idle:?}");
    }
}

#[test]
fn the_pure_modules_know_of_no_network_and_no_runtime() {
    // Integrations read headers, in the types of the crate `http`.
    for (module, known) in [("domain", None), ("formats", None), ("integrations", Some("http::"))] {
        for file in files(module) {
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
            assert!(module == "domain" || !code.contains("Timestamp::now"), "{}: the clock", file.display());
        }
    }
}

#[test]
fn a_backend_knows_no_other() {
    for (backend, other) in [("defender", "graph"), ("graph", "defender")] {
        for file in files(&format!("backend/{backend}")) {
            assert!(!code(&file).contains(&format!("backend::{other}")), "{}", file.display());
        }
    }
}

#[test]
fn only_the_lambda_module_knows_of_lambda_and_only_two_modules_of_aws() {
    for file in files("") {
        let (module, code) = (module(&file), code(&file));
        if code.contains("lambda_http") {
            assert!(["lambda", "bin"].contains(&module.as_str()), "{}", file.display());
        }
        if code.contains("lambda_runtime_api_client") {
            assert!(["lambda"].contains(&module.as_str()), "{}", file.display());
        }
        if code.contains("aws_sdk_") || code.contains("aws_smithy_") || code.contains("aws_config") {
            assert!(["credentials", "shared_state"].contains(&module.as_str()), "{}", file.display());
        }
        if code.contains("reqwest::") {
            assert!(["client", "credentials", "delivery"].contains(&module.as_str()), "{}", file.display());
        }
    }
}

#[test]
fn only_the_command_line_uses_the_sandbox_which_uses_nothing_of_the_service() {
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sandbox");
    assert!(!fs::read_to_string(sandbox.join("Cargo.toml")).unwrap().contains("defender-enrich"));
    for file in files("../crates/sandbox/src") {
        assert!(!code(&file).contains("defender_enrich"), "{}", file.display());
    }
    for file in files("") {
        assert!(!code(&file).contains("defender_sandbox") || module(&file) == "cli", "{}", file.display());
    }
}

#[test]
fn the_test_would_notice() {
    assert_eq!(named("use crate::api::Problem;"), BTreeSet::from(["api".to_owned()]));
    assert_eq!(named("use crate::{cache::AnswerCache, api};"), BTreeSet::from(["cache".to_owned(), "api".to_owned()]));
    assert_eq!(named("let x = crate::formats::json(a, b);"), BTreeSet::from(["formats".to_owned()]));
}
