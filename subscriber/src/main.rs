//! `logsub`: parse, resolve, build, run, report. The map of the program.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is the program that speaks"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use logbus_broker::RejectFile;
use logbus_subscriber::cli::{Cli, Command};
use logbus_subscriber::config::Config;
use logbus_subscriber::config::watch::Watch;
use logbus_subscriber::handler::Say;
use logbus_subscriber::pipeline::{Event, Pipeline};
use logbus_subscriber::{config, decode, stats};

/// How often files are looked at that are watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// For ever, nearly.
const FOREVER: Duration = Duration::from_secs(1 << 30);

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::CheckConfig { files, lenient }) = &cli.command {
        return check(files, *lenient);
    }
    let config = match Config::resolve(&cli) {
        Ok(config) => config,
        Err(problems) => return fail(problems.line(), 2),
    };
    if cli.print_config {
        print!("{}", config::print::yaml(&config.tree));
        return ExitCode::SUCCESS;
    }
    match run(&cli, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format!("{error:#}"), 1),
    }
}

fn run(cli: &Cli, config: Config) -> anyhow::Result<()> {
    let say: Say = Arc::new(|line| eprintln!("logsub: {line}"));
    for warning in &config.warnings {
        say(&warning.to_string());
    }
    let settings = config.settings;
    let rejects = match &settings.reject_file {
        Some(path) => Some(
            RejectFile::open(path).with_context(|| format!("cannot open {}", path.display()))?,
        ),
        None => None,
    };
    let decoding = decode::Config {
        topics: settings.topics.clone(),
        level: settings.level,
        max_message: settings.max_message,
        rejects,
    };
    let mut watch = Watch::new(&config.files);
    let mut pipeline = Pipeline::start(
        &settings.entrances,
        decoding,
        config.plan,
        settings.verbose,
        &say,
    )?;
    let longest = if cli.watch { WATCH_EVERY } else { FOREVER };
    loop {
        match pipeline.wait(longest) {
            Event::End => break,
            Event::Hangup => {
                reload(cli, &mut pipeline, &say);
                pipeline.reopen();
            }
            Event::Quiet if watch.has_changed() => reload(cli, &mut pipeline, &say),
            Event::Quiet => {}
        }
    }
    let ((summary, undelivered), reports) = pipeline.close();
    if settings.stats {
        eprint!("{}", stats::table(&summary, undelivered, &reports));
    } else if let Some(line) = stats::loss(&summary, &reports) {
        say(&line);
    }
    Ok(())
}

/// Goes on with what the files say now, or as before when they cannot be used.
fn reload(cli: &Cli, pipeline: &mut Pipeline, say: &Say) {
    if cli.config.is_empty() {
        return;
    }
    let config = match Config::resolve(cli) {
        Ok(config) => config,
        Err(problems) => {
            return say(&format!(
                "the configuration stays as it was: {}",
                problems.line()
            ));
        }
    };
    for warning in &config.warnings {
        say(&warning.to_string());
    }
    match pipeline.replace(config.plan) {
        Ok(()) => say("the configuration was read again"),
        Err(error) => say(&format!("the configuration stays as it was: {error:#}")),
    }
}

/// Everything that is wrong, a line each on standard output.
fn check(files: &[std::path::PathBuf], is_lenient: bool) -> ExitCode {
    let problems = match Config::check(files, is_lenient) {
        Ok(config) => {
            for warning in &config.warnings {
                println!("{}: warning: {}", warning.place, warning.text);
            }
            let (handlers, loggers) = (config.plan.handlers.len(), config.plan.loggers.len());
            println!("no problems: {handlers} handlers, {loggers} loggers and the root");
            return ExitCode::SUCCESS;
        }
        Err(problems) => problems,
    };
    for error in &problems.errors {
        println!("{}: error: {}", error.place, error.text);
    }
    for warning in &problems.warnings {
        println!("{}: warning: {}", warning.place, warning.text);
    }
    let count = problems.errors.len();
    fail(
        format!("{count} problem{}", if count == 1 { "" } else { "s" }),
        2,
    )
}

/// One line on standard error.
fn fail(problem: String, code: u8) -> ExitCode {
    eprintln!("logsub: {problem}");
    ExitCode::from(code)
}
