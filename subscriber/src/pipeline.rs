//! The stages put together: receive, decode, dispatch; and how they end.
//!
//! Each stage ends when the queue before it is closed, so closing goes in the order in which
//! records flow, and nothing that was received is left behind. A second signal ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use logbus_broker::{Taker, tap};
use logbus_process as process;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::Entrances;
use crate::decode::{self, Decoder, Summary};
use crate::dispatch::{Dispatcher, HandlerReport};
use crate::handler::Say;
use crate::item::Item;
use crate::receive::{BATCH, Receiving};

/// How often the account of losses is asked what only time shows.
const TICK: Duration = Duration::from_secs(1);

/// All stages, running.
pub struct Pipeline {
    receiving: Receiving,
    decoding: JoinHandle<(Summary, Dispatcher)>,
    events: Receiver<Event>,
    reopen: Arc<AtomicBool>,
}

/// What ends a run, or interrupts it.
enum Event {
    Signal(i32),
    HandlersEnded,
}

impl Pipeline {
    /// Starts every stage, the last one first.
    pub fn start(
        entrances: &Entrances,
        config: decode::Config,
        dispatcher: Dispatcher,
        say: &Say,
    ) -> anyhow::Result<Self> {
        let (tap, taker) = tap(&config.topics);
        let (events_in, events) = bounded(16);
        let reopen = Arc::<AtomicBool>::default();
        watch_signals(events_in.clone())?;
        let stage = Stage {
            decoder: Decoder::new(config, process::now()),
            taker,
            dispatcher,
            events: events_in,
            reopen: reopen.clone(),
        };
        let decoding = std::thread::Builder::new()
            .name("logsub-decode".to_owned())
            .spawn(move || stage.run())
            .context("cannot start a thread")?;
        let say = say.clone();
        let receiving = Receiving::start(entrances, tap, move |line: &str| say(line))?;
        Ok(Self {
            receiving,
            decoding,
            events,
            reopen,
        })
    }

    /// Returns when the program should end.
    pub fn run_until_signal(&self) -> anyhow::Result<()> {
        while let Ok(Event::Signal(SIGHUP)) = self.events.recv() {
            self.reopen
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    }

    /// Ends the stages in the order in which records flow.
    pub fn close(self) -> (Summary, Vec<HandlerReport>) {
        self.receiving.stop();
        match self.decoding.join() {
            Ok((summary, dispatcher)) => (summary, dispatcher.close()),
            // The panic has been printed.
            Err(_) => (Summary::default(), Vec::new()),
        }
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
                if events.send(Event::Signal(signal)).is_err() {
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
    events: Sender<Event>,
    reopen: Arc<AtomicBool>,
}

impl Stage {
    fn run(mut self) -> (Summary, Dispatcher) {
        let mut items = Vec::with_capacity(BATCH);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let is_open = self.fill(&mut items, next_tick);
            if Instant::now() >= next_tick || !is_open {
                self.decoder.tick(process::now(), &mut items);
                next_tick = Instant::now() + TICK;
            }
            self.hand_on(&mut items);
            if !is_open {
                return (self.decoder.summary(), self.dispatcher);
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

    fn hand_on(&mut self, items: &mut Vec<Item>) {
        if self
            .reopen
            .swap(false, std::sync::atomic::Ordering::Relaxed)
        {
            self.dispatcher.reopen();
        }
        if !items.is_empty() {
            self.dispatcher.dispatch(&std::mem::take(items).into());
        }
        if self.dispatcher.has_ended() {
            // The program may be ending already; then nobody listens.
            drop(self.events.try_send(Event::HandlersEnded));
        }
    }
}
