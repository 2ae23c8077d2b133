//! Parses what a person types in a chat: a question, a request for help, or invalid input.

use crate::domain::subject::field_names::{FieldMeaning, look_up, nearest};
use crate::domain::subject::spelling::trimmed;
use crate::domain::subject::{Kind, Question};

/// An example value for each kind.
const EXAMPLES: [(Kind, &str); 7] = [
    (Kind::Alert, "da637472900382838869_1364969609"),
    (Kind::Machine, "desk-042.contoso.com"),
    (Kind::User, "dana.reyes@contoso.com"),
    (Kind::File, "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d"),
    (Kind::Incident, "924565"),
    (Kind::Ip, "192.0.2.7"),
    (Kind::Domain, "evil.example"),
];

/// Polite words that may follow a question.
const POLITE_WORDS: [&str; 5] = ["please", "pls", "plz", "thanks", "thx"];

/// Quotation marks around a value: each opening mark with its closing marks.
const QUOTES: [(char, &[char]); 9] = [
    ('`', &['`']),
    ('"', &['"', '”']),
    ('“', &['”', '“', '"']),
    ('”', &['”']),
    ('„', &['“', '”']),
    ('«', &['»']),
    ('\'', &['\'', '’']),
    ('‘', &['’', '\'']),
    ('’', &['’']),
];

/// A parsed chat command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A question to look up.
    Ask {
        /// What to look up.
        question: Question,
        /// Whether everybody in the channel sees the answer.
        share: bool,
    },
    /// A request for help: the text of the answer.
    Help(String),
    /// Invalid input: a sentence that says why, with examples in backticks. It contains nothing of the input.
    Invalid(String),
}

impl Command {
    /// Parses plain text: `KIND VALUE`, a bare value, or `help`, with `share` as the first or last word. `mention` is
    /// what people type before a command, such as `/defender`. `paragraph` separates the lines of the help.
    pub(crate) fn parse(text: &str, mention: &str, paragraph: &str) -> Self {
        let mut words: Vec<&str> =
            text.split_whitespace().map(without_punctuation).filter(|word| !word.is_empty()).collect();
        let mut share = false;
        while let Some(word) = words.pop_if(|word| is_share(word) || is_polite(word)) {
            share |= is_share(word);
        }
        if words.first().is_some_and(|word| is_share(word)) {
            words.remove(0);
            share = true;
        }
        let Some((first, rest)) = words.split_first() else { return Self::Help(help(mention, paragraph)) };
        if is_word(first, "help") || *first == "?" {
            return Self::Help(help(mention, paragraph));
        }
        match split_marker(first, rest) {
            Some((named, value)) => ask_about(named, unquoted(&value), share, mention),
            None => ask_about_anything(&words, share, mention),
        }
    }
}

/// Splits off the first word, or the first two, if they name the kind of the rest: `user dana`, `user: dana`, `device
/// name desk-042`.
fn split_marker(first: &str, rest: &[&str]) -> Option<(FieldMeaning, String)> {
    let (word, attached) = first.split_once([':', '=']).unwrap_or((first, ""));
    if let ("", Some((second, rest))) = (attached, rest.split_first()) {
        let (second, attached) = second.split_once([':', '=']).unwrap_or((second, ""));
        if let Some(named) = look_up(&format!("{word}_{second}")) {
            return Some((named, [&[attached], rest].concat().join(" ")));
        }
    }
    Some((look_up(word)?, [&[attached], rest].concat().join(" ")))
}

fn help(mention: &str, paragraph: &str) -> String {
    let mut lines = vec!["Ask what Microsoft Defender knows:".to_owned()];
    lines.extend(EXAMPLES.iter().map(|(kind, _)| example(*kind, mention)));
    lines.push("A value alone works as well, and so does a link to the Defender portal.".to_owned());
    lines.join(paragraph)
}

fn ask_about(named: FieldMeaning, value: &str, share: bool, mention: &str) -> Command {
    let kind = named.kind();
    let for_example = example(kind.unwrap_or(Kind::Machine), mention);
    let value = if kind == Some(Kind::Incident) { value.strip_prefix('#').unwrap_or(value) } else { value };
    if value.trim().is_empty() {
        let mention =
            if kind == Some(Kind::User) { ": a mention of somebody in this chat cannot be looked up" } else { "" };
        let word = kind.map_or("value", Kind::as_str);
        return Command::Invalid(format!("Say which {word}{mention}. For example: {for_example}."));
    }
    if kind == Some(Kind::User) && value.starts_with('@') {
        let sentence = "The name of somebody in this chat is no account: send the account name or name@domain.";
        return Command::Invalid(format!("{sentence} For example: {for_example}."));
    }
    match Question::from_field(named, value) {
        Ok(question) => Command::Ask { question, share },
        Err(error) => Command::Invalid(format!("{error} For example: {for_example}.")),
    }
}

