//! What a person types in a chat: a question, a call for help, or something that wants a hint.

use crate::domain::subject::{Kind, Question};

/// How each kind may be called beside its own word and its field's name, and what a person would type after it.
const KINDS: [(Kind, &[&str], &str); 5] = [
    (Kind::Alert, &[], "da637472900382838869_1364969609"),
    (Kind::Machine, &["device", "host"], "desk-042.contoso.com"),
    (Kind::User, &["account"], "dana.reyes@contoso.com"),
    (Kind::File, &["hash"], "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d"),
    (Kind::Incident, &[], "924565"),
];

/// Signs that people, or their keyboards, put around a value: each that opens with those that close it.
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

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An answer.
    Ask {
        /// To what.
        question: Question,
        /// Whether all in the channel shall see it.
        share: bool,
    },
    /// To know how to ask.
    Help,
    /// Something that cannot be asked: a sentence that says why, with examples in backticks. Holds nothing of the input.
    Wrong(String),
}

impl Command {
    /// Reads plain text: `KIND VALUE`, a bare value, or `help`; `share` as its first or last word.
    pub fn parse(text: &str) -> Self {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let before = words.len();
        words.pop_if(|word| is_word(word, "share"));
        if words.first().is_some_and(|word| is_word(word, "share")) {
            words.remove(0);
        }
        let share = words.len() < before;
        let Some((first, rest)) = words.split_first() else { return Self::Help };
        if is_word(first, "help") || *first == "?" {
            return Self::Help;
        }
        let (word, glued) = first.split_once([':', '=']).unwrap_or((first, ""));
        match KINDS.iter().find(|(kind, others, _)| is_name(word, *kind, others)) {
            Some((kind, _, example)) => {
                let value = [&[glued], rest].concat().join(" ");
                ask_about(*kind, unquoted(&value), share, example)
            }
            None => match Question::detect(unquoted(&words.join(" "))) {
                Ok(question) => Self::Ask { question, share },
                Err(error) => Self::Wrong(format!("{error} For example: {}.", examples("").join(", "))),
            },
        }
    }
}

/// How to ask, a line each; `called` is what stands before a command here, such as `/defender`.
pub fn help(called: &str) -> Vec<String> {
    let mut lines = vec!["Ask what Microsoft Defender knows:".to_owned()];
    lines.extend(examples(&format!("{} ", called.trim())));
    lines.push("A link to the Defender portal works as well.".to_owned());
    lines
}

fn ask_about(kind: Kind, value: &str, share: bool, example: &str) -> Command {
    let word = kind.as_str();
    let value = if kind == Kind::Incident { value.strip_prefix('#').unwrap_or(value) } else { value };
    if value.is_empty() {
        return Command::Wrong(format!("Say which {word}. For example: `{word} {example}`."));
    }
    match Question::parse(kind, value) {
        Ok(question) => Command::Ask { question, share },
        Err(error) => Command::Wrong(format!("{error} For example: `{word} {example}`.")),
    }
}

fn examples(before: &str) -> Vec<String> {
    KINDS.iter().map(|(kind, _, example)| format!("`{before}{} {example}`", kind.as_str())).collect()
}

fn is_name(word: &str, kind: Kind, others: &[&str]) -> bool {
    is_word(word, kind.as_str()) || is_word(word, kind.field()) || others.iter().any(|other| is_word(word, other))
}

fn is_word(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

/// A value without the quotes around it.
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

    fn asked(text: &str) -> (Kind, String, bool) {
        match Command::parse(text) {
            Command::Ask { question, share } => (question.subject.kind(), question.subject.id(), share),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_people_type_is_understood() {
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
        ] {
            assert_eq!(asked(text), (kind, id.to_owned(), share), "{text}");
        }
    }

    #[test]
    fn who_asks_for_nothing_is_helped() {
        for text in ["", " \n", "help", "HELP me", "?", "share", "share share", "help share"] {
            assert_eq!(Command::parse(text), Command::Help, "{text}");
        }
        let help = help("/defender").join("\n");
        assert!(help.contains("`/defender machine desk-042.contoso.com`"), "{help}");
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_an_example_and_not_repeated() {
        let forty = "a".repeat(40);
        for (text, hint) in [
            ("alert", "Say which alert. For example: `alert da637"),
            ("machine:", "`machine desk-042"),
            ("user share", "Say which user"),
            ("alert da1_1 canary", "An alert id is"),
            ("incident canary", "An incident id is"),
            ("incident #", "Say which incident"),
            ("file d41d8cd98f00b204e9800998ecf8427e", "MD5"),
            ("user canary/..", "A user is"),
            ("alert https://security.microsoft.com/incidents/77", "send it as incident_id"),
            ("https://canary.example/alerts/da1_1", "`incident 924565`"),
            (&forty, "`machine desk-042.contoso.com`"),
            ("desk-042", "cannot be told"),
            ("192.0.2.7", "IP address"),
            ("what about canary", "cannot be told"),
        ] {
            let Command::Wrong(sentence) = Command::parse(text) else { panic!("{text}") };
            assert!(sentence.contains(hint) && sentence.contains('`'), "{text}: {sentence}");
            assert!(!sentence.contains("canary"), "{sentence}");
        }
    }

    #[test]
    fn every_example_is_right() {
        for (kind, others, example) in KINDS {
            for word in [kind.as_str(), kind.field()].iter().chain(others) {
                assert_eq!(asked(&format!("{word} {example}")).0, kind, "{word}");
            }
        }
    }
}
