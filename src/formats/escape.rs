//! What a letter becomes where it lands, so that no markup of an attacker's takes effect.
//!
//! Mentions, bare links, references and short names of emoji are broken before (`defang`): no escape keeps them from
//! working. Names that have to be copied are not broken, and stand in code style where a client would act on them.

use super::safe_text::CharContext;

/// How text is written where it lands.
#[derive(Clone, Copy)]
pub(super) struct Escape {
    /// Writes a letter so that it stands for itself.
    pub(super) letter: fn(&mut String, CharContext),
    /// How the name of a device or an account is written.
    pub(super) names: Names,
}

/// How the name of a device or an account is written.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// As it is: nothing acts on text here.
    AsTheyAre,
    /// In code style, by this function.
    Code(fn(&str) -> String),
    /// As any other text is.
    Broken,
}

/// For a terminal, or any other place without markup.
pub(super) const PLAIN: Escape = Escape { letter: plain, names: Names::AsTheyAre };

/// For Slack's mrkdwn.
pub(super) const MRKDWN: Escape = Escape { letter: mrkdwn, names: Names::Code(mrkdwn_code) };

/// For Slack's plain text.
pub(super) const TITLE: Escape = Escape { letter: title, names: Names::AsTheyAre };

/// For text of Adaptive Cards, which has no code style.
pub(super) const CARD: Escape = Escape { letter: card, names: Names::Broken };

/// The same, cut at grave accents into runs, of which every second one is to be in code style.
pub(super) const CARD_RUNS: Escape = Escape { letter: card, names: Names::Code(code) };

/// For Markdown.
pub(super) const MARKDOWN: Escape = Escape { letter: markdown, names: Names::Code(code) };

/// The same inside the label of a link, which has no room for another style.
pub(super) const MARKDOWN_LABEL: Escape = Escape { letter: markdown, names: Names::Broken };

/// A name has no grave accents (`names`), and all else stands for itself between them.
fn code(name: &str) -> String {
    format!("`{name}`")
}

/// Slack decodes its entities in code as well.
fn mrkdwn_code(name: &str) -> String {
    code(&name.replace('&', "&amp;"))
}

fn plain(out: &mut String, letter: CharContext) {
    out.push(letter.it);
}

/// For Slack's mrkdwn, which knows entities for three letters and no escape for the others.
///
/// Source: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
fn mrkdwn(out: &mut String, letter: CharContext) {
    match letter.it {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        // At the beginning of a line it would make a quote, escaped or not.
        '>' if letter.before.is_none() => out.push('\u{203a}'),
        '>' => out.push_str("&gt;"),
        _ => out.push(look_alike(letter)),
    }
}

/// For Slack's plain text, in which entities would be read as they are written.
fn title(out: &mut String, letter: CharContext) {
    out.push(without_angles(look_alike(letter)));
}

/// For text of Adaptive Cards, whose clients do not agree on what a backslash escapes.
///
/// Source: <https://github.com/microsoft/AdaptiveCards/issues/5590>.
fn card(out: &mut String, letter: CharContext) {
    let CharContext { before, it, after } = letter;
    match (before, it, after) {
        // The beginning of a list, a heading, a line under a heading.
        (None, '-', _) => out.push('\u{2010}'),
        (None, '+', _) => out.push('\u{ff0b}'),
        (None, '#', _) => out.push('\u{ff03}'),
        (None, '=', _) => out.push('\u{ff1d}'),
        (Some('0'..='9'), '.', Some(' ') | None) => out.push('\u{2024}'),
        (Some('0'..='9'), ')', Some(' ') | None) => out.push('\u{ff09}'),
        // The address of a link, and its definition.
        (Some(']'), '(', _) => out.push('\u{ff08}'),
        (Some(']'), ':', _) => out.push('\u{ff1a}'),
        // An entity.
        (_, '&', Some(name)) if is_of_entity(name) => out.push('\u{ff06}'),
        (_, '\\', after) => push_backslash(out, after),
        _ => out.push(without_angles(look_alike(letter))),
    }
}

/// For Markdown, as `CommonMark` and the tables of GitHub have it.
///
/// Source: <https://spec.commonmark.org/0.31.2/#backslash-escapes>.
fn markdown(out: &mut String, letter: CharContext) {
    match letter.it {
        // Not by backslash: what looks for HTML or decodes entities may not know of that.
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' if letter.after.is_some_and(is_of_entity) => out.push_str("&amp;"),
        '\\' => push_backslash(out, letter.after),
        // The beginning of a list, a rule, or a line under a heading: also inside our own quote.
        '-' | '+' | '=' if letter.before.is_none() => out.extend(['\\', letter.it]),
        '.' if letter.after.is_none_or(char::is_whitespace) && is_number(out) => {
            out.push_str("\\.");
        }
        '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '~' | '|' | '$' | '^' => {
            out.push('\\');
            out.push(letter.it);
        }
        it => out.push(it),
    }
}

/// A letter that looks like this one and marks nothing up, where this one could.
fn look_alike(letter: CharContext) -> char {
    let is_inside_a_word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    match letter.it {
        '*' => '\u{2217}',
        '~' => '\u{223c}',
        '`' => '\u{2018}',
        '_' if !(is_inside_a_word(letter.before) && is_inside_a_word(letter.after)) => '\u{ff3f}',
        it => it,
    }
}

fn without_angles(letter: char) -> char {
    match letter {
        '<' => '\u{2039}',
        '>' => '\u{203a}',
        _ => letter,
    }
}

/// Whether a line is a number so far, as the items of a list have.
fn is_number(line: &str) -> bool {
    (1..=9).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_of_entity(letter: char) -> bool {
    letter == '#' || letter.is_ascii_alphanumeric()
}

/// A backslash stands for itself before a letter, and escapes punctuation, ours after the end of the text as well.
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
    fn mrkdwn_stands_for_itself() {
        assert_eq!(escaped("<!channel> & <@U1|x>", MRKDWN), "&lt;!channel&gt; &amp; &lt;[@]U1|x&gt;");
        assert_eq!(escaped("*b* _i_ a_b ~s~ `c`", MRKDWN), "∗b∗ ＿i＿ a_b ∼s∼ ‘c‘");
        assert_eq!(escaped("> q > x", MRKDWN), "› q &gt; x");
        assert_eq!(escaped("<!here> & *b*", TITLE), "‹!here› & ∗b∗");
    }

    #[test]
    fn markup_of_cards_stands_for_itself() {
        assert_eq!(escaped("[x](http://evil.example) **b**", CARD), "[x]（hxxp://evil[.]example) ∗∗b∗∗");
        assert_eq!(escaped("<at>Dana</at> &#64; & co", CARD), "‹at›Dana‹/at› &[#]64; & co");
        assert_eq!(escaped("1. one", CARD), "1․ one");
        assert_eq!(escaped("- one", CARD), "‐ one");
        assert_eq!(escaped("CONTOSO\\dana \\\\srv\\", CARD), "CONTOSO\\dana \\\\\\srv\\\\");
    }

    #[test]
    fn markdown_stands_for_itself() {
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
