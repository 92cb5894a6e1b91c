//! How late records arrive: from the publisher's call to a handler of `logsub`, beside libzmq alone.
//!
//! Both carry the time at which they were sent, at a rate that all can keep up with
//! (`bench/src/peers/tick.rs`, `bench/src/peers/late.rs`). libzmq's message goes from one thread to one
//! thread; a record goes through the publisher's queue, and `logsub` receives, decodes and dispatches it.

use crate::arena::{Arena, free_port};
use crate::contest::{Contender, Contenders, Contest, Quantity, Ratio, Target};

/// Records a second, and seconds.
const LOADS: [(u64, u64); 2] = [(1_000, 5), (50_000, 3)];

const RAW: &str = "libzmq, PUB to SUB";
const LOGBUS: &str = "publisher to logsub's handler";

pub(super) const CONTEST: Contest = Contest {
    name: "latency",
    title: "From the call to the handler",
    quantities: &[
        us("1,000/s: p50"),
        us("1,000/s: p99"),
        us("1,000/s: p99.9"),
        us("50,000/s: p50"),
        us("50,000/s: p99"),
        us("50,000/s: p99.9"),
    ],
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

fn late(arena: &Arena, is_raw: bool) -> anyhow::Result<Vec<f64>> {
    let mut figures = Vec::new();
    for (rate, seconds) in LOADS {
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
