//! Drawing: the screen from the state and what was taken out for it. Nothing here changes anything
//! else.

mod paint;
mod log;
mod senders;
mod histogram;
mod details;
mod status;
mod overlay;

use ratatui::Frame;

use super::model::{Model, Pane};
use super::scene::Scene;

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, scene: &Scene) {
    log::draw(frame.buffer_mut(), model, scene);
    histogram::draw(frame.buffer_mut(), model, scene);
    senders::draw(frame.buffer_mut(), model, scene);
    details::draw(frame.buffer_mut(), model, scene);
    status::draw(frame.buffer_mut(), scene);
    match model.pane {
        Pane::Help => overlay::help(frame.buffer_mut(), model, scene.areas),
        Pane::Filters => overlay::filters(frame.buffer_mut(), model, scene),
        _ => {}
    }
    if let Some(cursor) = status::line(frame.buffer_mut(), model, scene) {
        frame.set_cursor_position(cursor);
    }
}
