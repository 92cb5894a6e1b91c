//! Going from record to record: to what was searched for, to errors, to marks.

use logbus_schemas::Level;

use super::gathered::Gathered;
use super::model::{Asks, Model};
use super::seek::{Aim, Seek};

impl Model {
    pub(crate) fn search_on(&mut self, is_back: bool, gathered: &Gathered) {
        let Some(search) = &self.search else {
            return self.complain("nothing was searched for yet; / does");
        };
        let (aim, what) = (Aim::Fits(search.query.clone()), format!("/{}", search.text));
        self.seek_on(aim, what, is_back, gathered);
    }

    pub(crate) fn look_for(&mut self, level: Level, is_back: bool, gathered: &Gathered) {
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

    pub(crate) fn ask(&mut self, asks: Asks, question: &str) {
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
            (Asks::ToMark, _) => self.go_to_mark(letter, gathered),
        }
    }

    fn go_to_mark(&mut self, letter: char, gathered: &Gathered) {
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
}
