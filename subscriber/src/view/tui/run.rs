//! What commands do.

use super::choice::Choice;
use super::cmdline;
use super::command::{Command, GoTo};
use super::gathered::Gathered;
use super::model::{Effect, Model, Pane};
use super::seek::{Aim, Seek};
use crate::view::line::Look;

/// Parts of a line that can be hidden without being extras.
const ALL: &str = "*";

impl Model {
    /// Does what a command says; says what else is to be done.
    pub(crate) fn run(&mut self, command: Command, gathered: &mut Gathered) -> Option<Effect> {
        match command {
            Command::Level(least) => {
                self.change(gathered, |choice| choice.filters.set_least(least));
            }
            // The preview has made it.
            Command::Filter(..) => {}
            Command::GoTo(to) => self.go_to_time(to, gathered),
            Command::Save(path, is_over) => return Some(Effect::Save(path, is_over)),
            Command::Cmdline => {
                let line = self.cmdline(gathered);
                self.tell(line);
            }
            Command::Time(format, base) => self.set_time(format, base),
            Command::Hide(names) => hide(&mut self.look, &names),
            Command::Show(names) => show(&mut self.look, &names),
            Command::Reset => {
                gathered.store.choose(Choice::default());
                self.tell("no filter any more, and every sender");
            }
            Command::Help => (self.pane, self.help) = (Pane::Help, 0),
            Command::Quit => return Some(Effect::Quit),
        }
        None
    }

    /// The command that shows the same as lines.
    pub(crate) fn cmdline(&self, gathered: &Gathered) -> String {
        let (choice, badges) = (gathered.store.choice(), &gathered.badges);
        cmdline::line(&self.typed, choice, badges, &self.look, &self.format)
    }

    fn go_to_time(&mut self, to: GoTo, gathered: &Gathered) {
        let cursor = self.cursor(gathered);
        let Some(here) = cursor.and_then(|cursor| gathered.store.entry(cursor)) else {
            return self.complain("there is no record yet");
        };
        let Some(time) = to.from(here.time, &self.zone) else {
            return self.complain("there is no such time");
        };
        let first = gathered.store.first();
        let seek = Seek::new(Aim::Since(time), first, false).inclusive();
        self.seek = Some((seek, "a record of then or later".to_owned()));
    }
}

fn hide(look: &mut Look, names: &[String]) {
    if names.is_empty() {
        look.hide.push(ALL.to_owned());
    }
    look.show.retain(|shown| !names.contains(shown));
    look.hide.extend(names.iter().cloned());
}

/// Shows again what was hidden, and attributes that are not shown by themselves.
fn show(look: &mut Look, names: &[String]) {
    if names.is_empty() {
        return look.hide.clear();
    }
    for name in names {
        let was_hidden = look.hide.contains(name);
        look.hide.retain(|hidden| hidden != name);
        if !was_hidden && !look.show.contains(name) {
            look.show.push(name.clone());
        }
    }
}
