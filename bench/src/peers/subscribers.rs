//! `subscribers`: plain SUB sockets that get every record each, and count them.
//!
//! They say `subscribed` when the broker has their subscriptions, `first` when each has so many records,
//! and `end NS` when each has all. What one of them lacks ends this program with an error. One thread
//! polls all of them, and tells senders how far the slowest of them is.

use anyhow::{Context, bail, ensure};
use clap::Parser;
use logbus_process as process;
use zmq::{DONTWAIT, Message, Socket};

use super::receive::{Frames, QUIET, TURN, records};
use super::window::Progress;
use super::{say, socket, wait_for_the_end};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    connect: String,
    #[arg(long)]
    sockets: usize,
    /// Records that come before any are timed
    #[arg(long)]
    first: u64,
    /// Records after these
    #[arg(long)]
    count: u64,
    /// Where progress is told
    #[arg(long, value_delimiter = ',')]
    acks: Vec<String>,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    ensure!(arguments.sockets > 0, "there is no subscriber");
    let context = zmq::Context::new();
    let mut subscribers = Vec::new();
    for _ in 0..arguments.sockets {
        subscribers.push(Subscriber::connect(&context, &arguments.connect)?);
    }
    let mut message = Message::new();
    for subscriber in &subscribers {
        let greeting = subscriber.socket.recv(&mut message, 0);
        greeting.context("no greeting")?;
    }
    say("subscribed")?;
    let acks = arguments.acks.iter();
    let mut senders = acks
        .map(|endpoint| Progress::open(&context, endpoint))
        .collect::<anyhow::Result<Vec<_>>>()?;
    take_until(arguments.first, &mut subscribers, &mut senders)?;
    say("first")?;
    let all = arguments.first + arguments.count;
    take_until(all, &mut subscribers, &mut senders)?;
    say(&format!("end {}", process::now()))?;
    wait_for_the_end()
}

/// Takes records until every subscriber has so many in all.
fn take_until(
    count: u64,
    subscribers: &mut [Subscriber],
    senders: &mut [Progress],
) -> anyhow::Result<()> {
    while slowest(subscribers) < count {
        let mut items: Vec<_> = subscribers
            .iter()
            .map(|subscriber| subscriber.socket.as_poll_item(zmq::POLLIN))
            .collect();
        if zmq::poll(&mut items, QUIET.into())? == 0 {
            let received: Vec<u64> = subscribers.iter().map(|s| s.received).collect();
            bail!("subscribers have {received:?} of {count}, and nothing more came");
        }
        for subscriber in &mut *subscribers {
            subscriber.take_some()?;
        }
        let received = slowest(subscribers);
        for sender in &mut *senders {
            sender.reach(received)?;
        }
    }
    Ok(())
}

fn slowest(subscribers: &[Subscriber]) -> u64 {
    let received = subscribers.iter().map(|subscriber| subscriber.received);
    received.min().unwrap_or(0)
}

struct Subscriber {
    socket: Socket,
    received: u64,
}

impl Subscriber {
    fn connect(context: &zmq::Context, endpoint: &str) -> anyhow::Result<Self> {
        let socket = socket::open(context, zmq::SUB)?;
        socket.set_rcvtimeo(QUIET)?;
        socket.set_subscribe(b"")?;
        socket.connect(endpoint)?;
        Ok(Self {
            socket,
            received: 0,
        })
    }

    fn take_some(&mut self) -> anyhow::Result<()> {
        let mut message = Message::new();
        for _ in 0..TURN {
            if self.socket.recv(&mut message, DONTWAIT).is_err() {
                break;
            }
            let mut frames = Frames {
                socket: &self.socket,
                message: &mut message,
            };
            self.received += records(&mut frames)?;
            frames.skip()?;
        }
        Ok(())
    }
}
