//! The state of the interactive view beside what has come: where one looks, what is open, what is
//! typed. Keys change it; nothing here knows a terminal or a clock.

use std::collections::{BTreeMap, HashSet};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};
use jiff::tz::TimeZone;
use regex::Regex;

use super::choice::Choice;
use super::gathered::Gathered;
use super::keymap::{Key, Keymap, Scope};
use super::place::{Place, Visible};
use super::prompt::Prompt;
use super::seek::{Seek, Sought};
use crate::query::Query;
use crate::view::config::Config;
use crate::view::line::{Highlight, Lines, Look};
use crate::view::moment::{Moment, TimeFormat};
use crate::view::style::Style;

/// What only the one who owns the terminal and the threads can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// End the program.
    Quit,
    /// Stop the process.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Put a text into the clipboard.
    Copy(String),
    /// Write what is visible into this file, also over one that is there.
    Save(String, bool),
    /// Use the mouse, or no longer.
    Mouse,
}

/// The pane that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    /// The records.
    #[default]
    Log,
    /// The list of senders.
    Senders,
    /// The fields of a record.
    Details,
    /// The list of filters, above all others.
    Filters,
    /// The help, above all others.
    Help,
}

/// A line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it says.
    pub(crate) text: String,
    /// Whether something is wrong.
    pub(crate) is_problem: bool,
    /// Whether it takes as many rows as it needs, or is cut.
    pub(crate) is_whole: bool,
}

/// How much had come when the view began to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    /// The number of the entry that came next.
    pub(crate) next: u64,
    /// Records that had fallen out of the buffer.
    pub(crate) dropped: u64,
}

/// What was searched for.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// What was typed.
    pub(crate) text: String,
    /// What fits.
    pub(crate) query: Query,
    /// The same, for highlights.
    pub(crate) regex: Regex,
}

/// A key that waits for a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Which letter the record is to have.
    Mark,
    /// Of which letter to go to.
    ToMark,
}

/// The state; see the head of this file.
pub(crate) struct Model {
    /// Which key does what.
    pub(crate) keymap: Keymap,
    /// Where one looks.
    pub(crate) place: Place,
    /// The pane that keys go to.
    pub(crate) pane: Pane,
    /// What is typed.
    pub(crate) prompt: Option<Prompt>,
    /// What was chosen, and where one looked, when typing began; and whether that is shown no more.
    pub(crate) before: Option<(Choice, Place, bool)>,
    /// A line for the user.
    pub(crate) message: Option<Message>,
    /// Set while the view is paused.
    pub(crate) pause: Option<Since>,
    /// Set while it does not follow.
    pub(crate) stood: Option<Since>,
    /// Whether the fields of a record are shown.
    pub(crate) shows_details: bool,
    /// The line of them that the cursor is on, and the first one on the screen.
    pub(crate) detail: (usize, usize),
    /// The field of each of these lines, as they were laid out last.
    pub(crate) detail_fields: Vec<usize>,
    /// The row of the list of senders.
    pub(crate) sender: usize,
    /// The row of the list of filters.
    pub(crate) filter: usize,
    /// The first row of the help.
    pub(crate) help: usize,
    /// Whether the senders are shown, where the user has said so.
    pub(crate) shows_senders: Option<bool>,
    /// The same of the histogram.
    pub(crate) shows_histogram: Option<bool>,
    /// Whether the senders, and whether the histogram, were on the screen last.
    pub(crate) shown: (bool, bool),
    /// What was searched for.
    pub(crate) search: Option<Search>,
    /// The same before something else was typed.
    pub(crate) searched_before: Option<Search>,
    /// What is being looked for, and what it is called.
    pub(crate) seek: Option<(Seek, String)>,
    /// Records that have letters.
    pub(crate) marks: BTreeMap<char, u64>,
    /// Where one looked before the last jump.
    pub(crate) back: Option<u64>,
    /// A key that waits for a letter.
    pub(crate) asks: Option<Asks>,
    /// Records of which all lines are shown.
    pub(crate) expanded: HashSet<u64>,
    /// Whether that is all.
    pub(crate) expands_all: bool,
    /// Columns that are moved out of the pane.
    pub(crate) left: usize,
    /// How lines look.
    pub(crate) look: Look,
    /// How times look.
    pub(crate) format: TimeFormat,
    /// Where they are.
    pub(crate) zone: TimeZone,
    /// Ways in which times can look, for the key that changes it.
    pub(crate) times: Vec<(TimeFormat, crate::view::moment::TimeBase)>,
    /// Lines of the pane of records, and the entry of each, as they were laid out last.
    pub(crate) laid: Vec<u64>,
    /// The first of its rows on the screen, and how many it has.
    pub(crate) rows: (u16, usize),
    /// What was typed at the start, for the command line.
    pub(crate) typed: Vec<String>,
}

