//! `logsub`: parse, resolve, build, run, report. The map of the program.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is the program that speaks"
)]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use logbus_broker::RejectFile;
use logbus_subscriber::cli::Cli;
use logbus_subscriber::config::Config;
use logbus_subscriber::dispatch::Dispatcher;
use logbus_subscriber::handler::{Handler, Say};
use logbus_subscriber::pipeline::Pipeline;
use logbus_subscriber::{decode, handler, stats};

fn main() -> ExitCode {
    let config = match Config::resolve(Cli::parse()) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    let say: Say = Arc::new(|line| eprintln!("logsub: {line}"));
    let handlers = handlers(config)?;
    let rejects = match &config.reject_file {
        Some(path) => Some(
            RejectFile::open(path).with_context(|| format!("cannot open {}", path.display()))?,
        ),
        None => None,
    };
    let decoding = decode::Config {
        topics: config.topics.clone(),
        level: config.level,
        max_message: config.max_message,
        rejects,
    };
    let dispatcher = Dispatcher::start(handlers, &say).context("cannot start a thread")?;
    let pipeline = Pipeline::start(&config.entrances, decoding, dispatcher, &say)?;
    pipeline.run_until_signal()?;
    let (summary, reports) = pipeline.close();
    if config.stats {
        eprint!("{}", stats::table(&summary, &reports));
    } else if let Some(line) = stats::loss(&summary, &reports) {
        say(&line);
    }
    Ok(())
}

fn handlers(config: &Config) -> anyhow::Result<Vec<Box<dyn Handler>>> {
    let mut handlers: Vec<Box<dyn Handler>> = Vec::new();
    let format = || Box::new(config.format.clone());
    if config.console {
        let out = Box::new(std::io::stdout());
        let console = handler::console::Console::new("console", format(), config.verbose, out);
        handlers.push(Box::new(console));
    }
    if let Some(path) = &config.file {
        let file = handler::file::FileHandler::open("file", path, format(), config.verbose);
        handlers.push(Box::new(
            file.with_context(|| format!("cannot open {}", path.display()))?,
        ));
    }
    Ok(handlers)
}

/// One line on standard error.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("logsub: {error:#}");
    ExitCode::from(code)
}
