//! Contests that Python scripts hold: what a logging call costs its caller, handlers beside Python's
//! own, and the terminal beside other viewers.
//!
//! Each script goes over its contenders in turn by itself, and prints every round as JSON.

use anyhow::{Context, ensure};

use crate::arena::Arena;
use crate::contest::{Contenders, Contest, Figures, Picture, Quantity, Ratio, Target};

const CALL: &str = "a call";
/// A call, less one to a handler that does nothing.
const SHARE: &str = "the handler's share";
const RECORD: &str = "a record";

pub(super) const PYTHON_CALLS: Contest = Contest {
    name: "python-calls",
    title: "A logging call in Python, with one argument and five fields",
    quantities: &[
        Quantity {
            name: CALL,
            unit: "µs",
        },
        Quantity {
            name: SHARE,
            unit: "µs",
        },
    ],
    contenders: Contenders::Script(|arena| {
        let calls = run(arena, "python_handlers.py", 30_000)?;
        let shares = shares(&calls)?;
        Ok([calls, shares].concat())
    }),
    ratios: &[
        Ratio::itself("logbus.Handler, ZeroMQ", SHARE, 1.5),
        Ratio {
            of: "logbus.Handler, ZeroMQ",
            to: "Cookbook ZeroMQ handler",
            quantity: SHARE,
            target: Target::AtMost(0.2),
        },
        shown("logbus.Handler, ZeroMQ", "FileHandler", CALL),
        shown("logbus.Handler, ZeroMQ", "QueueHandler", CALL),
        shown("logbus.Handler, ZeroMQ", "Cookbook ZeroMQ handler", CALL),
        shown("logbus.Handler, NNG", "Cookbook pynng handler", CALL),
    ],
    picture: Picture::Bars,
};

pub(super) const HANDLERS: Contest = Contest {
    name: "handlers",
    title: "Handlers beside Python's own",
    quantities: &[Quantity {
        name: RECORD,
        unit: "µs",
    }],
    contenders: Contenders::Script(|arena| run(arena, "handlers.py", 50_000)),
    ratios: &[
        shown("console: logsub", "console: Python", RECORD),
        shown("file: logsub", "file: Python", RECORD),
        shown("syslog, UDP: logsub", "syslog, UDP: Python", RECORD),
        shown("socket, pickles: logsub", "socket, pickles: Python", RECORD),
    ],
    picture: Picture::Bars,
};

pub(super) const TERMINAL: Contest = Contest {
    name: "terminal",
    title: "Twenty senders in a terminal",
    quantities: &[Quantity {
        name: "terminal",
        unit: "records/s",
    }],
    contenders: Contenders::Script(|arena| run(arena, "terminal.py", 400_000)),
    ratios: &[
        shown("logsub", "python -m zmq.log", "terminal"),
        shown("logsub", "fblog", "terminal"),
        shown("logsub", "fblog", "file"),
    ],
    picture: Picture::Bars,
};

const fn shown(of: &'static str, to: &'static str, quantity: &'static str) -> Ratio {
    Ratio {
        of,
        to,
        quantity,
        target: Target::None,
    }
}

/// What each handler adds to a call that nobody handles, round by round.
fn shares(calls: &[Figures]) -> anyhow::Result<Vec<Figures>> {
    const NOTHING: &str = "does nothing";
    let (nothing, others): (Vec<_>, Vec<_>) = calls
        .iter()
        .partition(|figures| figures.contender == NOTHING);
    let nothing = nothing.first().context("nobody does nothing")?;
    let share = |figures: &&Figures| Figures {
        quantity: SHARE.to_owned(),
        rounds: (figures.rounds.iter().zip(&nothing.rounds))
            .map(|(call, nothing)| call - nothing)
            .collect(),
        ..(*figures).clone()
    };
    Ok(others.iter().map(share).collect())
}

fn run(arena: &Arena, script: &str, records: u64) -> anyhow::Result<Vec<Figures>> {
    let mut command = arena.script(script);
    // Records in whole thousands: handlers.py has so many different ones.
    let records = arena.amount(records).next_multiple_of(1000);
    command
        .arg(records.to_string())
        .arg(arena.rounds.to_string());
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "{script} ended with {}",
        output.status
    );
    serde_json::from_slice(&output.stdout).with_context(|| format!("what {script} printed"))
}
