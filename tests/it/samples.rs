//! What README.md and `docs/` show of the demo's answers is what the demo answers.
//!
//! A sample is the block of a document that follows, or is in, the command that it answers:
//!
//! - a `console` block: `$ ` and a command, then what it prints;
//! - a block after an `sh` block of one `curl` command to the demo;
//! - a block after a comment `<!-- sample: METHOD TARGET BODY -->`, which readers do not see.
//!
//! `…` stands for what is left out: members of an object, items of a list, lines, a part of a text. Members may stand in
//! another order. What says when an answer was fetched is not compared.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::process::Command;

use defender_enrich::config::Settings;
use defender_enrich::formats::Format;
use defender_enrich::telemetry::LogSettings;
use defender_sandbox::{Fault, Route, Times};
use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;

use crate::client::{Ask, Heard, timeless_text};
use crate::documents::{file_text, pages};
use crate::harness::{ALERT, MACHINE, World};

const DEMO: &str = "http://127.0.0.1:9000";

/// A fenced block of a document.
#[derive(Clone, Debug, Default)]
struct Block {
    language: String,
    text: String,
    /// The line before it that is not empty.
    before: String,
    /// Where it begins, for whoever has to mend it.
    place: String,
}

fn blocks(file: &str) -> Vec<Block> {
    let text = file_text(file);
    let (mut blocks, mut before, mut open) = (Vec::new(), String::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let place = format!("{file}:{}", number + 1);
                open = Some(Block { language: language.to_owned(), before: before.clone(), place, ..Block::default() });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text.extend([line, "\n"]),
            (None, None) if line.is_empty() => {}
            (None, None) => line.clone_into(&mut before),
        }
    }
    assert!(open.is_none(), "{file}: a block without an end");
    blocks
}

/// What the demo is asked, and what of the answer is printed.
#[derive(Clone, Debug)]
struct Question {
    ask: Ask,
    filter: Option<String>,
}

impl Question {
    /// Reads `curl [-s] [-H HEADER]… [-d BODY] URL [| jq [-r] FILTER]`, if it asks the demo.
    fn of_command(command: &str) -> Option<Self> {
        let words = words(command);
        let (curl, rest) = words.split_at(words.iter().position(|word| word == "|").unwrap_or(words.len()));
        let mut curl = curl.strip_prefix(&["curl".to_owned()])?.iter();
        let (mut headers, mut body, mut target) = (Vec::new(), None, None);
        while let Some(word) = curl.next() {
            match word.as_str() {
                "-s" => {}
                "-H" => headers.push(curl.next()?.split_once(": ")?),
                "-d" => body = curl.next(),
                url => target = Some(url.strip_prefix(DEMO)?),
            }
        }
        let mut ask = Ask::new(if body.is_some() { "POST" } else { "GET" }, target?).anonymous();
        for (name, value) in headers {
            ask = ask.with(&name.to_lowercase(), value);
        }
        let filter = match rest {
            [] => None,
            [pipe, jq, .., filter] if pipe == "|" && jq == "jq" => Some(filter.clone()),
            _ => return None,
        };
        Some(Self { ask: ask.body(body.map(String::as_str).unwrap_or_default()), filter })
    }

    fn of_comment(line: &str) -> Option<Self> {
        let words = line.strip_prefix("<!-- sample: ")?.strip_suffix(" -->")?;
        let (method, rest) = words.split_once(' ')?;
        let (target, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let ask = Ask::new(method, target).with("content-type", "application/json").body(body);
        Some(Self { ask, filter: None })
    }
}

/// The words of a line of shell: blanks between them, single quotes around some.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    for letter in command.replace("\\\n", " ").chars() {
        match letter {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\n' if !is_quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// As far as the documents need it: `{a, b}` and `[.a // "-", .b] | @tsv`.
fn filtered(answer: &Value, filter: &str) -> String {
    if let Some(names) = filter.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let members = names.split(", ").map(|name| (name.to_owned(), answer[name].clone()));
        return Value::Object(members.collect::<Map<_, _>>()).to_string();
    }
    let paths = filter.strip_prefix('[').and_then(|rest| rest.strip_suffix("] | @tsv")).expect("a filter known here");
    let texts = paths.split(", ").map(|path| {
        let (name, default) = path.split_once(" // ").unwrap_or((path, ""));
        let value = &answer[name.trim_start_matches('.')];
        value.as_str().unwrap_or_else(|| default.trim_matches('"')).to_owned()
    });
    texts.collect::<Vec<_>>().join("\t")
}

/// A document's JSON with gaps.
#[derive(Debug, PartialEq)]
enum OutputOptions {
    Gap,
    Text(String),
    Other(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>, bool),
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\n', ',']);
    }

