//! One row of a screen: the colours behind its cells, its lines and blocks, and its text in runs
//! that look the same.
//!
//! A row knows nothing of where it stands: its base line is at 0, and it begins at 0.

use std::fmt::Write;

use vt100::Screen;

use super::shapes::{self, Shape};
use super::style::{BACKGROUND, Rgb, Style, Styles};
use super::{BASELINE, CELL, escaped};

/// A row as elements of SVG.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row(String);

impl Row {
    pub(super) fn new(screen: &Screen, row: u16, styles: &mut Styles) -> Self {
        let cells = cells(screen, row);
        let mut elements = String::new();
        behind(&cells, &mut elements);
        for run in runs(&cells) {
            let class = styles.class_of(run.style);
            match run.kind {
                Kind::Drawn => drawn(&run, class, &mut elements),
                Kind::Letters(_) => written(&run, class, &mut elements),
            }
        }
        Self(elements)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cell, or two of them with a wide character.
struct Cell {
    col: usize,
    width: usize,
    text: String,
    style: Style,
    behind: Rgb,
}

impl Cell {
    /// Whether nothing of it is seen but the colour behind.
    fn is_blank(&self) -> bool {
        self.text == " " && !self.style.underline
    }
}

fn cells(screen: &Screen, row: u16) -> Vec<Cell> {
    let (_, cols) = screen.size();
    let cell_at = |col| {
        let cell = screen.cell(row, col)?;
        let (style, behind) = Style::of(cell);
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        (!cell.is_wide_continuation()).then(|| Cell {
            col: usize::from(col),
            width: if cell.is_wide() { 2 } else { 1 },
            text: text.to_owned(),
            style,
            behind,
        })
    };
    (0..cols.get()).filter_map(cell_at).collect()
}

/// What can be one element: letters of one font, or lines and blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Characters that a font has, or lacks, together. Those that come from another font would
    /// make a run of both the wrong length.
    Letters(u32),
    Drawn,
}

impl Kind {
    fn of(cell: &Cell) -> Self {
        let first = cell.text.chars().next().unwrap_or(' ');
        match u32::from(first) {
            _ if shapes::shape_of(first).is_some() => Self::Drawn,
            _ if cell.width > 1 => Self::Letters(u32::MAX),
            // Latin, Greek and Cyrillic.
            0..0x530 => Self::Letters(0),
            other => Self::Letters(1 + other / 0x100),
        }
    }
}

/// Cells beside one another that look the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) col: usize,
    pub(super) width: usize,
    pub(super) text: String,
    pub(super) style: Style,
    kind: Kind,
}

/// The runs of a row. Blanks between cells that look the same are part of a run, others are not.
fn runs(cells: &[Cell]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for cell in cells.iter().filter(|cell| !cell.is_blank()) {
        let kind = Kind::of(cell);
        match runs.last_mut() {
            Some(run) if run.kind == kind && run.style == cell.style && joins(run, cell) => {
                let blanks = cell.col - (run.col + run.width);
                run.text.extend(std::iter::repeat_n(' ', blanks));
                run.text.push_str(&cell.text);
                run.width += blanks + cell.width;
            }
            _ => runs.push(Run {
                col: cell.col,
                width: cell.width,
                text: cell.text.clone(),
                style: cell.style,
                kind,
            }),
        }
    }
    runs
}

/// Blanks are letters, and an underlined run has none in it: those would be underlined as well.
fn joins(run: &Run, cell: &Cell) -> bool {
    let is_beside = cell.col == run.col + run.width;
    is_beside || (run.kind == Kind::Letters(0) && !run.style.underline)
}

/// The colours behind the cells, where they are not the window's own.
fn behind(cells: &[Cell], elements: &mut String) {
    for same in cells.chunk_by(|left, right| left.behind == right.behind) {
        let (x, colour) = (same[0].col * CELL.0, same[0].behind);
        if colour != BACKGROUND {
            let cells: usize = same.iter().map(|cell| cell.width).sum();
            let (width, height) = (cells * CELL.0, CELL.1);
            let size = format!(r#"y="-{BASELINE}" width="{width}" height="{height}""#);
            write!(elements, r#"<rect x="{x}" {size} fill="{colour}"/>"#).unwrap();
        }
    }
}

fn written(run: &Run, class: Option<String>, elements: &mut String) {
    elements.push_str("<text");
    if run.col > 0 {
        write!(elements, r#" x="{}""#, run.col * CELL.0).unwrap();
    }
    if run.width > 1 {
        write!(elements, r#" textLength="{}""#, run.width * CELL.0).unwrap();
    }
    if let Some(class) = class {
        write!(elements, r#" class="{class}""#).unwrap();
    }
    write!(elements, ">{}</text>", escaped(&run.text)).unwrap();
}

/// Shapes that are drawn alike are one element.
fn drawn(run: &Run, class: Option<String>, elements: &mut String) {
    let shape_at = |(at, character)| Some((run.col + at, shapes::shape_of(character)?));
    let shapes: Vec<(usize, Shape)> = run.text.chars().enumerate().filter_map(shape_at).collect();
    for alike in shapes.chunk_by(|(_, left), (_, right)| left.class() == right.class()) {
        let mut classes = alike[0].1.class().to_owned();
        classes.extend(class.iter().flat_map(|class| [" ", class]));
        let path = shapes::path(alike);
        write!(elements, r#"<path class="{classes}" d="{path}"/>"#).unwrap();
    }
}
