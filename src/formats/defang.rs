//! Defangs addresses, so that they can be read but not followed: `hxxps://evil[.]example`, `192.0.2[.]7`,
//! `dana[@]contoso[.]com`.
//!
//! Chat and ticket clients turn bare text into links, each by its own rules. A word therefore counts as a host
//! wherever a dot in it is followed by a top-level domain at which a client may end a link. A word extends up to
//! white space, or to ASCII punctuation that no host contains.
//!
//! Trackers turn issue numbers and keys into links. Those are defanged too: `[#]123`, and `ABC‑123` with a
//! non-breaking hyphen (U+2011).

use std::net::Ipv6Addr;

use url::Host;

use crate::domain::subject::ends_in_public_tld;

/// Reserved names that look like top-level domains, and are in no public list.
///
/// Source: <https://www.iana.org/assignments/special-use-domain-names>, and `internal`, which ICANN has reserved.
const RESERVED_TLDS: &[&str] = &["example", "internal", "invalid", "local", "localhost", "onion", "test"];

/// Threat types, with which Microsoft's threat names begin: `Trojan:Win32/Grelmoor.AC!MTB`.
///
/// Source: <https://learn.microsoft.com/unified-secops/malware-naming>.
const THREAT_TYPES: &[&str] = &[
    "Adware",
    "Backdoor",
    "Behavior",
    "BrowserModifier",
    "Constructor",
    "DDoS",
    "Dialer",
    "DoS",
    "Exploit",
    "HackTool",
    "Joke",
    "Misleading",
    "MonitoringTool",
    "PUA",
    "PUAAdvertising",
    "PUABundler",
    "PWS",
    "Phish",
    "Program",
    "Ransom",
    "RemoteAccess",
    "Rogue",
    "SettingsModifier",
    "SoftwareBundler",
    "Spammer",
    "Spoofer",
    "Spyware",
    "SuspiciousBehavior",
    "TechScam",
    "Tool",
    "Trojan",
    "TrojanClicker",
    "TrojanDownloader",
    "TrojanDropper",
    "TrojanNotifier",
    "TrojanProxy",
    "TrojanSpy",
    "VirTool",
    "Virus",
    "Worm",
];

/// The non-breaking hyphen. It looks like a hyphen, but no tracker accepts it in a key.
const NON_BREAKING_HYPHEN: char = '\u{2011}';

/// Defangs every address, mention, issue reference and emoji short name in a text.
pub(super) fn defanged(text: &str) -> String {
    let text = without_references(&without_addresses(text));
    if text.matches(':').count() < 2 { text } else { without_short_names(&text) }
}

fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    // Inside `scheme://host` and after an `@`, any dotted word is a host.
    let mut is_authority = false;
    while let Some(character) = rest.chars().next() {
        let may_be_ipv6 = (character == ':' || character.is_ascii_hexdigit()) && !out.ends_with(char::is_alphanumeric);
        if let Some(length) = Some(rest).filter(|_| may_be_ipv6).and_then(ipv6_length) {
            let (address, after) = rest.split_at(length);
            out.push_str(&address.replace(':', "[:]").replace('.', "[.]"));
            rest = after;
            continue;
        }
        if is_host_char(character) {
            let length = rest.find(|character| !is_host_char(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            // An address may begin inside the word, after a hyphen.
            let (before, _) = word.split_at(word.trim_end_matches(|end: char| end.is_ascii_hexdigit()).len());
            let end = rest.get(before.len()..).unwrap_or_default();
            let is_separate = before.ends_with(|character: char| !character.is_alphanumeric());
            if is_separate && after.starts_with(':') && ipv6_length(end).is_some() {
                push_word(&mut out, before, is_authority);
                rest = end;
                continue;
            }
            if let Some(address) = after.strip_prefix("://") {
                let scheme = word
                    .trim_end_matches(|character: char| {
                        character.is_ascii_alphanumeric() || character == '-' || is_dot(character)
                    })
                    .len();
                let (before, scheme) = word.split_at(scheme);
                push_word(&mut out, before, is_authority);
                push_scheme(&mut out, scheme);
                (rest, is_authority) = (address, true);
            } else {
                push_word(&mut out, word, is_authority);
                rest = after;
            }
            continue;
        }
        match character {
            '@' | '\u{ff20}' | '\u{fe6b}' => {
                out.push_str("[@]");
                is_authority = true;
            }
            ':' if rest.starts_with("://") => out.push_str("[:]"),
            _ => {
                is_authority = is_authority && matches!(character, ':' | '[' | ']');
                out.push(character);
            }
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    out
}

fn push_scheme(out: &mut String, scheme: &str) {
    if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") {
        out.push_str(if scheme.len() == 4 { "hxxp://" } else { "hxxps://" });
    } else {
        push_word(out, scheme, false);
        out.push_str("[:]//");
    }
}

fn push_word(out: &mut String, word: &str, is_authority: bool) {
    // Clients display some characters as symbols that can begin a host.
    let follows = out.ends_with(|character: char| is_host_char(character) || "*~`<>&+#=".contains(character));
    if !is_authority && (!has_host_after(word, follows) || ends_in_threat(out, word)) {
        out.push_str(word);
        return;
    }
    let body = word.trim_end_matches(is_dot);
    for character in body.chars() {
        if is_dot(character) { out.push_str("[.]") } else { out.push(character) }
    }
    out.push_str(word.get(body.len()..).unwrap_or_default());
}

/// Whether a character is a full stop, or one that browsers treat as a full stop.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc3490#section-3.1>.
fn is_dot(character: char) -> bool {
    matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// Whether a character may be part of a host. Browsers accept marks and symbols of any script, and domains of symbols
/// alone exist.
fn is_host_char(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '_' | '.')
        || !(character.is_ascii() || character.is_whitespace() || matches!(character, '\u{ff20}' | '\u{fe6b}'))
}

/// Whether a client might turn this word or a part of it into a link.
pub(super) fn has_host(word: &str) -> bool {
    has_host_after(word, false)
}

/// The same for a word that may directly follow a character with which a host can begin.
fn has_host_after(word: &str, follows: bool) -> bool {
    let labels: Vec<&str> = word.split(is_dot).collect();
    let is_www = |label: &str| {
        let word = label.rsplit(|character: char| !character.is_alphanumeric()).next();
        word.is_some_and(|word| word.eq_ignore_ascii_case("www"))
    };
    let mut after_www = labels.iter().skip_while(|label| !is_www(label)).skip(1);
    if after_www.any(|label| !label.is_empty()) {
        return true;
    }
    is_ipv4(word)
        || labels.windows(2).enumerate().any(|(at, pair)| {
            let &[before, label] = pair else { return false };
            let is_last = labels.get(at + 2).is_none_or(|next| !next.starts_with(char::is_alphanumeric));
            (!before.is_empty() || follows && at == 0) && ends_a_host(label, is_last)
        })
}

/// Whether a host may end with this label: it is a top-level domain, or it begins with one at which a client may
/// stop.
fn ends_a_host(label: &str, is_last: bool) -> bool {
    let start = label.find(|character: char| !character.is_alphanumeric()).unwrap_or(label.len());
    let (start, after) = label.split_at(start);
    let is_punycode = || label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    is_last && (is_punycode() || is_tld(label)) || (is_last || !after.is_empty()) && is_tld(start)
}

fn is_tld(label: &str) -> bool {
    let is_reserved = || RESERVED_TLDS.iter().any(|reserved| reserved.eq_ignore_ascii_case(label));
    !label.is_empty() && (is_reserved() || ends_in_public_tld(&format!("x.{label}")))
}

/// Whether a word contains four numbers of up to three digits, as an IPv4 address does, in digits of any width.
fn is_ipv4(word: &str) -> bool {
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split(|character: char| !character.is_alphanumeric()).filter(is_number).count() >= 4
        || !word.is_ascii() && matches!(Host::parse(word.trim_end_matches(is_dot)), Ok(Host::Ipv4(_)))
}

/// Whether the word after this text is the end of a threat name, whose variant can look like a top-level domain.
fn ends_in_threat(before: &str, word: &str) -> bool {
    let prefix = before.strip_suffix('/').and_then(|before| before.rsplit_once(':'));
    let Some((kind, platform)) = prefix else { return false };
    let is_type = THREAT_TYPES.iter().any(|known| {
        kind.strip_suffix(known).is_some_and(|before| !before.ends_with(|character: char| character.is_alphanumeric()))
    });
    let variant = word.split_once('.').map(|(_, variant)| variant);
    let is_variant = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_type
        && !platform.is_empty()
        && platform.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && variant.is_some_and(is_variant)
}

/// Returns the length in bytes of an IPv6 address, or of something similar, at the start of a text.
fn ipv6_length(text: &str) -> Option<usize> {
    let is_address_char = |character: char| character.is_ascii_hexdigit() || matches!(character, ':' | '.');
    let length = text.find(|character| !is_address_char(character)).unwrap_or(text.len());
    let address = text.get(..length)?;
    let address = address.strip_suffix(['.', ':']).filter(|short| !short.ends_with(':')).unwrap_or(address);
    let is_whole = address.len() > 2 && !text.get(address.len()..)?.starts_with(char::is_alphanumeric);
    (is_whole && (address.contains("::") || address.parse::<Ipv6Addr>().is_ok())).then_some(address.len())
}

/// Defangs what a tracker would treat as an issue reference: `#123`, `org/repo#4`, `!5`, `GH-12`, `ABC-123`.
///
/// Source: <https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls>,
/// <https://docs.gitlab.com/user/markdown/#gitlab-specific-references>.
fn without_references(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut characters = text.chars().peekable();
    // The start of the current word, which may be a project key.
    let mut key = 0;
    while let Some(character) = characters.next() {
        let is_before_number = characters.peek().is_some_and(char::is_ascii_digit);
        match character {
            '#' | '!' if is_before_number => out.extend(['[', character, ']']),
            '\u{ff03}' | '\u{ff01}' if is_before_number => {
                out.extend(['[', if character == '\u{ff03}' { '#' } else { '!' }, ']']);
            }
            '-' if is_before_number && out.get(key..).is_some_and(is_key) => out.push(NON_BREAKING_HYPHEN),
            _ => out.push(character),
        }
        if !(character.is_ascii_alphanumeric() || character == '_') {
            key = out.len();
        }
    }
    out
}

/// Whether a word may be a tracker's project key: upper case, or `gh`.
fn is_key(word: &str) -> bool {
    let is_key_char = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = word.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    let is_whole = word.len() > 1 && begins && word.bytes().all(is_key_char) || word.eq_ignore_ascii_case("gh");
    is_whole || word.split_once('_').is_some_and(|(_, rest)| is_key(rest))
}

/// Defangs `:name:`, which most clients turn into an emoji even if it is escaped.
fn without_short_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut since_colon = None;
    for character in text.chars() {
        let is_name_char = character.is_alphanumeric() || "_+-'".contains(character);
        match (character, since_colon) {
            (':', Some(1..)) => {
                out.push_str("[:]");
                since_colon = None;
                continue;
            }
            (':', _) => since_colon = Some(0_usize),
            (_, Some(length)) if is_name_char => since_colon = Some(length + 1),
            _ => since_colon = None,
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_defanged() {
        for (text, right) in [
            ("https://evil.example/a.b?c=d.example", "hxxps://evil[.]example/a.b?c=d[.]example"),
            ("HTTP://192.0.2.7:8080/x.exe", "hxxp://192[.]0[.]2[.]7:8080/x.exe"),
            ("http://user:pw@evil.exe/", "hxxp://user:pw[@]evil[.]exe/"),
            ("ftp://files.example", "ftp[:]//files[.]example"),
            ("http://intranet/", "hxxp://intranet/"),
            ("see evil.example.", "see evil[.]example."),
            ("evil.com/x", "evil[.]com/x"),
            ("www.evil.exe", "www[.]evil[.]exe"),
            ("EVIL。ＣＯＭ", "EVIL[.]ＣＯＭ"),
            ("x.xn--p1ai", "x[.]xn--p1ai"),
            ("192.0.2.7,192.0.2.8", "192[.]0[.]2[.]7,192[.]0[.]2[.]8"),
            ("2001:db8::7 and [::1]", "2001[:]db8[:][:]7 and [[:][:]1]"),
            ("x:b:c::7", "x:b[:]c[:][:]7"),
            ("x-2001:db8::7 ABC-123:: x_1::2", "x-2001[:]db8[:][:]7 ABC\u{2011}123[:][:] x_1[:][:]2"),
            ("::ffff:192.0.2.7.", "[:][:]ffff[:]192[.]0[.]2[.]7."),
            ("payload.zip://x é.com://x", "payload[.]zip[:]//x é[.]com[:]//x"),
            ("~.ac (.NET)", "~[.]ac (.NET)"),
            ("evil。com://x", "evil[.]com[:]//x"),
            ("::1.ws", "[:][:]1[.]ws"),
            ("desk-042.contoso.com", "desk-042[.]contoso[.]com"),
            ("evil.com..x and evil.com.", "evil[.]com[.][.]x and evil[.]com."),
            ("evil.com.… evil.com.-z", "evil[.]com[.]… evil[.]com[.]-z"),
            ("bank\u{301}.com", "bank\u{301}[.]com"),
            ("❤.ws, “❤.ws”", "❤[.]ws, “❤[.]ws”"),
            ("evil.com\u{301}", "evil[.]com\u{301}"),
            ("_.evil.com", "_[.]evil[.]com"),
            ("ｅｖｉｌ．ｃｏｍ", "ｅｖｉｌ[.]ｃｏｍ"),
            ("bücher.рф", "bücher[.]рф"),
            ("１９２．０．２．７", "１９２[.]０[.]２[.]７"),
            ("“http://evil”", "“hxxp://evil”"),
            ("a.com-setup.exe", "a[.]com-setup[.]exe"),
            ("dana.reyes@contoso.com", "dana.reyes[@]contoso[.]com"),
            ("a@b.exe", "a[@]b[.]exe"),
            ("\\\\evil.example\\c$", "\\\\evil[.]example\\c$"),
            ("payload.zip", "payload[.]zip"),
            ("evil.com_x evil.com- evil.com_x.exe", "evil[.]com_x evil[.]com- evil[.]com_x[.]exe"),
            ("192.0.2.7_x a-192.0.2.7-b", "192[.]0[.]2[.]7_x a-192[.]0[.]2[.]7-b"),
            ("www.evil.7 \u{1f512}www.evil.7", "www[.]evil[.]7 \u{1f512}www[.]evil[.]7"),
            ("+://evil", "+[:]//evil"),
        ] {
            assert_eq!(defanged(text), right, "{text}");
        }
    }

    #[test]
    fn mentions_and_short_names_are_defanged() {
        assert_eq!(defanged("@everyone and @here"), "[@]everyone and [@]here");
        assert_eq!(defanged(":tada: ::skin-tone-2: a: b:"), ":tada[:] ::skin-tone-2[:] a: b:");
    }

    #[test]
    fn issue_references_are_defanged() {
        for (text, right) in [
            ("see #123 and org/repo#4", "see [#]123 and org/repo[#]4"),
            ("＃123 !5", "[#]123 [!]5"),
            ("_GH-12 x__GH-12", "_GH\u{2011}12 x__GH\u{2011}12"),
            ("GH-12 gh-12", "GH\u{2011}12 gh\u{2011}12"),
            ("(ABC-123), é.A_1-2", "(ABC\u{2011}123), é.A_1\u{2011}2"),
            ("CVE-2026-1147", "CVE\u{2011}2026-1147"),
        ] {
            assert_eq!(defanged(text), right, "{text}");
        }
        for text in ["# 1 #x", "A-1", "desk-042", "2026-11-03", "ABC-x", "!important"] {
            assert_eq!(defanged(text), text);
        }
    }

    #[test]
    fn threat_and_file_names_are_unchanged() {
        for text in [
            "Trojan:Win32/AgentTesla.AMBB!MTB",
            "'Trojan:Win32/Grelmoor.AC!MTB' and Virus:DOS/Contoso_Test_File.RU",
            "Copied.A!ml",
            "invoice.xll",
            "setup.exe",
            "setup.v2.example.exe",
            "CONTOSO\\dana.reyes",
        ] {
            assert_eq!(defanged(text), text);
        }
        for text in ["x:y/evil.RU", "NoTrojan:Win32/evil.RU", "Trojan:Win32/evil.ru", "Trojan:Win 32/evil.RU"] {
            assert!(!defanged(text).contains("evil.r") && !defanged(text).contains("evil.R"), "{text}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            "rundll32.exe",
            "invoice.pdf.exe",
            "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -File upd.ps1",
            "T1059.001",
            "Windows 10.0.19045.3803",
            "Trojan:Win32/Grelmoor.A",
            "at 09:31 and file.exe_old",
            "version 1.2.3",
            "std::vector and a :: b",
            "wait... what",
            "Dana's iPad",
        ] {
            assert_eq!(defanged(text), text);
        }
    }
}
