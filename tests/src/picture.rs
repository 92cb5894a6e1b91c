//! Pictures of a terminal as SVG: one screen, or some seconds of it as a film that plays without a
//! script wherever a page shows it.
//!
//! Columns stand where they stand in a terminal whatever the reader's font is: every run of text
//! begins at its cell and is as long as its cells, and lines and blocks are drawn. The text is
//! text, to be selected and searched. Where films do not play, and for readers who want nothing to
//! move, a film shows its last frame.

mod style;
mod row;
mod shapes;

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use vt100::Screen;

use row::Row;
use style::{BACKGROUND, FOREGROUND, Styles};

/// A cell in the picture's own units; the picture's size in pixels is [`SCALE`] times them.
const CELL: (usize, usize) = (10, 20);
/// From a row's top to its text's base line. Rows are drawn with that line at 0.
const BASELINE: usize = 15;
/// The size at which the usual fonts are about as wide as a cell.
const FONT_SIZE: &str = "16.6";
const FONTS: &str = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace";
const SCALE: f64 = 0.84;
/// Around the text, and the height of the line with the title.
const MARGIN: usize = 18;
const TITLE: usize = 38;

/// The window around a terminal.
pub struct Window<'a> {
    /// What stands in its title line.
    pub title: &'a str,
    /// What it shows, for those who cannot see it.
    pub description: &'a str,
}

/// What a terminal showed from a moment on.
pub struct Frame {
    /// Since the film's begin.
    pub at: Duration,
    pub screen: Screen,
}

/// A picture of one screen.
pub fn still(window: &Window, screen: &Screen) -> String {
    let mut styles = Styles::default();
    let rows = rows_of(screen, &mut styles);
    let mut content = String::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let y = at * CELL.1;
        writeln!(content, r#"<g transform="translate(0 {y})">{row}</g>"#).unwrap();
    }
    content.push_str(&cursor_of(screen));
    picture(window, screen, &styles.css(), &content)
}

/// A film that begins again after `length`, which is when the last frame has been seen enough.
/// All frames have the size of the last.
pub fn film(window: &Window, frames: &[Frame], length: Duration) -> String {
    let last = frames.last().expect("a film has a frame");
    let mut strip = Strip::default();
    for frame in frames {
        strip.push(frame);
    }
    let (rows, _) = last.screen.size();
    let height = usize::from(rows.get()) * CELL.1;
    let css = format!("{}{}", strip.styles.css(), strip.css(height, length));
    picture(window, &last.screen, &css, &strip.content(height))
}

/// Frames below one another, made of rows that are there once however often they are seen.
#[derive(Default)]
struct Strip {
    styles: Styles,
    rows: Vec<Row>,
    known: HashMap<Row, usize>,
    /// Each frame that differs from the one before it, and since when it is seen.
    frames: Vec<(Duration, String)>,
}

