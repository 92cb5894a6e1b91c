//! `call`: what a logging call costs the thread that makes it.
//!
//! Each call is `info!("order {} accepted by {}", number, user)`, and each is timed by itself: the
//! clock is read before and after it, and what two readings cost without a call between is taken off.
//! Calls come at a steady rate, of one thread evenly, of several in groups of [`GROUP`] with a rest after
//! each, or as bursts of [`BURST`] with a flush after each, which is not timed. What is said is `took MEDIAN P99 P99.9
//! MEAN`, in ns, of all threads' calls. What the sender's or the writer's thread costs is not in it,
//! but for what it keeps from the caller.

use std::sync::Arc;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use logbus_publisher::{Config, Endpoint, Publisher};
use tracing_subscriber::layer::SubscriberExt;

use super::say;

/// Calls of a thread at a steady rate before it rests.
const GROUP: u64 = 100;
/// Calls of all threads together before what was said is flushed.
const BURST: u64 = 20_000;
/// Calls of each thread before any is timed.
const WARM_UP: u64 = 2_000;
/// Longer than a flush ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    by: By,
    /// Where records go: an endpoint, or a file
    #[arg(long)]
    to: String,
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Calls of all threads
    #[arg(long)]
    count: u64,
    /// Calls a second of all threads; bursts where it is 0
    #[arg(long, default_value_t = 0)]
    rate: u64,
}

/// What the calls are made to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// `log`, to the publisher
    Log,
    /// `tracing`, to the publisher
    Tracing,
    /// `tracing`, to tracing-subscriber's fmt layer and tracing-appender's non-blocking writer
    Appender,
    /// `log`, to nobody
    Nobody,
}

/// Whoever takes the calls, until it is dropped.
struct Taker {
    publisher: Option<Arc<Publisher>>,
    _guard: Option<tracing_appender::non_blocking::WorkerGuard>,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let taker = install(&arguments)?;
    let barrier = Barrier::new(arguments.threads as usize);
    let mut took = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads)
            .map(|_| scope.spawn(|| calls(&arguments, &taker, &barrier)))
            .collect();
        let joined = threads.into_iter().flat_map(|thread| thread.join());
        joined.flatten().collect::<Vec<u32>>()
    });
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    let mean = took.iter().map(|ns| f64::from(*ns)).sum::<f64>() / took.len() as f64;
    if let Some(publisher) = &taker.publisher {
        let report = publisher.shutdown(PATIENCE);
        anyhow::ensure!(report.is_complete(), "records were lost: {report:?}");
    }
    say(&format!(
        "took {} {} {} {mean:.0}",
        at(0.5),
        at(0.99),
        at(0.999)
    ))
}

fn install(arguments: &Arguments) -> anyhow::Result<Taker> {
    let mut taker = Taker {
        publisher: None,
        _guard: None,
    };
    if let By::Log | By::Tracing = arguments.by {
        let endpoint: Endpoint = arguments.to.parse()?;
        let config = Config {
            hold: PATIENCE,
            ..Config::connect([endpoint])
        };
        taker.publisher = Some(Arc::new(Publisher::new(config)?));
    }
    match (arguments.by, &taker.publisher) {
        (By::Log, Some(publisher)) => {
            let logger = logbus_publisher::log::Logger::new(publisher.clone());
            logger.install(log::LevelFilter::Info)?;
        }
        (By::Tracing, Some(publisher)) => {
            let layer = logbus_publisher::tracing::Layer::new(publisher.clone());
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
        }
        (By::Appender, _) => {
            let file = std::fs::File::create(&arguments.to).context("no file to write")?;
            let (writer, guard) = tracing_appender::non_blocking(file);
            let layer = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(writer);
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
            taker._guard = Some(guard);
        }
        _ => {}
    }
    Ok(taker)
}

/// One thread's calls: what each of them took, in ns.
fn calls(arguments: &Arguments, taker: &Taker, barrier: &Barrier) -> Vec<u32> {
    let by_log = matches!(arguments.by, By::Log | By::Nobody);
    let call = |number: u64| match by_log {
        true => log::info!("order {} accepted by {}", number, "fred"),
        false => tracing::info!("order {} accepted by {}", number, "fred"),
    };
    let group = match arguments.rate {
        0 => BURST / arguments.threads,
        _ => GROUP,
    };
    let pause = Duration::from_secs(1) * (group * arguments.threads) as u32
        / u32::try_from(arguments.rate.max(1)).unwrap_or(u32::MAX);
    (0..WARM_UP).for_each(call);
    let is_even = arguments.threads == 1 && arguments.rate > 0;
    let mut due = Instant::now();
    let mut took = Vec::with_capacity((arguments.count / arguments.threads) as usize);
    while took.len() < took.capacity() {
        if !is_even {
            rest(arguments, taker, barrier, pause);
        }
        let clock = clock();
        for number in 0..group {
            if is_even {
                wait_until(due);
                due += pause / GROUP as u32;
            }
            let begun = Instant::now();
            call(number);
            let ns = begun.elapsed().as_nanos() as u32;
            took.push(ns.saturating_sub(clock));
        }
    }
    took
}

/// Waits without giving the processor away: a thread that has slept finds its caches cold, which is no
/// logger's doing.
fn wait_until(due: Instant) {
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

/// What happens between two groups of calls.
#[expect(
    clippy::disallowed_methods,
    reason = "a rate is made of rests, and the writer's thread has no event to wait for"
)]
fn rest(arguments: &Arguments, taker: &Taker, barrier: &Barrier, pause: Duration) {
    if arguments.rate > 0 {
        std::thread::sleep(pause);
        return;
    }
    if barrier.wait().is_leader() {
        match &taker.publisher {
            Some(publisher) => drop(publisher.flush(PATIENCE)),
            // The writer's thread has no flush; this is as long as a burst takes it.
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    barrier.wait();
}

/// What two readings of the clock cost without anything between: the median of some.
fn clock() -> u32 {
    let mut costs: [u32; 64] = std::array::from_fn(|_| {
        let begun = Instant::now();
        begun.elapsed().as_nanos() as u32
    });
    costs.sort_unstable();
    costs[costs.len() / 2]
}
