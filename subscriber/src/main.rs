//! `logsub`: parse, resolve, build, run, report. The map of the program.
#![forbid(unsafe_code)]

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
use logbus_subscriber::history::History;
use logbus_subscriber::history::wanted::Wanted;
use logbus_subscriber::pipeline::{self, Event, Pipeline};
use logbus_subscriber::view::aside::Aside;
use logbus_subscriber::view::config::{Goal, Surroundings};
use logbus_subscriber::{config, decode, manual, stats, view};

/// What one thread takes for a record another gives back, all the time: at glibc's arenas they waited for
/// each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Missed = 4,
}

fn main() -> ExitCode {
    logbus_process::share_arenas();
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
    let view = View::resolve(&cli, config.has_handlers);
    let wanted = Wanted::resolve(&cli, &config.settings, logbus_process::now());
    let (view, wanted) = match (view, wanted) {
        (Ok(view), Ok(wanted)) => (view, wanted),
        (Err(problem), _) | (_, Err(problem)) => return fail(problem, Failure::WrongUsage),
    };
    if cli.print_config {
        return print(Ok(config::print::yaml(&config.tree).into_bytes()));
    }
    let aside = Aside::default();
    let ended = run(&cli, config, view, wanted, &aside);
    // A view that has the terminal gives it back before anything else is said.
    aside.release();
    match ended {
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
    goal: Goal,
    /// Whether it ends at a place of the journal.
    awaits_place: bool,
}

impl View {
    fn resolve(cli: &Cli, has_handlers: bool) -> Result<Self, String> {
        let args = &cli.view;
        let is_asked_for = args.tui || args.top.is_some();
        let timeout = view::config::timeout(args)?;
        let config = view::config::Config::resolve(cli, &Surroundings::of_process())?;
        let is_shown = is_asked_for || !(cli.no_console || has_handlers);
        if let (false, Some(flag)) = (is_shown, view::config::without_effect(cli)) {
            let why = match cli.no_console {
                true => "with --no-console nothing is shown",
                false => "the configuration's handlers take the place of the terminal's lines",
            };
            return Err(format!("{flag}: {why}; leave one of the two away"));
        }
        Ok(Self {
            awaits_place: args.until.is_some(),
            goal: config.goal.clone(),
            config: is_shown.then_some(config),
            timeout,
        })
    }
}

fn run(
    cli: &Cli,
    config: Config,
    view: View,
    wanted: Option<Wanted>,
    aside: &Aside,
) -> anyhow::Result<Option<Failure>> {
    let said = aside.clone();
    let say: Say = Arc::new(move |line| said.say(line));
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
    let history = match wanted {
        Some(wanted) => History::connect(wanted, settings.entrances.keys.read()?.dialling)?,
        None => None,
    };
    let journal = history.as_ref().map(History::describe);
    let is_durable = history.as_ref().is_some_and(|of| of.wanted().is_durable());
    let mut watch = Watch::new(&config.files);
    let (events, received) = pipeline::events();
    let mut plan = config.plan;
    let has_view = view.config.is_some();
    if let Some(mut config) = view.config {
        if is_durable {
            // The journal has an order, and what waits for others could not be done.
            config.reorder = 0;
        }
        plan.attach(
            view::NAME,
            view::open(config, events.clone(), aside.clone()),
        );
    }
    let mut pipeline = Pipeline::start(
        &settings.entrances,
        decoding,
        plan,
        settings.verbose,
        history,
        (events, received),
        &say,
    )?;
    // By now a signal asks it to end in order, which whoever reads this may rely on.
    journal.iter().for_each(|line| say(line));
    let deadline = view.timeout.map(|timeout| Instant::now() + timeout);
    let (mut is_late, mut is_refused) = (false, false);
    loop {
        let longest = if cli.watch { WATCH_EVERY } else { FOREVER };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match pipeline.wait(longest.min(left.unwrap_or(FOREVER))) {
            Event::End => break,
            Event::Refused => {
                is_refused = true;
                break;
            }
            Event::Hangup => {
                reload(cli, &mut pipeline, has_view, &say);
                pipeline.reopen();
            }
            Event::Quiet if left.is_some_and(|left| left <= longest) => {
                is_late = true;
                break;
            }
            Event::Quiet if watch.has_changed() => reload(cli, &mut pipeline, has_view, &say),
            Event::Quiet => {}
        }
    }
    let ((summary, undelivered), reports) = pipeline.close();
    aside.release();
    let loss = stats::loss(&summary, &reports);
    if settings.stats {
        tell(&stats::table(&summary, undelivered, &reports));
    } else if let Some(line) = &loss {
        say(line);
    } else if has_view && !cli.view.quiet && !is_refused {
        say(&stats::fine(&summary));
    }
    // What was on its way at the end has been shown by now, and counts.
    let is_missed = view.goal.is_missed() || is_late && view.awaits_place;
    Ok(match (is_missed, loss) {
        _ if is_refused => Some(Failure::CouldNotStart),
        (_, Some(_)) if cli.view.fail_on_loss => Some(Failure::Loss),
        (true, _) => Some(Failure::Missed),
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
            let mut text = String::new();
            for warning in &config.warnings {
                text.push_str(&format!("{}: warning: {}\n", warning.place, warning.text));
            }
            let (handlers, loggers) = (config.plan.handlers.len(), config.plan.loggers.len());
            text.push_str(&format!(
                "no problems: {handlers} handlers, {loggers} loggers and the root\n"
            ));
            return print(Ok(text.into_bytes()));
        }
        Err(problems) => problems,
    };
    let mut text = String::new();
    for error in &problems.errors {
        text.push_str(&format!("{}: error: {}\n", error.place, error.text));
    }
    for warning in &problems.warnings {
        text.push_str(&format!("{}: warning: {}\n", warning.place, warning.text));
    }
    print(Ok(text.into_bytes()));
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

/// Writes to standard error. Where that is closed nobody wants to know, and nothing else ends for it.
fn tell(text: &str) {
    let _written = io::stderr().write_all(text.as_bytes());
}

/// One line on standard error.
fn fail(problem: String, failure: Failure) -> ExitCode {
    tell(&format!("logsub: {problem}\n"));
    ExitCode::from(failure as u8)
}
