//! Puts untrusted text on one line: without invisible characters, and with a limited length.

/// The most combining marks on one letter. Written languages need no more, and a stack of them covers other lines.
const MAX_MARKS: usize = 3;

/// Returns an untrusted text on one line, without invisible characters, cut at a word to at most `max_chars` characters.
///
/// The cost depends on `max_chars`, not on the length of the text: the rest after the cut is not read.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max_chars));
    let (mut length, mut gap, mut marks) = (0, false, 0);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = length > 0;
            continue;
        }
        if !c.is_ascii() && is_invisible(c) {
            continue;
        }
        marks = if !c.is_ascii() && is_stacked(c) { marks + 1 } else { 0 };
        if marks > MAX_MARKS || (marks > 0 && (gap || length == 0)) {
            continue;
        }
        length += 1 + usize::from(gap);
        if length > max_chars {
            return cut(&line, max_chars);
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
    }
    line
}

/// Returns the beginning of a longer line.
fn cut(line: &str, max_chars: usize) -> String {
    let mut short: String = line.chars().take(max_chars.saturating_sub(1)).collect();
    if let Some(at) = short.rfind(' ').filter(|at| 2 * at > short.len()) {
        short.truncate(at);
    }
    if max_chars > 0 {
        short.push('…');
    }
    short
}

/// Whether this character changes a line without being visible: directions, joiners, selectors, fillers, tags.
///
/// Source: <https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>, and the interlinear marks.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// Whether this mark is drawn over or under the letter before it.
fn is_stacked(c: char) -> bool {
    matches!(u32::from(c),
        0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_cut_at_a_word_and_has_neither_invisible_characters_nor_stacks_of_marks() {
        let stack = format!("\u{301}e{}x", "\u{301}".repeat(500));
        for (text, max_chars, line) in [
            ("one two  three\n\u{202e}four", 40, "one two three four"),
            ("one two three four", 12, "one two…"),
            ("abcdefghijklmnop", 8, "abcdefg…"),
            ("abc def", 5, "abc…"),
            ("abc", 0, ""),
            ("a\u{200b}b\u{2066}c\u{feff}d\u{e0041}e\u{3164}f\u{fe0f}", 40, "abcdef"),
            ("\u{1b}[31mred\u{9b}0m\u{0}", 40, "[31mred 0m"),
            (&stack, 40, "e\u{301}\u{301}\u{301}x"),
        ] {
            assert_eq!(one_line(text, max_chars), line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_result_is_one_line_of_bounded_length(text in "(\\PC|[\\x00-\\x1f\u{2028}\u{202e}\u{85}]){0,400}", max_chars in 0_usize..200) {
            let line = one_line(&text, max_chars);
            prop_assert!(line.chars().count() <= max_chars);
            let breaks = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
            prop_assert!(!line.chars().any(breaks), "a line break");
        }
    }
}
