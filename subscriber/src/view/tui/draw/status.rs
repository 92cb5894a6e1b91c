//! The two lines at the bottom: what is counted, and what is typed or told.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::paint;
use crate::view::styled::Styled;
use crate::view::top::thousands;
use crate::view::tui::keymap::{Action, Keymap};
use crate::view::tui::model::{Message, Model};
use crate::view::tui::prompt::Prompt;
use crate::view::tui::scene::{Counts, Scene};
use crate::view::wrap;

/// What a beginner is told.
const HINTS: [(Action, &str); 8] = [
    (Action::Help, "help"),
    (Action::Quit, "end"),
    (Action::Search, "search"),
    (Action::Include, "include"),
    (Action::Exclude, "exclude"),
    (Action::Filters, "filters"),
    (Action::Details, "fields"),
    (Action::Pause, "pause"),
];

pub(super) fn draw(buffer: &mut Buffer, scene: &Scene) {
    let area = scene.areas.status;
    if area.height == 0 {
        return;
    }
    let (counts, style) = (&scene.counts, paint::reversed());
    paint::text(buffer, area, (0, 0), &" ".repeat(area.width.into()), style);
    let room = format!("buffer {} ", room(counts.room));
    let bold = style.add_modifier(Modifier::BOLD);
    let mut column = paint::text(buffer, area, (0, 0), &format!(" {} ", state(counts)), bold);
    let end = usize::from(area.width).saturating_sub(room.width());
    if end > usize::from(column) {
        paint::at_end(buffer, area, 0, &room, style);
    }
    for part in parts(counts) {
        let part = format!(" {part} ");
        if usize::from(column) + part.width() + 1 > end {
            continue;
        }
        column = paint::text(buffer, area, (column, 0), &part, style);
    }
}

/// Whether it follows, and what one misses where it does not.
fn state(counts: &Counts) -> String {
    let name = if counts.is_paused {
        "PAUSED"
    } else {
        "SCROLLED"
    };
    match counts.stood {
        None => "FOLLOW".to_owned(),
        Some((new, dropped)) => format!(
            "{name} {} new, {} dropped",
            thousands(new),
            thousands(dropped)
        ),
    }
}

/// What is told, the most important first.
fn parts(counts: &Counts) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(progress) = counts.progress {
        parts.push(format!("filtering {progress}%"));
    }
    if counts.is_seeking {
        parts.push("searching".to_owned());
    }
    if counts.lost > 0 {
        parts.push(format!("{} lost", thousands(counts.lost)));
    }
    if counts.hidden > 0 {
        parts.push(format!("{} hidden", thousands(counts.hidden)));
    }
    if let Some(least) = counts.least {
        let least = logbus_schemas::Level(least).name().to_lowercase();
        parts.push(format!("≥ {least}"));
    }
    match (counts.filters, counts.are_filters_on) {
        ((_, 0), _) => {}
        ((on, all), true) => parts.push(format!("filters {on} of {all}")),
        ((_, 1), false) => parts.push("1 filter off".to_owned()),
        ((_, all), false) => parts.push(format!("{all} filters off")),
    }
    let (solo, muted) = counts.chosen;
    if solo > 0 {
        parts.push(format!("{solo} alone"));
    }
    if muted > 0 {
        parts.push(format!("{muted} muted"));
    }
    parts.push(format!("{} shown", thousands(counts.shown)));
    parts.push(format!("{:.1}/s", counts.rate));
    if counts.late > 0 {
        parts.push(format!("{} late", thousands(counts.late)));
    }
    if counts.dropped > 0 {
        parts.push(format!("{} fell out", thousands(counts.dropped)));
    }
    parts
}

/// `12.3 of 256 MiB`.
fn room((used, all): (usize, usize)) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let (used, all) = (used as f64 / MIB, all as f64 / MIB);
    match all {
        all if all < 1.0 => format!("{:.0} of {:.0} KiB", used * 1024.0, all * 1024.0),
        all => format!("{used:.1} of {all:.0} MiB"),
    }
}

/// Draws what is typed, or told; says where the cursor stands, when something is typed.
pub(super) fn line(buffer: &mut Buffer, model: &Model, scene: &Scene) -> Option<Position> {
    let area = scene.areas.line;
    if area.height == 0 {
        return None;
    }
    if let Some(prompt) = &model.prompt {
        return Some(typed(buffer, area, prompt, model));
    }
    let theme = &model.look.theme;
    let message = match &model.message {
        Some(message) => message,
        None => {
            let hints = hints(&model.keymap, usize::from(area.width));
            paint::text(buffer, area, (1, 0), &hints, paint::style(theme.notice));
            return None;
        }
    };
    let style = match message.is_problem {
        true => theme.loss,
        false => theme.message,
    };
    told(buffer, area, message, paint::style(style));
    None
}

/// As many hints as have room.
fn hints(keymap: &Keymap, width: usize) -> String {
    let mut hints = String::new();
    for (action, does) in &HINTS {
        let Some(key) = keymap.key_of(*action) else {
            continue;
        };
        let hint = format!("{key} {does}  ");
        if hints.width() + hint.trim_end().width() >= width {
            break;
        }
        hints.push_str(&hint);
    }
    hints
}

/// Draws what is told; what is too long for the line takes rows above it.
fn told(buffer: &mut Buffer, area: Rect, message: &Message, style: Style) {
    let mut lines = wrap::lines(&message.text, usize::from(area.width).saturating_sub(2));
    if !message.is_whole {
        lines.truncate(1);
    }
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(area.y + 1);
    let area = Rect {
        y: area.y + 1 - height,
        height,
        ..area
    };
    if height > 1 {
        paint::clear(buffer, area);
    }
    for (row, line) in (0..height).zip(&lines) {
        paint::text(buffer, area, (1, row), line, style);
    }
}

/// What is typed, and what is wrong with it; what has no room on the left is left out.
fn typed(buffer: &mut Buffer, area: Rect, prompt: &Prompt, model: &Model) -> Position {
    let mut end = area.width;
    if let Some(problem) = &prompt.problem {
        let mut line = Styled::default();
        line.foreign(model.look.theme.loss, problem);
        let most = usize::from(area.width) * 2 / 3;
        let line = line.cut(most);
        end = area.width.saturating_sub(line.text().width() as u16);
        paint::line(buffer, area, (end, 0), &line);
        end = end.saturating_sub(1);
    }
    let room = Rect { width: end, ..area };
    let label = prompt.purpose.label();
    let begin = paint::text(buffer, room, (0, 0), label, Style::default());
    let left = usize::from(end.saturating_sub(begin)).saturating_sub(1);
    let before = prompt.before().width();
    let hidden = before.saturating_sub(left);
    let mut text = Styled::default();
    text.foreign(model.look.theme.message, prompt.text());
    paint::line(buffer, room, (begin, 0), &text.without(hidden));
    let column = begin + (before - hidden) as u16;
    Position::new(area.x + column.min(area.width.saturating_sub(1)), area.y)
}
