//! `logpub`: publish a message, standard input, or what another program prints.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "this is the program that speaks")]

mod cli;
mod durable;
mod lines;
mod run;
mod traceback;

use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Command, Common};
use logbus_publisher::{Config, Overflow, Publisher, Report, stamped};
use logbus_schemas::{Level, Record, Topic, codec};

/// Standard input is slowed down rather than lost; the bus is given this long to take a line.
const PATIENCE: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let cli = Cli::parse();
    match publish(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("logpub: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn publish(cli: Cli) -> anyhow::Result<u8> {
    if let Some(Command::Run {
        common,
        tee,
        command,
    }) = cli.command
    {
        let target = Arc::new(Target::new(&common, &run::program_name(&command[0]))?);
        return run::run(&target, tee, &command);
    }
    if let Some(dir) = &cli.drain {
        return durable::drain(dir, &cli.common);
    }
    let target = Target::new(&cli.common, "logpub")?;
    if cli.message.is_empty() {
        publish_lines(&target, cli.json)?;
    } else {
        target
            .publisher
            .publish(&target.record(&cli.message.join(" ")));
    }
    Ok(u8::from(!target.close()))
}

/// Where records go and what they are called.
pub(crate) struct Target {
    pub(crate) publisher: Arc<Publisher>,
    topic: Topic,
    pub(crate) level: Level,
    linger: Duration,
    /// Whether records are sent until they are acknowledged.
    is_durable: bool,
    spool: Option<PathBuf>,
}

impl Target {
    fn new(common: &Common, default_topic: &str) -> anyhow::Result<Self> {
        let topic = match &common.topic {
            Some(topic) => Topic::new(topic).with_context(|| format!("--topic {topic:?}"))?,
            None => Topic::for_name(default_topic),
        };
        let endpoints = common.connect.iter().map(|text| text.parse());
        let linger = Duration::try_from_secs_f64(common.linger).context("--linger")?;
        let config = Config {
            connect: endpoints.collect::<Result<_, _>>().context("--connect")?,
            overflow: Overflow::Block(PATIENCE),
            hold: linger,
            program: topic.to_string(),
            delivery: durable::delivery(common)?,
            key_file: common.key.clone(),
            server_key_file: common.server_key.clone(),
            ..Config::default()
        };
        let level = common.level.parse().context("--level")?;
        Ok(Self {
            publisher: Arc::new(Publisher::new(config)?),
            topic,
            level,
            linger,
            is_durable: common.is_durable(),
            spool: common.spool.clone(),
        })
    }

    /// A record of this moment.
    pub(crate) fn record(&self, message: &str) -> Record {
        self.record_at(self.level, message)
    }

    /// The same at another level.
    pub(crate) fn record_at(&self, level: Level, message: &str) -> Record {
        stamped(self.topic.as_str(), level.0, message)
    }

    /// Hands everything over; says in one line what could not be.
    pub(crate) fn close(&self) -> bool {
        let report = self.publisher.shutdown(self.linger);
        if let Some(dir) = self.spool.as_ref().filter(|_| report.kept > 0) {
            eprintln!(
                "logpub: {} records are kept in {}",
                report.kept,
                dir.display()
            );
        }
        if !report.is_complete() {
            eprintln!("logpub: {}", describe(&report, self.is_durable));
        }
        report.is_complete()
    }
}

fn describe(report: &Report, is_durable: bool) -> String {
    let mut reasons: Vec<String> = report
        .discarded
        .iter()
        .map(|(reason, count)| format!("{reason}: {count}"))
        .collect();
    if report.left > 0 {
        let what = match is_durable {
            true => "not acknowledged",
            false => "still queued",
        };
        reasons.push(format!("{what}: {}", report.left));
    }
    if report.unconfirmed > 0 {
        reasons.push(format!(
            "in the socket, unconfirmed: at most {}",
            report.unconfirmed
        ));
    }
    format!(
        "{} records were not handed over ({})",
        report.not_handed_over(),
        reasons.join(", ")
    )
}

fn publish_lines(target: &Target, json: bool) -> anyhow::Result<()> {
    let mut lines = lines::Lines::default();
    let mut input = std::io::stdin().lock();
    let mut bad = 0u64;
    loop {
        let chunk = input.fill_buf().context("cannot read standard input")?;
        let length = chunk.len();
        let ready = if length == 0 {
            lines.end()
        } else {
            lines.push(chunk)
        };
        input.consume(length);
        for line in ready {
            target
                .publisher
                .publish(&line_record(target, &line, json, &mut bad));
        }
        if length == 0 {
            break;
        }
    }
    if bad > 0 {
        eprintln!("logpub: {bad} lines were no JSON objects and were published as text");
    }
    Ok(())
}

fn line_record(target: &Target, line: &str, json: bool, bad: &mut u64) -> Record {
    if !json {
        return target.record(line);
    }
    match codec::JSON.decode(line.as_bytes()) {
        Ok(said) => {
            let mut record = target.record("");
            for (key, value) in said.fields().iter() {
                record.set(key, value.clone());
            }
            record
        }
        Err(_) => {
            *bad += 1;
            target.record(line)
        }
    }
}
