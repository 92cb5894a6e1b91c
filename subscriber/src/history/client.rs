//! The thread that talks to a durable endpoint, and the way to it.
//!
//! It owns the socket: says hello at every connect, asks, hands on what comes, tells what is done
//! and gives credit (`reading.rs`). It never waits for the decoding stage, because no more can come
//! than there is credit for. A connection that breaks is dialled again for ever, with another socket:
//! the same one would first say what it still held, to a broker that was not greeted. A refusal is
//! for good.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};
use logbus_broker::Inbound;
use logbus_schemas::wire::durable::{Command, Gone};
use logbus_transport::{
    Caller, Endpoint, Error, Frame, Message, PeerEvent, PollSet, Security, Sent, Waker, wait,
};

use super::connect::{History, command, dial, hello};
use super::progress::Progress;
use super::reading::{Limits, Reading, Step};
use crate::format::visible;
use crate::handler::Say;

/// How long the broker may take, at the end, to note what is done.
const NOTING: Duration = Duration::from_secs(2);
/// What is in hand at most. A socket that holds 1000 messages for each peer, and hears of what was
/// taken when half of them were, always has room for so many.
const LIMITS: Limits = Limits {
    entries: ENTRIES,
    bytes: 8 << 20,
};
/// Entries in hand at most.
const ENTRIES: u32 = 500;
/// How long the name of a durable subscription is waited for that another reader has, and how long
/// to let the broker be before it is asked again; it waits itself for some seconds each time.
const NAME_PATIENCE: Duration = Duration::from_secs(20);
const NAME_PAUSE: Duration = Duration::from_secs(1);
/// Messages taken before orders are looked at again.
const TURN: usize = 256;

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Voice {
    orders: Sender<Order>,
    waker: Waker,
}

/// The thread, running.
pub struct Running {
    voice: Voice,
    thread: JoinHandle<()>,
}

/// What the thread is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Ask again behind what came, but not before then.
    Again(Instant),
    /// Read no more.
    Stop,
    /// Everything that will be done is done: tell so, and end.
    Finish,
}

/// What the thread tells.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are entries")]
pub(super) enum Told {
    Entry(Entry),
    Gone(Gone),
    /// That was everything there is, up to here.
    Live(u64),
    End,
}

/// A message of the journal.
#[derive(Debug)]
pub struct Entry {
    /// Counted from 1, as they came.
    pub number: u64,
    /// Its place in the journal.
    pub offset: u64,
    /// When the broker had it, in ns since 1970-01-01 00:00 UTC.
    pub received: u64,
    /// Whether it was handed out before.
    pub again: bool,
    /// The native message, with an empty payload where none of its records has the level.
    pub inbound: Inbound,
}

/// Starts the thread, which asks at once.
pub(super) fn start(
    history: History,
    say: &Say,
    refused: Box<dyn Fn() + Send>,
) -> anyhow::Result<(Running, Receiver<Told>)> {
    let ((orders_in, orders), (told_in, told)) = (unbounded(), unbounded());
    let voice = Voice {
        orders: orders_in,
        waker: history.waker.clone(),
    };
    let mut client = Client {
        from: format!("the journal at {}", history.endpoint).into(),
        endpoint: history.endpoint,
        security: history.security,
        caller: history.caller,
        reading: Reading::new(history.wanted.request, LIMITS),
        told: Some(told_in),
        orders,
        progress: history.progress,
        waker: history.waker,
        is_greeted: true,
        again: None,
        finish_by: None,
        name_by: None,
        has_said_waits: false,
        out: VecDeque::new(),
        say: say.clone(),
        refused,
    };
    let commands = client.reading.begin(&history.welcome);
    client.say_all(commands);
    let thread = std::thread::Builder::new()
        .name("logsub-history".to_owned())
        .spawn(move || client.run())
        .context("cannot start a thread")?;
    Ok((Running { voice, thread }, told))
}

