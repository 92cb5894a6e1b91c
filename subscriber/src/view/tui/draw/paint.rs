//! From the styles of lines to the cells of a terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use crate::view::style;
use crate::view::styled::Styled;

/// A style as cells have it.
pub(super) fn style(style: style::Style) -> Style {
    let mut cells = Style::default();
    if let Some(color) = style.color {
        cells = cells.fg(color_of(color));
    }
    for (is_set, modifier) in [
        (style.bold, Modifier::BOLD),
        (style.dim, Modifier::DIM),
        (style.underline, Modifier::UNDERLINED),
        (style.reverse, Modifier::REVERSED),
    ] {
        if is_set {
            cells = cells.add_modifier(modifier);
        }
    }
    cells
}

/// A colour as cells have it.
pub(super) fn color_of(color: style::Color) -> Color {
    Color::Indexed(color)
}

/// Colour and background swapped.
pub(super) fn reversed() -> Style {
    Style::default().add_modifier(Modifier::REVERSED)
}

/// Writes a text into a row of an area, from a column on; says which column is next.
pub(super) fn text(
    buffer: &mut Buffer,
    area: Rect,
    (column, row): (u16, u16),
    text: &str,
    style: Style,
) -> u16 {
    if row >= area.height || column >= area.width {
        return column;
    }
    let room = usize::from(area.width - column);
    let (x, y) = (area.x + column, area.y + row);
    let (end, _) = buffer.set_stringn(x, y, text, room, style);
    end - area.x
}

/// Writes a text that ends with the area.
pub(super) fn at_end(buffer: &mut Buffer, area: Rect, row: u16, said: &str, style: Style) -> u16 {
    let width = u16::try_from(said.width()).unwrap_or(u16::MAX);
    let column = area.width.saturating_sub(width);
    text(buffer, area, (column, row), said, style);
    column
}

/// Writes a line with its styles.
pub(super) fn line(buffer: &mut Buffer, area: Rect, (mut column, row): (u16, u16), line: &Styled) {
    for (piece, of) in line.pieces() {
        let before = column;
        column = text(buffer, area, (column, row), piece, style(of));
        // A wide character that has no room ends the line.
        if usize::from(column - before) < piece.width() {
            return;
        }
    }
}

/// Gives a row a style, whatever stands there.
pub(super) fn row_style(buffer: &mut Buffer, area: Rect, row: u16, style: Style) {
    if row < area.height {
        let row = Rect {
            y: area.y + row,
            height: 1,
            ..area
        };
        buffer.set_style(row, style);
    }
}

/// Empties an area.
pub(super) fn clear(buffer: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
}

/// Writes a heading over the whole width of a row: `── senders ─────`.
pub(super) fn heading(buffer: &mut Buffer, area: Rect, said: &str, style: Style) {
    let rule: String = "─".repeat(area.width.into());
    text(buffer, area, (0, 0), &rule, style);
    text(buffer, area, (2, 0), &format!(" {said} "), style);
}
