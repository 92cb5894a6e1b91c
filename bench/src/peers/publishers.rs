//! `publishers`: many publishers in one process, each a socket and a sender's number of its own.
//!
//! They send native messages of one record on one topic, [`BURST`] of each in turn, about the 8 KiB that
//! libzmq writes at once when it has more: with a piece of TCP for every record, a thousand publishers would
//! be beside one that has a backlog. With a line on standard input they connect and send a record each, and say
//! `connected`; with the next one they begin, together with those of other processes.

use clap::Parser;
use logbus_process as process;
use logbus_schemas::wire::SenderId;
use zmq::Socket;

use super::send::{send_native, topic, wait_for_subscriptions};
use super::window::Window;
use super::{say, socket, wait_for_a_line, wait_for_the_end};
use crate::sample;

/// Records of one publisher before the next one has its turn.
const BURST: u64 = 12;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    connect: String,
    /// Publishers in this process
    #[arg(long)]
    sockets: usize,
    /// Processes like this one, which share the window
    #[arg(long)]
    processes: u64,
    /// The number of this one of them
    #[arg(long)]
    number: u64,
    /// Records of each publisher, besides its first
    #[arg(long)]
    each: u64,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let context = zmq::Context::new();
    let mut window = Window::open(&context)?.shared_by(arguments.processes);
    wait_for_a_line()?;
    window.wait_for_receiver()?;
    let first = arguments.number * arguments.sockets as u64;
    let mut publishers = (first..)
        .take(arguments.sockets)
        .map(|number| Publisher::connect(&context, &arguments.connect, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (messages, topic) = (sample::cookbook(), topic(0));
    for publisher in &mut publishers {
        wait_for_subscriptions(&publisher.socket, vec![topic.as_bytes()])?;
        window.count();
        publisher.send(&topic, &messages)?;
    }
    say("connected")?;
    wait_for_a_line()?;
    say(&format!("begin {}", process::now()))?;
    let mut left = arguments.each;
    while left > 0 {
        let burst = left.min(BURST);
        for publisher in &mut publishers {
            for _ in 0..burst {
                while window.is_full() {
                    window.hear()?;
                }
                window.count();
                publisher.send(&topic, &messages)?;
            }
        }
        left -= burst;
    }
    wait_for_the_end()
}

struct Publisher {
    socket: Socket,
    sender: SenderId,
    sequence: u64,
}

impl Publisher {
    fn connect(context: &zmq::Context, endpoint: &str, number: u64) -> anyhow::Result<Self> {
        let socket = socket::open_sender(context)?;
        socket.connect(endpoint)?;
        Ok(Self {
            socket,
            sender: SenderId(number + 1),
            sequence: 0,
        })
    }

    fn send(&mut self, topic: &str, messages: &[Vec<u8>]) -> anyhow::Result<()> {
        let message = &messages[self.sequence as usize % messages.len()];
        send_native(&self.socket, self.sender, topic, self.sequence, message)?;
        self.sequence += 1;
        Ok(())
    }
}
