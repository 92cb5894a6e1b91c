//! What stands above everything else for a while: the help and the list of filters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::paint;
use crate::view::styled::Styled;
use crate::view::tui::areas::Areas;
use crate::view::tui::command::COMMANDS;
use crate::view::tui::model::Model;
use crate::view::tui::scene::Scene;

/// Every key and command.
pub(super) fn help(buffer: &mut Buffer, model: &Model, areas: Areas) {
    let area = areas.above_status();
    paint::clear(buffer, area);
    paint::heading(buffer, area, "keys and commands", Style::default());
    let body = Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    };
    let lines = help_lines(model);
    let (columns, last) = areas.help(lines.len());
    let rows = lines.len().div_ceil(columns);
    let height = usize::from(body.height);
    let first = model.help.min(last);
    let width = body.width / columns as u16;
    for (column, lines) in (0..).zip(lines.chunks(rows.max(1))) {
        let part = Rect {
            x: body.x + column * width,
            width: width.saturating_sub(1),
            ..body
        };
        let shown = lines.iter().skip(first).take(height);
        for (row, (keys, help)) in (0..).zip(shown) {
            let bold = Style::default().add_modifier(Modifier::BOLD);
            let end = paint::text(buffer, part, (1, row), keys, bold);
            let begin = end.max(17) + 1;
            paint::text(buffer, part, (begin, row), help, Style::default());
        }
    }
}

/// The lines of the help: an action or a command each.
fn help_lines(model: &Model) -> Vec<(String, String)> {
    let keys = model.keymap.help();
    let mut lines: Vec<(String, String)> = keys
        .map(|(keys, row)| (keys, row.help.to_owned()))
        .collect();
    lines.push((String::new(), String::new()));
    for (name, argument, help) in COMMANDS {
        let argument = match argument.width() {
            0..=10 => *argument,
            _ => "…",
        };
        lines.push((format!(":{name} {argument}"), (*help).to_owned()));
    }
    lines
}

/// The list of filters.
pub(super) fn filters(buffer: &mut Buffer, model: &Model, scene: &Scene) {
    let whole = scene.areas.above_status();
    let (list, is_on) = &scene.filters;
    let height = (list.len() as u16 + 2)
        .clamp(4, whole.height.max(4))
        .min(whole.height);
    let area = Rect {
        y: whole.bottom() - height,
        height,
        ..whole
    };
    paint::clear(buffer, area);
    let state = if *is_on { "" } else { ", all off (F)" };
    let said = format!("filters{state}: space on/off, e edit, d delete, esc close");
    paint::heading(buffer, area, &said, Style::default());
    if list.is_empty() {
        let said = "there is none; i and o make some, + and - on a field, and :filter";
        paint::text(buffer, area, (1, 1), said, Style::default());
    }
    let rows = usize::from(height).saturating_sub(1);
    let first = (model.filter + 1).saturating_sub(rows.max(1));
    for (row, (at, (text, is_on))) in (1..).zip(list.iter().enumerate().skip(first).take(rows)) {
        let mut line = Styled::default();
        line.push(
            model.look.theme.message,
            if *is_on { "[x] " } else { "[ ] " },
        );
        line.foreign(model.look.theme.message, text);
        paint::line(buffer, area, (1, row), &line);
        if at == model.filter {
            paint::row_style(buffer, area, row, paint::reversed());
        }
    }
}