impl Voice {
    /// A voice, and what it says.
    #[cfg(test)]
    pub(super) fn heard_by() -> (Self, Receiver<Order>) {
        let (orders, heard) = unbounded();
        let waker = Waker::new().unwrap();
        (Self { orders, waker }, heard)
    }

    pub(super) fn tell(&self, order: Order) {
        // A thread that is gone needs no orders.
        let _told = self.orders.send(order);
        self.waker.wake();
    }
}

impl Running {
    /// The way to it.
    pub(super) fn voice(&self) -> Voice {
        self.voice.clone()
    }

    /// Takes nothing more in.
    pub fn stop(&self) {
        self.voice.tell(Order::Stop);
    }

    /// Tells what is done, waits a little until that is noted, and closes.
    pub fn finish(self) {
        self.voice.tell(Order::Finish);
        // A panic there has been printed.
        drop(self.thread.join());
    }
}

/// What the thread works on.
struct Client {
    endpoint: Endpoint,
    security: Option<Security>,
    caller: Caller,
    reading: Reading,
    /// Dropped when nothing more is to be taken in.
    told: Option<Sender<Told>>,
    orders: Receiver<Order>,
    progress: Arc<Progress>,
    waker: Waker,
    from: Arc<str>,
    is_greeted: bool,
    /// When to ask again.
    again: Option<Instant>,
    /// When to end at the latest.
    finish_by: Option<Instant>,
    /// Until when the name is waited for, once it was refused.
    name_by: Option<Instant>,
    has_said_waits: bool,
    /// What the socket had no room for yet.
    out: VecDeque<Message>,
    say: Say,
    refused: Box<dyn Fn() + Send>,
}

impl Client {
    fn run(mut self) {
        if let Err(error) = self.serve() {
            (self.say)(&format!("{}: {error}", self.from));
        }
        drop(self.told.take());
        let _flushed = self.caller.close(Duration::from_millis(200));
    }

    fn serve(&mut self) -> Result<(), Error> {
        loop {
            self.hear_connection()?;
            let is_more = self.hear_broker()?;
            self.obey();
            let commands = self.reading.release(self.progress.least());
            self.say_all(commands);
            self.send_out()?;
            if self.is_over() {
                return Ok(());
            }
            if !is_more {
                self.rest()?;
            }
        }
    }

    fn rest(&self) -> Result<(), Error> {
        let mut set = PollSet::new();
        self.caller.poll(&mut set, !self.out.is_empty());
        self.waker.poll(&mut set);
        for deadline in self.again.into_iter().chain(self.finish_by) {
            set.wake_by(deadline);
        }
        wait(&mut set, None)?;
        self.waker.clear();
        Ok(())
    }

    /// Whether everything is said that is to be said.
    fn is_over(&self) -> bool {
        if self.told.is_none() && !self.reading.is_named() {
            return self.out.is_empty();
        }
        let Some(deadline) = self.finish_by else {
            return false;
        };
        let is_noted = !self.reading.is_named() || self.reading.is_noted();
        is_noted && self.out.is_empty() || !self.is_greeted || Instant::now() >= deadline
    }

    fn hear_connection(&mut self) -> Result<(), Error> {
        for event in self.caller.peer_events() {
            match event {
                PeerEvent::Connected => self.out.push_front(Message::single(hello().encode())),
                PeerEvent::Disconnected => {
                    self.lose_connection();
                    let next = dial(&self.endpoint, self.security.clone())?;
                    let before = std::mem::replace(&mut self.caller, next);
                    // What it holds is asked for again; what it did since is nobody's business.
                    let _unsent = before.close(Duration::ZERO);
                    return Ok(());
                }
                PeerEvent::Refused => self.lose_connection(),
            }
        }
        Ok(())
    }

    fn lose_connection(&mut self) {
        if self.is_greeted && self.told.is_some() {
            (self.say)(&format!("lost {}; dialling again", self.from));
        }
        self.is_greeted = false;
        self.reading.interrupt();
        self.out.clear();
    }

