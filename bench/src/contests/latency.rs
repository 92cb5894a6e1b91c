//! How late records arrive: from the publisher's call to a handler of `logsub`, beside libzmq alone.
//!
//! Both carry the time at which they were sent, at rates that all can keep up with
//! (`bench/src/peers/tick.rs`, `bench/src/peers/late.rs`). libzmq's message goes from one thread to one
//! thread; a record goes through the publisher's queue, and `logsub` receives, decodes and dispatches it.

use crate::arena::{Arena, free_port};
use crate::contest::{
    Contender, Contenders, Contest, Line, Lines, Picture, Point, Quantity, Ratio, Target,
};

/// A steady rate.
struct Load {
    /// Records a second.
    rate: u64,
    seconds: u64,
    /// What is measured of it: half of the records, 99 and 99.9 of a hundred are no later than that.
    p50: &'static str,
    p99: &'static str,
    p99_9: &'static str,
}

const LOADS: [Load; 5] = [
    Load {
        rate: 1_000,
        seconds: 5,
        p50: "1,000/s: p50",
        p99: "1,000/s: p99",
        p99_9: "1,000/s: p99.9",
    },
    Load {
        rate: 5_000,
        seconds: 3,
        p50: "5,000/s: p50",
        p99: "5,000/s: p99",
        p99_9: "5,000/s: p99.9",
    },
    Load {
        rate: 20_000,
        seconds: 2,
        p50: "20,000/s: p50",
        p99: "20,000/s: p99",
        p99_9: "20,000/s: p99.9",
    },
    Load {
        rate: 50_000,
        seconds: 3,
        p50: "50,000/s: p50",
        p99: "50,000/s: p99",
        p99_9: "50,000/s: p99.9",
    },
    Load {
        rate: 100_000,
        seconds: 2,
        p50: "100,000/s: p50",
        p99: "100,000/s: p99",
        p99_9: "100,000/s: p99.9",
    },
];

const RAW: &str = "libzmq, PUB to SUB";
const LOGBUS: &str = "publisher to logsub's handler";

pub(super) const CONTEST: Contest = Contest {
    name: "latency",
    title: "From the call to the handler",
    quantities: &QUANTITIES,
    contenders: Contenders::InTurn(&[
        Contender {
            name: RAW,
            run: |arena| late(arena, true),
        },
        Contender {
            name: LOGBUS,
            run: |arena| late(arena, false),
        },
    ]),
    ratios: &[
        ratio("1,000/s: p50", Target::AtMost(1.5)),
        ratio("1,000/s: p99", Target::AtMost(1.5)),
        ratio("1,000/s: p99.9", Target::None),
        ratio("50,000/s: p50", Target::AtMost(1.5)),
        ratio("50,000/s: p99", Target::AtMost(1.5)),
        ratio("50,000/s: p99.9", Target::None),
    ],
    picture: Picture::Lines(Lines {
        over: "records/s",
        what: "µs",
        is_by_powers: true,
        lines,
    }),
};

/// Three of each load, in the order in which `late` says them.
const QUANTITIES: [Quantity; 3 * LOADS.len()] = {
    let mut all = [us(""); 3 * LOADS.len()];
    let mut at = 0;
    while at < LOADS.len() {
        all[3 * at] = us(LOADS[at].p50);
        all[3 * at + 1] = us(LOADS[at].p99);
        all[3 * at + 2] = us(LOADS[at].p99_9);
        at += 1;
    }
    all
};

const fn us(name: &'static str) -> Quantity {
    Quantity { name, unit: "µs" }
}

const fn ratio(quantity: &'static str, target: Target) -> Ratio {
    Ratio {
        of: LOGBUS,
        to: RAW,
        quantity,
        target,
    }
}

fn lines() -> Vec<Line> {
    let line = |contender, part, is_dashed, quantity: fn(&Load) -> &'static str| Line {
        name: format!("{contender}, {part}"),
        is_dashed,
        points: LOADS
            .iter()
            .map(|load| Point {
                at: load.rate,
                contender,
                quantity: quantity(load),
            })
            .collect(),
    };
    vec![
        line(LOGBUS, "p99", true, |load| load.p99),
        line(LOGBUS, "p50", false, |load| load.p50),
        line(RAW, "p99", true, |load| load.p99),
        line(RAW, "p50", false, |load| load.p50),
    ]
}

fn late(arena: &Arena, is_raw: bool) -> anyhow::Result<Vec<f64>> {
    let mut figures = Vec::new();
    for Load { rate, seconds, .. } in LOADS {
        let endpoint = format!("tcp://127.0.0.1:{}", free_port()?);
        let (rate, count) = (rate.to_string(), arena.amount(rate * seconds).to_string());
        let raw: &[&str] = if is_raw { &["--raw"] } else { &[] };
        let receive = ["--bind", &endpoint, "--count", &count];
        let receiver = arena.peer("late", &[&receive, raw].concat())?;
        let send = ["--connect", &endpoint, "--count", &count, "--rate", &rate];
        let sender = arena.peer("tick", &[&send, raw].concat())?;
        let late = receiver.wait_for("late")?;
        figures.extend(
            late.split(' ')
                .map(str::parse::<f64>)
                .collect::<Result<Vec<_>, _>>()?,
        );
        sender.end()?;
        receiver.end()?;
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_is_measured_by_its_own_names_and_is_on_every_line() {
        for Load {
            rate,
            p50,
            p99,
            p99_9,
            ..
        } in LOADS
        {
            for (name, part) in [(p50, "p50"), (p99, "p99"), (p99_9, "p99.9")] {
                assert_eq!(name.replace(',', ""), format!("{rate}/s: {part}"));
                assert!(QUANTITIES.iter().any(|quantity| quantity.name == name));
            }
        }
        for line in lines() {
            let at: Vec<u64> = line.points.iter().map(|point| point.at).collect();
            assert_eq!(at, LOADS.map(|load| load.rate));
        }
    }
}
