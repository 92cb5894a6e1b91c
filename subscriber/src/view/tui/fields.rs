//! What is done with the field, or the record, that the cursor is on.

use super::detail::{self, Field};
use super::gathered::Gathered;
use super::model::{Effect, Model, Pane};
use super::store::Thing;
use crate::view::filters::{Filter, Kind};
use crate::view::line::{Expand, Standing};
use crate::view::moment::{Moment, TimeFormat};
use crate::view::styled::Styled;

impl Model {
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

    pub(crate) fn filter_by_field(&mut self, is_wanted: bool, gathered: &mut Gathered) {
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

    pub(crate) fn copy(&mut self, gathered: &mut Gathered) -> Option<Effect> {
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
}