    fn eat(&mut self, mark: char) -> bool {
        self.skip();
        let rest = self.0.strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn text(&mut self) -> Option<String> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<String>();
        let text = values.next()?.ok()?;
        let end = values.byte_offset();
        self.0 = &self.0[end..];
        Some(text)
    }

    fn shape(&mut self) -> Option<OutputOptions> {
        if self.eat('…') {
            return Some(OutputOptions::Gap);
        }
        if self.eat('[') {
            let mut items = Vec::new();
            while !self.eat(']') {
                items.push(self.shape()?);
            }
            return Some(OutputOptions::List(items));
        }
        if self.eat('{') {
            let (mut members, mut has_gap) = (Vec::new(), false);
            while !self.eat('}') {
                if self.eat('…') {
                    has_gap = true;
                    continue;
                }
                let name = self.text()?;
                self.eat(':').then_some(())?;
                members.push((name, self.shape()?));
            }
            return Some(OutputOptions::Object(members, has_gap));
        }
        if self.0.starts_with('"') {
            return self.text().map(OutputOptions::Text);
        }
        let end = self.0.find([' ', '\n', ',', ']', '}']).unwrap_or(self.0.len());
        let (value, rest) = self.0.split_at(end);
        self.0 = rest;
        serde_json::from_str(value).ok().map(OutputOptions::Other)
    }
}

impl OutputOptions {
    fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader(text);
        let shape = reader.shape()?;
        reader.skip();
        reader.0.is_empty().then_some(shape)
    }

    /// Where a value differs, as a pointer with what was shown.
    fn differs(&self, value: &Value, at: &str) -> Option<String> {
        let different = || Some(format!("{at}: shown {self:?}, answered {value}"));
        match (self, value) {
            (Self::Gap, _) => None,
            (Self::Text(shown), Value::String(text)) if fits(shown, text) => None,
            (Self::Other(shown), value) if shown == value => None,
            (Self::List(shown), Value::Array(items)) => listed(shown, items, at),
            (Self::Object(shown, has_gap), Value::Object(members)) => {
                let absent = members.keys().find(|name| !shown.iter().any(|(known, _)| known == *name));
                if let Some(name) = absent.filter(|_| !has_gap) {
                    return Some(format!("{at}: \"{name}\" is not shown, and there is no …"));
                }
                shown.iter().find_map(|(name, shape)| match members.get(name) {
                    Some(member) => shape.differs(member, &format!("{at}/{name}")),
                    None => Some(format!("{at}: there is no \"{name}\"")),
                })
            }
            _ => different(),
        }
    }
}

/// Where a list differs. A gap stands for any number of items.
fn listed(shown: &[OutputOptions], items: &[Value], at: &str) -> Option<String> {
    match shown {
        [] if items.is_empty() => None,
        [] => Some(format!("{at}: {} more items", items.len())),
        [OutputOptions::Gap, rest @ ..] => {
            let mut outcomes = (0..=items.len()).map(|skipped| listed(rest, &items[skipped..], at));
            if outcomes.any(|outcome| outcome.is_none()) { None } else { listed(rest, items, at) }
        }
        [first, rest @ ..] => match items.split_first() {
            Some((item, items)) => first.differs(item, &format!("{at}/-")).or_else(|| listed(rest, items, at)),
            None => Some(format!("{at}: fewer items than shown")),
        },
    }
}

/// Whether a text is what was shown, where `…` stands for any part of it.
fn fits(shown: &str, text: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// Whether the lines of a text are those that were shown, where a line `…` stands for any number of lines.
fn lines_fit(shown: &[&str], lines: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| lines_fit(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.split_first().is_some_and(|(line, lines)| fits(first, line) && lines_fit(rest, lines))
        }
    }
}

