//! Finds active markup in a text: small parsers of each markup, for tests. They are independent of the escaping code.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

use super::hostile::NAMES;

/// The only host that may be linked to.
const PORTAL: &str = "https://security.microsoft.com/";

/// Returns the first entity in a plain text that a client would act on, or that is invisible.
pub(super) fn in_plain(text: &str) -> Option<String> {
    let found = unseen(text).or_else(|| mention(text)).or_else(|| short_name(text)).or_else(|| scheme(text));
    let found = found.or_else(|| host(text)).or_else(|| ipv6(text)).or_else(|| reference(text));
    found.map(|found| format!("{found} in {text:?}"))
}

/// The same for text in which names of devices and accounts are unchanged, because there is no code style.
pub(super) fn in_plain_beside_names(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for name in NAMES {
        text = text.replace(name, "name");
    }
    in_plain(&text)
}

/// The same for text in code style: no client acts on it, so it only must not end early.
pub(super) fn in_code(code: &str) -> Option<String> {
    let found = unseen(code).or_else(|| scheme(code));
    let broken = code.is_empty() || code.trim() != code || code.contains(['`', '<', '>', '|', '\n']);
    found.or_else(|| broken.then(|| "code style that ends".to_owned())).map(|found| format!("{found} in {code:?}"))
}

fn unseen(text: &str) -> Option<String> {
    let mut characters = text.chars().filter(|character| !matches!(character, ' '..='~' | '\n'));
    let unseen = characters.find(|character| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    });
    unseen.map(|character| format!("unseen {character:?}"))
}

fn mention(text: &str) -> Option<String> {
    let mut after = text.match_indices('@').map(|(index, _)| &text[index + 1..]);
    after.find(|after| after.starts_with(char::is_alphanumeric)).map(|after| format!("mention of {after:?}"))
}

fn short_name(text: &str) -> Option<String> {
    let is_name_char = |character: char| character.is_alphanumeric() || "_+-'".contains(character);
    let mut parts = text.split(':').skip(1).collect::<Vec<_>>();
    parts.pop();
    let name = parts.into_iter().find(|part| !part.is_empty() && part.chars().all(is_name_char));
    name.map(|name| format!("short name {name:?}"))
}

fn scheme(text: &str) -> Option<String> {
    let mut before = text.match_indices("://").map(|(index, _)| &text[..index]);
    let live = before.find(|before| {
        let start = before.trim_end_matches(|character: char| character.is_ascii_alphanumeric()).len();
        !["hxxp", "hxxps"].contains(&&before[start..])
    });
    live.map(|before| format!("scheme after {before:?}"))
}

fn host(text: &str) -> Option<String> {
    let is_dot = |character: char| ".\u{3002}\u{ff0e}\u{ff61}".contains(character);
    for (at, dot) in text.char_indices().filter(|(_, character)| is_dot(*character)) {
        let (before, after) = (&text[..at], &text[at + dot.len_utf8()..]);
        let is_host_char = |character: char| {
            !(character.is_whitespace()
                || is_dot(character)
                || character.is_ascii_punctuation() && !"-_".contains(character))
        };
        let (end, rest_after) =
            after.split_at(after.find(|character: char| !character.is_alphanumeric()).unwrap_or(after.len()));
        let goes_on = rest_after.strip_prefix(is_dot).is_some_and(|next| next.starts_with(char::is_alphanumeric));
        if before.ends_with(is_host_char) && !goes_on && is_tld(end) && !is_variant(before, end) {
            return Some(format!("host at .{end}"));
        }
    }
    let mut words = text.split(|character: char| !(character.is_alphanumeric() || ".-".contains(character)));
    let live = words.find(|word| {
        let word = word.trim_matches('.');
        let is_www = word.to_lowercase().strip_prefix("www.").is_some_and(|rest| !rest.is_empty());
        is_www || word.parse::<Ipv4Addr>().is_ok()
    });
    live.map(|word| format!("host {word:?}"))
}

fn is_tld(end: &str) -> bool {
    let Ok(Host::Domain(end)) = Host::parse(end) else { return false };
    ["example", "test", "local"].contains(&end.as_str()) || tld::exist(&end)
}

/// Whether this is the variant of a threat name.
fn is_variant(before: &str, end: &str) -> bool {
    let name = before.trim_end_matches(|character: char| character.is_ascii_alphanumeric() || character == '_');
    let is_short = end.len() <= 4 && end.bytes().all(|byte| byte.is_ascii_uppercase());
    is_short && ["Trojan:Win32/", "Trojan[:]Win32/"].iter().any(|start| name.ends_with(start))
}

