//! Negotiates the answer's format from the `Accept` header, for requests that name no format themselves.
//!
//! Only formats with a media type of their own can be negotiated. The service never answers 406: where no offered
//! media type is acceptable, the answer is JSON.
//!
//! Source: RFC 9110, sections 5.6 and 12.5.1.

use std::cmp::Reverse;

use http::{HeaderMap, header};

use crate::formats::Format;

/// Returns the format that the `Accept` headers ask for.
///
/// A media type that a header names beats one that only a wildcard matches: `text/markdown, */*` means Markdown, and
/// a browser's header means JSON.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let headers: Vec<_> =
        headers.get_all(header::ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let ranges: Vec<_> = headers.iter().flat_map(|header| split(header, ',')).filter_map(Range::parse).collect();
    let accepted = |format: Format| {
        let rank = format.accept_rank()?;
        let (kind, subtype) = format.media_type().split(';').next()?.split_once('/')?;
        let range = ranges.iter().filter(|range| range.takes(kind, subtype)).max_by_key(|range| range.precision())?;
        (range.weight > 0).then_some(((range.weight, range.precision(), Reverse(rank)), format))
    };
    let best = Format::ALL.into_iter().filter_map(accepted).max_by_key(|(rank, _)| *rank);
    best.map_or(Format::Json, |(_, format)| format)
}

/// Whether the `Accept` headers name HTML, as browsers do. A wildcard does not count.
pub(super) fn names_html(headers: &HeaderMap) -> bool {
    let mut headers = headers.get_all(header::ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    headers.any(|header| {
        let mut ranges = split(&header, ',').filter_map(Range::parse);
        ranges.any(|range| range.precision() == 2 && range.takes("text", "html") && range.weight > 0)
    })
}

/// One element of an `Accept` header. Parameters other than the weight are ignored: our media types have none but
/// `charset`.
#[derive(Debug, PartialEq, Eq)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// The weight in thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    /// Parses an element; `None` if it is malformed.
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split(element, ';');
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let is_range = is_token(kind) && is_token(subtype) && (kind != "*" || subtype == "*");
        let mut weight = None;
        for parameter in parts.filter(|part| !part.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if !is_token(name) || !(is_token(value) || is_quoted(value)) {
                return None;
            }
            // Parameters after the weight are extensions of the weight.
            if weight.is_none() && name.eq_ignore_ascii_case("q") {
                weight = Some(thousandths(value)?);
            }
        }
        is_range.then_some(Self { kind, subtype, weight: weight.unwrap_or(1000) })
    }

    fn takes(&self, kind: &str, subtype: &str) -> bool {
        let fits = |range: &str, name: &str| range == "*" || range.eq_ignore_ascii_case(name);
        fits(self.kind, kind) && fits(self.subtype, subtype)
    }

    /// Returns how specific the range is: 0 for `*/*`, 1 for `type/*`, 2 for `type/subtype`.
    fn precision(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

/// Parses a weight into thousandths: `0` to `1` with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = format!("{decimals:0<3}").parse().ok().filter(|_| is_number)?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// Splits at separators outside quoted strings, and trims the parts.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |character| {
        let is_separator = character == separator && !quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        is_separator
    });
    parts.map(|part| part.trim_matches([' ', '\t']))
}

