//! What is on the screen, taken out of what has come while nobody else has it: so drawing holds up
//! nobody. Only rows that are on the screen are laid out.

use ratatui::layout::Rect;

use super::areas::Areas;
use super::command::COMMANDS;
use super::detail;
use super::gathered::Gathered;
use super::histogram::Histogram;
use super::keymap::ACTIONS;
use super::model::{Model, Pane, Since};
use super::place::Visible;
use super::senders::{SenderRow, senders};
use super::store::{Entry, Thing};
use crate::view::badge::{Badges, Source};
use crate::view::line::{Expand, Lines, Standing};
use crate::view::moment::{Moment, TimeFormat};
use crate::view::styled::Styled;
use crate::view::wrap;

/// Records that are remembered to be expanded.
const MAX_EXPANDED: usize = 10_000;

/// What is on the screen.
pub(crate) struct Scene {
    /// Where it is.
    pub(crate) areas: Areas,
    /// Records and notices.
    pub(crate) rows: Vec<Row>,
    /// Who sends.
    pub(crate) senders: Vec<SenderRow>,
    /// Records by level over time, and the times of the first and the last row.
    pub(crate) histogram: Option<(Histogram, Option<(i64, i64)>)>,
    /// The fields of the record that the cursor is on.
    pub(crate) details: Vec<DetailLine>,
    /// The list of filters, and whether it counts.
    pub(crate) filters: (Vec<(String, bool)>, bool),
    /// What is counted.
    pub(crate) counts: Counts,
    /// The time, in ns since 1970.
    pub(crate) now: u64,
}

/// A record or notice, laid out.
pub(crate) struct Row {
    /// Its lines.
    pub(crate) lines: Vec<Styled>,
    /// Its letter.
    pub(crate) mark: Option<char>,
    /// Whether the cursor is on it.
    pub(crate) is_cursor: bool,
}

/// A line of the fields of a record.
pub(crate) struct DetailLine {
    /// What the field is called, on its first line.
    pub(crate) key: String,
    /// What it says.
    pub(crate) text: String,
}

/// What the status line tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Records that are visible.
    pub(crate) shown: u64,
    /// Records that are filtered out.
    pub(crate) hidden: u64,
    /// Records that have fallen out of the buffer.
    pub(crate) dropped: u64,
    /// Records that were lost on the way.
    pub(crate) lost: u64,
    /// Records that came too late for their place.
    pub(crate) late: u64,
    /// Records a second.
    pub(crate) rate: f64,
    /// Bytes of the buffer that are taken, and all.
    pub(crate) room: (usize, usize),
    /// While the view stands still: how many have come since, and how many have fallen out.
    pub(crate) stood: Option<(u64, u64)>,
    /// Whether it is paused.
    pub(crate) is_paused: bool,
    /// Filters that are on, and all.
    pub(crate) filters: (usize, usize),
    /// Whether they count.
    pub(crate) are_filters_on: bool,
    /// The least level that is shown.
    pub(crate) least: Option<i64>,
    /// Senders that are alone, and muted.
    pub(crate) chosen: (usize, usize),
    /// Percent of the buffer that were asked, while the filters are new.
    pub(crate) progress: Option<usize>,
    /// Whether something is looked for.
    pub(crate) is_seeking: bool,
}

impl Scene {
    /// Takes out what is on a screen of this size now, in ns since 1970.
    pub(crate) fn take(model: &mut Model, gathered: &mut Gathered, screen: Rect, now: u64) -> Self {
        let areas = Areas::new(screen, model);
        model.shown = (areas.senders.width > 0, areas.histogram.height > 0);
        if model.expanded.len() > MAX_EXPANDED {
            let first = gathered.store.first();
            model.expanded.retain(|number| *number >= first);
        }
        let lines = ACTIONS.len() + 1 + COMMANDS.len();
        model.help = model.help.min(areas.help(lines).1);
        note_standstill(model, gathered);
        let (rows, span) = rows(model, gathered, areas.log);
        let width = usize::from(areas.histogram.width).saturating_sub(8);
        Self {
            areas,
            rows,
            senders: match areas.senders.width {
                0 => Vec::new(),
                _ => senders(gathered),
            },
            histogram: match areas.histogram.height {
                0 => None,
                _ => Histogram::new(gathered.store.index().seconds(), width)
                    .map(|histogram| (histogram, span)),
            },
            details: details(model, gathered, areas.details),
            filters: filters(model, gathered),
            counts: counts(model, gathered, now),
            now,
        }
    }
}

/// Remembers how much had come when the view began to stand still.
fn note_standstill(model: &mut Model, gathered: &Gathered) {
    let is_following = model.place.follows() && model.pause.is_none();
    let store = &gathered.store;
    model.stood = match model.stood {
        _ if is_following => None,
        Some(since) => Some(since),
        None => Some(model.pause.unwrap_or(Since {
            next: store.next(),
            dropped: store.dropped(),
        })),
    };
}

/// The rows on the screen, and the times of the first and the last one.
fn rows(model: &mut Model, gathered: &mut Gathered, area: Rect) -> (Vec<Row>, Option<(i64, i64)>) {
    let height = usize::from(area.height).max(1);
    model.rows = (area.y, height);
    model.laid.clear();
    let mut layout = Layout::new(model);
    let Gathered { store, badges, .. } = gathered;
    let visible = Visible::new(store, model.until());
    let mut place = model.place.clone();
    let cursor = place.cursor(&visible);
    let top = place.settle(&visible, height, &mut |number| {
        layout.height(number, store.entry(number), badges)
    });
    model.place = place;
    let (mut rows, mut span) = (Vec::new(), None);
    let Some(top) = top else {
        return (rows, span);
    };
    layout.begin(top, &visible, badges);
    for at in top..visible.count() {
        let number = visible.number(at);
        let (Some(entry), true) = (store.entry(number), model.laid.len() < height) else {
            break;
        };
        let lines = layout.lines(number, entry, badges);
        model.laid.extend(std::iter::repeat_n(number, lines.len()));
        span = Some((span.map_or(entry.time, |(first, _)| first), entry.time));
        rows.push(Row {
            lines,
            mark: mark(model, number),
            is_cursor: cursor == Some(at),
        });
    }
    (rows, span)
}

