//! One stream to every handler: a bounded queue and a thread for each.
//!
//! `dispatch` never waits. A handler that is slow loses batches of its own queue only, and is told
//! how many records those held before it sees the next one. A handler is flushed when its stream
//! pauses and at least once a second. The next step is `handler/`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::handler::{Fault, Handler};
use crate::item::{Batch, Item, Notice};

/// Batches that may wait for one handler. A batch holds at most [`crate::receive::BATCH`] items.
const QUEUE: usize = 256;
/// A handler is flushed at least this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The least time between two complaints about one handler.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What a handler did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandlerReport {
    /// Its name.
    pub name: String,
    /// Records it wrote.
    pub written: u64,
    /// Records it had no room for.
    pub skipped: u64,
    /// Records it could not write.
    pub failed: u64,
}

/// Says what an operator should know.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Every handler with its queue.
pub struct Dispatcher {
    lanes: Vec<Lane>,
}

/// What is shared with a handler's thread.
#[derive(Default)]
struct Shared {
    /// Records in batches that found the queue full and were not told of yet.
    behind: AtomicU64,
    reopen: AtomicBool,
    ended: AtomicBool,
}

struct Lane {
    queue: Sender<Batch>,
    shared: Arc<Shared>,
    thread: JoinHandle<HandlerReport>,
}

impl Dispatcher {
    /// Starts a thread for each handler.
    pub fn start(handlers: Vec<Box<dyn Handler>>, say: &Say) -> std::io::Result<Self> {
        let lanes = handlers
            .into_iter()
            .map(|handler| Lane::start(handler, say.clone()));
        Ok(Self {
            lanes: lanes.collect::<Result<_, _>>()?,
        })
    }

    /// Hands a batch to every handler. Never waits.
    pub fn dispatch(&self, batch: &Batch) {
        for lane in &self.lanes {
            if let Err(TrySendError::Full(batch)) = lane.queue.try_send(batch.clone()) {
                lane.shared
                    .behind
                    .fetch_add(records(&batch), Ordering::Relaxed);
            }
        }
    }

