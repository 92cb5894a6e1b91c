//! Which key does what: the table, and how a user changes it.
//!
//! An action is a row of [`ACTIONS`]: its name, the keys that it has when nothing else is said, and
//! a line of help. `--keys 'pause=p,quit=x'` gives an action other keys; whoever had them loses
//! them.

use std::collections::HashMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::config::options::nearest;

/// What a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Move by one row.
    Down,
    /// Move by one row.
    Up,
    /// Move by a page.
    PageDown,
    /// Move by a page.
    PageUp,
    /// Move by half a page.
    HalfDown,
    /// Move by half a page.
    HalfUp,
    /// To the first.
    First,
    /// To the last, and follow.
    Last,
    /// Show what stands farther left.
    Left,
    /// Show what stands farther right.
    Right,
    /// Stand still, and go on receiving.
    Pause,
    /// Ask for something to search.
    Search,
    /// To the next that was searched for.
    Next,
    /// To the one before.
    Previous,
    /// To the next error.
    NextError,
    /// To the error before.
    PreviousError,
    /// To the next warning.
    NextWarning,
    /// To the warning before.
    PreviousWarning,
    /// Give the row a letter.
    Mark,
    /// To a row that has a letter.
    ToMark,
    /// Ask for a filter that includes.
    Include,
    /// Ask for a filter that excludes.
    Exclude,
    /// Show the list of filters.
    Filters,
    /// Every filter on or off.
    AllFilters,
    /// Set the least level.
    Level(u8),
    /// Show a sender alone.
    Solo,
    /// Do not show a sender.
    Mute,
    /// Show the next kind of time.
    Time,
    /// Show all lines of the record, or one.
    Expand,
    /// The same for all.
    ExpandAll,
    /// Show every field of the record.
    Details,
    /// Make a filter of the field.
    FieldIs,
    /// Make one that excludes of it.
    FieldIsNot,
    /// Copy the record or the field.
    Copy,
    /// Write what is visible into a file.
    Save,
    /// Ask for a command.
    Command,
    /// Show or hide the senders.
    Senders,
    /// Show or hide the histogram.
    Histogram,
    /// On to the next pane.
    NextPane,
    /// Close a pane.
    Close,
    /// Switch a filter on or off.
    FilterToggle,
    /// Change a filter.
    FilterEdit,
    /// Delete a filter.
    FilterDelete,
    /// Use the mouse, or leave it to the terminal.
    Mouse,
    /// Draw everything anew.
    Redraw,
    /// Stop the process, as the shell does.
    Suspend,
    /// Show help.
    Help,
    /// End the program.
    Quit,
}

/// Where an action has its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Everywhere.
    Any,
    /// In the list of filters.
    Filters,
}

/// An action.
#[derive(Debug)]
pub(crate) struct Row {
    /// What it does.
    pub(crate) action: Action,
    /// Where.
    pub(crate) scope: Scope,
    /// What it is called.
    pub(crate) name: &'static str,
    /// Its keys, with blanks between.
    pub(crate) keys: &'static str,
    /// What it does, in a line.
    pub(crate) help: &'static str,
}

const fn row(action: Action, name: &'static str, keys: &'static str, help: &'static str) -> Row {
    let scope = match action {
        Action::FilterToggle | Action::FilterEdit | Action::FilterDelete => Scope::Filters,
        _ => Scope::Any,
    };
    Row {
        action,
        scope,
        name,
        keys,
        help,
    }
}

