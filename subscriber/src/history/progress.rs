//! How far handlers are: the least of what every lane has written safely.
//!
//! What is handed to the lanes is numbered from 1 (`reading.rs`); a lane that has written everything
//! up to a number, so that it survives the end of this program, says so. The thread that talks to
//! the journal is woken when the least of them grows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logbus_transport::Waker;

/// What every lane has reached.
#[derive(Debug)]
pub struct Progress {
    inner: Mutex<Inner>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Inner {
    lanes: HashMap<u64, u64>,
    next_lane: u64,
    /// The last number that was handed to lanes.
    issued: u64,
    least: u64,
}

/// One lane's part of it.
#[derive(Debug)]
pub struct Mark {
    progress: Arc<Progress>,
    lane: u64,
    reached: u64,
}

impl Progress {
    /// Nothing reached yet; `waker` is called when something is.
    pub fn new(waker: Waker) -> Arc<Self> {
        let inner = Mutex::default();
        Arc::new(Self { inner, waker })
    }

    /// A lane more. It has to do with what is handed out from now on.
    pub fn join(self: &Arc<Self>) -> Mark {
        let mut inner = self.lock();
        let (lane, reached) = (inner.next_lane, inner.issued);
        inner.next_lane += 1;
        inner.lanes.insert(lane, reached);
        Mark {
            progress: self.clone(),
            lane,
            reached,
        }
    }

    /// Notes that everything up to this number is with the lanes.
    pub fn issue(&self, number: u64) {
        self.lock().issued = number;
    }

    /// The last number that is with the lanes.
    pub fn issued(&self) -> u64 {
        self.lock().issued
    }

    /// Notes that everything up to this number is done, where no lane has to do with it.
    pub fn pass(&self, number: u64) {
        let mut inner = self.lock();
        inner.issued = number;
        inner.least = inner.least.max(number);
        self.waker.wake();
    }

    /// The number up to which everything is done.
    pub fn least(&self) -> u64 {
        self.lock().least
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn settle(&mut self) {
        if let Some(least) = self.lanes.values().min() {
            self.least = self.least.max(*least);
        }
    }
}

impl Mark {
    /// Everything up to this number is written safely.
    pub fn reach(&mut self, number: u64) {
        self.reached = number;
        let mut inner = self.progress.lock();
        inner.lanes.insert(self.lane, number);
        inner.settle();
        self.progress.waker.wake();
    }

    /// What it reached last.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// This lane has to do with nothing any more. One that is dropped without that goes on to hold
    /// up what it did not reach: it broke down.
    pub fn leave(self) {
        let mut inner = self.progress.lock();
        inner.lanes.remove(&self.lane);
        inner.settle();
        self.progress.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_lane_decides() {
        let progress = Progress::new(Waker::new().unwrap());
        let (mut file, mut seq) = (progress.join(), progress.join());
        file.reach(7);
        assert_eq!(progress.least(), 0);
        seq.reach(5);
        assert_eq!(progress.least(), 5);
        seq.leave();
        assert_eq!(progress.least(), 7);
        file.leave();
        assert_eq!(progress.least(), 7);
    }

    #[test]
    fn a_lane_that_joins_later_holds_up_nothing_that_came_before() {
        let progress = Progress::new(Waker::new().unwrap());
        let mut file = progress.join();
        progress.issue(9);
        let mut seq = progress.join();
        file.reach(9);
        assert_eq!(progress.least(), 9);
        file.reach(12);
        assert_eq!(progress.least(), 9);
        seq.reach(12);
        assert_eq!(progress.least(), 12);
    }

    #[test]
    fn a_lane_that_broke_down_holds_up_what_it_did_not_reach() {
        let progress = Progress::new(Waker::new().unwrap());
        let (mut file, mut seq) = (progress.join(), progress.join());
        seq.reach(3);
        drop(seq);
        file.reach(9);
        file.leave();
        assert_eq!(progress.least(), 3);
    }
}
