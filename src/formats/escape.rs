//! Escapes text for each markup, so that no markup written by an attacker takes effect.
//!
//! Mentions, bare links, issue references and emoji short names are defanged first (`defang`), since no escape
//! disables them. Names that people copy are not defanged. They are in code style where a client would otherwise act
//! on them.

use super::safe_text::CharContext;

/// How text is written in a markup.
#[derive(Clone, Copy)]
pub(super) struct Escape {
    /// Writes a character so that it is displayed literally.
    pub(super) escape_char: fn(&mut String, CharContext),
    /// How the names of devices and accounts are written.
    pub(super) names: Names,
}

/// How the names of devices and accounts are written.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Unchanged: no client acts on text here.
    Unchanged,
    /// In code style, by this function.
    Code(fn(&str) -> String),
    /// Like any other text.
    Defanged,
}

/// For terminals and other places without markup.
pub(super) const PLAIN: Escape = Escape { escape_char: plain, names: Names::Unchanged };

/// For Slack's mrkdwn.
pub(super) const MRKDWN: Escape = Escape { escape_char: mrkdwn, names: Names::Code(mrkdwn_code) };

/// For Slack's plain text.
pub(super) const SLACK_PLAIN_TEXT: Escape = Escape { escape_char: title, names: Names::Unchanged };

/// For text in Adaptive Cards, which has no code style.
pub(super) const CARD: Escape = Escape { escape_char: card, names: Names::Defanged };

/// For Adaptive Cards with text runs: the text is split at grave accents, and every second run is in code style.
pub(super) const CARD_RUNS: Escape = Escape { escape_char: card, names: Names::Code(code) };

/// For Markdown.
pub(super) const MARKDOWN: Escape = Escape { escape_char: markdown, names: Names::Code(code) };

/// For link labels in Markdown, which cannot contain code style.
pub(super) const MARKDOWN_LABEL: Escape = Escape { escape_char: markdown, names: Names::Defanged };

/// Writes a name in code style. A name has no grave accents (see `names`), and code style displays all other
/// characters literally.
fn code(name: &str) -> String {
    format!("`{name}`")
}

/// Slack decodes its entities in code style too.
fn mrkdwn_code(name: &str) -> String {
    code(&name.replace('&', "&amp;"))
}

fn plain(out: &mut String, context: CharContext) {
    out.push(context.character);
}

/// For Slack's mrkdwn, which has entities for three characters and no escape for others.
///
/// Source: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
fn mrkdwn(out: &mut String, context: CharContext) {
    match context.character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        // At the start of a line it would begin a quote, even escaped.
        '>' if context.before.is_none() => out.push('\u{203a}'),
        '>' => out.push_str("&gt;"),
        _ => out.push(look_alike(context)),
    }
}

/// For Slack's plain text, which displays entities literally.
fn title(out: &mut String, context: CharContext) {
    out.push(without_angles(look_alike(context)));
}

/// For text in Adaptive Cards. Clients do not agree on what a backslash escapes.
///
/// Source: <https://github.com/microsoft/AdaptiveCards/issues/5590>.
fn card(out: &mut String, context: CharContext) {
    let CharContext { before, character, after } = context;
    match (before, character, after) {
        // The start of a list, a heading, or the line under a heading.
        (None, '-', _) => out.push('\u{2010}'),
        (None, '+', _) => out.push('\u{ff0b}'),
        (None, '#', _) => out.push('\u{ff03}'),
        (None, '=', _) => out.push('\u{ff1d}'),
        (Some('0'..='9'), '.', Some(' ') | None) => out.push('\u{2024}'),
        (Some('0'..='9'), ')', Some(' ') | None) => out.push('\u{ff09}'),
        // The address or the definition of a link.
        (Some(']'), '(', _) => out.push('\u{ff08}'),
        (Some(']'), ':', _) => out.push('\u{ff1a}'),
        // An entity.
        (_, '&', Some(name)) if is_entity_char(name) => out.push('\u{ff06}'),
        (_, '\\', after) => push_backslash(out, after),
        _ => out.push(without_angles(look_alike(context))),
    }
}

