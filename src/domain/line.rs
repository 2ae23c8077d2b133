//! Foreign text on one line: nothing in it that cannot be seen, and no more of it than there is room for.

/// Marks that may stand on one letter: written languages need no more, and a pile of them runs over other lines.
const MAX_MARKS: usize = 3;

/// A foreign text on one line, without characters that cannot be seen, cut at a word to at most `most` characters.
///
/// What is past the cut is not looked at, however long the text is.
pub fn one_line(text: &str, most: usize) -> String {
    if text.len() <= most && is_one_line(text) { text.to_owned() } else { cleaned(text, most) }
}

fn cleaned(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    let (mut length, mut gap, mut marks) = (0, false, 0);
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            gap = length > 0;
            continue;
        }
        if !letter.is_ascii() && is_invisible(letter) {
            continue;
        }
        marks = if !letter.is_ascii() && is_stacked(letter) { marks + 1 } else { 0 };
        if marks > MAX_MARKS || (marks > 0 && (gap || length == 0)) {
            continue;
        }
        length += 1 + usize::from(gap);
        if length > most {
            return cut(&line, most);
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(letter);
    }
    line
}

/// Whether a text is plain already: ASCII that can be seen, with single spaces inside.
fn is_one_line(text: &str) -> bool {
    let mut before = b' ';
    for byte in text.bytes() {
        if !(byte.is_ascii_graphic() || (byte == b' ' && before != b' ')) {
            return false;
        }
        before = byte;
    }
    before != b' ' || text.is_empty()
}

/// The beginning of a line that goes on.
fn cut(line: &str, most: usize) -> String {
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    if let Some(at) = short.rfind(' ').filter(|at| 2 * at > short.len()) {
        short.truncate(at);
    }
    if most > 0 {
        short.push('…');
    }
    short
}

/// Characters that change how a line reads without being seen: directions, joiners, selectors, fillers, tags.
///
/// Source: <https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>, and the interlinear marks.
fn is_invisible(letter: char) -> bool {
    matches!(u32::from(letter),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// Marks that are drawn over or under the letter before them, any number of them.
fn is_stacked(letter: char) -> bool {
    matches!(u32::from(letter),
        0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_cut_at_a_word() {
        assert_eq!(one_line("one two  three\n\u{202e}four", 40), "one two three four");
        assert_eq!(one_line("one two three four", 12), "one two…");
        assert_eq!(one_line("abcdefghijklmnop", 8), "abcdefg…");
        assert_eq!(one_line("abc def", 5), "abc…");
        assert_eq!(one_line("abc", 0), "");
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        assert_eq!(one_line("a\u{200b}b\u{2066}c\u{feff}d\u{e0041}e\u{3164}f\u{fe0f}", 40), "abcdef");
        assert_eq!(one_line("\u{1b}[31mred\u{9b}0m\u{0}", 40), "[31mred 0m");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("\u{301}e{}x", "\u{301}".repeat(500));
        assert_eq!(one_line(&pile, 40), "e\u{301}\u{301}\u{301}x");
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_of_bounded_length(text in "(\\PC|[\\x00-\\x1f\u{2028}\u{202e}\u{85}]){0,400}", most in 0_usize..200) {
            let line = one_line(&text, most);
            prop_assert!(line.chars().count() <= most);
            let breaks = |letter: char| letter.is_control() || ['\u{2028}', '\u{2029}'].contains(&letter);
            prop_assert!(!line.chars().any(breaks), "a line break");
        }

        #[test]
        fn what_is_a_line_already_stays_as_it_is(text in "[ a-c~!]{0,12}|[ -~]{0,60}", most in 0_usize..80) {
            prop_assert_eq!(one_line(&text, most), cleaned(&text, most));
        }
    }
}
