//! Choosing what is visible: the level, the list of filters, the senders.

use logbus_schemas::Level;

use super::choice::Choice;
use super::gathered::Gathered;
use super::model::{Model, Pane};
use super::prompt::Purpose;
use super::senders::senders;
use super::store::Thing;
use crate::view::badge::Source;

impl Model {
    pub(crate) fn least_level(&mut self, number: u8, gathered: &mut Gathered) {
        let least = (number > 0).then(|| Level(i64::from(number) * 10));
        self.change(gathered, |choice| choice.filters.set_least(least));
    }

    /// Chooses anew, and says how.
    pub(crate) fn change(&mut self, gathered: &mut Gathered, how: impl FnOnce(&mut Choice)) {
        let mut choice = gathered.store.choice().clone();
        how(&mut choice);
        gathered.store.choose(choice);
    }

    pub(crate) fn all_filters(&mut self, gathered: &mut Gathered) {
        let is_on = !gathered.store.choice().filters.is_on();
        self.change(gathered, |choice| choice.filters.switch(is_on));
        self.tell(if is_on {
            "filters are on"
        } else {
            "filters are off"
        });
    }

    pub(crate) fn toggle_filter(&mut self, gathered: &mut Gathered) {
        let at = self.filter;
        self.change(gathered, |choice| {
            choice.filters.change(|list| {
                if let Some(filter) = list.get_mut(at) {
                    filter.is_on = !filter.is_on;
                }
            });
        });
    }

    pub(crate) fn edit_filter(&mut self, gathered: &Gathered) {
        let list = gathered.store.choice().filters.list();
        if let Some(filter) = list.get(self.filter) {
            let text = filter.text().to_owned();
            self.open(Purpose::Edit(self.filter), &text, gathered);
        }
    }

    pub(crate) fn delete_filter(&mut self, gathered: &mut Gathered) {
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

    pub(crate) fn choose_sender(&mut self, is_solo: bool, gathered: &mut Gathered) {
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
}
