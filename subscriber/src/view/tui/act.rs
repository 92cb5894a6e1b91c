//! What actions do.

use logbus_schemas::Level;

use super::choice::Choice;
use super::detail::{self, Field};
use super::gathered::Gathered;
use super::keymap::Action;
use super::model::{Asks, Effect, Model, Pane, Since};
use super::prompt::Purpose;
use super::save;
use super::seek::{Aim, Seek};
use super::senders::senders;
use super::store::Thing;
use crate::view::badge::Source;
use crate::view::filters::{Filter, Kind};
use crate::view::line::{Expand, Standing};
use crate::view::moment::{Moment, TimeFormat};
use crate::view::styled::Styled;

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
            at.saturating_add_signed(rows).min(last)
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

    fn search_on(&mut self, is_back: bool, gathered: &Gathered) {
        let Some(search) = &self.search else {
            return self.complain("nothing was searched for yet; / does");
        };
        let (aim, what) = (Aim::Fits(search.query.clone()), format!("/{}", search.text));
        self.seek_on(aim, what, is_back, gathered);
    }

    fn look_for(&mut self, level: Level, is_back: bool, gathered: &Gathered) {
        let what = match level {
            Level::ERROR => "an error",
            _ => "a warning or worse",
        };
        self.seek_on(Aim::Level(level.0), what.to_owned(), is_back, gathered);
    }

    fn seek_on(&mut self, aim: Aim, what: String, is_back: bool, gathered: &Gathered) {
        if let Some(from) = self.cursor(gathered) {
            self.seek = Some((Seek::new(aim, from, is_back), what));
        }
    }

    fn ask(&mut self, asks: Asks, question: &str) {
        self.asks = Some(asks);
        self.tell(question);
    }

    /// Takes the letter that was asked for.
    pub(crate) fn letter(&mut self, asks: Asks, letter: char, gathered: &Gathered) {
        let here = self.cursor(gathered);
        match (asks, here) {
            (Asks::Mark, Some(here)) if self.marks.get(&letter) == Some(&here) => {
                self.marks.remove(&letter);
                self.tell(format!("{letter} is no mark any more"));
            }
            (Asks::Mark, Some(here)) => {
                self.marks.retain(|_, marked| *marked != here);
                self.marks.insert(letter, here);
                self.tell(format!("marked with {letter}"));
            }
            (Asks::Mark, None) => self.complain("there is no record to be marked"),
            (Asks::ToMark, _) => self.to_mark(letter, gathered),
        }
    }

    fn to_mark(&mut self, letter: char, gathered: &Gathered) {
        let there = match letter {
            '\'' => self.back,
            letter => self.marks.get(&letter).copied(),
        };
        match there {
            None => self.complain(format!("there is no mark {letter}")),
            Some(number) if number < gathered.store.first() => {
                self.complain(format!("mark {letter} has fallen out of the buffer"));
            }
            Some(number) => {
                self.jump(number, gathered);
                let visible = self.visible(gathered);
                if self.place.number(&visible) != Some(number) {
                    self.tell(format!("the record of mark {letter} is filtered out"));
                }
            }
        }
    }

    fn least_level(&mut self, number: u8, gathered: &mut Gathered) {
        let least = (number > 0).then(|| Level(i64::from(number) * 10));
        self.change(gathered, |choice| choice.filters.set_least(least));
    }

    /// Chooses anew, and says how.
    pub(crate) fn change(&mut self, gathered: &mut Gathered, how: impl FnOnce(&mut Choice)) {
        let mut choice = gathered.store.choice().clone();
        how(&mut choice);
        gathered.store.choose(choice);
    }

    fn all_filters(&mut self, gathered: &mut Gathered) {
        let is_on = !gathered.store.choice().filters.is_on();
        self.change(gathered, |choice| choice.filters.switch(is_on));
        self.tell(if is_on {
            "filters are on"
        } else {
            "filters are off"
        });
    }

    fn toggle_filter(&mut self, gathered: &mut Gathered) {
        let at = self.filter;
        self.change(gathered, |choice| {
            choice.filters.change(|list| {
                if let Some(filter) = list.get_mut(at) {
                    filter.is_on = !filter.is_on;
                }
            });
        });
    }

    fn edit_filter(&mut self, gathered: &Gathered) {
        let list = gathered.store.choice().filters.list();
        if let Some(filter) = list.get(self.filter) {
            let text = filter.text().to_owned();
            self.open(Purpose::Edit(self.filter), &text, gathered);
        }
    }

    fn delete_filter(&mut self, gathered: &mut Gathered) {
        let at = self.filter;
        self.change(gathered, |choice| {
            choice.filters.change(|list| {
                if at < list.len() {
                    list.remove(at);
                }
            });
        });
        let left = gathered.store.choice().filters.list().len();
        self.filter = at.min(left.saturating_sub(1));
    }

    fn choose_sender(&mut self, is_solo: bool, gathered: &mut Gathered) {
        let Some(source) = self.chosen_sender(gathered) else {
            return self.complain("there is no sender here");
        };
        let name = gathered
            .badges
            .get(source)
            .map_or_else(|| "it".to_owned(), |badge| badge.name.to_string());
        let mut is_so = false;
        self.change(gathered, |choice| {
            is_so = match is_solo {
                true => choice.toggle_solo(source),
                false => choice.toggle_muted(source),
            };
        });
        self.tell(match (is_solo, is_so) {
            (true, true) => format!("{name} alone"),
            (true, false) => format!("{name} no longer alone"),
            (false, true) => format!("{name} is muted"),
            (false, false) => format!("{name} is heard again"),
        });
    }

    fn chosen_sender(&self, gathered: &Gathered) -> Option<Source> {
        if self.pane == Pane::Senders {
            let rows = senders(gathered);
            let at = self.sender.min(rows.len().checked_sub(1)?);
            return Some(rows[at].source);
        }
        let entry = gathered.store.entry(self.cursor(gathered)?)?;
        match &entry.thing {
            Thing::Record(delivered) => Some(Source::of(delivered)),
            Thing::Notice(..) => None,
        }
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

    /// The field that the cursor is on.
    fn field(&self, gathered: &Gathered) -> Option<Field> {
        let entry = gathered.store.entry(self.cursor(gathered)?)?;
        let Thing::Record(delivered) = &entry.thing else {
            return None;
        };
        let mut moment = Moment::new(TimeFormat::Iso, self.zone.clone());
        let at = *self.detail_fields.get(self.detail.0)?;
        detail::fields(delivered, &mut moment).into_iter().nth(at)
    }

    fn filter_by_field(&mut self, is_wanted: bool, gathered: &mut Gathered) {
        if self.pane != Pane::Details {
            return self.complain("Enter shows the fields; + and - make filters of them");
        }
        let text = self
            .field(gathered)
            .and_then(|field| field.filter(is_wanted));
        let filter = text.map(|text| Filter::new(Kind::Field, &text));
        match filter {
            None => self.complain("of this no filter can be made"),
            Some(Err(error)) => self.complain(error.to_string()),
            Some(Ok(filter)) => {
                self.tell(format!("filter: {filter}"));
                self.change(gathered, |choice| {
                    choice.filters.change(|list| list.push(filter));
                });
            }
        }
    }

    fn copy(&mut self, gathered: &mut Gathered) -> Option<Effect> {
        if self.pane == Pane::Details {
            return Some(Effect::Copy(self.field(gathered)?.value));
        }
        let number = self.cursor(gathered)?;
        let Gathered { store, badges, .. } = gathered;
        let entry = store.entry(number)?;
        let mut out = Styled::default();
        match &entry.thing {
            Thing::Notice(told, _) => out.append(told),
            Thing::Record(delivered) => {
                let standing = Standing {
                    is_late: entry.is_late,
                    is_context: false,
                };
                let mut lines = self.lines();
                lines.expand(Expand::Auto);
                let badge = badges.of(delivered).clone();
                lines.record(delivered, &badge, badge.width, standing, &mut out);
            }
        }
        Some(Effect::Copy(out.text().trim_start().to_owned()))
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
            self.shows_details = false;
            self.detail = (0, 0);
        }
        self.pane = Pane::Log;
    }
}
