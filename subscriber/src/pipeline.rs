//! The stages put together: receive, decode, dispatch; and how they end.
//!
//! Each stage ends when the queue before it is closed, so closing goes in the order in which
//! records flow, and nothing that was received is left behind. A second signal ends at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use logbus_broker::{Taker, tap};
use logbus_process as process;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::Entrances;
use crate::config::plan::Plan;
use crate::decode::{self, Decoder, Summary};
use crate::dispatch::{Dispatcher, Undelivered};
use crate::handler::Say;
use crate::install::{Installation, Installed, install};
use crate::item::Item;
use crate::lane::{HandlerReport, Lanes};
use crate::receive::{BATCH, Receiving};

/// How often the account of losses is asked what only time shows.
const TICK: Duration = Duration::from_secs(1);

/// Where a run is told what it can be interrupted by.
#[derive(Clone)]
pub struct Events(Sender<Event>);

/// The way to a run, and its end.
pub fn events() -> (Events, Receiver<Event>) {
    let (events_in, events) = bounded(16);
    (Events(events_in), events)
}

impl Events {
    /// Asks for the end. Never waits: whoever is not listening is ending already.
    pub fn end(&self) {
        let _told = self.0.try_send(Event::End);
    }
}

/// All stages, running.
pub struct Pipeline {
    receiving: Receiving,
    decoding: JoinHandle<Outcome>,
    events: Receiver<Event>,
    next: Arc<Next>,
    lanes: Lanes,
    installed: Vec<Installed>,
    verbose: bool,
    say: Say,
}

/// What came, and what of it went to no handler.
pub type Outcome = (Summary, Undelivered);

/// What a run can be interrupted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It should end: a signal asked for that, or every handler has ended.
    End,
    /// SIGHUP: files should be opened anew, and the configuration read again.
    Hangup,
    /// Nothing happened in the time given.
    Quiet,
}

/// The tree of loggers that the decoding thread should go on with.
#[derive(Default)]
struct Next {
    is_there: AtomicBool,
    dispatcher: Mutex<Option<Dispatcher>>,
}

impl Pipeline {
    /// Starts every stage, the last one first.
    pub fn start(
        entrances: &Entrances,
        config: decode::Config,
        plan: Plan,
        verbose: bool,
        (events_in, events): (Events, Receiver<Event>),
        say: &Say,
    ) -> anyhow::Result<Self> {
        let mut lanes = Lanes::new(say);
        let (installation, _) = install(plan, verbose, &[], &mut lanes, say)?;
        let (tap, taker) = tap(&config.topics);
        let next = Arc::<Next>::default();
        watch_signals(events_in.0.clone())?;
        let stage = Stage {
            decoder: Decoder::new(config, process::now()),
            taker,
            dispatcher: installation.dispatcher,
            events: events_in,
            next: next.clone(),
        };
        let decoding = std::thread::Builder::new()
            .name("logsub-decode".to_owned())
            .spawn(move || stage.run())
            .context("cannot start a thread")?;
        let say_more = say.clone();
        let receiving = Receiving::start(entrances, tap, move |line: &str| say_more(line))?;
        Ok(Self {
            receiving,
            decoding,
            events,
            next,
            lanes,
            installed: installation.installed,
            verbose,
            say: say.clone(),
        })
    }

    /// Waits for something to happen, so long at most.
    pub fn wait(&self, longest: Duration) -> Event {
        match self.events.recv_timeout(longest) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Quiet,
            Err(RecvTimeoutError::Disconnected) => Event::End,
        }
    }

    /// Asks every handler to open its file anew.
    pub fn reopen(&self) {
        self.lanes.reopen();
    }

    /// Goes on with another plan, or, when a handler of it cannot be had, with the present one.
    ///
    /// Handlers that are the same in both keep their lanes. Another one's successor is opened
    /// first, gathers what comes, and begins when its predecessor has written what it had: so
    /// nothing is lost or written twice.
    pub fn replace(&mut self, plan: Plan) -> anyhow::Result<()> {
        let (installation, gate) = install(
            plan,
            self.verbose,
            &self.installed,
            &mut self.lanes,
            &self.say,
        )?;
        let Installation {
            dispatcher,
            installed,
            outlets,
        } = installation;
        *self.next.lock() = Some(dispatcher);
        self.next.is_there.store(true, Ordering::Release);
        self.installed = installed;
        self.lanes.retain(&outlets);
        drop(gate);
        Ok(())
    }

    /// Ends the stages in the order in which records flow.
    pub fn close(self) -> (Outcome, Vec<HandlerReport>) {
        self.receiving.stop();
        // The panic has been printed.
        let outcome = self.decoding.join().unwrap_or_default();
        // A tree that nobody took has outlets, too.
        drop(self.next.lock().take());
        (outcome, self.lanes.close())
    }
}

impl Next {
    fn lock(&self) -> MutexGuard<'_, Option<Dispatcher>> {
        self.dispatcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Dispatcher> {
        if !self.is_there.swap(false, Ordering::Acquire) {
            return None;
        }
        self.lock().take()
    }
}

/// Hands signals to the program; the second one that asks for an end gets it at once.
fn watch_signals(events: Sender<Event>) -> anyhow::Result<()> {
    let asked = Arc::<AtomicBool>::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new()
        .name("logsub-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let event = match signal {
                    SIGHUP => Event::Hangup,
                    _ => Event::End,
                };
                if events.send(event).is_err() {
                    break;
                }
            }
        })?;
    Ok(())
}

/// The decoding thread: takes messages, and hands what they say to the dispatcher.
struct Stage {
    decoder: Decoder,
    taker: Taker,
    dispatcher: Dispatcher,
    events: Events,
    next: Arc<Next>,
}

impl Stage {
    fn run(mut self) -> Outcome {
        let mut items = Vec::with_capacity(BATCH);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let is_open = self.fill(&mut items, next_tick);
            self.take_over();
            if Instant::now() >= next_tick || !is_open {
                self.decoder.tick(process::now(), &mut items);
                self.dispatcher
                    .tick(if is_open { process::now() } else { u64::MAX });
                next_tick = Instant::now() + TICK;
            }
            self.hand_on(&mut items);
            if !is_open {
                return (self.decoder.summary(), self.dispatcher.undelivered());
            }
        }
    }

    /// Takes what is there, up to a batch, waiting for the first message until `deadline`; says
    /// whether more can come.
    fn fill(&mut self, items: &mut Vec<Item>, deadline: Instant) -> bool {
        let mut longest = deadline.saturating_duration_since(Instant::now());
        while items.len() < BATCH {
            match self.taker.take(longest) {
                Ok(inbound) => {
                    self.decoder.message(&inbound, process::now(), items);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            longest = Duration::ZERO;
        }
        let overflow = self.taker.overflow();
        if overflow > 0 {
            self.decoder.overflow(overflow, items);
        }
        true
    }

    /// Goes on with the next tree of loggers, when there is one.
    fn take_over(&mut self) {
        if let Some(mut next) = self.next.take() {
            self.dispatcher.tick(u64::MAX);
            next.succeed(&self.dispatcher);
            self.dispatcher = next;
        }
    }

    fn hand_on(&mut self, items: &mut Vec<Item>) {
        if !items.is_empty() {
            self.dispatcher
                .dispatch(std::mem::take(items), process::now());
        }
        if self.dispatcher.has_ended() {
            self.events.end();
        }
    }
}