/// What differs between what is shown and what was printed.
fn difference(shown: &str, printed: &str) -> Option<String> {
    if let (Some(shape), Ok(value)) = (OutputOptions::parse(shown), serde_json::from_str(printed)) {
        return shape.differs(&value, "");
    }
    let (shown, printed) = (fetched_then(shown), fetched_then(printed));
    let is_same = lines_fit(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>());
    (!is_same).then(|| format!("shown:\n{shown}\nanswered:\n{printed}"))
}

/// A text without its moments.
fn fetched_then(text: &str) -> String {
    let text = timeless_text(text);
    let mut parts = text.split("good until ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "good until [then]" + &part["2026-11-21T11:01:02.682Z".len()..])
}

/// The samples of a document, each with how it is asked.
fn samples(file: &str) -> Vec<(Question, Block)> {
    let mut samples = Vec::new();
    let mut asked = None;
    for block in blocks(file) {
        if let Some(question) = Question::of_comment(&block.before) {
            samples.push((question, block));
            asked = None;
        } else if block.language == "sh" {
            asked = Question::of_command(&block.text);
        } else if let Some((command, printed)) = block.text.strip_prefix("$ ").and_then(split_command) {
            if let Some(question) = Question::of_command(&command) {
                samples.push((question, Block { text: printed, ..block }));
            }
            asked = None;
        } else if let Some(question) = asked.take() {
            samples.push((question, block));
        }
    }
    samples
}

/// A command with its further lines, which a backslash or a pipe announces, and what it prints.
fn split_command(text: &str) -> Option<(String, String)> {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if !line.ends_with("\\\n") && !line.ends_with("|\n") {
            return Some((text[..end].to_owned(), text[end..].to_owned()));
        }
    }
    None
}

fn printed(heard: &Heard, filter: Option<&str>) -> String {
    filter.map_or_else(|| heard.text(), |filter| filtered(&heard.json(), filter))
}

