//! What a logging call costs a Rust thread: the publisher beside tracing's own way to a file.
//!
//! The call and how it is timed is told in `bench/src/peers/call.rs`. The publisher's subscriber is a
//! process that takes and forgets; the other's records go to a file, by a thread of its own.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Quantity, Ratio, Target};
use crate::program::Program;

/// Calls of each setting in a round.
const CALLS: u64 = 200_000;
/// Threads, and calls a second of all of them; bursts where that is 0.
const SETTINGS: [(u64, u64); 4] = [(1, 50_000), (8, 50_000), (1, 0), (8, 0)];

const LOG: &str = "log, logbus publisher";
const TRACING: &str = "tracing, logbus publisher";
const APPENDER: &str = "tracing, fmt layer and non-blocking writer";

pub(super) const CONTEST: Contest = Contest {
    name: "rust-call",
    title: "A logging call in Rust, with two arguments",
    quantities: &[
        ns("1 thread, 50,000/s: median"),
        ns("1 thread, 50,000/s: p99"),
        ns("8 threads, 50,000/s: median"),
        ns("8 threads, 50,000/s: p99"),
        ns("1 thread, bursts: median"),
        ns("1 thread, bursts: p99"),
        ns("8 threads, bursts: median"),
        ns("8 threads, bursts: p99"),
    ],
    contenders: Contenders::InTurn(&[
        Contender {
            name: APPENDER,
            run: |arena| calls(arena, "appender"),
        },
        Contender {
            name: LOG,
            run: |arena| calls(arena, "log"),
        },
        Contender {
            name: TRACING,
            run: |arena| calls(arena, "tracing"),
        },
    ]),
    ratios: &[
        ratio(LOG, "1 thread, 50,000/s: median", Target::AtMost(0.25)),
        ratio(LOG, "8 threads, 50,000/s: median", Target::AtMost(0.25)),
        ratio(LOG, "1 thread, bursts: median", Target::AtMost(0.25)),
        ratio(LOG, "8 threads, bursts: median", Target::AtMost(0.25)),
        ratio(
            LOG,
            "1 thread, 50,000/s: median",
            Target::FigureAtMost(200.0),
        ),
        ratio(
            LOG,
            "8 threads, 50,000/s: median",
            Target::FigureAtMost(200.0),
        ),
        ratio(LOG, "1 thread, 50,000/s: p99", Target::FigureAtMost(1000.0)),
        ratio(
            LOG,
            "8 threads, 50,000/s: p99",
            Target::FigureAtMost(1000.0),
        ),
        ratio(LOG, "1 thread, bursts: p99", Target::FigureAtMost(1000.0)),
        ratio(LOG, "8 threads, bursts: p99", Target::FigureAtMost(1000.0)),
        ratio(TRACING, "1 thread, 50,000/s: median", Target::None),
    ],
    picture: Picture::Bars,
};

const fn ns(name: &'static str) -> Quantity {
    Quantity { name, unit: "ns" }
}

const fn ratio(of: &'static str, quantity: &'static str, target: Target) -> Ratio {
    Ratio {
        of,
        to: APPENDER,
        quantity,
        target,
    }
}

fn calls(arena: &Arena, by: &str) -> anyhow::Result<Vec<f64>> {
    let mut figures = Vec::new();
    for (threads, rate) in SETTINGS {
        let folder = arena.folder()?;
        let drain = arena.peer("drain", &[])?;
        let to = match by {
            "appender" => folder.path().join("log").display().to_string(),
            _ => drain.wait_for("at")?,
        };
        let count = arena.amount(CALLS).to_string();
        let (threads, rate) = (threads.to_string(), rate.to_string());
        let told = ["--by", by, "--to", &to, "--count", &count];
        let paced = ["--threads", &threads, "--rate", &rate];
        let caller = arena.peer("call", &[told.as_slice(), &paced].concat())?;
        figures.extend(median_and_p99(&caller)?);
        drain.end()?;
    }
    Ok(figures)
}

fn median_and_p99(caller: &Program) -> anyhow::Result<Vec<f64>> {
    let took = caller.wait_for("took")?;
    let figures = took.split(' ').take(2).map(str::parse);
    Ok(figures.collect::<Result<_, _>>()?)
}
