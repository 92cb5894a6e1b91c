//! `tick`: messages at a steady rate, each with the time at which it was sent: by libzmq alone, or
//! records by the Rust publisher.
//!
//! What is due is sent, and then this thread rests for [`REST`]: a thread that watched the clock instead
//! would take a processor from those who are measured.

use std::time::{Duration, Instant};

use clap::Parser;
use logbus_process as process;
use logbus_publisher::{Config, Publisher, stamped};

use super::{socket, wait_for_the_end};

/// Longer than a subscriber ever takes to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Linux makes about twice that of it.
const REST: Duration = Duration::from_micros(50);

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    connect: String,
    /// Messages a second
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    count: u32,
    /// Libzmq alone
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    if arguments.raw {
        let context = zmq::Context::new();
        let sender = socket::open_sender(&context)?;
        sender.connect(&arguments.connect)?;
        // The subscription: nobody who listens misses anything.
        sender.recv_bytes(0)?;
        pace(&arguments, || Ok(sender.send(message(), 0)?))?;
    } else {
        let publisher = Publisher::new(Config {
            hold: PATIENCE,
            ..Config::connect([arguments.connect.parse()?])
        })?;
        publisher.publish(&stamped("tick", 20, "first"));
        anyhow::ensure!(publisher.flush(PATIENCE), "nobody took the record");
        pace(&arguments, || {
            publisher.publish(&stamped("tick", 20, "order 4711 accepted by fred"));
            Ok(())
        })?;
        drop(publisher.shutdown(PATIENCE));
    }
    wait_for_the_end()
}

/// As long as a record is.
fn message() -> Vec<u8> {
    let mut message = process::now().to_be_bytes().to_vec();
    message.resize(160, b'.');
    message
}

#[expect(clippy::disallowed_methods, reason = "a rate is made of rests")]
fn pace(arguments: &Arguments, mut send: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    for number in 0..arguments.count {
        let due = begun + Duration::from_secs(1) * number / arguments.rate;
        while Instant::now() < due {
            std::thread::sleep(REST);
        }
        send()?;
    }
    Ok(())
}
