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
use logbus_broker::tap;
use logbus_process as process;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::Entrances;
use crate::config::plan::Plan;
use crate::decode::{self, Decoder, Summary};
use crate::dispatch::{Dispatcher, Undelivered};
use crate::handler::Say;
use crate::history::intake::{Intake, LAG, SETTLING, Taken};
use crate::history::progress::Progress;
use crate::history::wanted::Wanted;
use crate::history::{History, Running};
use crate::install::{Installation, Installed, install};
use crate::item::{Item, Notice};
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

    /// Asks for the end because the bus refuses what is wanted.
    pub fn refuse(&self) {
        let _told = self.0.try_send(Event::Refused);
    }
}

/// All stages, running.
pub struct Pipeline {
    /// Of the live bus, where that is wanted.
    receiving: Option<Receiving>,
    history: Option<Running>,
    /// Set when handlers are no longer waited for.
    is_closing: Arc<AtomicBool>,
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
    /// The bus refuses what is wanted, and that has been said.
    Refused,
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
    /// Starts every stage, the last one first; the journal, where it is read, when the live bus is
    /// connected.
    pub fn start(
        entrances: &Entrances,
        config: decode::Config,
        plan: Plan,
        verbose: bool,
        history: Option<History>,
        (events_in, events): (Events, Receiver<Event>),
        say: &Say,
    ) -> anyhow::Result<Self> {
        let wanted = history.as_ref().map(History::wanted);
        let is_durable = wanted.is_some_and(Wanted::is_durable);
        let is_shared = wanted.is_some_and(|wanted| wanted.request.share);
        let progress = history.as_ref().map(History::progress);
        let mut lanes = Lanes::new(say);
        if let (Some(progress), true) = (&progress, is_durable) {
            lanes = lanes.accountable_to(progress.clone());
        }
        // Before anything is opened: a view that has the terminal must be able to give it back.
        watch_signals(events_in.0.clone())?;
        let (installation, _) = install(plan, verbose, &[], &mut lanes, say)?;
        let next = Arc::<Next>::default();
        let attached = process::now();
        let Sources {
            receiving,
            history,
            intake,
        } = Sources::open(entrances, &config, history, &events_in, say)?;
        let is_closing = Arc::<AtomicBool>::default();
        let stage = Stage {
            decoder: match is_shared {
                true => Decoder::of_a_share(config, attached),
                false => Decoder::new(config, attached),
            },
            intake,
            progress,
            is_durable,
            number: None,
            is_at_end: false,
            is_closing: is_closing.clone(),
            dispatcher: installation.dispatcher,
            events: events_in,
            next: next.clone(),
        };
        let decoding = std::thread::Builder::new()
            .name("logsub-decode".to_owned())
            .spawn(move || stage.run())
            .context("cannot start a thread")?;
        Ok(Self {
            receiving,
            history,
            is_closing,
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
        self.is_closing.store(true, Ordering::Relaxed);
        if let Some(receiving) = self.receiving {
            receiving.stop();
        }
        if let Some(history) = &self.history {
            history.stop();
        }
        // The panic has been printed.
        let outcome = self.decoding.join().unwrap_or_default();
        // A tree that nobody took has outlets, too.
        drop(self.next.lock().take());
        let reports = self.lanes.close();
        if let Some(history) = self.history {
            history.finish();
        }
        (outcome, reports)
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

/// Where messages come from.
struct Sources {
    receiving: Option<Receiving>,
    history: Option<Running>,
    intake: Intake,
}

impl Sources {
    /// Connects to the live bus, where it is wanted, and then begins to read the journal.
    fn open(
        entrances: &Entrances,
        config: &decode::Config,
        history: Option<History>,
        events: &Events,
        say: &Say,
    ) -> anyhow::Result<Self> {
        let (tap, taker) = tap(&config.topics);
        let wanted = history.as_ref().map(History::wanted);
        let mut receiving = None;
        if wanted.is_none_or(|wanted| wanted.is_live_next) {
            let say = say.clone();
            let started = Receiving::start(entrances, tap, move |line: &str| say(line))?;
            receiving = Some(started);
        }
        let Some(history) = history else {
            return Ok(Self {
                receiving,
                history: None,
                intake: Intake::live(taker),
            });
        };
        // The bus of this machine has confirmed the subscription; others confirm nothing.
        let settled = Instant::now()
            + match entrances.own.is_empty() {
                true => LAG,
                false => SETTLING,
            };
        let events = events.clone();
        let refused = Box::new(move || events.refuse());
        let (intake, running) = Intake::journal(taker, history, settled, say, refused)?;
        Ok(Self {
            receiving,
            history: Some(running),
            intake,
        })
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
    intake: Intake,
    /// Where to say how far this is, while a journal is read.
    progress: Option<Arc<Progress>>,
    /// Whether the handlers say that.
    is_durable: bool,
    /// The last entry of the journal that was taken, if that was not said yet.
    number: Option<u64>,
    /// Whether nothing more comes.
    is_at_end: bool,
    is_closing: Arc<AtomicBool>,
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
                self.decoder.tick(self.intake.now(), &mut items);
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
            match self.intake.take(longest) {
                Ok(taken) => self.decode(taken, items),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            // What is done is said entry by entry.
            if self.is_at_end || self.is_durable && self.number.is_some() {
                break;
            }
            longest = Duration::ZERO;
        }
        let overflow = self.intake.overflow();
        if overflow > 0 {
            self.decoder.overflow(overflow, items);
        }
        true
    }

    fn decode(&mut self, taken: Taken, items: &mut Vec<Item>) {
        match taken {
            Taken::Live(inbound) => self.decoder.message(&inbound, process::now(), items),
            Taken::Entry(entry) => {
                self.decoder.entry(&entry.inbound, entry.received, items);
                self.number = Some(entry.number);
                if entry.again {
                    self.decoder.again();
                }
            }
            Taken::Gone(gone) => self.decoder.gone(gone, items),
            Taken::CaughtUp(offset) => items.push(Item::Notice(Notice::CaughtUp { offset })),
            Taken::End => self.is_at_end = true,
        }
    }

    /// Says how far this is, now that it was dispatched.
    fn tell_progress(&mut self) {
        let (Some(number), Some(progress)) = (self.number.take(), &self.progress) else {
            return;
        };
        progress.issue(number);
        if !(self.is_durable && self.dispatcher.mark(number)) {
            progress.pass(number);
        }
    }

    /// Goes on with the next tree of loggers, when there is one.
    fn take_over(&mut self) {
        if let Some(mut next) = self.next.take() {
            self.dispatcher.tick(u64::MAX);
            next.succeed(&self.dispatcher);
            self.dispatcher = next;
            if let (Some(progress), true) = (&self.progress, self.is_durable) {
                self.dispatcher.mark(progress.issued());
            }
        }
    }

    fn hand_on(&mut self, items: &mut Vec<Item>) {
        let patience = self.intake.is_behind().then_some(&self.is_closing);
        self.dispatcher.set_patience(patience);
        if !items.is_empty() {
            self.dispatcher.dispatch(items, process::now());
        }
        self.tell_progress();
        if std::mem::take(&mut self.is_at_end) {
            // Whoever reads to the end reads all of it, however long that takes.
            self.dispatcher.wait_until_idle(&self.is_closing);
            self.events.end();
        }
        if self.dispatcher.has_ended() {
            self.events.end();
        }
    }
}

#[cfg(test)]
mod tests;
