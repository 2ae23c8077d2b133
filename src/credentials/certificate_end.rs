//! Reads the end of a certificate, and nothing else of it.
//!
//! Source: RFC 5280, sections 4.1 and 4.1.2.5.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::domain::timestamp::Timestamp;

const SEQUENCE: u8 = 0x30;
/// The optional version, in a context tag.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the first certificate of a PEM text; `None` if it cannot be read.
pub(super) fn of_pem(pem: &str) -> Option<Timestamp> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (to_be_signed, _) = element(contents(&certificate, SEQUENCE)?)?;
    let mut rest = contents_of(to_be_signed, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.1;
    }
    // The serial number, the algorithm, the issuer.
    for _ in 0..3 {
        rest = element(rest)?.1;
    }
    let validity = contents(rest, SEQUENCE)?;
    let (end, _) = element(element(validity)?.1)?;
    time(end)
}

/// An element of DER: its tag and its contents.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    contents: &'a [u8],
}

/// Splits the first element from what follows it.
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, short], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, contents }, rest))
}

fn contents_of(element: Element<'_>, tag: u8) -> Option<&[u8]> {
    (element.tag == tag).then_some(element.contents)
}

/// The contents of the first element, if it has this tag.
fn contents(der: &[u8], tag: u8) -> Option<&[u8]> {
    contents_of(element(der)?.0, tag)
}

/// `YYMMDDHHMMSSZ` up to 2049, else `YYYYMMDDHHMMSSZ`.
fn time(element: Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.contents).ok()?;
    let full = match element.tag {
        UTC_TIME => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from, to| full.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if full.get(14..)? != "Z" {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Wraps contents in an element with a short or a long length.
    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = contents.len();
        let head = match length {
            0..=0x7f => vec![tag, u8::try_from(length).unwrap()],
            _ => vec![tag, 0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()],
        };
        [head, contents.to_vec()].concat()
    }

    fn pem(der: &[u8]) -> String {
        use base64::Engine;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    fn certificate(with_version: bool, end_tag: u8, end: &str) -> String {
        let version = if with_version { der(VERSION, &der(2, &[2])) } else { Vec::new() };
        let validity = [der(UTC_TIME, b"250101000000Z"), der(end_tag, end.as_bytes())].concat();
        let issuer = der(SEQUENCE, &[7; 300]);
        let parts =
            [version, der(2, &[1; 20]), der(SEQUENCE, &[]), issuer, der(SEQUENCE, &validity), der(SEQUENCE, &[])];
        pem(&der(SEQUENCE, &[der(SEQUENCE, &parts.concat()), der(SEQUENCE, &[])].concat()))
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        for (with_version, tag, end, expected) in [
            (true, UTC_TIME, "261206120000Z", Some("2026-12-06T12:00:00Z")),
            (false, UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (true, UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (true, GENERALIZED_TIME, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (true, GENERALIZED_TIME, "20500101000000+0100", None),
            (true, UTC_TIME, "26120612000Z", None),
            (true, UTC_TIME, "261306120000Z", None),
            (true, 4, "261206120000Z", None),
        ] {
            let read = of_pem(&certificate(with_version, tag, end));
            assert_eq!(read, expected.map(|text| Timestamp::parse(text).unwrap()), "{end}");
        }
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_refused_without_a_panic(at in 0_usize..420, byte: u8, length in 0_usize..420) {
            use rustls::pki_types::pem::PemObject;
            let text = certificate(true, UTC_TIME, "261206120000Z");
            let mut bytes = CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec();
            if let Some(damaged) = bytes.get_mut(at) {
                *damaged = byte;
            }
            bytes.truncate(length);
            of_pem(&pem(&bytes));
        }
    }
}
