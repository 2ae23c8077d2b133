//! What a letter becomes where it lands, so that no markup of an attacker's takes effect.
//!
//! Mentions, bare links and short names of emoji are broken before (`defang`): no escape keeps them from working.

use super::shown::Letter;

/// Writes a letter so that it stands for itself.
pub(super) type Escape = fn(&mut String, Letter);

/// For a terminal, or any other place without markup.
pub(super) fn plain(out: &mut String, letter: Letter) {
    out.push(letter.it);
}

/// For Slack's mrkdwn, which knows entities for three letters and no escape for the others.
///
/// Source: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
pub(super) fn mrkdwn(out: &mut String, letter: Letter) {
    match letter.it {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(look_alike(letter)),
    }
}

/// For Slack's plain text, in which entities would be read as they are written.
pub(super) fn title(out: &mut String, letter: Letter) {
    out.push(without_angles(look_alike(letter)));
}

/// For text of Adaptive Cards, whose clients do not agree on what a backslash escapes.
///
/// Source: <https://github.com/microsoft/AdaptiveCards/issues/5590>.
pub(super) fn card(out: &mut String, letter: Letter) {
    let Letter { before, it, after } = letter;
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
pub(super) fn markdown(out: &mut String, letter: Letter) {
    match letter.it {
        // Not by backslash: what looks for HTML or decodes entities may not know of that.
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' if letter.after.is_some_and(is_of_entity) => out.push_str("&amp;"),
        '\\' => push_backslash(out, letter.after),
        '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '~' | '|' | '$' | '^' => {
            out.push('\\');
            out.push(letter.it);
        }
        it => out.push(it),
    }
}

/// A letter that looks like this one and marks nothing up, where this one could.
fn look_alike(letter: Letter) -> char {
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
    use crate::render::shown::Shown;

    fn escaped(text: &str, escape: Escape) -> String {
        Shown::new(text, 200).escaped(400, escape)
    }

    #[test]
    fn mrkdwn_stands_for_itself() {
        assert_eq!(escaped("<!channel> & <@U1|x>", mrkdwn), "&lt;!channel&gt; &amp; &lt;[@]U1|x&gt;");
        assert_eq!(escaped("*b* _i_ a_b ~s~ `c`", mrkdwn), "∗b∗ ＿i＿ a_b ∼s∼ ‘c‘");
        assert_eq!(escaped("<!here> & *b*", title), "‹!here› & ∗b∗");
    }

    #[test]
    fn markup_of_cards_stands_for_itself() {
        assert_eq!(escaped("[x](http://evil.example) **b**", card), "[x]（hxxp://evil[.]example) ∗∗b∗∗");
        assert_eq!(escaped("<at>Dana</at> &#64; & co", card), "‹at›Dana‹/at› ＆#64; & co");
        assert_eq!(escaped("1. one", card), "1․ one");
        assert_eq!(escaped("- one", card), "‐ one");
        assert_eq!(escaped("CONTOSO\\dana \\\\srv\\", card), "CONTOSO\\dana \\\\\\srv\\\\");
    }

    #[test]
    fn markdown_stands_for_itself() {
        assert_eq!(
            escaped("![x](y) | `c` <b> &lt; a & b", markdown),
            "\\!\\[x\\]\\(y\\) \\| \\`c\\` &lt;b&gt; &amp;lt; a & b"
        );
        assert_eq!(escaped("@everyone #1 ~~x~~", markdown), "\\[@\\]everyone \\#1 \\~\\~x\\~\\~");
        assert_eq!(escaped("CONTOSO\\dana \\|", markdown), "CONTOSO\\dana \\\\\\|");
    }
}
