//! `logsub`: parse, resolve, build, run, report. The map of the program.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is the program that speaks"
)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use logbus_broker::RejectFile;
use logbus_subscriber::cli::{Cli, Command};
use logbus_subscriber::config::Config;
use logbus_subscriber::config::watch::Watch;
use logbus_subscriber::handler::Say;
use logbus_subscriber::pipeline::{self, Event, Pipeline};
use logbus_subscriber::view::config::Surroundings;
use logbus_subscriber::{config, decode, manual, stats, view};

/// How often files are looked at that are watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// For ever, nearly.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// The program's exit codes beside 0; `cli.rs` tells users of them.
#[derive(Debug, Clone, Copy)]
enum Failure {
    CouldNotStart = 1,
    WrongUsage = 2,
    Loss = 3,
    Timeout = 4,
}

fn main() -> ExitCode {
    let cli = match config::defaults::parse() {
        Ok(cli) => cli,
        Err(problems) => return fail(problems.line(), Failure::WrongUsage),
    };
    match &cli.command {
        Some(Command::CheckConfig { files, lenient }) => return check(files, *lenient),
        Some(Command::Completions { shell }) => return print(Ok(manual::completions(*shell))),
        Some(Command::Man) => return print(manual::page()),
        None => {}
    }
    let config = match Config::resolve(&cli) {
        Ok(config) => config,
        Err(problems) => return fail(problems.line(), Failure::WrongUsage),
    };
    let view = match View::resolve(&cli, config.has_handlers) {
        Ok(view) => view,
        Err(problem) => return fail(problem, Failure::WrongUsage),
    };
    if cli.print_config {
        print!("{}", config::print::yaml(&config.tree));
        return ExitCode::SUCCESS;
    }
    match run(&cli, config, view) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(failure)) => ExitCode::from(failure as u8),
        Err(error) => fail(format!("{error:#}"), Failure::CouldNotStart),
    }
}

/// The view that was asked for, and when it ends.
struct View {
    /// None where the configuration has handlers of its own, or nothing is to be shown.
    config: Option<view::config::Config>,
    timeout: Option<Duration>,
    is_waiting: bool,
}

impl View {
    fn resolve(cli: &Cli, has_handlers: bool) -> Result<Self, String> {
        let args = &cli.view;
        let is_asked_for = args.tui || args.top.is_some();
        let timeout = view::config::timeout(args)?;
        let config = view::config::Config::resolve(cli, &Surroundings::of_process())?;
        let is_shown = is_asked_for || !(cli.no_console || has_handlers);
        Ok(Self {
            is_waiting: config.goal.is_set(),
            config: is_shown.then_some(config),
            timeout,
        })
    }
}

fn run(cli: &Cli, config: Config, view: View) -> anyhow::Result<Option<Failure>> {
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
        levels: settings.levels.clone(),
        max_message: settings.max_message,
        rejects,
    };
    let mut watch = Watch::new(&config.files);
    let (events, received) = pipeline::events();
    let mut plan = config.plan;
    let has_view = view.config.is_some();
    if let Some(config) = view.config {
        plan.attach(view::NAME, view::open(config, events.clone()));
    }
    let mut pipeline = Pipeline::start(
        &settings.entrances,
        decoding,
        plan,
        settings.verbose,
        (events, received),
        &say,
    )?;
    let deadline = view.timeout.map(|timeout| Instant::now() + timeout);
    let mut is_late = false;
    loop {
        let longest = if cli.watch { WATCH_EVERY } else { FOREVER };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match pipeline.wait(longest.min(left.unwrap_or(FOREVER))) {
            Event::End => break,
            Event::Hangup => {
                reload(cli, &mut pipeline, has_view, &say);
                pipeline.reopen();
            }
            Event::Quiet if left.is_some_and(|left| left <= longest) => {
                is_late = view.is_waiting;
                break;
            }
            Event::Quiet if watch.has_changed() => reload(cli, &mut pipeline, has_view, &say),
            Event::Quiet => {}
        }
    }
    let ((summary, undelivered), reports) = pipeline.close();
    let loss = stats::loss(&summary, &reports);
    if settings.stats {
        eprint!("{}", stats::table(&summary, undelivered, &reports));
    } else if let Some(line) = &loss {
        say(line);
    } else if has_view && !cli.view.quiet {
        say(&stats::fine(&summary));
    }
    Ok(match (is_late, loss) {
        (_, Some(_)) if cli.view.fail_on_loss => Some(Failure::Loss),
        (true, _) => Some(Failure::Timeout),
        (false, _) => None,
    })
}

/// Goes on with what the files say now, or as before when they cannot be used.
fn reload(cli: &Cli, pipeline: &mut Pipeline, has_view: bool, say: &Say) {
    if cli.config.is_empty() {
        return;
    }
    let mut config = match Config::resolve(cli) {
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
    if has_view {
        config.plan.attach(view::NAME, view::kept());
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
        Failure::WrongUsage,
    )
}

/// Writes to standard output; a reader who has seen enough is no fault.
fn print(text: io::Result<Vec<u8>>) -> ExitCode {
    let mut out = io::stdout();
    let written = text.and_then(|text| out.write_all(&text).and_then(|()| out.flush()));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(format!("cannot write: {error}"), Failure::CouldNotStart)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// One line on standard error.
fn fail(problem: String, failure: Failure) -> ExitCode {
    eprintln!("logsub: {problem}");
    ExitCode::from(failure as u8)
}
