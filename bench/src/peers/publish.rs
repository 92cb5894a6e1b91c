//! `publish`: the Rust publisher, with a backlog.
//!
//! One thread publishes the same record as fast as the queue takes it, or with `--topics` one for each of
//! them in turn, and waits where it is full, or, where a receiver says how far it is (`--windowed`), where a
//! window is. With `--single` every message has one record.

use std::time::Duration;

use clap::Parser;
use logbus_process as process;
use logbus_publisher::{Config, Endpoint, Overflow, Publisher, stamped};

use super::send::topic;
use super::window::Window;
use super::{say, wait_for_the_end};

/// Longer than a full queue ever takes to have room, and a subscriber to come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    connect: Endpoint,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    windowed: bool,
    #[arg(long)]
    topics: Option<u64>,
    #[arg(long)]
    single: bool,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let mut config = Config {
        overflow: Overflow::Block(PATIENCE),
        hold: PATIENCE,
        ..Config::connect([arguments.connect])
    };
    if arguments.single {
        config.batch_bytes = 1;
    }
    let publisher = Publisher::new(config)?;
    let message = "GET /api/orders/1017 user=fred took 12.345 ms";
    let names = match arguments.topics {
        Some(topics) => (0..topics).map(topic).collect(),
        None => vec!["myapp.http".to_owned()],
    };
    let records: Vec<_> = names
        .iter()
        .map(|name| stamped(name, 20, message))
        .collect();
    let mut window = match arguments.windowed {
        true => Some(Window::open(&zmq::Context::new())?),
        false => None,
    };
    if let Some(window) = &window {
        window.wait_for_receiver()?;
    }
    say(&format!("begin {}", process::now()))?;
    for (record, _) in records.iter().cycle().zip(0..arguments.count) {
        if let Some(window) = &mut window {
            while window.is_full() {
                window.hear()?;
            }
            window.count();
        }
        publisher.publish(record);
    }
    let report = publisher.shutdown(PATIENCE);
    anyhow::ensure!(report.is_complete(), "records were lost: {report:?}");
    say(&format!("sent {}", process::now()))?;
    wait_for_the_end()
}
