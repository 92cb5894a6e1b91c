//! The durable endpoint: where publishers are told what is kept, and readers get what was.
//!
//! It knows no files: what is to be kept goes to the journal's writer, and what was kept is read
//! through a [`Journal`](crate::journal). `desk.rs` is its thread, `callers.rs` who is there, `client.rs` what each may look at,
//! `reading.rs` what they read, `share.rs` how they share it, and `live.rs` the way of what durable
//! publishers sent to everybody else.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use logbus_transport::{Endpoint, Error, ErrorKind, Options, Switchboard, Waker};

mod ask;
mod callers;
mod client;
mod desk;
mod live;
mod reading;
mod share;
#[cfg(test)]
mod tests;

pub use ask::ask_consumers;
pub(crate) use live::LiveInlet;

use crate::journal::{Intake, JournalConfig, JournalCounts, Watch, Writer};
use crate::rights::Guard;
use callers::Callers;
use desk::{Clock, PendingQueue, Service, Stop};
use reading::Readers;

/// Where durable publishers and readers find a broker.
pub const DEFAULT_DURABLE: &str = "tcp://127.0.0.1:5558";
/// How often a connection is tried; a peer that does not answer for three of them is gone.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// What a command and the frames' own lengths need besides a message.
const SLACK: usize = 64 << 10;

/// The settings of a durable endpoint.
#[derive(Debug, Clone)]
pub struct DurableConfig {
    /// Where it listens; ZeroMQ only.
    pub endpoints: Vec<Endpoint>,
    /// Its journal.
    pub journal: JournalConfig,
}

/// A durable endpoint at work.
pub(crate) struct Durable {
    endpoints: Vec<Endpoint>,
    stop: Arc<Stop>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    writer: Writer,
}

impl std::fmt::Debug for Durable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Durable({:?})", self.endpoints)
    }
}

impl Durable {
    /// Opens the journal and the endpoint, with the options of a socket that listens. Where that is
    /// secured, `guard` is asked who may do what. What comes back besides is the hub's.
    pub(crate) fn start(
        config: &DurableConfig,
        program: &str,
        options: Options,
        guard: Option<Guard>,
        say: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Result<(Self, LiveInlet), Error> {
        Self::start_watched(config, program, options, guard, say, None)
    }

    fn start_watched(
        config: &DurableConfig,
        program: &str,
        options: Options,
        guard: Option<Guard>,
        say: Arc<dyn Fn(&str) + Send + Sync>,
        watch: Option<Watch>,
    ) -> Result<(Self, LiveInlet), Error> {
        let max_frame = options.max_frame;
        let options = Options {
            max_frame: max_frame.saturating_add(SLACK),
            heartbeat: Some(HEARTBEAT),
            ..options
        };
        let board = Switchboard::open(&config.endpoints, &options)?;
        let endpoints = board.endpoints().to_vec();
        let (outlet, inlet) = live::live(&endpoints)?;
        let waker = Waker::new()?;
        let calls = waker.clone();
        let wake = Box::new(move || calls.wake());
        let writer = Writer::start(&config.journal, say.clone(), wake, watch);
        let writer = writer.map_err(|error| broken(error.into()))?;
        let fsync = config.journal.fsync.word();
        let service = Service {
            callers: Callers::new(board),
            welcome: Service::welcome(program, &writer.journal, max_frame, fsync),
            journal: writer.journal.clone(),
            intake: writer.intake.clone(),
            outcomes: writer.outcomes.clone(),
            live: outlet,
            guard,
            say,
            waker: waker.clone(),
            clock: Clock::default(),
            readers: Readers::default(),
            pending: PendingQueue::default(),
        };
        let stop = Arc::<Stop>::default();
        let its_stop = stop.clone();
        let thread = std::thread::Builder::new()
            .name("logbus-durable".to_owned())
            .spawn(move || {
                logbus_process::block_signals();
                service.run(&its_stop);
            })
            .map_err(|error| broken(error.into()))?;
        let durable = Self {
            endpoints,
            stop,
            waker,
            thread: Some(thread),
            writer,
        };
        Ok((durable, inlet))
    }

    /// Where it listens, with real ports.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Where the hub puts PUB/SUB traffic that is to be journalled.
    pub(crate) fn intake(&self) -> Intake {
        self.writer.intake.clone()
    }

    /// Takes nothing new, answers what was taken, and ends its thread within about `limit`.
    pub(crate) fn stop(&mut self, limit: Duration) {
        self.stop.ask(limit);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing to say that was not said.
            thread.join().ok();
        }
    }

    /// Ends the journal, when the hub has ended.
    pub(crate) fn close(mut self) -> JournalCounts {
        self.stop(Duration::ZERO);
        let damaged = self.writer.journal.damaged();
        JournalCounts {
            damaged,
            ..self.writer.close()
        }
    }
}

fn broken(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error {
        kind: ErrorKind::Unusable,
        endpoint: None,
        source,
    }
}