/// Every action, in the order in which help shows them.
#[rustfmt::skip]
pub(crate) const ACTIONS: &[Row] = &[
    row(Action::Down, "down", "j down", "one record down"),
    row(Action::Up, "up", "k up", "one up, and stand still"),
    row(Action::PageDown, "page-down", "pagedown ctrl-f", "a page down"),
    row(Action::PageUp, "page-up", "pageup ctrl-b", "a page up"),
    row(Action::HalfDown, "half-down", "ctrl-d", "half a page down"),
    row(Action::HalfUp, "half-up", "ctrl-u", "half a page up"),
    row(Action::First, "first", "g home", "to the first record"),
    row(Action::Last, "last", "G end", "to the last, and follow"),
    row(Action::Left, "left", "left", "what stands farther left"),
    row(Action::Right, "right", "right", "what stands farther right"),
    row(Action::Pause, "pause", "space", "stand still, go on receiving"),
    row(Action::Search, "search", "/", "search for a text"),
    row(Action::Next, "next", "n", "the next that fits"),
    row(Action::Previous, "previous", "N", "the one before that fits"),
    row(Action::NextError, "next-error", "e", "the next error"),
    row(Action::PreviousError, "previous-error", "E", "the error before"),
    row(Action::NextWarning, "next-warning", "w", "the next warning or worse"),
    row(Action::PreviousWarning, "previous-warning", "W", "the warning before"),
    row(Action::Mark, "mark", "m", "mark the record with a letter"),
    row(Action::ToMark, "to-mark", "'", "to the record of a letter; '' back"),
    row(Action::Include, "include", "i", "show only what fits a text"),
    row(Action::Exclude, "exclude", "o", "leave out what fits a text"),
    row(Action::Filters, "filters", "f", "the list of filters"),
    row(Action::AllFilters, "all-filters", "F", "all filters on or off"),
    row(Action::FilterToggle, "filter-toggle", "space", "in the list: on or off"),
    row(Action::FilterEdit, "filter-edit", "e enter", "in the list: change it"),
    row(Action::FilterDelete, "filter-delete", "d delete", "in the list: delete it"),
    row(Action::Level(0), "all-levels", "0", "every level"),
    row(Action::Level(1), "debug", "1", "debug and above"),
    row(Action::Level(2), "info", "2", "info and above"),
    row(Action::Level(3), "warning", "3", "warning and above"),
    row(Action::Level(4), "error", "4", "error and above"),
    row(Action::Level(5), "critical", "5", "critical alone"),
    row(Action::Solo, "solo", "s", "the record's sender alone"),
    row(Action::Mute, "mute", "S", "mute the record's sender"),
    row(Action::Time, "time", "t", "how times look"),
    row(Action::Expand, "expand", "x", "all lines of the record"),
    row(Action::ExpandAll, "expand-all", "X", "all lines of all records"),
    row(Action::Details, "details", "enter", "every field of the record"),
    row(Action::FieldIs, "field-is", "+", "in details: only this value"),
    row(Action::FieldIsNot, "field-is-not", "-", "in details: not this value"),
    row(Action::Copy, "copy", "y", "copy the record, or the value"),
    row(Action::Save, "save", "ctrl-s", "write what is visible to a file"),
    row(Action::Command, "command", ":", "a command; Tab completes it"),
    row(Action::Senders, "senders", "L", "the list of senders"),
    row(Action::Histogram, "histogram", "H", "the histogram by level"),
    row(Action::NextPane, "next-pane", "tab", "on to the next pane"),
    row(Action::Close, "close", "esc", "close a pane"),
    row(Action::Mouse, "mouse", "M", "use the mouse, or do not"),
    row(Action::Redraw, "redraw", "ctrl-l", "draw everything anew"),
    row(Action::Suspend, "suspend", "ctrl-z", "stop, as the shell does"),
    row(Action::Help, "help", "? f1", "this help"),
    row(Action::Quit, "quit", "q ctrl-c", "end"),
];

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    code: KeyCode,
    has_control: bool,
    has_alt: bool,
}

const NAMES: &[(&str, KeyCode)] = &[
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("space", KeyCode::Char(' ')),
    ("comma", KeyCode::Char(',')),
];

impl Key {
    /// The key of this name: `j`, `ctrl-s`, `alt-x`, `pagedown`, `f5`, `space`, `comma`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (mut has_control, mut has_alt, mut rest) = (false, false, text);
        while rest.chars().count() > 1 {
            if let Some(more) = rest.strip_prefix("ctrl-") {
                (has_control, rest) = (true, more);
            } else if let Some(more) = rest.strip_prefix("alt-") {
                (has_alt, rest) = (true, more);
            } else {
                break;
            }
        }
        Some(Self {
            code: code_named(rest)?,
            has_control,
            has_alt,
        })
    }

    /// The key that was pressed.
    pub(crate) fn of(event: &KeyEvent) -> Self {
        Self {
            code: event.code,
            has_control: event.modifiers.contains(KeyModifiers::CONTROL),
            has_alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

fn code_named(name: &str) -> Option<KeyCode> {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(KeyCode::Char(c));
    }
    if let Some((_, code)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*code);
    }
    let number = name.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_control {
            f.write_str("ctrl-")?;
        }
        if self.has_alt {
            f.write_str("alt-")?;
        }
        let named = NAMES.iter().find(|(_, code)| *code == self.code);
        match (named, self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(number)) => write!(f, "f{number}"),
            (None, _) => f.write_str("?"),
        }
    }
}

