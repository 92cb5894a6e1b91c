//! `send`: sends prepared messages as fast as they are taken, and loses none.
//!
//! They are those of the Cookbook's handler, one frame each, or with `--native` the same dicts in native
//! messages of one record, which have three. It begins when somebody subscribes. Where a receiver says
//! how far it is (`--windowed`), no more are on their way than a window holds; else it waits where the
//! receiver's queue is full.

use clap::Parser;
use logbus_process as process;
use logbus_schemas::codec;
use logbus_schemas::wire::{Header, SenderId};
use zmq::{SNDMORE, Socket};

use super::window::Window;
use super::{say, socket, wait_for_the_end};
use crate::sample;

#[derive(Parser)]
struct Arguments {
    /// Connects here; listens where not given
    #[arg(long)]
    connect: Option<String>,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    windowed: bool,
    /// Native messages, one record each, on so many topics in turn
    #[arg(long, value_name = "TOPICS")]
    native: Option<u64>,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let messages = sample::cookbook();
    let context = zmq::Context::new();
    let sender = socket::open_sender(&context)?;
    match &arguments.connect {
        Some(endpoint) => sender.connect(endpoint)?,
        None => {
            sender.bind("tcp://127.0.0.1:*")?;
            say(&format!("at {}", socket::endpoint(&sender)?))?;
        }
    }
    let mut window = match arguments.windowed {
        true => Some(Window::open(&context)?),
        false => None,
    };
    if let Some(window) = &window {
        window.wait_for_receiver()?;
    }
    let topics: Vec<String> = (0..arguments.native.unwrap_or(0)).map(topic).collect();
    let beginnings: Vec<&[u8]> = match topics.is_empty() {
        true => messages.iter().take(1).map(Vec::as_slice).collect(),
        false => topics.iter().map(String::as_bytes).collect(),
    };
    wait_for_subscriptions(&sender, beginnings)?;
    say(&format!("begin {}", process::now()))?;
    for (message, number) in messages.iter().cycle().zip(0..arguments.count) {
        if let Some(window) = &mut window {
            while window.is_full() {
                window.hear()?;
            }
            window.count();
        }
        match topics.get(number as usize % topics.len().max(1)) {
            None => sender.send(message.as_slice(), 0)?,
            Some(topic) => {
                let sequence = number / topics.len() as u64;
                send_native(&sender, SenderId(7), topic, sequence, message)?;
            }
        }
    }
    say(&format!("sent {}", process::now()))?;
    wait_for_the_end()
}

/// Waits until there is a subscription to each of what messages begin with. A broker may want more.
pub(super) fn wait_for_subscriptions(
    sender: &Socket,
    mut beginnings: Vec<&[u8]>,
) -> anyhow::Result<()> {
    while !beginnings.is_empty() {
        if let [1, prefix @ ..] = &sender.recv_bytes(0)?[..] {
            beginnings.retain(|beginning| !beginning.starts_with(prefix));
        }
    }
    Ok(())
}

/// The topic of this number; none is the beginning of another.
pub(super) fn topic(number: u64) -> String {
    format!("myapp{number}.http")
}

pub(super) fn send_native(
    sender: &Socket,
    id: SenderId,
    topic: &str,
    sequence: u64,
    dict: &[u8],
) -> anyhow::Result<()> {
    let header = Header {
        sequence,
        count: 1,
        ..Header::new(codec::JSON, id)
    };
    sender.send(topic, SNDMORE)?;
    sender.send(header.to_bytes().as_slice(), SNDMORE)?;
    sender.send(dict, 0)?;
    Ok(())
}
