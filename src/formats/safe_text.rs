//! Text that is safe to display: on one line, without invisible characters, and with defanged addresses.
//!
//! All text of the human formats passes through this type, including our own, so that no attacker's text can bypass
//! it. Escaping depends on the markup (see `escape`). The names that are shown unchanged are in `names`.

use super::defang::defanged;
use super::escape::{self, Escape};
use super::names::{Names, Piece};
use crate::domain::line::one_line;

/// A character and its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct CharContext {
    pub(super) before: Option<char>,
    pub(super) character: char,
    pub(super) after: Option<char>,
}

/// A line that is safe to display after escaping.
#[derive(Clone, Debug)]
pub(super) struct SafeText(Vec<Piece>);

/// A part of a line that may be in code style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) is_code: bool,
}

impl SafeText {
    /// Keeps at most `max_chars` characters of a text. Defanging may add some.
    pub(super) fn new(text: &str, max_chars: usize) -> Self {
        Self::naming(text, max_chars, &Names::default())
    }

    /// The same for a text in which these names may occur.
    pub(super) fn naming(text: &str, max_chars: usize, names: &Names) -> Self {
        let safe = |piece| match piece {
            Piece::Text(text) => Piece::Text(defanged(&text)),
            name @ (Piece::Name(_) | Piece::Term(_)) => name,
        };
        Self(names.pieces(&one_line(text, max_chars)).into_iter().map(safe).collect())
    }

    /// Whether there is nothing to display.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Escapes the line, and cuts it to at most `max_chars` characters, at a word and never inside an escape.
    pub(super) fn escaped(&self, max_chars: usize, escape: Escape) -> String {
        let mut line =
            Line { out: String::new(), max_chars, used: 0, before: None, char_cut: 0, word_cut: 0, last_name_end: 0 };
        for (at, piece) in self.0.iter().enumerate() {
            // The neighbours of a name in code style cannot form markup with it.
            let after = self.0.get(at + 1).and_then(|next| next.as_str().chars().next());
            let fits = match (piece, escape.names) {
                (Piece::Text(text), _) => line.push_text(text, after, escape),
                (Piece::Name(name), escape::Names::Unchanged) => line.push_name(name),
                (Piece::Name(name) | Piece::Term(name), escape::Names::Code(code)) if is_changed(name, escape) => {
                    line.push_whole(&code(name))
                }
                (Piece::Name(name) | Piece::Term(name), _) => line.push_text(&defanged(name), after, escape),
            };
            if !fits {
                return line.cut();
            }
        }
        line.out
    }

    /// Splits the line for an Adaptive Card into runs, if a part of it is in code style.
    pub(super) fn runs(&self, max_chars: usize) -> Option<Vec<Run>> {
        let line = self.escaped(max_chars, escape::CARD_RUNS);
        let runs = line.split('`').enumerate().map(|(at, text)| Run { text: text.to_owned(), is_code: at % 2 == 1 });
        line.contains('`').then(|| runs.filter(|run| !run.text.is_empty()).collect())
    }
}

/// Whether a name would be changed by defanging and escaping.
fn is_changed(name: &str, escape: Escape) -> bool {
    let mut line = Line {
        out: String::new(),
        max_chars: usize::MAX,
        used: 0,
        before: Some(' '),
        char_cut: 0,
        word_cut: 0,
        last_name_end: 0,
    };
    let defanged = defanged(name);
    line.push_text(&defanged, Some(' '), escape);
    line.out != name
}

/// A line under construction.
struct Line {
    out: String,
    max_chars: usize,
    used: usize,
    before: Option<char>,
    /// Byte positions at which the line may be cut.
    char_cut: usize,
    word_cut: usize,
    /// The end of the last name. Text before it is not cut within a word.
    last_name_end: usize,
}

impl Line {
    /// Adds text. Returns whether it fits.
    fn push_text(&mut self, text: &str, following: Option<char>, escape: Escape) -> bool {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let start = self.out.len();
            if character.is_ascii_alphanumeric() {
                // These are literal in any markup.
                self.out.push(character);
                self.used += 1;
            } else {
                let after = characters.peek().copied().or(following);
                (escape.escape_char)(&mut self.out, CharContext { before: self.before, character, after });
                self.used += length(self.out.get(start..).unwrap_or_default());
            }
            if !self.fits(character, start) {
                return false;
            }
        }
        true
    }

    /// Adds a name unchanged.
    fn push_name(&mut self, name: &str) -> bool {
        let begin = self.out.len();
        for character in name.chars() {
            let start = self.out.len();
            self.out.push(character);
            self.used += character.len_utf16();
            if !self.fits(character, start) {
                self.end_before(begin, name);
                return false;
            }
        }
        if self.char_cut < self.out.len() {
            self.end_before(begin, name);
        }
        self.last_name_end = self.out.len();
        true
    }

    /// Allows a cut within a name only where its beginning is no address, mention or reference.
    fn end_before(&mut self, begin: usize, name: &str) {
        let harmless_length = name.find(['.', '@', '#', '-']).unwrap_or(name.len());
        self.char_cut = self.char_cut.min(begin + harmless_length);
        self.word_cut = self.word_cut.min(self.char_cut);
    }

    /// Adds text that must not be cut.
    fn push_whole(&mut self, whole: &str) -> bool {
        let start = self.out.len();
        self.out.push_str(whole);
        self.used += length(whole);
        self.last_name_end = start;
        let fits = self.fits('`', start);
        if fits {
            self.last_name_end = self.out.len();
        }
        fits
    }

    /// Whether the line still fits after this character, which starts at `start`.
    fn fits(&mut self, character: char, start: usize) -> bool {
        if self.used > self.max_chars {
            return false;
        }
        if self.used < self.max_chars {
            self.char_cut = self.out.len();
            if character == ' ' {
                self.word_cut = start;
            }
        }
        self.before = Some(character);
        true
    }

    /// Cuts the line at the last possible position, and adds an ellipsis.
    fn cut(mut self) -> String {
        if 2 * self.word_cut > self.char_cut {
            self.out.truncate(self.word_cut);
        } else {
            self.out.truncate(self.char_cut);
            drop_partial_name(&mut self.out, self.last_name_end);
        }
        if self.max_chars > 0 {
            self.out.push('…');
        }
        self.out
    }
}

