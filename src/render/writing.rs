//! Writing bodies, as they are or as JSON strings.
//!
//! Lambda's envelope holds a body as a string. A long list that is written as one at once need not be searched for what
//! has to be escaped, which takes about as long as writing it.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// What a body is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// As it is.
    #[default]
    Plain,
    /// As the JSON string of it.
    Quoted,
}

/// What a body is written as, and how far: what is longer has a use for nobody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) form: BodyForm,
    /// Writing ends with the first byte after so many.
    pub(super) most: usize,
}

impl From<BodyForm> for Target {
    fn from(form: BodyForm) -> Self {
        Self { form, most: usize::MAX }
    }
}

/// What is written so far.
struct Out {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.most.saturating_add(1).saturating_sub(self.bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body that is being written.
pub(super) struct Writing {
    form: BodyForm,
    out: Out,
}

impl Writing {
    /// Begins with room for about as many bytes as it will take.
    pub(super) fn new(target: impl Into<Target>, room: usize) -> Self {
        let Target { form, most } = target.into();
        let mut writing = Self { form, out: Out { bytes: Vec::with_capacity(room), most } };
        writing.quote();
        writing
    }

    /// Writes JSON of a value that is made of strings, numbers and lists: it always serializes, and memory takes it, as
    /// far as it is wanted.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        let _ = value.serialize(&mut Serializer::with_formatter(&mut self.out, self.form));
    }

    /// Writes text.
    pub(super) fn text(&mut self, text: &str) {
        let _ = self.form.write_raw_fragment(&mut self.out, text);
    }

    /// The body; what is longer than was wanted is a part of it that is longer as well.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.quote();
        self.out.bytes
    }

    fn quote(&mut self) {
        if self.form == BodyForm::Quoted {
            self.out.bytes.push(b'"');
        }
    }
}

/// A body of one JSON value.
pub(super) fn json(value: &impl Serialize, target: impl Into<Target>, room: usize) -> Vec<u8> {
    let mut writing = Writing::new(target, room);
    writing.json(value);
    writing.finish()
}

/// A body of text.
pub(super) fn text(text: Vec<u8>, form: BodyForm) -> Vec<u8> {
    match form {
        BodyForm::Plain => text,
        BodyForm::Quoted => {
            let mut writing = Writing::new(form, text.len());
            writing.text(&String::from_utf8_lossy(&text));
            writing.finish()
        }
    }
}

impl Formatter for BodyForm {
    fn begin_string<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(match self {
            Self::Plain => b"\"",
            Self::Quoted => b"\\\"",
        })
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin_string(out)
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        match (self, &escape) {
            (Self::Plain, _) => {}
            (Self::Quoted, CharEscape::Quote) => return out.write_all(br#"\\\""#),
            (Self::Quoted, CharEscape::ReverseSolidus) => out.write_all(br"\\")?,
            (Self::Quoted, _) => out.write_all(br"\")?,
        }
        CompactFormatter.write_char_escape(out, escape)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Self::Quoted = self
            && let Some(at) = rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
            && let Some((before, from)) = rest.split_at_checked(at)
        {
            out.write_all(before.as_bytes())?;
            let mut letters = from.chars();
            match letters.next() {
                Some('"') => out.write_all(br#"\""#)?,
                Some('\n') => out.write_all(br"\n")?,
                Some('\r') => out.write_all(br"\r")?,
                Some('\t') => out.write_all(br"\t")?,
                Some('\\') => out.write_all(br"\\")?,
                other => write!(out, r"\u{:04x}", other.map_or(0, u32::from))?,
            }
            rest = letters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    /// What is written, and what a reader of the string finds in it.
    #[test]
    fn what_is_too_long_is_not_written_to_its_end() {
        for form in [BodyForm::Plain, BodyForm::Quoted] {
            let list = vec!["a text"; 1000];
            let body = json(&list, Target { form, most: 100 }, 0);
            assert!((101..=102).contains(&body.len()), "{}", body.len());
            let whole = json(&list, form, 0);
            assert_eq!(json(&list, Target { form, most: whole.len() }, 0), whole);
        }
    }

    fn both(write: impl Fn(&mut Writing)) -> (String, String) {
        let [plain, quoted] = [BodyForm::Plain, BodyForm::Quoted].map(|form| {
            let mut writing = Writing::new(form, 0);
            write(&mut writing);
            String::from_utf8(writing.finish()).expect("UTF-8")
        });
        (plain, serde_json::from_str(&quoted).expect("a JSON string"))
    }

    #[test]
    fn raw_parts_stay_as_they_came() {
        let raw = "{ \"a\\\\\\u0007\\\"\" :\r\n\t[\"\\n\", 1.10] }";
        let value = RawValue::from_string(raw.to_owned()).expect("JSON");
        assert_eq!(both(|out| out.json(&value)), (raw.to_owned(), raw.to_owned()));
        assert_eq!(json(&value, BodyForm::Quoted, 0), serde_json::to_vec(raw).expect("JSON"));
    }

    proptest! {
        #[test]
        fn a_string_holds_the_json(text in any::<String>(), name in any::<String>(), number in any::<f64>()) {
            let value = json!({"text": text, name: [number, null, true, {"\u{0}\u{1f}\"\\/\u{8}\u{c}\n\r\t": -1}]});
            let raw = RawValue::from_string(value.to_string()).expect("JSON");
            let right = (value.to_string(), value.to_string());
            prop_assert_eq!(both(|out| out.json(&value)), right.clone());
            prop_assert_eq!(both(|out| out.json(&raw)), right);
        }

        #[test]
        fn a_string_holds_the_text(text in any::<String>()) {
            prop_assert_eq!(both(|out| out.text(&text)), (text.clone(), text));
        }
    }
}
