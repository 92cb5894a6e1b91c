//! What is typed, and what it does while it is: filters are previewed, searches highlighted. Esc
//! leaves everything as it was.

use crossterm::event::KeyEvent;

use super::command::{self, Command};
use super::gathered::Gathered;
use super::model::{Effect, Model, Pane, Search};
use super::prompt::{Edited, Prompt, Purpose};
use super::seek::{Aim, Seek};
use crate::query::{Query, QueryError, smart_case};
use crate::view::filters::{Filter, Kind};

impl Model {
    /// Begins to type.
    pub(crate) fn open(&mut self, purpose: Purpose, text: &str, gathered: &Gathered) {
        self.before = Some((gathered.store.choice().clone(), self.place.clone(), false));
        self.searched_before = self.search.clone();
        self.prompt = Some(Prompt::new(purpose, text));
    }

    /// Takes a key that is typed.
    pub(crate) fn typed_key(&mut self, key: &KeyEvent, gathered: &mut Gathered) -> Option<Effect> {
        let prompt = self.prompt.as_mut()?;
        match prompt.key(key) {
            Edited::Changed => self.preview(gathered),
            Edited::Same => {}
            Edited::Complete => {
                if prompt.purpose == Purpose::Command {
                    let text = command::complete(prompt.text());
                    prompt.set(&text);
                    self.preview(gathered);
                }
            }
            Edited::Done => return self.done(gathered),
            Edited::Left => self.leave(gathered),
        }
        None
    }

    /// Takes what was pasted.
    pub(crate) fn paste(&mut self, text: &str, gathered: &mut Gathered) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            self.preview(gathered);
        }
    }

    /// Shows what would be if this were all.
    fn preview(&mut self, gathered: &mut Gathered) {
        let Some(prompt) = &self.prompt else {
            return;
        };
        let (purpose, text) = (prompt.purpose, prompt.text().to_owned());
        let previewed = match purpose {
            Purpose::Search => self.preview_search(&text),
            Purpose::Include => self.preview_filter(Kind::Include, &text, None, gathered),
            Purpose::Exclude => self.preview_filter(Kind::Exclude, &text, None, gathered),
            Purpose::Edit(at) => {
                let kind = gathered.store.choice().filters.list().get(at);
                let kind = kind.map_or(Kind::Include, Filter::kind);
                self.preview_filter(kind, &text, Some(at), gathered)
            }
            Purpose::Command => match command::parse(&text) {
                Ok(Command::Filter(kind, text)) => self.preview_filter(kind, &text, None, gathered),
                _ => {
                    self.restore(gathered);
                    Ok(())
                }
            },
            Purpose::Save => Ok(()),
        };
        if let Some(prompt) = &mut self.prompt {
            prompt.problem = previewed.err().map(|error| error.to_string());
        }
    }

    fn preview_search(&mut self, text: &str) -> Result<(), QueryError> {
        if !text.is_empty() {
            self.search = Some(Search {
                text: text.to_owned(),
                query: Query::matching_text(text)?,
                regex: smart_case(text)?,
            });
        }
        Ok(())
    }

    fn preview_filter(
        &mut self,
        kind: Kind,
        text: &str,
        at: Option<usize>,
        gathered: &mut Gathered,
    ) -> Result<(), QueryError> {
        if text.trim().is_empty() {
            self.restore(gathered);
            return Ok(());
        }
        let filter = Filter::new(kind, text)?;
        let Some((before, _, is_previewed)) = &mut self.before else {
            return Ok(());
        };
        *is_previewed = true;
        let mut choice = before.clone();
        choice.filters.switch(true);
        choice.filters.change(|list| match at {
            Some(at) if at < list.len() => list[at] = filter,
            _ => list.push(filter),
        });
        gathered.store.choose(choice);
        Ok(())
    }

    /// Chooses again what was chosen before.
    fn restore(&mut self, gathered: &mut Gathered) {
        if let Some((before, _, is_previewed)) = &mut self.before
            && std::mem::take(is_previewed)
        {
            gathered.store.choose(before.clone());
        }
    }

    fn leave(&mut self, gathered: &mut Gathered) {
        self.restore(gathered);
        if let Some((_, place, _)) = self.before.take() {
            self.place = place;
        }
        self.prompt = None;
        self.search = self.searched_before.take();
    }

    fn done(&mut self, gathered: &mut Gathered) -> Option<Effect> {
        let prompt = self.prompt.as_ref()?;
        if prompt.problem.is_some() {
            return None;
        }
        let (purpose, text) = (prompt.purpose, prompt.text().to_owned());
        if text.trim().is_empty() {
            self.leave(gathered);
            return None;
        }
        match purpose {
            Purpose::Search => self.searched(gathered),
            Purpose::Include | Purpose::Exclude | Purpose::Edit(_) => {}
            Purpose::Save => {
                self.over();
                return Some(Effect::Save(text, false));
            }
            Purpose::Command => match command::parse(&text) {
                Ok(command) => {
                    self.over();
                    return self.run(command, gathered);
                }
                Err(problem) => {
                    if let Some(prompt) = &mut self.prompt {
                        prompt.problem = Some(problem);
                    }
                    return None;
                }
            },
        }
        self.over();
        None
    }

    /// Ends typing.
    fn over(&mut self) {
        (self.prompt, self.before, self.searched_before) = (None, None, None);
    }

    /// Goes to the nearest that fits: the latest one where the view follows, else the next one.
    fn searched(&mut self, gathered: &Gathered) {
        let (Some(search), Some(from)) = (&self.search, self.cursor(gathered)) else {
            return;
        };
        let seek = Seek::new(Aim::Fits(search.query.clone()), from, self.place.follows());
        self.seek = Some((seek.inclusive(), format!("/{}", search.text)));
        self.pane = Pane::Log;
    }
}
