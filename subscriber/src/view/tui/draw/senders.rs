//! The list of senders, with as many columns as have room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::paint;
use crate::view::style::Theme;
use crate::view::top::{clock, last_heard, thousands};
use crate::view::tui::model::{Model, Pane};
use crate::view::tui::scene::Scene;
use crate::view::tui::senders::SenderRow;

/// The columns, the most important first, and their widths.
const COLUMNS: [(&str, usize); 5] = [
    ("rate/s", 7),
    ("lost", 5),
    ("err", 5),
    ("last", 6),
    ("clock", 8),
];
/// Columns that a name has at least.
const NAME: usize = 9;

pub(super) fn draw(buffer: &mut Buffer, model: &Model, scene: &Scene) {
    let whole = scene.areas.senders;
    if whole.width == 0 {
        return;
    }
    for y in whole.top()..whole.bottom() {
        buffer.set_string(whole.x, y, "│", paint::style(model.look.theme.notice));
    }
    let area = Rect {
        x: whole.x + 1,
        width: whole.width - 1,
        ..whole
    };
    let columns = columns(usize::from(area.width));
    heading(buffer, area, columns, model, scene.senders.len());
    let height = usize::from(area.height).saturating_sub(1);
    let selected = model.sender.min(scene.senders.len().saturating_sub(1));
    let first = (selected + 1).saturating_sub(height.max(1));
    let shown = scene.senders.iter().enumerate().skip(first).take(height);
    for (row, (at, sender)) in (1..).zip(shown) {
        sender_row(
            buffer,
            area,
            row,
            sender,
            columns,
            &model.look.theme,
            scene.now,
        );
        if model.pane == Pane::Senders && at == selected {
            paint::row_style(buffer, area, row, paint::reversed());
        }
    }
}

/// How many columns have room.
fn columns(width: usize) -> usize {
    let mut left = width.saturating_sub(2 + NAME);
    let fitting = COLUMNS.iter().take_while(|(_, width)| {
        let fits = *width <= left;
        left = left.saturating_sub(*width);
        fits
    });
    fitting.count()
}

fn heading(buffer: &mut Buffer, area: Rect, columns: usize, model: &Model, count: usize) {
    let style = paint::style(model.look.theme.notice);
    paint::text(buffer, area, (2, 0), &format!("{count} senders"), style);
    let texts = COLUMNS.map(|(heading, _)| (heading.to_owned(), style));
    cells(buffer, area, 0, &texts[..columns]);
}

fn sender_row(
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    sender: &SenderRow,
    columns: usize,
    theme: &Theme,
    now: u64,
) {
    let sign = match (sender.is_solo, sender.is_muted) {
        (true, _) => "●",
        (_, true) => "×",
        _ => " ",
    };
    paint::text(buffer, area, (0, row), sign, Style::default());
    let usual = paint::style(theme.message);
    let color = sender.color.map(paint::color_of);
    let name = color.map_or(usual, |color| usual.fg(color));
    paint::text(buffer, area, (2, row), &sender.name, name);
    let account = &sender.account;
    let faint = paint::style(theme.time);
    let alarm = |count: u64, style| {
        if count > 0 {
            paint::style(style)
        } else {
            faint
        }
    };
    let texts = [
        (format!("{:.1}", account.rate(now)), usual),
        (thousands(account.lost), alarm(account.lost, theme.loss)),
        (
            thousands(account.errors),
            alarm(account.errors, theme.level(40)),
        ),
        (last_heard(account, now), faint),
        (account.offset.map_or("-".to_owned(), clock), faint),
    ];
    cells(buffer, area, row, &texts[..columns]);
}

/// Writes cells at the end of a row, each at the end of its column.
fn cells(buffer: &mut Buffer, area: Rect, row: u16, texts: &[(String, Style)]) {
    let widths = COLUMNS.iter().map(|(_, width)| *width);
    let all: usize = widths.clone().take(texts.len()).sum();
    let mut column = usize::from(area.width).saturating_sub(all);
    // A long name gives way.
    let blank = " ".repeat(all);
    paint::text(buffer, area, (column as u16, row), &blank, Style::default());
    for ((text, style), width) in texts.iter().zip(widths) {
        let begin = column + width.saturating_sub(text.width());
        paint::text(buffer, area, (begin as u16, row), text, *style);
        column += width;
    }
}
