//! Text with styles: what a view shows of a record, before it is known where.
//!
//! The streaming view writes it with control sequences, the interactive one lays it out. What a
//! sender wrote goes in by [`Styled::foreign`] alone, which lets nothing through that could steer a
//! terminal.

use unicode_width::UnicodeWidthChar;

use super::style::Style;
use crate::format::visible;

/// What a tab is shown as: how wide a real one is depends on where it stands.
const TAB: &str = "    ";

/// Text, and the style of each piece of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Styled {
    text: String,
    /// Where each piece ends, and its style.
    pieces: Vec<(usize, Style)>,
}

impl Styled {
    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
    }

    /// All of the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces with their styles.
    pub fn pieces(&self) -> impl Iterator<Item = (&str, Style)> {
        let mut begin = 0;
        self.pieces.iter().map(move |(end, style)| {
            let piece = &self.text[begin..*end];
            begin = *end;
            (piece, *style)
        })
    }

    /// Adds our own text.
    pub fn push(&mut self, style: Style, text: &str) {
        self.text.push_str(text);
        self.close(style);
    }

    /// Adds spaces.
    pub fn pad(&mut self, width: usize) {
        self.text.extend(std::iter::repeat_n(' ', width));
        self.close(Style::PLAIN);
    }

    /// Adds a sender's text on one line, whatever stands in it.
    pub fn foreign(&mut self, style: Style, text: &str) {
        if text.contains('\t') {
            visible::on_one_line(&text.replace('\t', TAB), &mut self.text);
        } else {
            visible::on_one_line(text, &mut self.text);
        }
        self.close(style);
    }

    /// As much of it as has room in so many columns.
    pub fn cut(&self, columns: usize) -> Styled {
        let (mut cut, mut left) = (Styled::default(), columns);
        for (piece, style) in self.pieces() {
            let fits = piece.char_indices().find(|(_, c)| {
                let width = c.width().unwrap_or(0);
                let has_room = width <= left;
                left = left.saturating_sub(width);
                !has_room
            });
            match fits {
                Some((at, _)) => {
                    cut.push(style, &piece[..at]);
                    return cut;
                }
                None => cut.push(style, piece),
            }
        }
        cut
    }

    /// The same without its first columns; of a wide character that is cut a space is left.
    pub fn without(&self, columns: usize) -> Styled {
        let (mut rest, mut left) = (Styled::default(), columns);
        for (piece, style) in self.pieces() {
            let mut begin = piece.len();
            for (at, c) in piece.char_indices() {
                let width = c.width().unwrap_or(0);
                if left == 0 && width > 0 {
                    begin = at;
                    break;
                }
                if width > left {
                    rest.pad(width - left);
                }
                left = left.saturating_sub(width);
            }
            rest.push(style, &piece[begin..]);
        }
        rest
    }

    /// Its lines, each for itself.
    pub fn lines(&self) -> Vec<Styled> {
        let mut lines = vec![Styled::default()];
        for (piece, style) in self.pieces() {
            for (at, part) in piece.split('\n').enumerate() {
                if at > 0 {
                    lines.push(Styled::default());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(style, part);
                }
            }
        }
        lines
    }

    /// Adds all of another.
    pub fn append(&mut self, other: &Styled) {
        for (piece, style) in other.pieces() {
            self.push(style, piece);
        }
    }

    /// Adds with control sequences what this is.
    pub fn write_ansi(&self, out: &mut String) {
        for (piece, style) in self.pieces() {
            style.begin(out);
            out.push_str(piece);
            style.end(out);
        }
    }

    /// Ends a piece.
    fn close(&mut self, style: Style) {
        let end = self.text.len();
        match self.pieces.last_mut() {
            Some((last, of)) if *of == style => *last = end,
            Some((last, _)) if *last == end => {}
            None if end == 0 => {}
            _ => self.pieces.push((end, style)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_into_lines_and_moved_by_columns() {
        let mut styled = Styled::default();
        styled.push(Style::of(2), "a東京\nb");
        styled.push(Style::PLAIN, "\nc");
        let lines = styled.lines();
        let texts: Vec<_> = lines.iter().map(Styled::text).collect();
        assert_eq!(texts, ["a東京", "b", "c"]);
        let moved = [0, 1, 2, 3, 9].map(|columns| lines[0].without(columns).text().to_owned());
        assert_eq!(moved, ["a東京", "東京", " 京", "京", ""]);
    }

    #[test]
    fn pieces_of_one_style_are_one_and_empty_ones_none() {
        let bold = Style {
            bold: true,
            ..Style::PLAIN
        };
        let mut styled = Styled::default();
        styled.push(bold, "");
        styled.push(bold, "a");
        styled.push(bold, "b");
        styled.push(Style::PLAIN, "");
        styled.pad(1);
        styled.foreign(Style::PLAIN, "c\x1b[2J\n");
        let pieces: Vec<_> = styled.pieces().collect();
        assert_eq!(pieces, [("ab", bold), (" c\\x1b[2J\\x0a", Style::PLAIN)]);
        let mut out = String::new();
        styled.write_ansi(&mut out);
        assert_eq!(out, "\x1b[1mab\x1b[0m c\\x1b[2J\\x0a");
        assert_eq!(styled.cut(4).text(), "ab c");
        assert_eq!(styled.text(), "ab c\\x1b[2J\\x0a");
    }
}
