//! The fields of a record.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use crate::view::style::Style;
use crate::view::styled::Styled;
use crate::view::tui::model::{Model, Pane};
use crate::view::tui::scene::Scene;
use crate::view::wrap;

pub(super) fn draw(buffer: &mut Buffer, model: &Model, scene: &Scene) {
    let (area, theme) = (scene.areas.details, &model.look.theme);
    if area.height == 0 {
        return;
    }
    let said = match scene.details.len() {
        0 => "no record".to_owned(),
        lines => format!("record, line {} of {lines}", model.detail.0 + 1),
    };
    paint::heading(buffer, area, &said, paint::style(theme.notice));
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let shown = scene.details.iter().enumerate().skip(model.detail.1);
    for (row, (at, line)) in (0..body.height).zip(shown) {
        let mut key = Styled::default();
        key.foreign(theme.extra, &line.key);
        let key = key.cut(wrap::KEY);
        paint::line(buffer, body, (1, row), &key);
        let value = (wrap::KEY as u16 + 2, row);
        paint::text(buffer, body, value, &line.text, paint::style(Style::PLAIN));
        if model.pane == Pane::Details && at == model.detail.0 {
            paint::row_style(buffer, body, row, paint::reversed());
        }
    }
}
