//! What the program has to say while a view has the terminal.
//!
//! Lines for the operator go to standard error, where they would stand in the middle of a screen
//! that somebody reads. So a view that has the terminal holds them back: it shows the latest
//! itself, and all of them are written when it has left.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lines kept at most; the first ones stay, because they say what went wrong first.
const MOST: usize = 1000;

/// Makes a view give the terminal back; returns when it has.
pub type Leave = Box<dyn Fn() + Send>;

/// The way to standard error, or to the view that has the terminal.
#[derive(Clone, Default)]
pub struct Aside(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Of a view that has the terminal.
    leave: Option<Leave>,
    lines: Vec<String>,
    /// The latest, until the view has seen it.
    news: Option<String>,
}

impl Aside {
    /// Says a line, now or when the view has left.
    pub fn say(&self, line: &str) {
        let mut kept = self.lock();
        if kept.leave.is_none() {
            return write(line);
        }
        kept.news = Some(line.to_owned());
        if kept.lines.len() < MOST {
            kept.lines.push(line.to_owned());
        }
    }

    /// Holds lines back from now on.
    pub fn hold(&self, leave: Leave) {
        self.lock().leave = Some(leave);
    }

    /// The latest line that was not asked for yet.
    pub fn news(&self) -> Option<String> {
        self.lock().news.take()
    }

    /// Makes the view give the terminal back, if it has it, and writes what was held back.
    pub fn release(&self) {
        for line in self.held_back() {
            write(&line);
        }
    }

    /// Makes the view give the terminal back; what was held back until then.
    fn held_back(&self) -> Vec<String> {
        let leave = self.lock().leave.take();
        if let Some(leave) = leave {
            leave();
        }
        std::mem::take(&mut self.lock().lines)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(line: &str) {
    // Nobody can be told when standard error is closed.
    let _written = writeln!(std::io::stderr(), "logsub: {line}");
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn lines_wait_until_the_view_has_left() {
        let (aside, has_left) = (Aside::default(), Arc::<AtomicBool>::default());
        let left = has_left.clone();
        aside.hold(Box::new(move || left.store(true, Ordering::Relaxed)));
        aside.say("one");
        aside.say("two");
        assert_eq!(aside.news().as_deref(), Some("two"));
        assert_eq!(aside.news(), None);
        assert!(!has_left.load(Ordering::Relaxed));
        assert_eq!(aside.held_back(), ["one", "two"]);
        assert!(has_left.load(Ordering::Relaxed) && aside.held_back().is_empty());
    }
}