#[tokio::test]
async fn the_answers_in_the_documents_are_those_of_the_demo() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    for (file, least) in [
        ("README.md", 1),
        ("docs/api.md", 1),
        ("docs/formats.md", 10),
        ("docs/integrations/logic-apps.md", 1),
        ("docs/integrations/splunk.md", 1),
    ] {
        let found = samples(file).len();
        assert!(found >= least, "{file}: of {least} samples only {found} are found");
    }
    for file in pages() {
        for (question, block) in samples(&file) {
            let heard = question.ask.send_to(world.address).await;
            let printed = printed(&heard, question.filter.as_deref());
            wrong
                .extend(difference(&block.text, &printed).map(|difference| format!("{}\n{difference}\n", block.place)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_the_shell_function_prints_is_what_the_demo_answers() {
    let world = World::start().await;
    let blocks = blocks("docs/integrations/shell.md");
    let at = blocks.iter().position(|block| block.text.starts_with("ask() {")).expect("the function");
    let call = blocks[at].text.lines().last().expect("its call");
    let words = words(call);
    let [ask, value, pipe, jq, raw, filter] = words.as_slice() else { panic!("{words:?}") };
    assert_eq!([ask, pipe, jq, raw].map(String::as_str), ["ask", "|", "jq", "-r"]);
    let body = json!({"value": value}).to_string();
    let heard = world.send(Ask::post("/v1/enrich?not_found=200", body)).await;
    let difference = difference(&blocks[at + 1].text, &printed(&heard, Some(filter)));
    assert_eq!(difference, None, "{}", blocks[at + 1].place);
}

#[tokio::test]
async fn the_problem_in_the_documents_is_what_a_throttled_caller_receives() {
    let world = World::start().await;
    let throttled = Fault::status(429).with_header("Retry-After", "60");
    world.sandbox.fail(Route::Alert, Times::Always, throttled);
    let block = blocks("docs/api.md").into_iter().find(|block| block.text.contains("\"code\":\"throttled\""));
    let block = block.expect("a sample");
    let shown: Value = serde_json::from_str(&block.text).expect("JSON");
    let ask = Ask::get(&format!("/v1/enrich?alert_id={ALERT}"));
    let heard = world.send(ask.with("x-request-id", shown["request_id"].as_str().expect("an id"))).await;
    assert_eq!(heard.text(), block.text.trim_end(), "{}", block.place);
}

#[test]
fn every_answer_in_the_page_of_formats_is_compared() {
    let compared: Vec<_> = samples("docs/formats.md").into_iter().map(|(_, block)| block.place).collect();
    let shown = blocks("docs/formats.md").into_iter().filter(|block| block.language != "sh");
    let forgotten: Vec<_> = shown.map(|block| block.place).filter(|place| !compared.contains(place)).collect();
    assert_eq!(forgotten, Vec::<String>::new());
}

#[test]
fn what_check_prints_is_what_the_documents_show() {
    let block = blocks("docs/deploy.md").into_iter().find(|block| block.text.starts_with("$ defender-enrich check"));
    let block = block.expect("a sample");
    let (command, shown) = block.text.strip_prefix("$ ").and_then(split_command).expect("a command");
    assert_eq!(words(&command), ["defender-enrich", "check", "--demo"]);
    let mut program = Command::new(env!("CARGO_BIN_EXE_defender-enrich"));
    program.args(["check", "--demo"]).env_clear();
    let output = program.output().expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let difference = difference(&shown, &String::from_utf8_lossy(&output.stdout));
    assert_eq!(difference, None, "{}", block.place);
}

#[tokio::test]
async fn what_check_says_of_a_deployed_service_is_what_the_documents_show() {
    let world = World::start().await;
    let block =
        blocks("docs/deploy.md").into_iter().find(|block| block.text.starts_with("$ defender-enrich check --url"));
    let block = block.expect("a sample");
    let (command, shown) = block.text.strip_prefix("$ ").and_then(split_command).expect("a command");
    let words = words(&command.replace(DEMO, &format!("http://{}", world.address)));
    let mut program = Command::new(env!("CARGO_BIN_EXE_defender-enrich"));
    program.args(&words[1..]).env_clear();
    let output = tokio::task::spawn_blocking(move || program.output()).await.expect("a thread").expect("the program");
    let difference = difference(&shown, &String::from_utf8_lossy(&output.stdout));
    assert_eq!(difference, None, "{}", block.place);
}

#[tokio::test]
async fn the_sizes_in_the_table_of_formats_are_right_to_a_tenth() {
    let world = World::start().await;
    let text = file_text("docs/formats.md");
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| [`")) {
        let format = row.split('`').nth(1).expect("a format");
        let size = row.trim_end_matches(" kB |").rsplit(' ').next().expect("a size");
        let tenths: usize = size.replace('.', "").parse().unwrap_or_else(|_| panic!("no size: {row}"));
        let heard = world.get(&[("machine", MACHINE), ("format", format)]).await;
        let (shown, length) = (tenths * 100, heard.body.len());
        assert!(length.abs_diff(shown) * 10 <= shown, "{format}: {length} bytes, shown as {size} kB");
        rows += 1;
    }
    assert_eq!(rows, Format::ALL.len());
}

#[test]
fn no_template_in_a_document_puts_a_value_into_json_unescaped() {
    for file in pages() {
        for block in blocks(&file) {
            let unescaped = ["\"{{", "\"${", "'{{", "'${"].iter().find(|mark| block.text.contains(**mark));
            assert_eq!(unescaped, None, "{}", block.place);
        }
    }
}

/// The words of a text that stand between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_parameter_of_the_template_and_every_setting_without_one_is_in_the_documents() {
    let (deploy, configuration, template) =
        (file_text("docs/deploy.md"), file_text("docs/configuration.md"), file_text("template.yaml"));
    let section = |text: &str, from: &str, to: &str| {
        let begin = text.find(from).unwrap_or_else(|| panic!("no {from:?}")) + from.len();
        let end = begin + text[begin..].find(to).unwrap_or_else(|| panic!("no {to:?}"));
        text[begin..end].to_owned()
    };
    let parameters = section(&template, "\nParameters:\n", "\nRules:\n");
    let name =
        |line: &str| Some(line.strip_prefix("  ")?.strip_suffix(':')?.to_owned()).filter(|name| !name.contains(' '));
    let parameters: Vec<_> = parameters.lines().filter_map(name).collect();
    assert!(parameters.len() > 20, "{parameters:?}");
    let deployment = section(&deploy, "## 3. Build and deploy\n", "## 4. Check it\n");
    let told: Vec<_> = deployment.lines().filter(|line| line.starts_with("| `")).flat_map(quoted).collect();
    let forgotten: Vec<_> = parameters.iter().filter(|name| !told.contains(&name.as_str())).collect();
    assert_eq!(forgotten, Vec::<&String>::new(), "parameters that are not in the table");

    let (introduction, table) = configuration.split_once("| variable |").expect("the table");
    let without = quoted(introduction);
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let variables = rows.flat_map(|row| quoted(row.split(" | ").next().unwrap_or_default()));
    let is_given = |name: &str| template.contains(&format!("          {name}: "));
    // Lambda sets these itself, or reads them from its own configuration.
    let is_lambdas = |name: &str| name == "RUST_LOG" || name.starts_with("AWS_") && !name.starts_with("AWS_ENDPOINT");
    for name in variables.filter(|name| !is_lambdas(name)) {
        let is_without = without.iter().any(|pattern| fits(pattern, name));
        assert_ne!(
            is_given(name),
            is_without,
            "{name}: either the template sets it, or the page says that it does not"
        );
    }
}

#[test]
fn every_setting_that_is_read_is_in_the_documents_and_every_variable_there_is_read() {
    let read = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        (name == "DEFENDER_SECRET_ID").then(|| "sandbox/defender".to_owned())
    };
    Settings::from_lookup(lookup).expect("settings");
    LogSettings::from_lookup(lookup, LevelFilter::INFO, true).expect("settings");
    let mut read = read.into_inner();
    for internal in ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_INITIALIZATION_TYPE", "TERM"] {
        assert!(read.remove(internal), "{internal} is Lambda's, or a terminal's, and is not read any more");
    }
    // What stands beside the keys is read with them.
    read.insert("AWS_SESSION_TOKEN".to_owned());
    let text = file_text("docs/configuration.md");
    let (_, table) = text.split_once("\n| variable |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let is_variable =
        |word: &&str| word.contains('_') && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let told: BTreeSet<_> = quoted(table).into_iter().filter(is_variable).map(str::to_owned).collect();
    let forgotten: Vec<_> = read.difference(&told).collect();
    assert_eq!(forgotten, Vec::<&String>::new(), "read, and not in docs/configuration.md");
    let invented: Vec<_> = told.difference(&read).collect();
    assert_eq!(invented, Vec::<&String>::new(), "in docs/configuration.md, and not read");
}

#[test]
fn a_sample_that_is_not_the_answer_is_found() {
    let answer = r#"{"a":1,"b":[1,2,3],"c":"long text","d":{"e":null}}"#;
    for shown in [
        answer,
        "{\n  \"c\": \"long…\",\n  …\n  \"a\": 1\n}",
        r#"{"b":[1,…],…}"#,
        r#"{"b":[…,3],…}"#,
        r#"{"b":[…],"c":"…text","d":{…},"a":…}"#,
        "{…}",
    ] {
        assert_eq!(difference(shown, answer), None, "{shown}");
    }
    for shown in [
        r#"{"a":1}"#,
        r#"{"a":2,…}"#,
        r#"{"b":[1,2],…}"#,
        r#"{"b":[2,…],…}"#,
        r#"{"b":[…,2],…}"#,
        r#"{"c":"long","…":1,…}"#,
        r#"{"c":"short…",…}"#,
        r#"{"d":{},…}"#,
        r#"{"f":1,…}"#,
        r#"{"a":1"#,
        "a text",
    ] {
        assert!(difference(shown, answer).is_some(), "{shown}");
    }
    let text = "one\ntwo 2026-11-21 14:53 UTC · just fetched\nthree\n";
    let later = "one\ntwo 2027-01-01 00:00 UTC · just fetched\nthree\n";
    for shown in [text, "one\n…\nthree\n", "…\nth…e", "one\n…\n"] {
        assert_eq!(difference(shown, later), None, "{shown}");
    }
    for shown in ["one\ntwo\nthree\n", "one\n", "two\n…\n", "one\n…\nth…x\n"] {
        assert!(difference(shown, later).is_some(), "{shown}");
    }
}
