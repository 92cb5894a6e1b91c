//! Characters that are drawn and not written, because they must meet those beside, above and below
//! them whatever the font is: light and heavy lines, rounded corners, and blocks.
//!
//! Double and dashed lines are left to the font.

use std::fmt::Write;

use super::{BASELINE, CELL};

/// Characters whose lines go from the middle up (1), to the right (2), down (4) and to the left
/// (8): the first has 1, the second 2, the third both, and so on.
const LIGHT: &str = "╵╶└╷│┌├╴┘─┴┐┤┬┼";
const HEAVY: &str = "╹╺┗╻┃┏┣╸┛━┻┓┫┳╋";
const ACROSS: usize = 2 + 8;
/// A row's top, middle and bottom, seen from its base line.
const TOP: i32 = -(BASELINE as i32);
const BOTTOM: i32 = TOP + CELL.1 as i32;
const MIDDLE: i32 = (TOP + BOTTOM) / 2;
const HALF: i32 = CELL.0 as i32 / 2;

/// What a character is drawn as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// Lines from the middle, added up as in [`LIGHT`].
    Light(usize),
    Heavy(usize),
    /// A quarter of a circle, from the bottom or the top to the right or the left.
    Corner {
        from: i32,
        to: i32,
    },
    /// Eighths of the cell: from the left, from the top, width and height.
    Block([usize; 4]),
}

pub(super) fn shape_of(character: char) -> Option<Shape> {
    let since = |first: char| character as usize - first as usize;
    Some(match character {
        '╭' => Shape::Corner {
            from: BOTTOM,
            to: HALF,
        },
        '╮' => Shape::Corner {
            from: BOTTOM,
            to: -HALF,
        },
        '╰' => Shape::Corner {
            from: TOP,
            to: HALF,
        },
        '╯' => Shape::Corner {
            from: TOP,
            to: -HALF,
        },
        '▀' => Shape::Block([0, 0, 8, 4]),
        '▁'..='█' => Shape::Block([0, 7 - since('▁'), 8, 1 + since('▁')]),
        '▉'..='▏' => Shape::Block([0, 0, 7 - since('▉'), 8]),
        '▐' => Shape::Block([4, 0, 4, 8]),
        '▔' => Shape::Block([0, 0, 8, 1]),
        '▕' => Shape::Block([7, 0, 1, 8]),
        _ => {
            let find = |list: &str| list.chars().position(|listed| listed == character);
            let light = find(LIGHT).map(|at| Shape::Light(at + 1));
            return light.or_else(|| find(HEAVY).map(|at| Shape::Heavy(at + 1)));
        }
    })
}

impl Shape {
    /// The class that says how a path of such shapes is drawn.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Light(_) | Self::Corner { .. } => "line",
            Self::Heavy(_) => "line heavy",
            Self::Block(_) => "block",
        }
    }

    fn is_across(self) -> bool {
        matches!(self, Self::Light(ACROSS) | Self::Heavy(ACROSS))
    }

    /// What is drawn at this column. `cells` is more than 1 for a line across several.
    fn path(self, col: usize, cells: usize) -> String {
        let left = (col * CELL.0) as i32;
        let middle = left + HALF;
        match self {
            Self::Light(ACROSS) | Self::Heavy(ACROSS) => {
                format!("M{left} {MIDDLE}h{}", cells * CELL.0)
            }
            Self::Light(lines) | Self::Heavy(lines) => lines_from(middle, lines),
            Self::Corner { from, to } => {
                format!(
                    "M{middle} {from}Q{middle} {MIDDLE} {} {MIDDLE}",
                    middle + to
                )
            }
            Self::Block(eighths) => block(left, eighths),
        }
    }
}

/// The path of shapes in their columns. A line across several cells is one stroke.
pub(super) fn path(shapes: &[(usize, Shape)]) -> String {
    let across =
        |(_, left): &(_, Shape), (_, right): &(_, Shape)| left.is_across() && right.is_across();
    let strokes = shapes.chunk_by(across);
    strokes
        .map(|stroke| stroke[0].1.path(stroke[0].0, stroke.len()))
        .collect()
}

fn lines_from(middle: i32, lines: usize) -> String {
    let ends = [
        (1, middle, TOP),
        (2, middle + HALF, MIDDLE),
        (4, middle, BOTTOM),
        (8, middle - HALF, MIDDLE),
    ];
    let mut path = String::new();
    for (_, x, y) in ends.iter().filter(|(line, _, _)| lines & line != 0) {
        write!(path, "M{middle} {MIDDLE}L{x} {y}").unwrap();
    }
    path
}

fn block(cell: i32, [left, top, width, height]: [usize; 4]) -> String {
    let part = |eighths: usize, whole: usize| (eighths * whole) as f64 / 8.0;
    let (x, y) = (
        f64::from(cell) + part(left, CELL.0),
        f64::from(TOP) + part(top, CELL.1),
    );
    let (width, height) = (part(width, CELL.0), part(height, CELL.1));
    format!("M{x} {y}h{width}v{height}h-{width}z")
}
