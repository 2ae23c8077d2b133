//! Text that may be shown to people: on one line, with nothing unseen in it, and no address that could be followed.
//!
//! All that the human formats say goes through here, also what is ours: so nothing that an attacker wrote can pass
//! by. How it is escaped depends on where it lands, and is said in `escape`; which names are shown whole, in `names`.

use super::defang::defanged;
use super::escape::{self, Escape};
use super::names::{Names, Piece};
use crate::domain::line::one_line;

/// A letter and its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct CharContext {
    pub(super) before: Option<char>,
    pub(super) it: char,
    pub(super) after: Option<char>,
}

/// A line that may be shown, not yet escaped.
#[derive(Clone, Debug)]
pub(super) struct SafeText(Vec<Piece>);

/// A part of a line where there is a style for code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) is_code: bool,
}

impl SafeText {
    /// Takes at most `most` characters of a text; breaking addresses may make them somewhat more.
    pub(super) fn new(text: &str, most: usize) -> Self {
        Self::naming(text, most, &Names::default())
    }

    /// The same of a text in which these names may stand.
    pub(super) fn naming(text: &str, most: usize, names: &Names) -> Self {
        let safe = |piece| match piece {
            Piece::Text(text) => Piece::Text(defanged(&text)),
            name @ (Piece::Name(_) | Piece::Term(_)) => name,
        };
        Self(names.pieces(&one_line(text, most)).into_iter().map(safe).collect())
    }

    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line, escaped, in at most `room` characters, cut at a word and never inside an escape.
    pub(super) fn escaped(&self, room: usize, escape: Escape) -> String {
        let mut line = Line { out: String::new(), room, used: 0, before: None, last_letter: 0, last_word: 0, named: 0 };
        for (at, piece) in self.0.iter().enumerate() {
            // A name in code style has no neighbours that could mark something up with it.
            let after = self.0.get(at + 1).and_then(|next| next.as_str().chars().next());
            let fits = match (piece, escape.names) {
                (Piece::Text(text), _) => line.push_text(text, after, escape),
                (Piece::Name(name), escape::Names::AsTheyAre) => line.push_name(name),
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

    /// The line for an Adaptive Card in runs, if some of it is to be in code style.
    pub(super) fn runs(&self, room: usize) -> Option<Vec<Run>> {
        let line = self.escaped(room, escape::CARD_RUNS);
        let runs = line.split('`').enumerate().map(|(at, text)| Run { text: text.to_owned(), is_code: at % 2 == 1 });
        line.contains('`').then(|| runs.filter(|run| !run.text.is_empty()).collect())
    }
}

/// Whether a name would not stand as it is among other text.
fn is_changed(name: &str, escape: Escape) -> bool {
    let mut line = Line {
        out: String::new(),
        room: usize::MAX,
        used: 0,
        before: Some(' '),
        last_letter: 0,
        last_word: 0,
        named: 0,
    };
    let defanged = defanged(name);
    line.push_text(&defanged, Some(' '), escape);
    line.out != name
}

/// A line that is being written.
struct Line {
    out: String,
    room: usize,
    used: usize,
    before: Option<char>,
    /// Where the line may end, if a mark follows.
    last_letter: usize,
    last_word: usize,
    /// Up to where the line is not to be shortened within a word.
    named: usize,
}

impl Line {
    /// Adds text, and says whether it fitted.
    fn push_text(&mut self, text: &str, following: Option<char>, escape: Escape) -> bool {
        let mut letters = text.chars().peekable();
        while let Some(it) = letters.next() {
            let start = self.out.len();
            if it.is_ascii_alphanumeric() {
                // These stand for themselves in any markup.
                self.out.push(it);
                self.used += 1;
            } else {
                let after = letters.peek().copied().or(following);
                (escape.letter)(&mut self.out, CharContext { before: self.before, it, after });
                self.used += length(self.out.get(start..).unwrap_or_default());
            }
            if !self.fits(it, start) {
                return false;
            }
        }
        true
    }

    /// Adds a name as it is.
    fn push_name(&mut self, name: &str) -> bool {
        let begin = self.out.len();
        for it in name.chars() {
            let start = self.out.len();
            self.out.push(it);
            self.used += it.len_utf16();
            if !self.fits(it, start) {
                self.end_before(begin, name);
                return false;
            }
        }
        if self.last_letter < self.out.len() {
            self.end_before(begin, name);
        }
        self.named = self.out.len();
        true
    }

    /// Lets a cut end within a name only where what is left of it is no address, no mention and no reference.
    fn end_before(&mut self, begin: usize, name: &str) {
        let harmless = name.find(['.', '@', '#', '-']).unwrap_or(name.len());
        self.last_letter = self.last_letter.min(begin + harmless);
        self.last_word = self.last_word.min(self.last_letter);
    }

    /// Adds a whole that is not cut.
    fn push_whole(&mut self, whole: &str) -> bool {
        let start = self.out.len();
        self.out.push_str(whole);
        self.used += length(whole);
        self.named = start;
        let fits = self.fits('`', start);
        if fits {
            self.named = self.out.len();
        }
        fits
    }

    /// Whether the line still fits after this letter, which stands from `start` on.
    fn fits(&mut self, it: char, start: usize) -> bool {
        if self.used > self.room {
            return false;
        }
        if self.used < self.room {
            self.last_letter = self.out.len();
            if it == ' ' {
                self.last_word = start;
            }
        }
        self.before = Some(it);
        true
    }

    /// The line, cut where it may end, with a mark.
    fn cut(mut self) -> String {
        if 2 * self.last_word > self.last_letter {
            self.out.truncate(self.last_word);
        } else {
            self.out.truncate(self.last_letter);
            drop_part_of_a_name(&mut self.out, self.named);
        }
        if self.room > 0 {
            self.out.push('…');
        }
        self.out
    }
}

/// Drops the last word from its first dot or colon on, where it stands after `named` bytes: half of what is no address
/// may be one, and half of a number or a key may be a reference.
fn drop_part_of_a_name(line: &mut String, named: usize) {
    let is_of_a_name =
        |letter: char| !letter.is_ascii() || letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':');
    let word = line.trim_end_matches(is_of_a_name).len().max(named.min(line.len()));
    if let Some(at) = line.get(word..).and_then(|name| name.find(['.', ':'])) {
        line.truncate(word + at);
    }
}

/// Characters as Slack, Teams and ticket systems count them: in UTF-16, where an emoji is two.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::escape::{CARD, CARD_RUNS, MARKDOWN, MRKDWN, PLAIN, TITLE};

    #[test]
    fn a_line_is_cut_at_a_word_and_never_inside_an_escape() {
        let line = SafeText::new("one <two> three", 40);
        assert_eq!(line.escaped(40, MRKDWN), "one &lt;two&gt; three");
        assert_eq!(line.escaped(18, MRKDWN), "one &lt;two&gt;…");
        assert_eq!(line.escaped(7, MRKDWN), "one…");
        assert_eq!(line.escaped(0, MRKDWN), "");
        assert_eq!(SafeText::new("<<<<", 40).escaped(9, MRKDWN), "&lt;&lt;…");
    }

    #[test]
    fn a_cut_makes_no_address() {
        for (text, room, right) in [("evil.com1", 9, "evil.com1"), ("evil.com1", 8, "evil…"), ("x 0a::s", 6, "x 0a…")]
        {
            assert_eq!(SafeText::new(text, 40).escaped(room, PLAIN), right);
        }
    }

    #[test]
    fn names_are_whole_and_in_code_style_where_they_would_be_changed() {
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
    fn a_name_in_code_style_is_never_cut() {
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
        fn escaped_text_keeps_within_its_room(text in "[<>&*_`|\\\\ a-c\u{1f600}]{0,80}|\\PC{0,80}", room in 0_usize..120) {
            for escape in [PLAIN, MRKDWN, TITLE, CARD, CARD_RUNS, MARKDOWN] {
                let out = SafeText::new(&text, 200).escaped(room, escape);
                prop_assert!(length(&out) <= room, "{out:?}");
            }
        }
    }
}
