//! Text that may be shown to people: on one line, with nothing unseen in it, and no address that could be followed.
//!
//! All that the human formats say goes through here, also what is ours: so nothing that an attacker wrote can pass
//! by. How it is escaped depends on where it lands, and is said in `escape`.

use super::defang::defanged;
use super::escape::Escape;
use crate::domain::line::one_line;

/// A letter and its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    pub(super) before: Option<char>,
    pub(super) it: char,
    pub(super) after: Option<char>,
}

/// A line that may be shown, not yet escaped.
#[derive(Clone, Debug)]
pub(super) struct Shown(String);

impl Shown {
    /// Takes at most `most` characters of a text; breaking addresses may make them somewhat more.
    pub(super) fn new(text: &str, most: usize) -> Self {
        Self(defanged(&one_line(text, most)))
    }

    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line, escaped, in at most `room` characters, cut at a word and never inside an escape.
    pub(super) fn escaped(&self, room: usize, escape: Escape) -> String {
        let mut out = String::with_capacity(self.0.len() + 16);
        let (mut used, mut before) = (0, None);
        // Where the line may end, if a mark follows.
        let (mut last_letter, mut last_word) = (0, 0);
        let mut letters = self.0.chars().peekable();
        while let Some(it) = letters.next() {
            let start = out.len();
            if it.is_ascii_alphanumeric() {
                // These stand for themselves in any markup.
                out.push(it);
                used += 1;
            } else {
                escape(&mut out, Letter { before, it, after: letters.peek().copied() });
                used += length(out.get(start..).unwrap_or_default());
            }
            if used > room {
                if 2 * last_word > last_letter {
                    out.truncate(last_word);
                } else {
                    out.truncate(last_letter);
                    drop_part_of_a_name(&mut out);
                }
                if room > 0 {
                    out.push('…');
                }
                return out;
            }
            if used < room {
                last_letter = out.len();
                if it == ' ' {
                    last_word = start;
                }
            }
            before = Some(it);
        }
        out
    }
}

/// Drops the last word from its first dot or colon on: half of what is no address may be one.
fn drop_part_of_a_name(line: &mut String) {
    let is_of_a_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':');
    let word = line.trim_end_matches(is_of_a_name).len();
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
    use crate::render::escape::{card, markdown, mrkdwn, plain, title};

    #[test]
    fn a_line_is_cut_at_a_word_and_never_inside_an_escape() {
        let line = Shown::new("one <two> three", 40);
        assert_eq!(line.escaped(40, mrkdwn), "one &lt;two&gt; three");
        assert_eq!(line.escaped(18, mrkdwn), "one &lt;two&gt;…");
        assert_eq!(line.escaped(7, mrkdwn), "one…");
        assert_eq!(line.escaped(0, mrkdwn), "");
        assert_eq!(Shown::new("<<<<", 40).escaped(9, mrkdwn), "&lt;&lt;…");
    }

    #[test]
    fn a_cut_makes_no_address() {
        for (text, room, right) in [("evil.com1", 9, "evil.com1"), ("evil.com1", 8, "evil…"), ("x 0a::s", 6, "x 0a…")]
        {
            assert_eq!(Shown::new(text, 40).escaped(room, plain), right);
        }
    }

    proptest! {
        #[test]
        fn escaped_text_keeps_within_its_room(text in "[<>&*_`|\\\\ a-c\u{1f600}]{0,80}|\\PC{0,80}", room in 0_usize..120) {
            for escape in [plain, mrkdwn, title, card, markdown] {
                let out = Shown::new(&text, 200).escaped(room, escape);
                prop_assert!(length(&out) <= room, "{out:?}");
            }
        }
    }
}