impl Strip {
    fn push(&mut self, frame: &Frame) {
        let mut content = String::new();
        let rows = rows_of(&frame.screen, &mut self.styles);
        for (at, row) in rows
            .into_iter()
            .enumerate()
            .filter(|(_, row)| !row.is_empty())
        {
            let (id, y) = (self.id_of(row), at * CELL.1);
            write!(content, r##"<use href="#r{id}" y="{y}"/>"##).unwrap();
        }
        content.push_str(&cursor_of(&frame.screen));
        if self
            .frames
            .last()
            .is_none_or(|(_, before)| *before != content)
        {
            self.frames.push((frame.at, content));
        }
    }

    fn id_of(&mut self, row: Row) -> usize {
        let next = self.rows.len();
        let id = *self.known.entry(row.clone()).or_insert(next);
        if id == next {
            self.rows.push(row);
        }
        id
    }

    fn content(&self, height: usize) -> String {
        let mut content = "<defs>\n".to_owned();
        for (id, row) in self.rows.iter().enumerate() {
            writeln!(content, r#"<g id="r{id}">{row}</g>"#).unwrap();
        }
        let last = (self.frames.len() - 1) * height;
        writeln!(
            content,
            "</defs>\n<g class=\"film\" transform=\"translate(0 -{last})\">"
        )
        .unwrap();
        for (at, (_, frame)) in self.frames.iter().enumerate() {
            let y = at * height;
            writeln!(content, r#"<g transform="translate(0 {y})">{frame}</g>"#).unwrap();
        }
        content + "</g>\n"
    }

    /// The strip jumps from frame to frame.
    fn css(&self, height: usize, length: Duration) -> String {
        let length = length.as_secs_f64();
        let mut css = format!(
            ".film{{animation:play {length:.2}s step-end infinite}}\n\
             @media (prefers-reduced-motion:reduce){{.film{{animation:none}}}}\n\
             @keyframes play{{"
        );
        let begin = self.frames.first().map_or(Duration::ZERO, |(at, _)| *at);
        for (at, (since, _)) in self.frames.iter().enumerate() {
            let part = (*since - begin).as_secs_f64() / length * 100.0;
            let y = at * height;
            write!(css, "{part:.2}%{{transform:translateY(-{y}px)}}").unwrap();
        }
        css + "}\n"
    }
}

fn rows_of(screen: &Screen, styles: &mut Styles) -> Vec<Row> {
    let (rows, _) = screen.size();
    (0..rows.get())
        .map(|row| Row::new(screen, row, styles))
        .collect()
}

fn cursor_of(screen: &Screen) -> String {
    if screen.hide_cursor() {
        return String::new();
    }
    let ((row, col), (_, cols)) = (screen.cursor_position(), screen.size());
    let x = usize::from(col.min(cols.get() - 1)) * CELL.0;
    let y = i32::from(row) * CELL.1 as i32 - BASELINE as i32;
    let (width, height) = CELL;
    format!(r#"<rect class="cursor" x="{x}" y="{y}" width="{width}" height="{height}"/>"#)
}

/// The window and what is in it.
fn picture(window: &Window, screen: &Screen, css: &str, content: &str) -> String {
    let (rows, cols) = screen.size();
    let inner = (
        usize::from(cols.get()) * CELL.0,
        usize::from(rows.get()) * CELL.1,
    );
    let (width, height) = (inner.0 + 2 * MARGIN, inner.1 + TITLE + 2 * MARGIN);
    let pixels = |units: usize| (units as f64 * SCALE).round();
    let [title, description] = [window.title, window.description].map(escaped);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{}" height="{}" role="img" aria-labelledby="title description" font-family="{FONTS}" font-size="{FONT_SIZE}" xml:space="preserve">
<title id="title">{title}</title><desc id="description">{description}</desc>
<style>
svg{{color:{FOREGROUND}}}text,path{{fill:currentColor;white-space:pre}}svg svg rect,.block{{shape-rendering:crispEdges}}
.line{{fill:none;stroke:currentColor;stroke-width:1.4}}.heavy{{stroke-width:3}}.cursor{{fill:{FOREGROUND};opacity:.4}}
{css}</style>
<rect x=".5" y=".5" width="{}" height="{}" rx="11" fill="{BACKGROUND}" stroke="#343b49"/>
<path d="M0 {TITLE}h{width}" stroke="#262c38"/>
<g fill="#3d4657"><circle cx="24" cy="19" r="6"/><circle cx="44" cy="19" r="6"/><circle cx="64" cy="19" r="6"/></g>
<text x="{}" y="24.5" text-anchor="middle" style="color:#98a2b3;font-size:15px">{title}</text>
<svg x="{MARGIN}" y="{}" width="{}" height="{}"><g transform="translate(0 {BASELINE})">
{content}</g></svg>
</svg>
"##,
        pixels(width),
        pixels(height),
        width - 1,
        height - 1,
        width / 2,
        TITLE + MARGIN,
        inner.0,
        inner.1,
    )
}

/// Text as XML has it. What XML cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
