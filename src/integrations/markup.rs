//! Converts a chat's markup to the plain text that a person typed: resolves links, mentions and escapes.
//!
//! Sources: <https://docs.slack.dev/messaging/formatting-message-text>,
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use std::borrow::Cow;

/// Commands are shorter; the rest of a longer text is ignored.
const MAX_BYTES: usize = 4096;

/// Converts Slack's markup: `<https://…|label>`, `<mailto:…|label>`, `<@U…>`, `&amp;`.
pub(super) fn from_slack(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = truncated(text);
    while let Some((before, (inner, after_tag))) = split_at_tag(rest) {
        plain.push_str(&unescaped(before));
        // A mention names a chat member, which Defender does not know.
        if !inner.starts_with(['@', '#', '!']) {
            plain.push_str(address(&unescaped(inner.split('|').next().unwrap_or_default())));
        }
        rest = after_tag;
    }
    plain.push_str(&unescaped(rest));
    plain
}

/// Converts the HTML of Teams: `<at>Bot</at>`, `<a href="…">label</a>`, `&nbsp;`, other tags.
pub(super) fn from_teams(html: &str) -> String {
    let mut plain = String::new();
    let mut rest = truncated(html);
    while let Some((before, (tag, after_tag))) = split_at_tag(rest) {
        plain.push_str(&unescaped(before));
        let name = tag.split([' ', '\t', '\n', '/']).next().unwrap_or_default();
        rest = after_tag;
        if name.eq_ignore_ascii_case("at") {
            rest = after_end_tag(after_tag, "</at>");
        } else if name.eq_ignore_ascii_case("a")
            && let Some(link) = link(tag)
        {
            plain.push_str(address(&unescaped(link)));
            rest = after_end_tag(after_tag, "</a>");
        } else if ["br", "p", "div", "li"].iter().any(|block| name.eq_ignore_ascii_case(block)) {
            plain.push(' ');
        }
    }
    plain.push_str(&unescaped(rest));
    plain
}

fn truncated(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default()
}

/// Splits into the text before the next tag, the tag's content, and the text after it.
fn split_at_tag(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, after) = text.split_once('<')?;
    Some((before, after.split_once('>')?))
}

/// Returns the text after the end of an element; all of the text if the element does not end.
fn after_end_tag<'a>(text: &'a str, end: &str) -> &'a str {
    let at = text.to_ascii_lowercase().find(end);
    at.and_then(|at| text.get(at + end.len()..)).unwrap_or(text)
}

/// Returns the `href` of a link's start tag.
fn link(tag: &str) -> Option<&str> {
    let at = tag.to_ascii_lowercase().find("href=")?;
    let value = tag.get(at + "href=".len()..)?;
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    value.get(1..)?.split(quote).next()
}

/// Returns what a person typed before the chat made a link of it: chats also link bare host names, mail addresses and
/// numbers.
fn address(link: &str) -> &str {
    if let Some(bare) = link.strip_prefix("mailto:").or_else(|| link.strip_prefix("tel:")) {
        return bare;
    }
    let bare = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let bare = bare.map(|bare| bare.strip_suffix('/').unwrap_or(bare));
    bare.filter(|bare| !bare.contains(['/', '?', '#'])).unwrap_or(link)
}

/// Replaces character references.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    let mut pieces = text.split('&');
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if let Some((name, rest)) = piece.split_once(';')
            && let Some(character) = character(name)
        {
            plain.push(character);
            plain.push_str(rest);
        } else {
            plain.push('&');
            plain.push_str(piece);
        }
    }
    Cow::Owned(plain)
}

/// Returns the character of a reference, given without `&` and `;`.
fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_markup_becomes_plain_text() {
        for (text, plain) in [
            ("alert da1_1", "alert da1_1"),
            (
                "<https://security.microsoft.com/alerts/da1_1?tid=x&amp;y=1|the alert>",
                "https://security.microsoft.com/alerts/da1_1?tid=x&y=1",
            ),
            ("<https://security.microsoft.com/incidents/77>", "https://security.microsoft.com/incidents/77"),
            ("user <mailto:dana@contoso.com|dana@contoso.com> share", "user dana@contoso.com share"),
            ("machine <http://desk-042.contoso.com|desk-042.contoso.com>", "machine desk-042.contoso.com"),
            ("incident <tel:924565|924565>", "incident 924565"),
            ("user <@U012ABCDEF|dana>", "user "),
            ("<#C1|general> <!channel> x", "  x"),
            ("a &lt; b &amp; c &gt; d", "a < b & c > d"),
            ("a < b", "a < b"),
            ("<<<", "<<<"),
        ] {
            assert_eq!(from_slack(text), plain, "{text}");
        }
    }

    #[test]
    fn teams_markup_becomes_plain_text() {
        for (html, plain) in [
            ("<at>Defender</at> alert da1_1\n", " alert da1_1\n"),
            ("<at>Defender</at>&nbsp;machine Dana&#39;s iPad", " machine Dana's iPad"),
            ("<AT id=\"0\">Defender bot</AT>help", "help"),
            ("<div><div><at>D</at> user&nbsp;CONTOSO\\dana</div>\n</div>", "   user CONTOSO\\dana\n"),
            (
                "<a href=\"https://security.microsoft.com/alerts/da1_1?tid=x&amp;y=1\" title=\"t\">https://secu…</a>",
                "https://security.microsoft.com/alerts/da1_1?tid=x&y=1",
            ),
            ("<a href='mailto:dana@contoso.com'>Dana</a> share", "dana@contoso.com share"),
            ("<a href=\"http://desk-042.contoso.com/\">desk-042.contoso.com</a>", "desk-042.contoso.com"),
            ("<a name=x>text</a>", "text"),
            ("<b>alert</b> <code>da1_1</code>", "alert da1_1"),
            ("&#x41;&#66;&amp;lt;&bogus;&", "AB&lt;&bogus;&"),
            ("<at>unfinished", "unfinished"),
            ("a < b", "a < b"),
            ("&#1114112; &#xD800;", "&#1114112; &#xD800;"),
        ] {
            assert_eq!(from_teams(html), plain, "{html}");
        }
    }

    #[test]
    fn long_text_is_truncated() {
        assert_eq!(from_slack(&"ä".repeat(5000)).len(), 4096);
        assert_eq!(from_teams(&"<".repeat(5000)).len(), 4096);
    }
}