/// Parses a value without a word before it. A sentence is rejected.
fn ask_about_anything(words: &[&str], share: bool, mention: &str) -> Command {
    let text = words.join(" ");
    let value = unquoted(&text);
    let is_quoted = value.len() < text.len();
    let first = words.first().copied().unwrap_or_default();
    let (word, attached) = first.split_once([':', '=']).unwrap_or((first, ""));
    let has_value = words.len() > 1 || !attached.is_empty();
    if let Some(meant) = nearest(word, &[]).filter(|_| has_value) {
        let kind = look_up(meant).and_then(FieldMeaning::kind).unwrap_or(Kind::Machine);
        let for_example = example(kind, mention);
        return Command::Invalid(format!(
            "The first word is not known: did you mean `{meant}`? For example: {for_example}."
        ));
    }
    match Question::detect(value) {
        Ok(question) if question.further.is_empty() || is_quoted || words.len() == 1 => {
            Command::Ask { question, share }
        }
        Err(error) if words.len() == 1 => {
            Command::Invalid(format!("{error} For example: {}.", example(Kind::Machine, mention)))
        }
        Ok(_) | Err(_) => {
            let (machine, user) = (example(Kind::Machine, mention), example(Kind::User, mention));
            Command::Invalid(format!(
                "This is not understood: say first what it is, then its name or id. For example: {machine}, {user}. `{} help` lists all.",
                mention.trim()
            ))
        }
    }
}

fn example(kind: Kind, mention: &str) -> String {
    let value = EXAMPLES.iter().find(|(known, _)| *known == kind).map_or("", |(_, value)| *value);
    format!("`{} {} {value}`", mention.trim(), kind.as_str())
}

fn is_share(word: &str) -> bool {
    is_word(word.trim_end_matches([',', '.']), "share")
}

fn is_polite(word: &str) -> bool {
    POLITE_WORDS.iter().any(|polite| is_word(word.trim_end_matches(['.', '!']), polite))
}

/// Strips zero-width characters, and punctuation that ends a question.
fn without_punctuation(word: &str) -> &str {
    let word = trimmed(word);
    if word == "?" { word } else { word.trim_end_matches(['?', '!']) }
}

