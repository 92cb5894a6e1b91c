//! `receive`: plain SUB sockets that take messages and forget them.
//!
//! Nothing that reads from ZeroMQ can be faster: this is the limit. With `--records` the records of
//! native messages are counted, by their headers; a broker's greeting says that it has the subscription.
//! With more topics than one there is a socket for each, all of them polled by one thread.

use anyhow::{Context, bail};
use clap::Parser;
use logbus_process as process;
use logbus_schemas::wire::Header;
use zmq::{DONTWAIT, Message, Socket};

use super::send::topic;
use super::window::Progress;
use super::{say, socket, wait_for_the_end};

/// How long nothing may come, in ms, before it is taken that nothing more will.
pub(super) const QUIET: i32 = 20_000;
/// Messages taken from one of several sockets before the others get their turn.
pub(super) const TURN: usize = 256;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    connect: String,
    #[arg(long)]
    count: u64,
    /// Count records in place of messages
    #[arg(long)]
    records: bool,
    /// Sockets that subscribe to one topic each; one that subscribes to all where not given
    #[arg(long)]
    topics: Option<u64>,
    /// Where progress is told
    #[arg(long)]
    acks: Option<String>,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let context = zmq::Context::new();
    let mut sockets = Vec::new();
    let prefixes = match arguments.topics {
        Some(topics) => (0..topics).map(topic).collect(),
        None => vec![String::new()],
    };
    for prefix in prefixes {
        let receiver = socket::open(&context, zmq::SUB)?;
        receiver.set_rcvtimeo(QUIET)?;
        receiver.set_subscribe(prefix.as_bytes())?;
        receiver.connect(&arguments.connect)?;
        sockets.push(receiver);
    }
    let mut message = Message::new();
    if arguments.records {
        // Whoever else listens, as a journal, must not be the first to get anything.
        for socket in &sockets {
            socket.recv(&mut message, 0).context("no greeting")?;
        }
    }
    let acks = arguments.acks.as_deref();
    let mut progress = acks
        .map(|endpoint| Progress::open(&context, endpoint))
        .transpose()?;
    let mut received = 0;
    while received < arguments.count {
        take_some(&sockets, &mut message, |message| {
            received += match arguments.records {
                true => records(message)?,
                false => 1,
            };
            if let Some(progress) = &mut progress {
                progress.reach(received)?;
            }
            Ok(received < arguments.count)
        })
        .with_context(|| format!("after {received}"))?;
    }
    say(&format!("end {}", process::now()))?;
    wait_for_the_end()
}

/// Hands the first frame of each message that is there to `take`, as long as that says to go on.
fn take_some(
    sockets: &[Socket],
    message: &mut Message,
    mut take: impl FnMut(&mut Frames<'_>) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    if let [only] = sockets {
        only.recv(message, 0)?;
        let mut frames = Frames {
            socket: only,
            message,
        };
        take(&mut frames)?;
        return frames.skip();
    }
    let mut items: Vec<_> = sockets
        .iter()
        .map(|s| s.as_poll_item(zmq::POLLIN))
        .collect();
    if zmq::poll(&mut items, QUIET.into())? == 0 {
        bail!("nothing more came");
    }
    for socket in sockets {
        for _ in 0..TURN {
            if socket.recv(message, DONTWAIT).is_err() {
                break;
            }
            let mut frames = Frames { socket, message };
            if !take(&mut frames)? {
                return frames.skip();
            }
            frames.skip()?;
        }
    }
    Ok(())
}

/// A message whose first frame was taken.
pub(super) struct Frames<'a> {
    pub(super) socket: &'a Socket,
    pub(super) message: &'a mut Message,
}

impl Frames<'_> {
    fn next(&mut self) -> anyhow::Result<bool> {
        let is_more = self.message.get_more();
        if is_more {
            self.socket.recv(self.message, 0)?;
        }
        Ok(is_more)
    }

    pub(super) fn skip(mut self) -> anyhow::Result<()> {
        while self.next()? {}
        Ok(())
    }
}

/// The records of a native message; none of what is no native message, as a broker's greeting.
pub(super) fn records(frames: &mut Frames<'_>) -> anyhow::Result<u64> {
    if !frames.next()? {
        return Ok(0);
    }
    let header = Header::parse(frames.message).ok();
    Ok(header
        .filter(|header| !header.flags.is_heartbeat())
        .map_or(0, |header| u64::from(header.count)))
}
