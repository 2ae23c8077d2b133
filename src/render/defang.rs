//! Addresses that can be read and not followed: `hxxps://evil[.]example`, `192.0.2[.]7`, `dana[@]contoso[.]com`.
//!
//! Chat and ticket clients make links of bare text, each by rules of its own. So a dotted word is taken for a host
//! unless it cannot be one: its last part has a digit in it, is a single letter, or is an extension that is no
//! top-level domain.

use std::net::Ipv6Addr;

/// Extensions of files that are no top-level domains, and so make no link; `com`, `zip`, `sh`, `py` are some that are.
///
/// Source: <https://data.iana.org/TLD/tlds-alpha-by-domain.txt>.
const EXTENSIONS: &[&str] = &[
    "accdb", "asp", "aspx", "avi", "bak", "bat", "bin", "bmp", "cer", "cfg", "chm", "cmd", "conf", "config", "cpl",
    "crt", "css", "csv", "dat", "deb", "dll", "dmg", "dmp", "doc", "docm", "docx", "dotm", "drv", "dylib", "efi",
    "elf", "eml", "etl", "evtx", "exe", "gif", "gz", "hta", "htm", "html", "ico", "img", "inf", "ini", "ipa", "iso",
    "jar", "jpeg", "jpg", "js", "jse", "json", "jsp", "kdbx", "key", "lnk", "log", "mdb", "msg", "msi", "msp", "mui",
    "ocx", "odt", "old", "ost", "pdf", "pem", "pfx", "php", "pkg", "plist", "png", "ppt", "pptm", "pptx", "psd", "pst",
    "rar", "reg", "rpm", "rtf", "scr", "sct", "sqlite", "svg", "sys", "tar", "tgz", "tmp", "txt", "vbe", "vbs", "vhd",
    "vhdx", "wasm", "wav", "webp", "wsf", "wsh", "xls", "xlsb", "xlsm", "xlsx", "xml", "yaml", "yml",
];

/// The text with every address in it broken, and every mention and short name of an emoji.
pub(super) fn defanged(text: &str) -> String {
    let text = without_addresses(text);
    if text.matches(':').count() < 2 { text } else { without_short_names(&text) }
}

fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    // Inside `scheme://host` and after an `@`, any dotted word is a host.
    let mut is_authority = false;
    while let Some(letter) = rest.chars().next() {
        let may_be_ipv6 = (letter == ':' || letter.is_ascii_hexdigit()) && !out.ends_with(char::is_alphanumeric);
        if let Some(length) = Some(rest).filter(|_| may_be_ipv6).and_then(ipv6_length) {
            let (address, after) = rest.split_at(length);
            out.push_str(&address.replace(':', "[:]").replace('.', "[.]"));
            rest = after;
            continue;
        }
        if is_of_a_host(letter) {
            let length = rest.find(|letter| !is_of_a_host(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            if let Some(address) = after.strip_prefix("://") {
                push_scheme(&mut out, word);
                (rest, is_authority) = (address, true);
            } else {
                push_word(&mut out, word, is_authority);
                rest = after;
            }
            continue;
        }
        match letter {
            '@' | '\u{ff20}' | '\u{fe6b}' => {
                out.push_str("[@]");
                is_authority = true;
            }
            ':' if rest.starts_with("://") => out.push_str("[:]"),
            _ => {
                is_authority = is_authority && matches!(letter, ':' | '[' | ']');
                out.push(letter);
            }
        }
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
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
    if !is_authority && !is_host(word) {
        out.push_str(word);
        return;
    }
    let body = word.trim_end_matches(is_dot);
    for letter in body.chars() {
        if is_dot(letter) { out.push_str("[.]") } else { out.push(letter) }
    }
    out.push_str(word.get(body.len()..).unwrap_or_default());
}

/// A full stop, or one of those that browsers take for it.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc3490#section-3.1>.
fn is_dot(letter: char) -> bool {
    matches!(letter, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

fn is_of_a_host(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '-' || is_dot(letter)
}

/// Whether a client might make a link of this word.
fn is_host(word: &str) -> bool {
    let mut labels = word.split(is_dot).filter(|label| !label.is_empty());
    let (Some(first), Some(last)) = (labels.next(), labels.next_back()) else { return false };
    if first.eq_ignore_ascii_case("www") {
        return true;
    }
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if word.split(|letter| is_dot(letter) || letter == '-').filter(is_number).count() >= 4 {
        return true;
    }
    let last = last.to_lowercase();
    // Some clients end a link at a hyphen.
    let domain = last.split('-').next().unwrap_or_default();
    last.starts_with("xn--")
        || (domain.chars().nth(1).is_some() && domain.chars().all(char::is_alphabetic) && !EXTENSIONS.contains(&domain))
}

/// Bytes of what a text begins with, if that is an IPv6 address or what somebody may take for one.
fn ipv6_length(text: &str) -> Option<usize> {
    let is_of_it = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, ':' | '.');
    let length = text.find(|letter| !is_of_it(letter)).unwrap_or(text.len());
    let address = text.get(..length)?;
    let address = address.strip_suffix(['.', ':']).filter(|short| !short.ends_with(':')).unwrap_or(address);
    let is_whole = address.len() > 2 && !text.get(address.len()..)?.starts_with(char::is_alphanumeric);
    (is_whole && (address.contains("::") || address.parse::<Ipv6Addr>().is_ok())).then_some(address.len())
}

/// Breaks `:name:`, of which most clients make an emoji, whatever it is escaped with.
fn without_short_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut since_colon = None;
    for letter in text.chars() {
        let is_of_a_name = letter.is_alphanumeric() || "_+-'".contains(letter);
        match (letter, since_colon) {
            (':', Some(1..)) => {
                out.push_str("[:]");
                since_colon = None;
                continue;
            }
            (':', _) => since_colon = Some(0_usize),
            (_, Some(length)) if is_of_a_name => since_colon = Some(length + 1),
            _ => since_colon = None,
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_broken() {
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
            ("::ffff:192.0.2.7.", "[:][:]ffff[:]192[.]0[.]2[.]7."),
            ("desk-042.contoso.com", "desk-042[.]contoso[.]com"),
            ("dana.reyes@contoso.com", "dana[.]reyes[@]contoso[.]com"),
            ("a@b.exe", "a[@]b[.]exe"),
            ("\\\\evil.example\\c$", "\\\\evil[.]example\\c$"),
            ("payload.zip", "payload[.]zip"),
            ("evil.com_x evil.com-", "evil[.]com_x evil[.]com-"),
            ("192.0.2.7_x a-192.0.2.7-b", "192[.]0[.]2[.]7_x a-192[.]0[.]2[.]7-b"),
            ("www.evil.7", "www[.]evil[.]7"),
            ("+://evil", "+[:]//evil"),
        ] {
            assert_eq!(defanged(text), right, "{text}");
        }
    }

    #[test]
    fn mentions_and_short_names_are_broken() {
        assert_eq!(defanged("@everyone and @here"), "[@]everyone and [@]here");
        assert_eq!(defanged(":tada: ::skin-tone-2: a: b:"), ":tada[:] ::skin-tone-2[:] a: b:");
    }

    #[test]
    fn what_is_no_address_stays_as_it_is() {
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
