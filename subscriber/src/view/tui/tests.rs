//! What the interactive view promises: what is on the screen, and what keys do.

mod screens;
mod keys;

use std::sync::Arc;

use clap::Parser;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use logbus_schemas::wire::ledger::{self, Sender};
use logbus_schemas::wire::{Identity, SenderId};
use logbus_schemas::{Record, Topic};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;

use super::draw::draw;
use super::gathered::Gathered;
use super::model::{Effect, Model};
use super::scene::Scene;
use super::store::Thing;
use crate::cli::Cli;
use crate::item::{Delivered, Item, Notice};
use crate::view::config::{Config, Surroundings};

/// 2026-11-20 20:44:13 UTC.
const BEGIN: u64 = 1_795_207_453_000_000_000;
const SECOND: u64 = 1_000_000_000;
const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"shop.py\", line 3, in take\n    \
    return {}[\"rate\"]\nKeyError: 'rate'";

/// Somebody who looks at a view.
pub(super) struct Seat {
    pub(super) model: Model,
    pub(super) gathered: Gathered,
    pub(super) now: u64,
}

/// The view that these flags ask for.
pub(super) fn config(args: &[&str]) -> Config {
    let line = [&["logsub", "--tui", "--utc"], args].concat();
    let around = Surroundings {
        is_terminal: true,
        has_keys: true,
        term: "xterm-256color".into(),
        line: line.iter().map(Into::into).collect(),
        ..Surroundings::default()
    };
    Config::resolve(&Cli::parse_from(line), &around).unwrap()
}

pub(super) fn sender(number: u64) -> Arc<Sender> {
    let programs = ["shop", "jobs", "web", "mail"];
    let identity = Identity {
        host: "alpha".into(),
        program: programs[number as usize % programs.len()].into(),
        pid: 600 + number as u32,
        ..Identity::default()
    };
    Arc::new(Sender {
        id: SenderId(number),
        identity: Some(identity),
    })
}

/// A record of a sender, so many seconds after the beginning.
pub(super) fn delivered(from: u64, level: i64, message: &str, at: f64) -> Delivered {
    let sender = sender(from);
    let mut record = Record::new("shop.orders", level, message);
    record.set("created", BEGIN as f64 / 1e9 + at);
    record.set("process", 600 + from as i64);
    Delivered {
        record,
        topic: Topic::for_name("shop"),
        origin: Some((sender.id, 0)),
        sender: Some(sender),
        received: BEGIN + (at * 1e9) as u64,
        offset: Some(250_000_000),
    }
}

impl Seat {
    pub(super) fn new(args: &[&str]) -> Self {
        let config = config(args);
        Self {
            model: Model::new(&config),
            gathered: Gathered::new(&config),
            now: BEGIN,
        }
    }

    /// Records of twenty senders: one a tenth of a second, each seventh a warning, each 23rd an
    /// error.
    pub(super) fn with_records(args: &[&str], count: u64) -> Self {
        let mut seat = Self::new(args);
        for number in 0..count {
            let level = match number {
                number if number % 23 == 22 => 40,
                number if number % 7 == 6 => 30,
                _ => 20,
            };
            let mut record = delivered(
                number % 20,
                level,
                &format!("order {number} taken"),
                number as f64 / 10.0,
            );
            record.record.set("user", "fred");
            record.record.set("status", 200 + number as i64 % 3);
            seat.take(record, false);
        }
        seat
    }

    pub(super) fn take(&mut self, delivered: Delivered, is_late: bool) {
        self.now = self.now.max(delivered.received);
        self.gathered
            .take(Item::Record(Arc::new(delivered)), is_late, 0);
    }

    pub(super) fn notice(&mut self, notice: ledger::Notice) {
        self.gathered
            .take(Item::Notice(Notice::Ledger(notice)), false, 0);
    }

    /// Presses keys, named with blanks between, and lets everything end that they begin.
    pub(super) fn press(&mut self, keys: &str) -> Option<Effect> {
        let mut effect = None;
        for name in keys.split(' ') {
            effect = self.event(&Event::Key(event(name)));
        }
        effect
    }

    /// Types a text.
    pub(super) fn type_in(&mut self, text: &str) {
        for c in text.chars() {
            self.event(&Event::Key(KeyEvent::new(
                KeyCode::Char(c),
                KeyModifiers::NONE,
            )));
        }
    }

    fn event(&mut self, event: &Event) -> Option<Effect> {
        let effect = self.model.event(event, &mut self.gathered, self.now);
        while self.model.work(&mut self.gathered, &mut || false) {}
        self.screen(80, 24);
        effect
    }

    /// What is on a screen of this size.
    pub(super) fn screen(&mut self, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let scene = Scene::take(&mut self.model, &mut self.gathered, area, self.now);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, &self.model, &scene))
            .unwrap();
        terminal.backend().to_string()
    }

    /// The message that the cursor is on.
    pub(super) fn cursor(&self) -> String {
        let number = self.model.cursor(&self.gathered).unwrap();
        self.message(number)
    }

    /// Every message that is visible.
    pub(super) fn visible(&self) -> Vec<String> {
        let shown = self.gathered.store.index().shown();
        shown.iter().map(|number| self.message(*number)).collect()
    }

    fn message(&self, number: u64) -> String {
        match &self.gathered.store.entry(number).unwrap().thing {
            Thing::Record(delivered) => delivered.record.get_message().into_owned(),
            Thing::Notice(told, _) => told.text().to_owned(),
        }
    }

    /// What the user was told last.
    pub(super) fn told(&self) -> &str {
        self.model
            .message
            .as_ref()
            .map_or("", |message| &message.text)
    }
}

fn event(name: &str) -> KeyEvent {
    let (name, modifiers) = match name.strip_prefix("ctrl-") {
        Some(rest) => (rest, KeyModifiers::CONTROL),
        None => (name, KeyModifiers::NONE),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "pageup" => KeyCode::PageUp,
        "backspace" => KeyCode::Backspace,
        name => KeyCode::Char(name.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}
