//! Where messages come from: spools of the dead, the own spool, memory; and what is done with those
//! spools when they are done.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Courier;
use crate::durable::window::{Item, Place};
use crate::spool::{self, Name, Spool, Stored};
use crate::stats::Counters;

impl Courier {
    /// Sends what these dead publishers left before anything else; says how many spools cannot be read.
    pub(crate) fn adopt(
        &mut self,
        dir: &Path,
        is_wanted: impl Fn(&Name) -> bool,
        counters: &Counters,
    ) -> io::Result<u64> {
        let mut unreadable = 0;
        for name in spool::spools(dir)?.into_iter().filter(is_wanted) {
            match Spool::adopt(dir, &name, self.config.fsync) {
                Ok(Some(spool)) => self.take_over(spool, counters),
                Ok(None) => {}
                Err(error) => {
                    unreadable += 1;
                    let line =
                        format!("cannot read the spool {name} in {}: {error}", dir.display());
                    self.tell_once(&name.to_string(), &line);
                }
            }
        }
        Ok(unreadable)
    }

    fn take_over(&mut self, spool: Spool, counters: &Counters) {
        let add = |counter: &AtomicU64, count: u64| {
            counter.fetch_add(count, Ordering::Relaxed);
        };
        add(&counters.adopted, spool.adopted_records);
        add(&counters.adopted_damages, spool.damages);
        if spool.damages > 0 {
            let line = format!(
                "the spool {} is damaged in {} places; what can be read of it is sent",
                spool.path().display(),
                spool.damages
            );
            self.tell_once(&format!("damage {}", spool.id()), &line);
        }
        self.adopted.push_back(spool);
    }

    pub(super) fn fill_window(&mut self) {
        while self.has_window_room() {
            let item = match self.read_next() {
                Ok(item) => item.or_else(|| self.later.pop_front()),
                Err(error) => {
                    self.tell_once("read", &format!("cannot read a spool: {error}"));
                    None
                }
            };
            let Some(item) = item else { return };
            self.window.push(item);
        }
    }

    /// The next message that is only on disk.
    fn read_next(&mut self) -> io::Result<Option<Item>> {
        let mut unreadable = None;
        for spool in &mut self.adopted {
            match spool.next() {
                Ok(Some(stored)) => return Ok(Some(item(spool.id(), stored))),
                Ok(None) => {}
                Err(error) => unreadable = Some(error),
            }
        }
        if let Some(error) = unreadable {
            self.tell_once("read", &format!("cannot read a spool: {error}"));
        }
        let Some(own) = &mut self.spool else {
            return Ok(None);
        };
        Ok(own.next()?.map(|stored| item(own.id(), stored)))
    }

    /// Writes down what is done, and removes what nobody needs any more.
    pub(super) fn tidy(&mut self) {
        let mut faults = Vec::new();
        for spool in self.adopted.iter_mut().chain(&mut self.spool) {
            faults.extend(spool.write().err());
            faults.extend(spool.sync_if_due().err());
            faults.extend(spool.trim().err());
        }
        for at in (0..self.adopted.len()).rev() {
            if self.adopted[at].is_done()
                && let Some(spool) = self.adopted.remove(at)
            {
                faults.extend(spool.remove().err());
            }
        }
        for error in faults {
            self.tell_once("tidy", &format!("cannot tidy a spool: {error}"));
        }
    }
}

fn item(spool: u64, stored: Stored) -> Item {
    Item {
        topic: stored.topic,
        header: stored.header,
        payload: stored.payload,
        place: Some(Place {
            spool,
            segment: stored.segment,
        }),
        is_passing: false,
    }
}