/// Which key does what.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    keys: HashMap<(Scope, Key), &'static Row>,
    /// The keys of each row, in the order in which they were given.
    rows: Vec<Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let rows = ACTIONS.iter().map(|row| {
            let keys = row.keys.split(' ');
            keys.filter_map(Key::named).collect()
        });
        let mut keymap = Self {
            keys: HashMap::new(),
            rows: rows.collect(),
        };
        keymap.index();
        keymap
    }
}

impl Keymap {
    /// The table with a user's changes, each as `action=key`.
    pub(crate) fn with(changes: &[String]) -> Result<Self, String> {
        let mut keymap = Self::default();
        let mut given: Vec<(usize, Key)> = Vec::new();
        for change in changes {
            let (at, key) = parse(change)?;
            let scope = ACTIONS[at].scope;
            let is_taken = |(other, taken): &&(usize, Key)| {
                *taken == key && ACTIONS[*other].scope == scope && *other != at
            };
            if let Some((other, _)) = given.iter().find(is_taken) {
                let other = ACTIONS[*other].name;
                return Err(format!("{change:?}: {key} is for {other} already"));
            }
            given.push((at, key));
        }
        for (at, _) in &given {
            keymap.rows[*at].clear();
        }
        for (at, key) in given {
            keymap.give(at, key);
        }
        keymap.index();
        Ok(keymap)
    }

    /// What a key does there.
    pub(crate) fn action(&self, scope: Scope, key: Key) -> Option<Action> {
        let row = self.keys.get(&(scope, key));
        let row = row.or_else(|| self.keys.get(&(Scope::Any, key)))?;
        Some(row.action)
    }

    /// The first key of an action.
    pub(crate) fn key_of(&self, action: Action) -> Option<Key> {
        let at = ACTIONS.iter().position(|row| row.action == action)?;
        self.rows[at].first().copied()
    }

    /// The keys of each action, as people write them.
    pub(crate) fn help(&self) -> impl Iterator<Item = (String, &'static Row)> {
        self.rows.iter().zip(ACTIONS).map(|(keys, row)| {
            let keys: Vec<String> = keys.iter().map(Key::to_string).collect();
            (keys.join(" "), row)
        })
    }

    fn give(&mut self, at: usize, key: Key) {
        for (row, keys) in ACTIONS.iter().zip(&mut self.rows) {
            if row.scope == ACTIONS[at].scope {
                keys.retain(|known| *known != key);
            }
        }
        self.rows[at].push(key);
    }

    fn index(&mut self) {
        self.keys.clear();
        for (row, keys) in ACTIONS.iter().zip(&self.rows) {
            for key in keys {
                self.keys.insert((row.scope, *key), row);
            }
        }
    }
}

fn parse(change: &str) -> Result<(usize, Key), String> {
    let wrong = |problem: String| format!("{change:?}: {problem}");
    let (name, key) = change
        .split_once('=')
        .ok_or_else(|| wrong("write it as action=key, as in pause=p".to_owned()))?;
    let names: Vec<&str> = ACTIONS.iter().map(|row| row.name).collect();
    let at = names
        .iter()
        .position(|known| *known == name.trim())
        .ok_or_else(|| {
            let near = nearest(name.trim(), &names);
            wrong(format!("there is no action {:?}{near}", name.trim()))
        })?;
    let key = Key::named(key.trim()).ok_or_else(|| {
        wrong(format!(
            "there is no key {:?}; write for example x, ctrl-x, alt-x, space, comma, pagedown or f5",
            key.trim()
        ))
    })?;
    Ok((at, key))
}

#[cfg(test)]
mod tests;
