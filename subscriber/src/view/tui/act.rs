//! What actions do.

use logbus_schemas::Level;

use super::gathered::Gathered;
use super::keymap::Action;
use super::model::{Asks, Effect, Model, Pane, Since};
use super::prompt::Purpose;
use super::save;
use super::senders::senders;

/// Columns by which the pane moves sideways.
const SIDEWAYS: usize = 16;

impl Model {
    /// Does what an action says; says what else is to be done.
    pub(crate) fn act(
        &mut self,
        action: Action,
        gathered: &mut Gathered,
        now: u64,
    ) -> Option<Effect> {
        let page = self.rows.1.max(2) as isize - 1;
        match action {
            Action::Down => self.move_by(1, gathered),
            Action::Up => self.move_by(-1, gathered),
            Action::PageDown => self.move_by(page, gathered),
            Action::PageUp => self.move_by(-page, gathered),
            Action::HalfDown => self.move_by(page / 2 + 1, gathered),
            Action::HalfUp => self.move_by(-page / 2 - 1, gathered),
            Action::First => self.move_by(isize::MIN, gathered),
            Action::Last => self.last(),
            Action::Left => self.left = self.left.saturating_sub(SIDEWAYS),
            Action::Right => self.left += SIDEWAYS,
            Action::Pause => self.pause(gathered),
            Action::Search => self.open(Purpose::Search, "", gathered),
            Action::Next => self.search_on(false, gathered),
            Action::Previous => self.search_on(true, gathered),
            Action::NextError => self.look_for(Level::ERROR, false, gathered),
            Action::PreviousError => self.look_for(Level::ERROR, true, gathered),
            Action::NextWarning => self.look_for(Level::WARNING, false, gathered),
            Action::PreviousWarning => self.look_for(Level::WARNING, true, gathered),
            Action::Mark => self.ask(Asks::Mark, "mark with which letter?"),
            Action::ToMark => self.ask(Asks::ToMark, "go to which letter? ' goes back"),
            Action::Include => self.open(Purpose::Include, "", gathered),
            Action::Exclude => self.open(Purpose::Exclude, "", gathered),
            Action::Filters => self.toggle_pane(Pane::Filters),
            Action::AllFilters => self.all_filters(gathered),
            Action::FilterToggle => self.toggle_filter(gathered),
            Action::FilterEdit => self.edit_filter(gathered),
            Action::FilterDelete => self.delete_filter(gathered),
            Action::Level(number) => self.least_level(number, gathered),
            Action::Solo => self.choose_sender(true, gathered),
            Action::Mute => self.choose_sender(false, gathered),
            Action::Time => self.next_time(),
            Action::Expand => self.expand(gathered),
            Action::ExpandAll => self.expands_all = !self.expands_all,
            Action::Details => self.details(gathered),
            Action::FieldIs => self.filter_by_field(true, gathered),
            Action::FieldIsNot => self.filter_by_field(false, gathered),
            Action::Copy => return self.copy(gathered),
            Action::Save => self.open(
                Purpose::Save,
                &save::proposed_name(now, &self.zone),
                gathered,
            ),
            Action::Command => self.open(Purpose::Command, "", gathered),
            Action::Senders => self.toggle_senders(),
            Action::Histogram => self.shows_histogram = Some(!self.shown.1),
            Action::NextPane => self.next_pane(),
            Action::Close => self.close(),
            Action::Help => self.toggle_pane(Pane::Help),
            Action::Mouse => return Some(Effect::Mouse),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Quit => return self.quit(),
        }
        None
    }

    fn quit(&mut self) -> Option<Effect> {
        match self.pane {
            Pane::Help | Pane::Filters => {
                self.close();
                None
            }
            _ => Some(Effect::Quit),
        }
    }

    fn move_by(&mut self, rows: isize, gathered: &Gathered) {
        let moved = |at: usize, len: usize| {
            let last = len.saturating_sub(1);
            at.min(last).saturating_add_signed(rows).min(last)
        };
        match self.pane {
            Pane::Log => self.place.move_by(rows, &self.visible(gathered)),
            Pane::Senders => self.sender = moved(self.sender, senders(gathered).len()),
            Pane::Details => self.detail.0 = moved(self.detail.0, self.detail_fields.len()),
            Pane::Filters => {
                let filters = gathered.store.choice().filters.list().len();
                self.filter = moved(self.filter, filters);
            }
            Pane::Help => self.help = self.help.saturating_add_signed(rows),
        }
    }

    /// To the end; of the records, also to follow what comes.
    fn last(&mut self) {
        match self.pane {
            Pane::Log => {
                self.place.follow();
                self.pause = None;
            }
            Pane::Senders => self.sender = usize::MAX,
            Pane::Details => self.detail.0 = self.detail_fields.len().saturating_sub(1),
            Pane::Filters => self.filter = usize::MAX,
            Pane::Help => self.help = usize::MAX,
        }
    }

    fn pause(&mut self, gathered: &Gathered) {
        self.pause = match self.pause {
            Some(_) => None,
            None => Some(Since {
                next: gathered.store.next(),
                dropped: gathered.store.dropped(),
            }),
        };
    }

    fn expand(&mut self, gathered: &Gathered) {
        let Some(number) = self.cursor(gathered) else {
            return;
        };
        if !self.expanded.remove(&number) {
            self.expanded.insert(number);
            self.place.stand(&self.visible(gathered));
        }
    }

    fn details(&mut self, gathered: &Gathered) {
        match self.pane {
            Pane::Log => {
                self.place.stand(&self.visible(gathered));
                (self.shows_details, self.pane) = (true, Pane::Details);
            }
            Pane::Details => self.close(),
            _ => {}
        }
    }

    fn toggle_senders(&mut self) {
        let is_shown = !self.shown.0;
        self.shows_senders = Some(is_shown);
        if !is_shown && self.pane == Pane::Senders {
            self.pane = Pane::Log;
        }
    }

    fn toggle_pane(&mut self, pane: Pane) {
        self.pane = if self.pane == pane { Pane::Log } else { pane };
        self.help = 0;
    }

    fn next_pane(&mut self) {
        self.pane = match self.pane {
            Pane::Log if self.shown.0 => Pane::Senders,
            Pane::Log | Pane::Senders if self.shows_details => Pane::Details,
            _ => Pane::Log,
        };
    }

    fn close(&mut self) {
        if self.pane == Pane::Details || self.pane == Pane::Log {
            if !std::mem::take(&mut self.shows_details) {
                // Where nothing is open that could be closed, highlights go.
                self.search = None;
            }
            self.detail = (0, 0);
        }
        self.pane = Pane::Log;
    }
}