fn is_word(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

/// Strips quotation marks.
fn unquoted(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = inside_quotes(text) {
        text = inner.trim();
    }
    text
}

fn inside_quotes(text: &str) -> Option<&str> {
    let (_, closing) = QUOTES.iter().find(|(opening, _)| text.starts_with(*opening))?;
    let mut inner = text.chars();
    inner.next();
    inner.next_back().filter(|last| closing.contains(last))?;
    Some(inner.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Kind, String, bool) {
        match Command::parse(text, "/defender", "\n") {
            Command::Ask { question, share } => (question.subject.kind(), question.subject.id(), share),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn typed_commands_are_parsed() {
        let sha1 = "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d";
        let sha256 = "ab".repeat(32);
        for (text, kind, id, share) in [
            ("alert da637472900382838869_1364969609", Kind::Alert, "da637472900382838869_1364969609", false),
            ("ALERT da1_1 share", Kind::Alert, "da1_1", true),
            ("share alert da1_1", Kind::Alert, "da1_1", true),
            ("Share alert da1_1 SHARE", Kind::Alert, "da1_1", true),
            ("alert: da1_1", Kind::Alert, "da1_1", false),
            ("alert:da1_1", Kind::Alert, "da1_1", false),
            ("alert_id=da1_1", Kind::Alert, "da1_1", false),
            ("alert `da1_1`", Kind::Alert, "da1_1", false),
            ("alert ```da1_1```", Kind::Alert, "da1_1", false),
            ("alert “da1_1”", Kind::Alert, "da1_1", false),
            ("alert \" da1_1 \"", Kind::Alert, "da1_1", false),
            ("alert https://security.microsoft.com/alerts/da1_1?tid=x", Kind::Alert, "da1_1", false),
            ("machine desk-042", Kind::Machine, "desk-042", false),
            ("machine Dana’s iPad", Kind::Machine, "Dana’s iPad", false),
            ("machine ‘Dana’s iPad’ share", Kind::Machine, "Dana’s iPad", true),
            ("device  desk-042", Kind::Machine, "desk-042", false),
            ("machine alert", Kind::Machine, "alert", false),
            ("machine `share`", Kind::Machine, "share", false),
            ("user NETWORK  SERVICE", Kind::User, "NETWORK SERVICE", false),
            ("user CONTOSO\\dana", Kind::User, "dana", false),
            ("user dana@contoso.com share", Kind::User, "dana", true),
            (&format!("file {sha1}"), Kind::File, sha1, false),
            (&format!("file_hash {sha1}"), Kind::File, sha1, false),
            (&sha256, Kind::File, &sha256, false),
            ("incident 924565", Kind::Incident, "924565", false),
            ("incident #924565", Kind::Incident, "924565", false),
            ("924565 share", Kind::Incident, "924565", true),
            ("\u{a0}desk-042.contoso.com\n", Kind::Machine, "desk-042.contoso.com", false),
            ("dana@contoso.com", Kind::User, "dana", false),
            ("share https://security.microsoft.com/incidents/77", Kind::Incident, "77", true),
            ("upn dana.reyes@contoso.com", Kind::User, "dana.reyes", false),
            ("email dana.reyes@contoso.com", Kind::User, "dana.reyes", false),
            ("computer desk-042", Kind::Machine, "desk-042", false),
            ("Computer-DNS-Name: desk-042", Kind::Machine, "desk-042", false),
            ("device name desk-042", Kind::Machine, "desk-042", false),
            ("incident id 3098", Kind::Incident, "3098", false),
            ("file hash: 5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d", Kind::File, sha1, false),
            ("case 924565", Kind::Incident, "924565", false),
            ("user AzureAD\\dana.reyes@contoso.com", Kind::User, "dana.reyes", false),
            ("host 192.0.2.7", Kind::Ip, "192.0.2.7", false),
            ("ip address 192[.]0[.]2[.]7", Kind::Ip, "192.0.2.7", false),
            ("2001:db8::7", Kind::Ip, "2001:db8::7", false),
            ("domain evil[.]example", Kind::Domain, "evil.example", false),
            ("url hxxps://evil[.]example/pay", Kind::Domain, "evil.example", false),
            ("hxxps://evil[.]example/pay", Kind::Domain, "evil.example", false),
            ("machine desk-042[.]contoso[.]com", Kind::Machine, "desk-042.contoso.com", false),
            ("machine desk-042 please", Kind::Machine, "desk-042", false),
            ("machine desk-042 share, please!", Kind::Machine, "desk-042", true),
            ("desk-042?", Kind::Machine, "desk-042", false),
            ("desk-042", Kind::Machine, "desk-042", false),
            ("da637472900382838869_1364969609.", Kind::Alert, "da637472900382838869_1364969609", false),
            ("alert: da1_1.", Kind::Alert, "da1_1", false),
            ("alert da1_1\u{200b}", Kind::Alert, "da1_1", false),
            ("\"Dana’s iPad\"", Kind::Machine, "Dana’s iPad", false),
            ("NT AUTHORITY\\SYSTEM", Kind::User, "SYSTEM", false),
            ("any desk-042", Kind::Machine, "desk-042", false),
        ] {
            assert_eq!(parsed(text), (kind, id.to_owned(), share), "{text}");
        }
    }

    #[test]
    fn empty_command_asks_for_help() {
        for text in ["", " \n", "help", "HELP me", "?", "share", "share share", "help share"] {
            let Command::Help(help) = Command::parse(text, "/defender", "\n") else { panic!("{text}") };
            assert!(help.contains("`/defender machine desk-042.contoso.com`\n"), "{help}");
        }
    }

    #[test]
    fn invalid_input_gets_an_example_and_is_not_echoed() {
        for (text, hint) in [
            ("alert", "Say which alert. For example: `/defender alert da637"),
            ("machine:", "`/defender machine desk-042"),
            ("user share", "Say which user"),
            ("user ", "a mention of somebody in this chat cannot be looked up"),
            ("user @canary", "is no account"),
            ("file hash", "Say which file"),
            ("alert da1_1 canary", "several words. An alert id is"),
            ("incident canary", "An incident id is"),
            ("incident #", "Say which incident"),
            ("file d41d8cd98f00b204e9800998ecf8427e", "MD5"),
            ("md5 d41d8cd98f00b204e9800998ecf8427e", "MD5"),
            ("user canary/..", "A user is"),
            ("user ${canary}", "no value"),
            ("{{canary}}", "no value"),
            ("machine 192.0.2.7", "send it as ip"),
            ("machine da637472900382838869_1364969609 canary", "several words"),
            ("alert https://security.microsoft.com/incidents/77", "send it as incident_id"),
            ("https://security.microsoft.com/canary", "names no subject"),
            ("machine https://canary.example/x", "not a link to a machine"),
            ("machien canary", "did you mean `machine`? For example: `/defender machine desk-042"),
            ("alerts canary", "did you mean `alert`?"),
            ("incidnet: canary", "did you mean `incident`?"),
            ("machien=canary", "did you mean `machine`?"),
            ("usrname canary", "did you mean `username`? For example: `/defender user dana"),
            ("what about canary", "say first what it is"),
            ("INC 3098 canary", "say first what it is"),
        ] {
            let Command::Invalid(sentence) = Command::parse(text, "/defender", "\n") else { panic!("{text}") };
            assert!(sentence.contains(hint) && sentence.contains("`/defender "), "{text}: {sentence}");
            assert!(!sentence.contains("canary"), "{sentence}");
        }
    }

    #[test]
    fn every_example_is_a_valid_command() {
        for (kind, value) in EXAMPLES {
            for word in [kind.as_str(), kind.field()] {
                assert_eq!(parsed(&format!("{word} {value}")).0, kind, "{word}");
            }
        }
    }
}
