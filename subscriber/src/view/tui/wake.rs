//! What the thread that draws waits for: keys, signals, and news.
//!
//! News are told at most once until they were looked at, so however fast they come, nothing piles
//! up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::event::Event;

/// Events that may wait.
const ROOM: usize = 1024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) enum Wake {
    /// A key, a resize, a paste.
    Event(Event),
    /// There is something new to be seen.
    News,
    /// SIGTSTP: the terminal is wanted back for a while.
    Suspend,
    /// SIGCONT: it is ours again.
    Resume,
    /// SIGHUP: it may be gone.
    Hangup,
    /// The view should end.
    End,
}

/// The way to the thread that draws.
#[derive(Debug, Clone)]
pub(crate) struct Waker {
    wakes: Sender<Wake>,
    has_news: Arc<AtomicBool>,
}

/// The end of it.
#[derive(Debug)]
pub(crate) struct Wakes {
    /// What happened.
    pub(crate) wakes: Receiver<Wake>,
    has_news: Arc<AtomicBool>,
}

/// The way to the thread that draws, and its end.
pub(crate) fn wakes() -> (Waker, Wakes) {
    let ((wakes_in, wakes), has_news) = (bounded(ROOM), Arc::<AtomicBool>::default());
    let waker = Waker {
        wakes: wakes_in,
        has_news: has_news.clone(),
    };
    (waker, Wakes { wakes, has_news })
}

impl Waker {
    /// Says that there are news. Never waits.
    pub(crate) fn news(&self) {
        if !self.has_news.swap(true, Ordering::AcqRel) {
            // Where there is no room it is woken anyway.
            let _told = self.wakes.try_send(Wake::News);
        }
    }

    /// Says that something happened; `false` when nobody listens any more.
    pub(crate) fn send(&self, wake: Wake) -> bool {
        self.wakes.send(wake).is_ok()
    }

    /// The same, and never waits.
    pub(crate) fn offer(&self, wake: Wake) {
        let _told = self.wakes.try_send(wake);
    }
}

impl Wakes {
    /// Whether there were news since this was last asked.
    pub(crate) fn take_news(&self) -> bool {
        self.has_news.swap(false, Ordering::AcqRel)
    }
}
