//! Where each pane stands on the screen, whatever its size.

use ratatui::layout::Rect;

use super::model::Model;

/// Rows of the histogram: its bars, and the times below.
const HISTOGRAM: u16 = 6;
/// Rows that the records need at least beside it.
const TALL: u16 = 28;
/// Columns from which on the senders are shown when nobody has said anything.
const WIDE: u16 = 110;

/// Columns from which on the help has two columns.
const WIDE_HELP: u16 = 110;

/// Where each pane stands; what is not shown has no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Areas {
    /// Records by level over time.
    pub(crate) histogram: Rect,
    /// The records.
    pub(crate) log: Rect,
    /// Who sends them.
    pub(crate) senders: Rect,
    /// The fields of one.
    pub(crate) details: Rect,
    /// The status.
    pub(crate) status: Rect,
    /// What is typed, or told.
    pub(crate) line: Rect,
}

impl Areas {
    /// Divides a screen.
    pub(crate) fn new(screen: Rect, model: &Model) -> Self {
        let (rest, line) = off_bottom(screen, 1);
        let (rest, status) = off_bottom(rest, 1);
        let has_histogram = match model.shows_histogram {
            Some(is_shown) => is_shown && rest.height > HISTOGRAM + 3,
            None => rest.height >= TALL,
        };
        let (histogram, rest) = off_top(rest, if has_histogram { HISTOGRAM } else { 0 });
        let has_details = model.shows_details && rest.height >= 6;
        let height = if has_details {
            (rest.height / 2).min(24)
        } else {
            0
        };
        let (rest, details) = off_bottom(rest, height);
        let has_senders = match model.shows_senders {
            Some(is_shown) => is_shown && rest.width >= 50,
            None => rest.width >= WIDE,
        };
        let width = if has_senders {
            (rest.width / 5 * 2).clamp(24, 48)
        } else {
            0
        };
        let log = Rect {
            width: rest.width - width,
            ..rest
        };
        let senders = Rect {
            x: rest.x + log.width,
            width,
            ..rest
        };
        Self {
            histogram,
            log,
            senders,
            details,
            status,
            line,
        }
    }
}

impl Areas {
    /// Everything above the status.
    pub(crate) fn above_status(&self) -> Rect {
        Rect {
            x: self.status.x,
            y: self.histogram.y,
            width: self.status.width,
            height: self.status.y.saturating_sub(self.histogram.y),
        }
    }

    /// Columns of the help, and the first of so many lines that can stand at its top.
    pub(crate) fn help(&self, lines: usize) -> (usize, usize) {
        let above = self.above_status();
        let columns = if above.width >= WIDE_HELP { 2 } else { 1 };
        let height = usize::from(above.height).saturating_sub(1);
        (columns, lines.div_ceil(columns).saturating_sub(height))
    }
}

fn off_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = Rect {
        height: area.height - height,
        ..area
    };
    let bottom = Rect {
        y: area.y + rest.height,
        height,
        ..area
    };
    (rest, bottom)
}

fn off_top(area: Rect, height: u16) -> (Rect, Rect) {
    let (top, rest) = off_bottom(area, area.height - height.min(area.height));
    (top, rest)
}
