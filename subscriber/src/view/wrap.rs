//! Long values over several lines.

use unicode_width::UnicodeWidthChar;

use super::style::Style;
use super::styled::Styled;

/// Columns that the names of fields take.
pub(crate) const KEY: usize = 16;

/// A sender's text in lines of so many columns at most, as a terminal may see it.
pub(crate) fn lines(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut shown = Styled::default();
        shown.foreign(Style::PLAIN, line);
        fold(shown.text(), width, &mut lines);
    }
    lines
}

fn fold(text: &str, width: usize, lines: &mut Vec<String>) {
    let (mut line, mut used) = (String::new(), 0);
    for c in text.chars() {
        let more = c.width().unwrap_or(0);
        if used + more > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        line.push(c);
        used += more;
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_there_is_room_and_nothing_is_left_out() {
        assert_eq!(lines("東京a\n\nb\x1b", 4), ["東京", "a", "", "b\\x1", "b"]);
    }
}
