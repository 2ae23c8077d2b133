//! The public list of top-level domains. It distinguishes host names from file names.

use url::Host;

/// Whether a dotted name ends in a top-level domain of IANA's list, in any case. One trailing dot is permitted.
///
/// `invoice.xll` and `desk-042.corp.local` do not. Some top-level domains are also file extensions: `setup.zip`, `run.sh`.
pub fn ends_in_public_tld(name: &str) -> bool {
    let Some((before, last)) = name.strip_suffix('.').unwrap_or(name).rsplit_once('.') else { return false };
    if before.is_empty() || last.is_empty() {
        return false;
    }
    if last.is_ascii() {
        return tld::exist(&last.to_ascii_lowercase());
    }
    // The list has international names in punycode.
    matches!(Host::parse(last), Ok(Host::Domain(label)) if tld::exist(&label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_end_in_a_public_tld_and_file_names_do_not() {
        for name in [
            "evil.com",
            "EVIL.Com",
            "evil.com.",
            "lure.wingtiptoys.co.uk",
            "a.b.dev",
            "setup.zip",
            "run.sh",
            "bücher.рф",
            "x.xn--p1ai",
            "..com",
        ] {
            assert!(ends_in_public_tld(name), "{name}");
        }
        for name in [
            "",
            ".",
            "com",
            ".com",
            "com.",
            "evil.com..",
            "desk-042.corp.local",
            "evil.example",
            "invoice.xll",
            "a.exe",
            "a.dll",
            "a.ps1",
            "Trojan:Win32/AgentTesla.AMBB!MTB",
            "192.0.2.7",
            "desk-042",
            "a.c m",
            "a.%63om",
        ] {
            assert!(!ends_in_public_tld(name), "{name}");
        }
    }
}
