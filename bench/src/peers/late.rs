//! `late`: how late what `tick` sends arrives: at a plain SUB socket, or at a handler of `logsub`.
//!
//! The handler is one of this program's in `logsub`'s own pipeline, with all stages before it. It says
//! `late P50 P99 P99.9`, in µs, of all that came after [`WARM_UP`].

use std::sync::Arc;

use clap::Parser;
use logbus_process as process;
use logbus_subscriber::cli::Cli;
use logbus_subscriber::config::Config;
use logbus_subscriber::decode;
use logbus_subscriber::handler::{Fault, Handler};
use logbus_subscriber::item::Item;
use logbus_subscriber::pipeline::{self, Pipeline};

use super::{say, socket, wait_for_the_end};

/// Records that come before any counts.
const WARM_UP: usize = 500;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    bind: String,
    #[arg(long)]
    count: usize,
    /// A plain SUB socket
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let late = Late {
        count: arguments.count,
        times: Vec::with_capacity(arguments.count),
    };
    if arguments.raw {
        return receive(&arguments, late);
    }
    let cli = Cli::parse_from(["logsub", "--no-console", "--bind", &arguments.bind]);
    let config = Config::resolve(&cli).map_err(|problems| anyhow::anyhow!(problems.line()))?;
    let (settings, mut plan) = (config.settings, config.plan);
    plan.attach("late", Box::new(move |_| Ok(Box::new(late))));
    let decoding = decode::Config {
        topics: settings.topics,
        levels: settings.levels,
        max_message: settings.max_message,
        rejects: None,
    };
    let entrances = &settings.entrances;
    let quiet: logbus_subscriber::handler::Say = Arc::new(|_| {});
    let pipeline = Pipeline::start(
        entrances,
        decoding,
        plan,
        false,
        None,
        pipeline::events(),
        &quiet,
    )?;
    wait_for_the_end()?;
    drop(pipeline.close());
    Ok(())
}

fn receive(arguments: &Arguments, mut late: Late) -> anyhow::Result<()> {
    let context = zmq::Context::new();
    let receiver = socket::open(&context, zmq::SUB)?;
    receiver.set_subscribe(b"")?;
    receiver.bind(&arguments.bind)?;
    let mut message = zmq::Message::new();
    for _ in 0..arguments.count {
        receiver.recv(&mut message, 0)?;
        if let Some((sent, _)) = message.split_first_chunk() {
            late.note(u64::from_be_bytes(*sent) as f64);
        }
    }
    wait_for_the_end()
}

/// Times on the way, in ns.
struct Late {
    count: usize,
    times: Vec<f64>,
}

impl Late {
    fn note(&mut self, sent: f64) {
        self.times.push(process::now() as f64 - sent);
        if self.times.len() != self.count {
            return;
        }
        let mut times = self.times.split_off(WARM_UP);
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize] / 1e3;
        let line = format!("late {:.1} {:.1} {:.1}", at(0.5), at(0.99), at(0.999));
        // Nobody hears it where the contest was ended.
        say(&line).ok();
    }
}

impl Handler for Late {
    fn name(&self) -> &str {
        "late"
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            if let Item::Record(delivered) = item {
                self.note(delivered.record.created().unwrap_or(0.0) * 1e9);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