fn mark(model: &Model, number: u64) -> Option<char> {
    let mut marks = model.marks.iter();
    let (letter, _) = marks.find(|(_, marked)| **marked == number)?;
    Some(*letter)
}

/// Lays entries out.
struct Layout {
    lines: Lines,
    /// How those look of which all lines are shown.
    whole: Expand,
    expanded: std::collections::HashSet<u64>,
    expands_all: bool,
}

impl Layout {
    fn new(model: &Model) -> Self {
        Self {
            lines: model.lines(),
            whole: match model.look.expand {
                Expand::Always => Expand::Always,
                _ => Expand::Auto,
            },
            expanded: model.expanded.clone(),
            expands_all: model.expands_all,
        }
    }

    fn is_whole(&self, number: u64) -> bool {
        self.expands_all || self.expanded.contains(&number)
    }

    /// How many lines an entry takes.
    fn height(&mut self, number: u64, entry: Option<&Entry>, badges: &mut Badges) -> usize {
        match entry {
            Some(entry) if self.is_whole(number) => self.lines(number, entry, badges).len(),
            _ => 1,
        }
    }

    /// Times between are counted from the row above the first one.
    fn begin(&mut self, top: usize, visible: &Visible<'_>, badges: &mut Badges) {
        let above = top.checked_sub(1).map(|at| visible.number(at));
        let first = visible.number(top);
        let number = above.unwrap_or(first);
        if let Some(entry) = visible.store().entry(number) {
            self.lines(number, entry, badges);
        }
    }

    fn lines(&mut self, number: u64, entry: &Entry, badges: &mut Badges) -> Vec<Styled> {
        let delivered = match &entry.thing {
            Thing::Notice(told, _) => return vec![told.clone()],
            Thing::Record(delivered) => delivered,
        };
        let is_whole = self.is_whole(number);
        self.lines.expand(match is_whole {
            true => self.whole,
            false => Expand::Never,
        });
        if badges.get(Source::of(delivered)).is_none() {
            badges.of(delivered);
        }
        let widest = badges.widest();
        let standing = Standing {
            is_late: entry.is_late,
            is_context: false,
        };
        let mut out = Styled::default();
        let badge = badges.of(delivered);
        self.lines
            .record(delivered, badge, widest, standing, &mut out);
        out.lines()
    }
}

fn details(model: &mut Model, gathered: &Gathered, area: Rect) -> Vec<DetailLine> {
    model.detail_fields.clear();
    let entry = model
        .cursor(gathered)
        .and_then(|cursor| gathered.store.entry(cursor));
    let Some(entry) = entry.filter(|_| area.height > 0) else {
        return Vec::new();
    };
    let Thing::Record(delivered) = &entry.thing else {
        return Vec::new();
    };
    let mut moment = Moment::new(TimeFormat::Iso, model.zone.clone());
    let fields = detail::fields(delivered, &mut moment);
    let mut laid = Vec::new();
    let width = usize::from(area.width).saturating_sub(wrap::KEY + 3);
    for (at, field) in fields.iter().enumerate() {
        for (line, text) in wrap::lines(&field.value, width).into_iter().enumerate() {
            let key = if line == 0 {
                field.key.clone()
            } else {
                String::new()
            };
            laid.push(DetailLine { key, text });
            model.detail_fields.push(at);
        }
    }
    settle_detail(
        model,
        laid.len(),
        usize::from(area.height).saturating_sub(1),
    );
    laid
}

/// Keeps the line of the cursor on the screen.
fn settle_detail(model: &mut Model, lines: usize, height: usize) {
    let (line, top) = &mut model.detail;
    *line = (*line).min(lines.saturating_sub(1));
    *top = (*top).min(*line).min(lines.saturating_sub(height));
    *top = (*top).max((*line + 1).saturating_sub(height));
}

fn filters(model: &mut Model, gathered: &Gathered) -> (Vec<(String, bool)>, bool) {
    let filters = &gathered.store.choice().filters;
    if model.pane != Pane::Filters {
        return (Vec::new(), filters.is_on());
    }
    let list = filters.list();
    model.filter = model.filter.min(list.len().saturating_sub(1));
    let shown = list.iter().map(|filter| (filter.to_string(), filter.is_on));
    (shown.collect(), filters.is_on())
}

fn counts(model: &Model, gathered: &Gathered, now: u64) -> Counts {
    let (store, choice) = (&gathered.store, gathered.store.choice());
    let list = choice.filters.list();
    let index = store.index();
    Counts {
        shown: index.records(),
        hidden: index.hidden(),
        dropped: store.dropped(),
        lost: gathered.census.all().lost,
        late: gathered.late,
        rate: gathered.census.all().rate(now),
        room: store.room(),
        stood: model.stood.map(|since| {
            let new = index.shown().len() - store.position(since.next);
            (new as u64, store.dropped() - since.dropped)
        }),
        is_paused: model.pause.is_some(),
        filters: (
            list.iter().filter(|filter| filter.is_on).count(),
            list.len(),
        ),
        are_filters_on: choice.filters.is_on(),
        least: choice.filters.least().map(|least| least.0),
        chosen: (choice.solo().len(), choice.muted().len()),
        progress: (!store.is_complete()).then(|| store.progress()),
        is_seeking: model.seek.is_some(),
    }
}
