//! The histogram: bars by level, and below them which part is on the screen.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint;
use crate::view::style::Theme;
use crate::view::top::thousands;
use crate::view::tui::histogram::Histogram;
use crate::view::tui::index::Levels;
use crate::view::tui::model::Model;
use crate::view::tui::scene::Scene;

/// Columns before the bars.
const LABEL: u16 = 8;
/// Parts of a cell.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(super) fn draw(buffer: &mut Buffer, model: &Model, scene: &Scene) {
    let (area, theme) = (scene.areas.histogram, &model.look.theme);
    let Some((histogram, span)) = scene.histogram.as_ref().filter(|_| area.height > 2) else {
        return;
    };
    let faint = paint::style(theme.time);
    let highest = histogram.highest();
    let most = format!("{:>7}", thousands(highest));
    paint::text(buffer, area, (0, 0), &most, faint);
    let step = format!("{:>7}", length(histogram.step));
    paint::text(buffer, area, (0, area.height - 2), &step, faint);
    let bars = Rect {
        x: area.x + LABEL.min(area.width),
        width: area.width.saturating_sub(LABEL),
        height: area.height - 1,
        ..area
    };
    for (column, levels) in (0..bars.width).zip(&histogram.columns) {
        bar(buffer, bars, column, levels, highest, theme);
    }
    axis(buffer, area, model, histogram, *span, faint);
}

/// A bar: as high as there are records, the worse levels on top; where there are errors at least a
/// cell says so.
fn bar(buffer: &mut Buffer, area: Rect, column: u16, levels: &Levels, highest: u64, theme: &Theme) {
    let all: u64 = levels.iter().sum();
    if all == 0 || highest == 0 {
        return;
    }
    let parts = u64::from(area.height) * 8;
    let height = (all * parts / highest).max(1);
    let rows = height.div_ceil(8);
    for row in 0..rows {
        let filled = (height - row * 8).min(8);
        let level = if row + 1 == rows {
            worst(levels)
        } else {
            // Whose record stands in the middle of this cell.
            at(levels, (row * 8 + 4) * all / height)
        };
        let color = theme.levels[level].color.map(paint::color_of);
        let style = color.map_or(Style::default(), |color| Style::default().fg(color));
        let y = area.height - 1 - row as u16;
        paint::text(buffer, area, (column, y), EIGHTHS[filled as usize], style);
    }
}

fn worst(levels: &Levels) -> usize {
    levels.iter().rposition(|count| *count > 0).unwrap_or(0)
}

/// The level of the record of this number, the lesser levels first.
fn at(levels: &Levels, number: u64) -> usize {
    let mut sum = 0;
    let beyond = levels.iter().position(|count| {
        sum += count;
        sum > number
    });
    beyond.unwrap_or_else(|| worst(levels))
}

/// Times, and a thicker line below what is on the screen.
fn axis(
    buffer: &mut Buffer,
    area: Rect,
    model: &Model,
    histogram: &Histogram,
    span: Option<(i64, i64)>,
    style: Style,
) {
    let row = area.height - 1;
    let columns = histogram.columns.len();
    let on_screen = span.map(|(first, last)| histogram.column(first)..=histogram.column(last));
    for column in 0..columns {
        let is_on_screen = on_screen
            .as_ref()
            .is_some_and(|span| span.contains(&column));
        let sign = if is_on_screen { "━" } else { "─" };
        paint::text(buffer, area, (LABEL + column as u16, row), sign, style);
    }
    let begin = clock(histogram.begin, model);
    let end = clock(histogram.begin + columns as i64 * histogram.step, model);
    if columns > begin.len() + end.len() + 4 {
        paint::text(buffer, area, (LABEL, row), &begin, style);
        let column = LABEL as usize + columns - end.len();
        paint::text(buffer, area, (column as u16, row), &end, style);
    }
}

fn clock(second: i64, model: &Model) -> String {
    let moment = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    let moment = moment.to_zoned(model.zone.clone());
    let mut text = String::new();
    crate::format::strftime::strftime("%H:%M:%S", &moment, &mut text);
    text
}

/// `5s`, `10min`, `2h`.
fn length(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}min", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
