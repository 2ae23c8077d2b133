//! The pages of the documents: that every link between them resolves, and that every proof they name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Reads a file of the repository.
pub(crate) fn file_text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every Markdown page, as a path from the root of the repository: those at the root, and those below `docs/`.
pub(crate) fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    list(".", false, &mut pages);
    list("docs", true, &mut pages);
    pages.sort_unstable();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

fn list(folder: &str, with_folders: bool, pages: &mut Vec<String>) {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder");
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let path = if folder == "." { name } else { format!("{folder}/{name}") };
        if entry.file_type().expect("a type").is_dir() {
            if with_folders {
                list(&path, true, pages);
            }
        } else if Path::new(&path).extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// The lines of a page that are outside its fenced blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut is_block = false;
    let is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    };
    text.lines().filter(is_prose).collect()
}

/// The targets of the links and pictures in a page that are not on the web.
fn links(text: &str) -> Vec<String> {
    // A link may be broken into two lines.
    let prose = prose(text).join(" ");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
}

/// What GitHub makes of the headings of a page: lower case, `-` for a blank, no punctuation, a number for a repetition.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut seen, mut anchors) = (BTreeMap::new(), BTreeSet::new());
    for heading in prose(text).into_iter().filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        let anchor: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let count = seen.entry(anchor.clone()).or_insert(0_u32);
        anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

/// The file and the anchor that a link of a page leads to.
fn resolved(page: &str, link: &str) -> (String, Option<String>) {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (link, None),
    };
    if file.is_empty() {
        return (page.to_owned(), anchor);
    }
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().expect("a folder").join(file).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {link} leads out of the repository"),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    (path.to_str().expect("a path").to_owned(), anchor)
}

/// Why a link of a page leads nowhere.
fn fault(page: &str, link: &str) -> Option<String> {
    let (file, anchor) = resolved(page, link);
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).is_file() {
        return Some(format!("{page}: {link}: there is no file {file}"));
    }
    let anchor = anchor?;
    (!anchors(&file_text(&file)).contains(&anchor)).then(|| format!("{page}: {link}: {file} has no such heading"))
}

/// The proofs that a page names, in code style: `MODULE::TEST`, or `FILE::WORDS` of another check.
fn proofs(text: &str) -> Vec<(&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.rsplit_once("::")).collect()
}

/// Whether a module of `tests/it` or `src` has a test of this name, or a file these words.
fn is_proof(place: &str, name: &str) -> bool {
    let text = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
    if place.contains('.') {
        return text(place).contains(name);
    }
    let module = place.trim_end_matches("::tests").replace("::", "/");
    let declares = |file: String| {
        let before = text(&file).split_once(&format!("fn {name}(")).map(|(before, _)| before.to_owned());
        // The attribute is on the line before.
        before.is_some_and(|before| before.lines().rev().take(2).any(|line| line.contains("test")))
    };
    ["tests/it", "src"]
        .iter()
        .any(|root| [format!("{root}/{module}.rs"), format!("{root}/{module}/mod.rs")].into_iter().any(declares))
}

#[test]
fn every_proof_of_the_page_on_security_exists() {
    let page = file_text("docs/security.md");
    let proofs = proofs(&page);
    let lost: Vec<_> = proofs.iter().filter(|(place, name)| !is_proof(place, name)).collect();
    assert!(lost.is_empty() && proofs.len() > 80, "{} proofs, without {lost:#?}", proofs.len());
    for (place, name) in [("auth", "basic"), ("auth", "no_such_test"), ("nowhere", "x"), ("deny.toml", "no such word")]
    {
        assert!(!is_proof(place, name), "{place}::{name}");
    }
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_a_heading_that_exist() {
    let mut faults = Vec::new();
    for page in pages() {
        faults.extend(links(&file_text(&page)).iter().filter_map(|link| fault(&page, link)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_and_picture_can_be_reached_from_the_readme() {
    let (mut reached, mut next) = (BTreeSet::new(), vec!["README.md".to_owned()]);
    while let Some(page) = next.pop() {
        let is_page = Path::new(&page).extension().is_some_and(|extension| extension == "md");
        if reached.insert(page.clone()) && is_page {
            next.extend(links(&file_text(&page)).iter().map(|link| resolved(&page, link).0));
        }
    }
    let pictures = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images")).expect("the pictures");
    let pictures = pictures.map(|entry| format!("docs/images/{}", entry.expect("an entry").file_name().display()));
    let lost: Vec<_> = pages().into_iter().chain(pictures).filter(|page| !reached.contains(page)).collect();
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = "# A\n[b](b.md) and [c\nd](docs/api.md#limits), ![e](docs/images/slack.png)\n```text\n[f](f.md)\n```\n[g](https://g.example)\n";
    assert_eq!(links(page), ["b.md", "docs/api.md#limits", "docs/images/slack.png"]);
    assert_eq!(fault("README.md", "docs/api.md#limits"), None);
    assert_eq!(fault("docs/problems.md", "../README.md"), None);
    for (page, link) in
        [("README.md", "b.md"), ("README.md", "#no-such-heading"), ("docs/problems.md", "api.md#no-such-heading")]
    {
        assert!(fault(page, link).is_some(), "{page}: {link}");
    }
    let headings = anchors("# 1. An app: one\n## Twice\n```sh\n# no heading\n```\n## Twice\n## `code_word`\n");
    assert_eq!(headings, ["1-an-app-one", "twice", "twice-1", "code_word"].map(str::to_owned).into());
}