/// Removes the rest of the last word from its first dot or colon on, unless it is before byte `named`. Half of a
/// harmless text may be an address, and half of a number or key may be a reference.
fn drop_partial_name(line: &mut String, last_name_end: usize) {
    let is_name_char = |character: char| {
        !character.is_ascii() || character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | ':')
    };
    let word = line.trim_end_matches(is_name_char).len().max(last_name_end.min(line.len()));
    if let Some(at) = line.get(word..).and_then(|name| name.find(['.', ':'])) {
        line.truncate(word + at);
    }
}

/// Counts characters as Slack, Teams and ticket systems do: in UTF-16 units, of which an emoji has two.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::escape::{CARD, CARD_RUNS, MARKDOWN, MRKDWN, PLAIN, SLACK_PLAIN_TEXT};

    #[test]
    fn line_is_cut_at_a_word_and_never_inside_an_escape() {
        let line = SafeText::new("one <two> three", 40);
        assert_eq!(line.escaped(40, MRKDWN), "one &lt;two&gt; three");
        assert_eq!(line.escaped(18, MRKDWN), "one &lt;two&gt;…");
        assert_eq!(line.escaped(7, MRKDWN), "one…");
        assert_eq!(line.escaped(0, MRKDWN), "");
        assert_eq!(SafeText::new("<<<<", 40).escaped(9, MRKDWN), "&lt;&lt;…");
    }

    #[test]
    fn cut_text_never_becomes_an_address() {
        for (text, max_chars, right) in
            [("evil.com1", 9, "evil.com1"), ("evil.com1", 8, "evil…"), ("x 0a::s", 6, "x 0a…")]
        {
            assert_eq!(SafeText::new(text, 40).escaped(max_chars, PLAIN), right);
        }
    }

    #[test]
    fn names_that_escaping_would_change_are_in_code_style() {
        let names = Names::new(["desk-042.contoso.com", "desk-042", "svc_backup"]);
        let line = SafeText::naming("on desk-042.contoso.com, not evil.com; desk-042, svc_backup", 200, &names);
        assert_eq!(line.escaped(200, PLAIN), "on desk-042.contoso.com, not evil[.]com; desk-042, svc_backup");
        assert_eq!(line.escaped(200, MRKDWN), "on `desk-042.contoso.com`, not evil[.]com; desk-042, svc_backup");
        assert_eq!(
            line.escaped(200, MARKDOWN),
            "on `desk-042.contoso.com`, not evil\\[.\\]com; desk-042, `svc_backup`"
        );
        assert_eq!(line.escaped(200, CARD), "on desk-042[.]contoso[.]com, not evil[.]com; desk-042, svc_backup");
        let run = |text: &str, is_code| Run { text: text.to_owned(), is_code };
        let runs = [
            run("on ", false),
            run("desk-042.contoso.com", true),
            run(", not evil[.]com; desk-042, svc_backup", false),
        ];
        assert_eq!(line.runs(200), Some(runs.to_vec()));
        assert_eq!(SafeText::naming("svc_backup", 200, &names).runs(200), None);
    }

    #[test]
    fn name_in_code_style_is_never_cut() {
        let names = Names::new(["desk-042.contoso.com"]);
        let line = SafeText::naming("on desk-042.contoso.com.", 200, &names);
        assert_eq!(line.escaped(25, MRKDWN), "on…");
        assert_eq!(line.escaped(26, MRKDWN), "on `desk-042.contoso.com`.");
        assert_eq!(line.escaped(23, PLAIN), "on desk…");
        assert_eq!(
            SafeText::naming("desk-042.contoso.com: x.yz", 200, &names).escaped(24, PLAIN),
            "desk-042.contoso.com:…"
        );
    }

    proptest! {
        #[test]
        fn escaped_text_keeps_its_limit(text in "[<>&*_`|\\\\ a-c\u{1f600}]{0,80}|\\PC{0,80}", max_chars in 0_usize..120) {
            for escape in [PLAIN, MRKDWN, SLACK_PLAIN_TEXT, CARD, CARD_RUNS, MARKDOWN] {
                let out = SafeText::new(&text, 200).escaped(max_chars, escape);
                prop_assert!(length(&out) <= max_chars, "{out:?}");
            }
        }
    }
}