/// Finds a text that a tracker would turn into a link to an issue.
fn reference(text: &str) -> Option<String> {
    let is_digit = |at: usize| text[at..].starts_with(|character: char| character.is_ascii_digit());
    let mut numbers = text.match_indices(['#', '!']).map(|(at, _)| at).filter(|at| is_digit(at + 1));
    let number = numbers.next().map(|at| format!("reference {:?}", &text[at..]));
    let key = |at: usize| {
        let word = &text[text[..at]
            .rfind(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
            .map_or(0, |before| before + text[before..].chars().next().map_or(0, char::len_utf8))
            ..at];
        let is_key = word.len() > 1
            && word.starts_with(|character: char| character.is_ascii_uppercase())
            && !word.contains(|character: char| character.is_ascii_lowercase());
        is_key || word.to_lowercase() == "gh"
    };
    let mut hyphens = text.match_indices('-').map(|(at, _)| at).filter(|at| is_digit(at + 1));
    number.or_else(|| hyphens.find(|at| key(*at)).map(|at| format!("reference before {:?}", &text[at..])))
}

fn ipv6(text: &str) -> Option<String> {
    if !text.contains(':') {
        return None;
    }
    let mut words = text.split(|character: char| !character.is_alphanumeric() && character != ':');
    let live = words.find(|word| word.len() > 3 && word.parse::<Ipv6Addr>().is_ok());
    live.map(|word| format!("address {word:?}"))
}

/// The same for Slack's mrkdwn with links to the portal.
pub(super) fn in_mrkdwn(text: &str) -> Option<String> {
    if text.lines().any(|line| line.starts_with("&gt;")) {
        return Some(format!("a quote: {text:?}"));
    }
    let mut seen = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(inside) = rest.strip_prefix('`') {
            let Some((code, after)) = inside.split_once('`') else { return Some(format!("half of code: {text:?}")) };
            let is_alone = !seen.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
            let decoded = code.replace("&amp;", "+");
            if let Some(live) =
                in_code(&decoded).or_else(|| (!is_alone || decoded.contains('&')).then(|| format!("code {text:?}")))
            {
                return Some(live);
            }
            seen.push('\u{1}');
            rest = after;
            continue;
        }
        let construct = rest.strip_prefix('<').map(|inside| inside.split_once('>').unwrap_or((inside, "")));
        if let Some((inside, after)) = construct {
            let (address, label) = inside.split_once('|').unwrap_or((inside, ""));
            if !address.starts_with(PORTAL) || address.contains(char::is_whitespace) || label.contains('<') {
                return Some(format!("construct <{inside}>"));
            }
            seen.push_str(label);
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('&') {
            let entity =
                [("amp;", '&'), ("lt;", '<'), ("gt;", '>')].into_iter().find(|(name, _)| after.starts_with(name));
            let Some((name, stands_for)) = entity else { return Some(format!("bare ampersand: {text:?}")) };
            // A neutral mark, so that decoded text is not parsed as markup.
            seen.push(if stands_for == '&' { '&' } else { '\u{1}' });
            rest = &after[name.len()..];
            continue;
        }
        if character == '>' {
            return Some(format!("bare angle: {text:?}"));
        }
        let plain = rest.find(['<', '>', '&', '`']).unwrap_or(rest.len());
        seen.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    emphasis(&seen, &['*', '_', '~']).or_else(|| in_plain(&seen.replace('\u{1}', " ")))
}

/// Finds a pair of marks around a text, with no word characters outside.
fn emphasis(text: &str, marks: &[char]) -> Option<String> {
    if !text.contains(marks) {
        return None;
    }
    let characters: Vec<char> = text.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| characters.get(index)).copied().unwrap_or(' ');
    for mark in marks {
        let opens = |index: usize| {
            characters[index] == *mark
                && !at(index.checked_sub(1)).is_alphanumeric()
                && !at(Some(index + 1)).is_whitespace()
        };
        let closes = |index: usize| characters[index] == *mark && !at(Some(index + 1)).is_alphanumeric();
        let open = (0..characters.len()).find(|index| opens(*index));
        if open.is_some_and(|open| (open + 1..characters.len()).any(closes)) {
            return Some(format!("emphasis {mark}: {text:?}"));
        }
    }
    None
}

/// The same for a Markdown page. The blocks are ours, and are recognized by the start of a line.
pub(super) fn in_markdown(page: &str) -> Option<String> {
    page.lines().find_map(in_markdown_line)
}

fn in_markdown_line(line: &str) -> Option<String> {
    let framed =
        line.strip_prefix("**").and_then(|line| line.strip_suffix("**").or_else(|| line.strip_prefix("Note:** ")));
    let labelled = || line.strip_prefix("- **").and_then(|line| line.split_once(":** ")).map(|(_, value)| value);
    if let Some(quoted) = line.strip_prefix("> ") {
        let number = quoted.trim_start_matches(|character: char| character.is_ascii_digit());
        let is_numbered = number.len() < quoted.len()
            && [". ", ") "].iter().any(|end| number.starts_with(end) || number == end.trim_end());
        if is_numbered
            || quoted.starts_with(['#', '-', '+', '=', '>', '~', ' ', '*', '_', '|'])
            || quoted.starts_with("```")
        {
            return Some(format!("a block in a quote: {line:?}"));
        }
        return in_inline(quoted);
    }
    if let Some(text) = framed.or_else(labelled) {
        return in_inline(text);
    }
    if line.starts_with('|') {
        if line == "|---|---|---|---|---|---|" {
            return None;
        }
        let cells = cells(line);
        let broken = (cells.len() != 8 || !line.ends_with('|')).then(|| format!("{} cells: {line:?}", cells.len()));
        return broken.or_else(|| cells.into_iter().find_map(in_inline));
    }
    if line.starts_with(['#', '-', '+', '=', '`', '~']) || line.starts_with("    ") {
        return Some(format!("a block: {line:?}"));
    }
    in_inline(line)
}

/// Splits a table row at unescaped pipes.
fn cells(row: &str) -> Vec<&str> {
    let mut cells = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, character) in row.char_indices() {
        if character == '|' && !escaped {
            cells.push(&row[start..index]);
            start = index + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    cells.push(&row[start..]);
    cells
}

/// Characters that can start inline markup in Markdown.
const SPECIAL: [char; 10] = ['\\', '[', ']', '&', '`', '*', '<', '~', '|', '_'];

fn in_inline(text: &str) -> Option<String> {
    let mut seen = String::new();
    let mut rest = text;
    loop {
        let plain = rest.find(SPECIAL).unwrap_or(rest.len());
        seen.push_str(&rest[..plain]);
        rest = &rest[plain..];
        let Some(character) = rest.chars().next() else { break };
        let after = &rest[1..];
        match character {
            '\\' if after.starts_with(|next: char| next.is_ascii_punctuation()) => {
                seen.push_str(&after[..1]);
                rest = &after[1..];
                continue;
            }
            '[' => {
                // A label ends at the first unescaped bracket.
                let end = after.match_indices(']').map(|(end, _)| end).find(|end| !ends_in_escape(&after[..*end]));
                let link = end.and_then(|end| after[end + 1..].strip_prefix('(')?.split_once(')'));
                let Some(((address, rest_after), end)) = link.zip(end) else {
                    return Some(format!("bare [: {text:?}"));
                };
                if !address.starts_with(PORTAL) || address.contains(char::is_whitespace) {
                    return Some(format!("link to {address:?}"));
                }
                if let Some(live) = in_inline(&after[..end]) {
                    return Some(live);
                }
                rest = rest_after;
                continue;
            }
            '&' => {
                let entity = after.split_once(';').filter(|(name, _)| {
                    !name.is_empty() && name.chars().all(|it| it == '#' || it.is_ascii_alphanumeric())
                });
                if let Some((name, rest_after)) = entity {
                    if !["lt", "gt", "amp"].contains(&name) {
                        return Some(format!("entity {name}: {text:?}"));
                    }
                    seen.push(' ');
                    rest = rest_after;
                    continue;
                }
                seen.push('&');
            }
            '\\' => seen.push('\\'),
            '`' => {
                let Some((code, rest_after)) = after.split_once('`') else {
                    return Some(format!("half of code: {text:?}"));
                };
                if let Some(live) = in_code(code) {
                    return Some(live);
                }
                seen.push(' ');
                rest = rest_after;
                continue;
            }
            _ => return Some(format!("bare {character}: {text:?}")),
        }
        rest = after;
    }
    in_plain(&seen)
}

fn ends_in_escape(text: &str) -> bool {
    text.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

/// The same for text of an Adaptive Card, for clients with and without backslash escapes.
pub(super) fn in_card(text: &str) -> Option<String> {
    let text = match text.strip_prefix("**").and_then(|text| text.split_once("**, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => text.to_owned(),
    };
    let mut seen = text.clone();
    if let Some((before, after)) = text.split_once("](") {
        let Some((address, rest_after)) = after.split_once(')') else { return Some(format!("half a link: {text:?}")) };
        if !address.starts_with(PORTAL) || address.contains(char::is_whitespace) || ends_in_escape(before) {
            return Some(format!("link to {address:?}"));
        }
        seen = format!("{before} {rest_after}");
    }
    let first = text.trim_start_matches(|character: char| character.is_ascii_digit());
    if text.starts_with(['#', '-', '+', '=', '>', '*'])
        || first.len() < text.len() && first.starts_with([". ", ") "].map(|_| '.')) && first[1..].starts_with(' ')
    {
        return Some(format!("a block: {text:?}"));
    }
    if let Some(bad) = seen.chars().find(|character| "*~`<>".contains(*character)) {
        return Some(format!("bare {bad}: {text:?}"));
    }
    let entity = seen.match_indices('&').find(|(index, _)| {
        let name = seen[index + 1..].split(';').next().unwrap_or_default();
        name.len() < seen[index + 1..].len()
            && !name.is_empty()
            && name.chars().all(|it| it == '#' || it.is_ascii_alphanumeric())
    });
    if seen.contains("](") || entity.is_some() {
        return Some(format!("link or entity: {text:?}"));
    }
    emphasis(&seen, &['_']).or_else(|| in_plain(&seen))
}

#[test]
fn parsers_find_active_markup() {
    for text in [
        "dana@contoso.com",
        "see evil.com.",
        "@here",
        "http://x",
        ":tada:",
        "192.0.2.7",
        "2001:db8::7",
        "\u{202e}",
        "a\u{1b}[1m",
        "evil.com..x",
        "bank\u{301}.com",
        "❤.ws",
        "x.бел”",
        "evil.com_x",
        "x:y/evil.RU",
        "see #123",
        "org/repo#4",
        "(GH-12)",
        "ABC-123",
    ] {
        assert!(in_plain(text).is_some(), "{text:?}");
    }
    for text in [
        "<!channel>",
        "<@U1>",
        "<http://evil|x>",
        "a *b* c",
        "_i_",
        "~s~",
        "`c",
        "`<b>`",
        "a`c`",
        "a & b",
        "x > y",
        "a\n&gt; b",
    ] {
        assert!(in_mrkdwn(text).is_some(), "{text:?}");
    }
    for text in [
        "[x](http://evil/)",
        "![x](y)",
        "*b*",
        "a_b_",
        "`c",
        "``c``",
        "<b>",
        "~~s~~",
        "> - x",
        "> 1. x",
        "> ---",
        "> ```",
        "&#64;x",
        "| a | b |",
        "# h",
        "- **a:** [x]",
        "**a [x](//y)**",
        "\\\\*b*",
    ] {
        assert!(in_markdown(text).is_some(), "{text:?}");
    }
    for text in ["[x](http://evil/)", "**b**", "**b** c", "_i_", "<at>x</at>", "&#64;x", "1. x", "- x", "# x", "`c`"] {
        assert!(in_card(text).is_some(), "{text:?}");
    }
    let link = "https://security.microsoft.com/alerts/da_1_";
    assert_eq!(in_mrkdwn(&format!("<{link}|one> &lt;two&gt; a_b")), None);
    assert_eq!(in_markdown(&format!("- **Label:** a\\_b [x\\]y]({link}) &lt;b&gt; C:\\x")), None);
    for text in
        ["Trojan:Win32/Grelmoor.AC!MTB", "setup.v2.example.exe", "dana.reyes", "desk-042 ABC\u{2011}1", "T1003.001"]
    {
        assert_eq!(in_plain(text), None);
    }
    assert_eq!(in_plain_beside_names("on desk-042.named.net"), None);
    assert_eq!(in_mrkdwn("on `evil.com` &amp; `R&amp;D.com`."), None);
    assert_eq!(in_markdown("| a | b | c | d | `evil.com` | e |"), None);
    assert_eq!(in_card(&format!("**High**, new: [x]({link})")), None);
}