/// For Markdown, as defined by `CommonMark` with GitHub's tables.
///
/// Source: <https://spec.commonmark.org/0.31.2/#backslash-escapes>.
fn markdown(out: &mut String, context: CharContext) {
    match context.character {
        // Not escaped by a backslash: software that looks for HTML or decodes entities may not know that escape.
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' if context.after.is_some_and(is_entity_char) => out.push_str("&amp;"),
        '\\' => push_backslash(out, context.after),
        // The start of a list, a rule, or the line under a heading, also inside our own quote.
        '-' | '+' | '=' if context.before.is_none() => out.extend(['\\', context.character]),
        '.' if context.after.is_none_or(char::is_whitespace) && is_number(out) => {
            out.push_str("\\.");
        }
        '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '~' | '|' | '$' | '^' => {
            out.push('\\');
            out.push(context.character);
        }
        character => out.push(character),
    }
}

/// Replaces a markup character by one that looks like it and has no function.
fn look_alike(context: CharContext) -> char {
    let is_inside_a_word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    match context.character {
        '*' => '\u{2217}',
        '~' => '\u{223c}',
        '`' => '\u{2018}',
        '_' if !(is_inside_a_word(context.before) && is_inside_a_word(context.after)) => '\u{ff3f}',
        character => character,
    }
}

fn without_angles(character: char) -> char {
    match character {
        '<' => '\u{2039}',
        '>' => '\u{203a}',
        _ => character,
    }
}

/// Whether a line consists of a number so far, as a list item does.
fn is_number(line: &str) -> bool {
    (1..=9).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_entity_char(character: char) -> bool {
    character == '#' || character.is_ascii_alphanumeric()
}

/// Writes a backslash. It is literal before a letter, but escapes punctuation, including ours after the end of the
/// text.
fn push_backslash(out: &mut String, after: Option<char>) {
    out.push_str(if after.is_none_or(|after| after.is_ascii_punctuation()) { "\\\\" } else { "\\" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::safe_text::SafeText;

    fn escaped(text: &str, escape: Escape) -> String {
        SafeText::new(text, 200).escaped(400, escape)
    }

    #[test]
    fn mrkdwn_is_escaped() {
        assert_eq!(escaped("<!channel> & <@U1|x>", MRKDWN), "&lt;!channel&gt; &amp; &lt;[@]U1|x&gt;");
        assert_eq!(escaped("*b* _i_ a_b ~s~ `c`", MRKDWN), "∗b∗ ＿i＿ a_b ∼s∼ ‘c‘");
        assert_eq!(escaped("> q > x", MRKDWN), "› q &gt; x");
        assert_eq!(escaped("<!here> & *b*", SLACK_PLAIN_TEXT), "‹!here› & ∗b∗");
    }

    #[test]
    fn card_markup_is_escaped() {
        assert_eq!(escaped("[x](http://evil.example) **b**", CARD), "[x]（hxxp://evil[.]example) ∗∗b∗∗");
        assert_eq!(escaped("<at>Dana</at> &#64; & co", CARD), "‹at›Dana‹/at› &[#]64; & co");
        assert_eq!(escaped("1. one", CARD), "1․ one");
        assert_eq!(escaped("- one", CARD), "‐ one");
        assert_eq!(escaped("CONTOSO\\dana \\\\srv\\", CARD), "CONTOSO\\dana \\\\\\srv\\\\");
    }

    #[test]
    fn markdown_is_escaped() {
        assert_eq!(
            escaped("![x](y) | `c` <b> &lt; a & b", MARKDOWN),
            "\\!\\[x\\]\\(y\\) \\| \\`c\\` &lt;b&gt; &amp;lt; a & b"
        );
        assert_eq!(escaped("@everyone #1 ~~x~~", MARKDOWN), "\\[@\\]everyone \\[\\#\\]1 \\~\\~x\\~\\~");
        for (text, right) in
            [("- x", "\\- x"), ("+ x", "\\+ x"), ("---", "\\---"), ("1. x", "1\\. x"), ("x 1.", "x 1."), ("1)", "1\\)")]
        {
            assert_eq!(escaped(text, MARKDOWN), right, "{text}");
        }
        assert_eq!(escaped("CONTOSO\\dana \\|", MARKDOWN), "CONTOSO\\dana \\\\\\|");
    }
}
