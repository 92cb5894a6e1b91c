//! The pane of records.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use super::paint;
use crate::view::tui::model::{Model, Pane};
use crate::view::tui::scene::{Row, Scene};

pub(super) fn draw(buffer: &mut Buffer, model: &Model, scene: &Scene) {
    let area = scene.areas.log;
    if scene.rows.is_empty() {
        let counts = &scene.counts;
        let said = match (counts.is_paused, counts.hidden) {
            (true, _) if counts.shown > 0 => "what stood here has fallen out of the buffer",
            (_, 0) => "nothing has come yet",
            (_, _) => "everything is filtered out",
        };
        let style = paint::style(model.look.theme.notice);
        paint::text(buffer, area, (1, area.height / 2), said, style);
        return;
    }
    let mut at = 0;
    for row in &scene.rows {
        for (number, line) in row.lines.iter().enumerate() {
            let line = line.without(model.left);
            paint::line(buffer, area, (1, at), &line);
            if row.is_cursor && !model.place.follows() {
                paint::row_style(buffer, area, at, cursor_style());
            }
            if number == 0 {
                gutter(buffer, model, scene, row, at);
            }
            at += 1;
            if at >= area.height {
                return;
            }
        }
    }
}

/// The first column: the mark, or where the cursor is.
fn gutter(buffer: &mut Buffer, model: &Model, scene: &Scene, row: &Row, at: u16) {
    let is_here = row.is_cursor && model.pane != Pane::Senders;
    let sign = match (row.mark, is_here) {
        (Some(mark), _) => mark.to_string(),
        (None, true) => "▸".to_owned(),
        (None, false) => return,
    };
    let style = Style::default().add_modifier(Modifier::BOLD);
    paint::text(buffer, scene.areas.log, (0, at), &sign, style);
}

/// The row of the cursor in the terminal's own colours, swapped: so it can be read in every theme.
fn cursor_style() -> Style {
    paint::reversed()
        .fg(Color::Reset)
        .remove_modifier(Modifier::DIM)
}