impl Model {
    /// The state at the beginning.
    pub(crate) fn new(config: &Config) -> Self {
        let (format, zone) = (config.moment.format().clone(), config.moment.zone().clone());
        Self {
            keymap: config.tui.keymap.clone(),
            place: Place::default(),
            pane: Pane::Log,
            prompt: None,
            before: None,
            message: None,
            pause: None,
            stood: None,
            shows_details: false,
            detail: (0, 0),
            detail_fields: Vec::new(),
            sender: 0,
            filter: 0,
            help: 0,
            shows_senders: None,
            shows_histogram: None,
            shown: (false, false),
            search: None,
            searched_before: None,
            seek: None,
            marks: BTreeMap::new(),
            back: None,
            asks: None,
            expanded: HashSet::new(),
            expands_all: false,
            left: 0,
            times: super::times::ways(&format, config.look.base),
            look: config.look.clone(),
            format,
            zone,
            laid: Vec::new(),
            rows: (0, 1),
            typed: config.tui.typed.clone(),
        }
    }

    /// What is visible.
    pub(crate) fn visible<'a>(&self, gathered: &'a Gathered) -> Visible<'a> {
        Visible::new(&gathered.store, self.until())
    }

    /// The number of the first entry that a pause keeps out of sight.
    pub(crate) fn until(&self) -> Option<u64> {
        self.pause.map(|pause| pause.next)
    }

    /// The number of the entry that the cursor is on.
    pub(crate) fn cursor(&self, gathered: &Gathered) -> Option<u64> {
        self.place.number(&self.visible(gathered))
    }

    /// What lines are made with: the look, and what was searched for highlighted.
    pub(crate) fn lines(&self) -> Lines {
        let mut look = self.look.clone();
        if let Some(search) = &self.search {
            let style = match look.theme.highlight {
                Style::PLAIN => Style {
                    reverse: true,
                    ..Style::PLAIN
                },
                style => style,
            };
            let regex = search.regex.clone();
            look.highlights.insert(0, Highlight { regex, style });
        }
        Lines::new(look, Moment::new(self.format.clone(), self.zone.clone()))
    }

    /// Takes an event; says what else is to be done.
    pub(crate) fn event(
        &mut self,
        event: &Event,
        gathered: &mut Gathered,
        now: u64,
    ) -> Option<Effect> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key, gathered, now),
            Event::Paste(text) => {
                self.paste(text, gathered);
                None
            }
            Event::Mouse(mouse) => {
                self.mouse(mouse, gathered);
                None
            }
            _ => None,
        }
    }

    /// Takes a key; says what else is to be done. `now` is in ns since 1970.
    pub(crate) fn key(
        &mut self,
        key: &KeyEvent,
        gathered: &mut Gathered,
        now: u64,
    ) -> Option<Effect> {
        if self.prompt.is_some() {
            return self.typed_key(key, gathered);
        }
        self.message = None;
        self.seek = None;
        if let Some(asks) = self.asks.take() {
            if let KeyCode::Char(letter) = key.code {
                self.letter(asks, letter, gathered);
            }
            return None;
        }
        let scope = match self.pane {
            Pane::Filters => Scope::Filters,
            _ => Scope::Any,
        };
        let action = self.keymap.action(scope, Key::of(key))?;
        self.act(action, gathered, now)
    }

    fn mouse(&mut self, mouse: &MouseEvent, gathered: &Gathered) {
        let visible = self.visible(gathered);
        match mouse.kind {
            MouseEventKind::ScrollUp => self.place.move_by(-3, &visible),
            MouseEventKind::ScrollDown => self.place.move_by(3, &visible),
            MouseEventKind::Down(_) => {
                let line = mouse.row.checked_sub(self.rows.0).map(usize::from);
                if let Some(number) = line.and_then(|line| self.laid.get(line)) {
                    self.place.go_to(*number);
                }
            }
            _ => {}
        }
    }

    /// Goes on with what takes long, until it is over or `is_over`; says whether more is left.
    pub(crate) fn work(
        &mut self,
        gathered: &mut Gathered,
        is_over: &mut dyn FnMut() -> bool,
    ) -> bool {
        if !gathered.store.work(is_over) {
            return true;
        }
        let Some((mut seek, what)) = self.seek.take() else {
            return false;
        };
        let sought = seek.go_on(&self.visible(gathered), is_over);
        match sought {
            Sought::GoesOn => {
                self.seek = Some((seek, what));
                return true;
            }
            Sought::Nothing => self.complain(format!("there is {what} nowhere")),
            Sought::Found(number, is_round) => {
                self.jump(number, gathered);
                if is_round {
                    self.tell(format!("{what}: on past the end"));
                }
            }
        }
        false
    }

    /// Goes to an entry, and remembers where one was.
    pub(crate) fn jump(&mut self, number: u64, gathered: &Gathered) {
        self.back = self.cursor(gathered);
        self.place.go_to(number);
    }

    /// Tells the user something.
    pub(crate) fn tell(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_problem: false,
            is_whole: true,
        });
    }

    /// Tells the user on one line what is also told elsewhere.
    pub(crate) fn mention(&mut self, text: String) {
        self.message = Some(Message {
            text,
            is_problem: false,
            is_whole: false,
        });
    }

    /// Tells the user that something is wrong.
    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_problem: true,
            is_whole: true,
        });
    }
}
