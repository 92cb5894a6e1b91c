//! The interactive view: the stream with keys.
//!
//! It is a handler like the streaming view, with a lane of its own. What comes goes through the
//! window that orders into a buffer bounded by bytes (`store.rs`), of which an index knows what is
//! visible. A thread of its own has the terminal (`ui.rs`, `screen.rs`): it waits for keys, signals
//! and news, changes the state (`model.rs`), takes out what is on the screen (`scene.rs`) and draws
//! it (`draw/`). The two share the buffer under a lock that neither holds for long, so a slow
//! terminal holds up nobody.

mod wake;
mod gathered;
mod store;
mod index;
mod choice;
mod ui;
mod screen;
mod signals;
mod keymap;
mod model;
mod act;
mod jumps;
mod choose;
mod fields;
mod typing;
mod run;
mod times;
mod place;
mod seek;
mod prompt;
pub(crate) mod command;
mod cmdline;
mod save;
mod scene;
mod areas;
mod detail;
mod senders;
mod histogram;
mod draw;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::aside::Aside;
use super::config::Config;
use super::window::Window;
use crate::handler::{Fault, Handler};
use crate::item::Item;
use crate::pipeline::Events;
use gathered::{Gathered, Shared};
use keymap::Keymap;
use wake::Wake;

/// How long the one who draws may take to give the terminal back.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of the buffer when nothing else is said.
pub const BUFFER: usize = 256 << 20;
/// Items that are taken in while the lock is held.
const AT_ONCE: usize = 64;

/// What only the interactive view can be told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes of the buffer.
    pub(crate) buffer: usize,
    /// Which key does what.
    pub(crate) keymap: Keymap,
    /// What was typed at the start, without what keys change.
    pub(crate) typed: Vec<String>,
}

impl Options {
    /// The options from what was typed: bytes, changes of keys, and the whole command line.
    pub fn resolve(buffer: usize, keys: &[String], line: &[OsString]) -> Result<Self, String> {
        Ok(Self {
            buffer,
            keymap: Keymap::with(keys).map_err(|problem| format!("--keys: {problem}"))?,
            typed: cmdline::typed(line),
        })
    }
}

/// The view; see the head of this file.
pub struct Interactive {
    window: Window,
    shared: Arc<Shared>,
    /// Closed when the terminal was given back.
    over: Receiver<Infallible>,
}

impl Interactive {
    /// Takes the terminal.
    pub fn open(config: &Config, events: Events, aside: &Aside) -> anyhow::Result<Self> {
        let (waker, wakes) = wake::wakes();
        let shared = Arc::new(Shared::new(Gathered::new(config), waker.clone()));
        let over = ui::start(config, shared.clone(), wakes, events, aside)?;
        let end = over.clone();
        aside.hold(Box::new(move || leave(&waker, &end)));
        Ok(Self {
            window: Window::new(config.look.base, config.reorder),
            shared,
            over,
        })
    }

    fn release(&mut self, until: u64) {
        let now = self.window.now();
        let mut due = self.window.release(until).into_iter().peekable();
        if due.peek().is_none() {
            return;
        }
        while due.peek().is_some() {
            let mut gathered = self.shared.lock();
            for (item, is_late) in due.by_ref().take(AT_ONCE) {
                gathered.take(item, is_late, now);
            }
        }
        self.shared.waker.news();
    }
}

/// Makes the view give the terminal back, and waits until it has.
fn leave(waker: &wake::Waker, over: &Receiver<Infallible>) {
    waker.offer(Wake::End);
    let _closed = over.recv_timeout(LEAVE_WITHIN);
}

impl Handler for Interactive {
    fn name(&self) -> &str {
        super::NAME
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        let now = self.window.now();
        for item in batch {
            self.window.push(item, now);
        }
        self.release(now);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.release(self.window.now());
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        self.window.due()
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.release(u64::MAX);
        leave(&self.shared.waker, &self.over);
        Ok(())
    }
}
