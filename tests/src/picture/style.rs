//! Colours and shapes of letters: what a cell asks for, and the classes of a picture that give it.
//!
//! The first 16 colours are this picture's own; the others are xterm's cube and its greys.

use std::fmt::Write;

use vt100::{Cell, Color};

pub(super) const FOREGROUND: Rgb = Rgb(0xd5, 0xda, 0xe3);
pub(super) const BACKGROUND: Rgb = Rgb(0x12, 0x16, 0x1e);
const COLOURS: [Rgb; 16] = [
    Rgb(0x2a, 0x30, 0x3c),
    Rgb(0xf0, 0x71, 0x7a),
    Rgb(0x8f, 0xce, 0x7e),
    Rgb(0xe8, 0xc0, 0x69),
    Rgb(0x6f, 0xa8, 0xf5),
    Rgb(0xc7, 0x92, 0xea),
    Rgb(0x5f, 0xc9, 0xc4),
    Rgb(0xc3, 0xc9, 0xd4),
    Rgb(0x7f, 0x8a, 0x9e),
    Rgb(0xff, 0x8f, 0x96),
    Rgb(0xae, 0xe3, 0x9f),
    Rgb(0xf7, 0xd6, 0x8c),
    Rgb(0x94, 0xc1, 0xff),
    Rgb(0xdb, 0xb0, 0xf7),
    Rgb(0x86, 0xe3, 0xde),
    Rgb(0xf4, 0xf6, 0xfa),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Rgb(u8, u8, u8);

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Rgb {
    fn of(colour: Color, default: Self) -> Self {
        match colour {
            Color::Default => default,
            Color::Rgb(red, green, blue) => Self(red, green, blue),
            Color::Idx(index @ 0..16) => COLOURS[usize::from(index)],
            Color::Idx(index @ 16..232) => {
                let step = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
                let index = index - 16;
                Self(step(index / 36), step(index / 6 % 6), step(index % 6))
            }
            Color::Idx(index) => {
                let grey = 8 + 10 * (index - 232);
                Self(grey, grey, grey)
            }
        }
    }

    /// Three fifths of the way from another colour.
    fn dimmed(self, from: Self) -> Self {
        let part = |own: u8, from: u8| ((3 * u16::from(own) + 2 * u16::from(from)) / 5) as u8;
        Self(
            part(self.0, from.0),
            part(self.1, from.1),
            part(self.2, from.2),
        )
    }
}

/// How the text of a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) colour: Rgb,
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) underline: bool,
}

impl Style {
    /// The style of a cell's text, and the colour behind it.
    pub(super) fn of(cell: &Cell) -> (Self, Rgb) {
        let mut behind = Rgb::of(cell.bgcolor(), BACKGROUND);
        let mut colour = Rgb::of(cell.fgcolor(), FOREGROUND);
        if cell.dim() {
            colour = colour.dimmed(behind);
        }
        if cell.inverse() {
            std::mem::swap(&mut colour, &mut behind);
        }
        let style = Self {
            colour,
            bold: cell.bold(),
            italic: cell.italic(),
            underline: cell.underline(),
        };
        (style, behind)
    }

    fn css(self) -> String {
        let mut css = String::new();
        if self.colour != FOREGROUND {
            write!(css, "color:{};", self.colour).unwrap();
        }
        for (is_so, declaration) in [
            (self.bold, "font-weight:bold;"),
            (self.italic, "font-style:italic;"),
            (self.underline, "text-decoration:underline;"),
        ] {
            css.push_str(if is_so { declaration } else { "" });
        }
        css
    }
}

/// The styles of a picture, each with a class.
#[derive(Default)]
pub(super) struct Styles(Vec<String>);

impl Styles {
    /// The class of a style; none for text as it is by itself.
    pub(super) fn class_of(&mut self, style: Style) -> Option<String> {
        let css = style.css();
        if css.is_empty() {
            return None;
        }
        let known = self.0.iter().position(|known| *known == css);
        let at = known.unwrap_or_else(|| {
            self.0.push(css);
            self.0.len() - 1
        });
        Some(format!("s{at}"))
    }

    pub(super) fn css(&self) -> String {
        let mut all = String::new();
        for (at, css) in self.0.iter().enumerate() {
            writeln!(all, ".s{at}{{{}}}", css.trim_end_matches(';')).unwrap();
        }
        all
    }
}