    /// Takes a bounded number of messages; says whether there may be more.
    fn hear_broker(&mut self) -> Result<bool, Error> {
        for _ in 0..TURN {
            let Some(message) = self.caller.receive()? else {
                return Ok(false);
            };
            // What cannot be read is of a newer broker, which knows that older clients are about.
            if let Some(command) = command(&message) {
                self.hear(command, message);
            }
        }
        Ok(true)
    }

    fn hear(&mut self, command: Command, message: Message) {
        if let Command::Welcome(welcome) = &command {
            if !self.is_greeted {
                (self.say)(&format!("{} is back", self.from));
            }
            self.is_greeted = true;
            if self.reading.is_named() {
                // Asked twice, it would wait for itself.
                self.again = None;
            }
            let commands = match self.told {
                Some(_) => self.reading.begin(welcome),
                None => Vec::new(),
            };
            self.say_all(commands);
            return;
        }
        let told = match self.reading.hear(command, message.len_bytes()) {
            Step::Entry(number, entry) => Told::Entry(Entry {
                number,
                offset: entry.offset,
                received: entry.received,
                again: entry.again,
                inbound: Inbound {
                    message: message.into_frames().skip(1).collect::<Message>(),
                    from: self.from.clone(),
                    dialect: None,
                },
            }),
            Step::Gone(gone) => Told::Gone(gone),
            Step::Live(offset) => Told::Live(offset),
            Step::End => Told::End,
            Step::Refused { reason, is_name } => return self.refused(&reason, is_name),
            Step::Noted | Step::Nothing => return,
        };
        // It has begun: the name is its own.
        (self.name_by, self.has_said_waits) = (None, false);
        if let Some(stage) = &self.told
            && stage.send(told).is_err()
        {
            self.stop();
        }
    }

    /// A name may still be held for a reader that was killed: the broker notices by and by.
    fn refused(&mut self, reason: &str, is_name: bool) {
        let now = Instant::now();
        let until = *self.name_by.get_or_insert_with(|| now + NAME_PATIENCE);
        if !is_name || self.told.is_none() || now >= until {
            return self.give_up(reason);
        }
        self.again = Some(now + NAME_PAUSE);
        if !std::mem::replace(&mut self.has_said_waits, true) {
            let seconds = NAME_PATIENCE.as_secs();
            (self.say)(&format!(
                "{}: another reader has this name, or had it just now; waiting for it, {seconds} s \
                 at most",
                self.from
            ));
        }
    }

    fn give_up(&mut self, reason: &str) {
        let mut shown = String::new();
        visible::on_one_line(reason, &mut shown);
        (self.say)(&format!("{} refuses: {shown}", self.from));
        (self.refused)();
        self.told = None;
    }

    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Again(when) => self.again = Some(when),
                Order::Stop => self.stop(),
                Order::Finish => self.finish_by = Some(Instant::now() + NOTING),
            }
        }
        if self.again.is_some_and(|when| Instant::now() >= when) {
            self.again = None;
            // Where the connection is broken, the next welcome asks.
            if self.is_greeted && self.told.is_some() {
                let commands = self.reading.resume();
                self.say_all(commands);
            }
        }
    }

    fn stop(&mut self) {
        if self.told.take().is_some() {
            let command = self.reading.stop();
            self.say_all(command.into_iter().collect());
        }
    }

    fn say_all(&mut self, commands: Vec<Command>) {
        let messages = commands
            .iter()
            .map(|command| Message::single(Frame::from(command.encode())));
        self.out.extend(messages);
    }

    fn send_out(&mut self) -> Result<(), Error> {
        while let Some(message) = self.out.pop_front() {
            if let Sent::Busy(message) = self.caller.send(message)? {
                self.out.push_front(message);
                return Ok(());
            }
        }
        Ok(())
    }
}
