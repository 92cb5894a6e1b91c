//! From the start of `logsub` to the first record that it shows, and to the end of its help.
//!
//! A broker is there, and a publisher says 1,000 records a second. `logsub` shows a record as soon as it
//! has it (`--reorder 0`): the time that it otherwise gives senders to come in order is no start-up's. The
//! clock runs from before the program is started until its first line has come through a pipe. Beside it
//! is a program that does nothing but to open a SUB socket and to wait for a message.

use std::process::Stdio;
use std::time::Instant;

use crate::arena::{Arena, free_port};
use crate::contest::{Contender, Contenders, Contest, Picture, Quantity, Ratio};
use crate::program::Program;

/// Starts of a round.
const STARTS: u32 = 10;

const LOGSUB: &str = "logsub, first record";
const HELP: &str = "logsub --help";
const LIBZMQ: &str = "libzmq alone, first message";
const TIME: &str = "start";

pub(super) const CONTEST: Contest = Contest {
    name: "start",
    title: "Start-up",
    quantities: &[Quantity {
        name: TIME,
        unit: "ms",
    }],
    contenders: Contenders::InTurn(&[
        Contender {
            name: LIBZMQ,
            run: |arena| first(arena, libzmq),
        },
        Contender {
            name: LOGSUB,
            run: |arena| first(arena, logsub),
        },
        Contender {
            name: HELP,
            run: help,
        },
    ]),
    ratios: &[
        Ratio::itself(LOGSUB, TIME, 50.0),
        Ratio::itself(HELP, TIME, 10.0),
    ],
    picture: Picture::Bars,
};

/// Starts programs while records flow; the mean time, in ms.
fn first(
    arena: &Arena,
    start: fn(&Arena, &str) -> anyhow::Result<f64>,
) -> anyhow::Result<Vec<f64>> {
    let [publishers, subscribers] = [free_port()?, free_port()?];
    let [publishers, subscribers] =
        [publishers, subscribers].map(|p| format!("tcp://127.0.0.1:{p}"));
    let mut broker = arena.own("bus-broker")?;
    broker.args(["--publishers", &publishers, "--subscribers", &subscribers]);
    let broker = Program::start(&mut broker)?;
    let paced = [
        "--connect",
        &publishers,
        "--count",
        "1000000",
        "--rate",
        "1000",
    ];
    let publisher = arena.peer("tick", &paced)?;
    // What has come once shows that everybody is connected.
    start(arena, &subscribers)?;
    let mut took = 0.0;
    for _ in 0..STARTS {
        took += start(arena, &subscribers)?;
    }
    drop(publisher);
    broker.end()?;
    Ok(vec![took * 1e3 / f64::from(STARTS)])
}

fn libzmq(arena: &Arena, endpoint: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let receiver = arena.peer("receive", &["--connect", endpoint, "--count", "1"])?;
    receiver.wait_for("end")?;
    Ok(begun.elapsed().as_secs_f64())
}

fn logsub(arena: &Arena, endpoint: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut command = arena.own("logsub")?;
    let shown = Program::start(command.args(["--reorder", "0", "--connect", endpoint]))?;
    shown.wait_for("")?;
    Ok(begun.elapsed().as_secs_f64())
}

fn help(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let begun = Instant::now();
    for _ in 0..STARTS {
        let mut command = arena.own("logsub")?;
        command.arg("--help").stdout(Stdio::null()).status()?;
    }
    Ok(vec![
        begun.elapsed().as_secs_f64() * 1e3 / f64::from(STARTS),
    ])
}