    /// Asks every handler to open its file anew.
    pub fn reopen(&self) {
        for lane in &self.lanes {
            lane.shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// Whether every handler has ended, because nobody reads what they write.
    pub fn has_ended(&self) -> bool {
        !self.lanes.is_empty()
            && self
                .lanes
                .iter()
                .all(|lane| lane.shared.ended.load(Ordering::Relaxed))
    }

    /// Lets every handler write what is queued, and closes it.
    pub fn close(self) -> Vec<HandlerReport> {
        let threads = self.lanes.into_iter().map(|lane| lane.thread);
        // The queues are closed by now: that is how the threads end.
        threads.filter_map(|thread| thread.join().ok()).collect()
    }
}

fn records(batch: &[Item]) -> u64 {
    batch
        .iter()
        .filter(|item| matches!(item, Item::Record(_)))
        .count() as u64
}

impl Lane {
    fn start(handler: Box<dyn Handler>, say: Say) -> std::io::Result<Self> {
        let (queue, batches) = bounded(QUEUE);
        let shared = Arc::<Shared>::default();
        let runner = Runner {
            report: HandlerReport {
                name: handler.name().to_owned(),
                ..HandlerReport::default()
            },
            handler,
            shared: shared.clone(),
            say,
            complained: None,
        };
        let thread = std::thread::Builder::new()
            .name(format!("logsub-{}", runner.report.name))
            .spawn(move || runner.run(&batches))?;
        Ok(Self {
            queue,
            shared,
            thread,
        })
    }
}

/// A handler's thread.
struct Runner {
    handler: Box<dyn Handler>,
    shared: Arc<Shared>,
    report: HandlerReport,
    say: Say,
    complained: Option<Instant>,
}

impl Runner {
    fn run(mut self, batches: &Receiver<Batch>) -> HandlerReport {
        let mut flushed = Instant::now();
        loop {
            if self.shared.reopen.swap(false, Ordering::Relaxed) {
                let result = self.handler.reopen();
                self.judge(result, 0);
            }
            match batches.recv_timeout(FLUSH_EVERY.saturating_sub(flushed.elapsed())) {
                Ok(batch) => self.emit(&batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if batches.is_empty() || flushed.elapsed() >= FLUSH_EVERY {
                let result = self.handler.flush();
                self.judge(result, 0);
                flushed = Instant::now();
            }
        }
        self.tell_what_was_skipped();
        let result = self.handler.close();
        self.judge(result, 0);
        self.report.failed += self.handler.dropped();
        self.report
    }

    fn emit(&mut self, batch: &[Item]) {
        self.tell_what_was_skipped();
        let result = self.handler.emit(batch);
        self.judge(result, records(batch));
    }

    fn tell_what_was_skipped(&mut self) {
        let records = self.shared.behind.swap(0, Ordering::Relaxed);
        if records > 0 {
            self.report.skipped += records;
            let result = self
                .handler
                .emit(&[Item::Notice(Notice::Behind { records })]);
            self.judge(result, 0);
        }
    }

    fn judge(&mut self, result: Result<(), Fault>, records: u64) {
        match result {
            Ok(()) => self.report.written += records,
            Err(Fault::Ended) => {
                self.report.failed += records;
                self.shared.ended.store(true, Ordering::Relaxed);
            }
            Err(Fault::Io(error)) => {
                self.report.failed += records;
                if self
                    .complained
                    .is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY)
                {
                    self.complained = Some(Instant::now());
                    (self.say)(&format!("{}: {error}", self.report.name));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logbus_schemas::{Record, Topic};
    use std::sync::Mutex;

    /// A handler that waits for a permission before each batch and remembers what it saw.
    struct Gated {
        permissions: Receiver<()>,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl Handler for Gated {
        fn name(&self) -> &str {
            "gated"
        }

        fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
            // A closed gate lets everything through.
            let _gate = self.permissions.recv();
            let mut seen = self.seen.lock().unwrap();
            seen.extend(batch.iter().map(|item| match item {
                Item::Record(delivered) => delivered.record.get_message().into_owned(),
                Item::Notice(notice) => notice.to_string(),
            }));
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Fault> {
            Ok(())
        }

        fn close(&mut self) -> Result<(), Fault> {
            Ok(())
        }
    }

    fn gated() -> (Box<dyn Handler>, Sender<()>, Arc<Mutex<Vec<String>>>) {
        let (open, permissions) = bounded(10_000);
        let seen = Arc::<Mutex<Vec<String>>>::default();
        (
            Box::new(Gated {
                permissions,
                seen: seen.clone(),
            }),
            open,
            seen,
        )
    }

    fn batch(text: &str) -> Batch {
        let record = Record::new("a", 20, text);
        let topic = Topic::new("a").unwrap();
        [Item::Record(Box::new(crate::item::Delivered {
            record,
            topic,
            origin: None,
            received: 0,
        }))]
        .into()
    }

    #[test]
    fn a_handler_that_stands_still_loses_its_own_records_only_and_is_told_how_many() {
        let (slow, open_slow, slow_saw) = gated();
        let (quick, open_quick, quick_saw) = gated();
        let say: Say = Arc::new(|_| {});
        let dispatcher = Dispatcher::start(vec![slow, quick], &say).unwrap();
        let total = QUEUE + 50;
        for at in 0..total {
            open_quick.send(()).unwrap();
            dispatcher.dispatch(&batch(&at.to_string()));
            // The quick one is let through before the next batch comes.
            while quick_saw.lock().unwrap().len() <= at {
                std::thread::yield_now();
            }
        }
        drop((open_slow, open_quick));
        let reports = dispatcher.close();
        assert_eq!(quick_saw.lock().unwrap().len(), total);
        assert_eq!(reports[0].written + reports[0].skipped, total as u64);
        assert!(reports[0].skipped > 0 && reports[1].skipped == 0);
        let told = format!(
            "this handler was too slow: {} records skipped",
            reports[0].skipped
        );
        assert!(slow_saw.lock().unwrap().contains(&told));
    }
}