/// Whether the text is a token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_quoted(text: &str) -> bool {
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[&str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        }
        format(&headers)
    }

    #[test]
    fn a_media_type_names_its_format() {
        for (header, right) in [
            ("application/json", Format::Json),
            ("application/x-ndjson", Format::OcsfNdjson),
            ("text/markdown", Format::Markdown),
            ("text/plain", Format::Text),
            ("TEXT/Plain;charset=UTF-8", Format::Text),
            ("text/markdown; variant=GFM", Format::Markdown),
            ("text/*", Format::Text),
            ("application/*", Format::Json),
            ("*/*", Format::Json),
        ] {
            assert_eq!(of(&[header]), right, "{header}");
        }
        assert_eq!(of(&[]), Format::Json);
    }

    #[test]
    fn headers_that_accept_anything_get_json() {
        for header in [
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "application/json, text/plain, */*",
            "text/plain, application/json, application/*+json, */*",
            "application/json, text/javascript, */*; q=0.01",
        ] {
            assert_eq!(of(&[header]), Format::Json, "{header}");
        }
    }

    #[test]
    fn higher_weight_wins_then_higher_precision() {
        for (header, right) in [
            ("application/json;q=0.5, text/markdown;q=0.9", Format::Markdown),
            ("application/json;q=0.501, text/markdown;q=0.5", Format::Json),
            ("text/markdown, text/html, */*", Format::Markdown),
            ("text/plain, */*;q=0.01", Format::Text),
            ("text/markdown, text/plain", Format::Text),
            ("text/*, text/plain;q=0", Format::Markdown),
            ("*/*, application/json;q=0, text/*;q=0", Format::OcsfNdjson),
            ("*/*;q=0, text/markdown;Q=0.001", Format::Markdown),
            ("text/plain;q=0.3;extension=\"a,b;q=1\", text/markdown;q=0.2", Format::Text),
            ("text/plain;note=\"\\\",text/markdown\";q=0.1", Format::Text),
        ] {
            assert_eq!(of(&[header]), right, "{header}");
        }
        assert_eq!(of(&["text/html", "text/markdown;q=0.3", "application/x-ndjson"]), Format::OcsfNdjson);
    }

    #[test]
    fn malformed_ranges_are_ignored_and_unknown_types_get_json() {
        for header in [
            "",
            ",,;",
            "text",
            "text/",
            "/plain",
            "*/plain",
            "text/plain;q=2",
            "text/plain;q=0.1234",
            "text/plain;q=",
            "text/plain;q=-0",
            "text/plain;charset",
            "te xt/plain",
            "text/plain/x",
            "image/png",
            "text/html",
            "application/problem+json",
            "text/plain;q=0",
            "\"text/plain",
        ] {
            assert_eq!(of(&[header]), Format::Json, "{header}");
        }
        assert_eq!(of(&["text/plain;q=2, text/markdown"]), Format::Markdown);
        assert_eq!(of(&["\u{fc}/\u{fc}, text/plain"]), Format::Text);
    }

    #[test]
    fn only_a_header_that_names_html_asks_for_it() {
        let named = |value: &'static str| {
            let headers = [(header::ACCEPT, HeaderValue::from_static(value))];
            names_html(&headers.into_iter().collect())
        };
        for header in
            ["text/html,application/xhtml+xml,*/*;q=0.8", "application/xml;q=0.5, Text/HTML;level=1", "text/html;q=0.1"]
        {
            assert!(named(header), "{header}");
        }
        for header in ["", "*/*", "text/*", "text/plain", "text/html;q=0, */*", "application/xhtml+xml", "text/htmlx"] {
            assert!(!named(header), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(values in prop::collection::vec("[ -~]{0,60}|[a-z*/;,=q0-9. \"\\\\]{0,60}", 0..4)) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let chosen = of(&values);
            prop_assert!(chosen.accept_rank().is_some());
        }

        #[test]
        fn order_of_elements_does_not_matter(
            mut elements in prop::collection::vec(
                ("application/json|application/x-ndjson|text/plain|text/markdown|text/html|x", 0_u16..=1000), 0..6),
            seed in any::<u64>(),
        ) {
            elements.sort();
            elements.dedup_by(|one, other| one.0 == other.0);
            let header = |elements: &[(String, u16)]| {
                let element = |(range, weight): &(String, u16)| format!("{range};q={}.{:03}", weight / 1000, weight % 1000);
                elements.iter().map(element).collect::<Vec<_>>().join(",")
            };
            let chosen = of(&[&header(&elements)]);
            fastrand::Rng::with_seed(seed).shuffle(&mut elements);
            let apart: Vec<_> = elements.iter().map(|element| header(std::slice::from_ref(element))).collect();
            prop_assert_eq!(of(&apart.iter().map(String::as_str).collect::<Vec<_>>()), chosen);

            let heaviest = elements.iter().filter(|(range, _)| range.contains('/') && range != "text/html").map(|(_, weight)| *weight).max();
            let own = chosen.media_type().split(';').next();
            let weight = elements.iter().find(|(range, _)| Some(range.as_str()) == own).map(|(_, weight)| *weight);
            prop_assert!(heaviest.unwrap_or(0) == 0 || weight == heaviest);
        }
    }
}
