//! One publisher with one topic, and with ten thousand.
//!
//! It is the native one as it is, with its heartbeats: one of each topic at first, and later of the
//! [most recently used](logbus_schemas::wire::sequence::HEARTBEAT_TOPICS). Above 65,536 topics it would
//! say goodbye on each and go on as another sender (`schemas/WIRE.md`), so that there is nothing to
//! compare. Messages of one record show what topics cost; records of different topics never share a
//! message, so what ten thousand topics in turn take from its batches is shown, too, without a target.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};

use super::bus::Bus;
use super::{CPU, RATE};

/// Records of a round.
const RECORDS: u64 = 300_000;

const ONE: &str = "bus-broker, 1 topic";
const MANY: &str = "bus-broker, 10,000 topics";
const ONE_IN_BATCHES: &str = "bus-broker, 1 topic, in batches";
const MANY_IN_BATCHES: &str = "bus-broker, 10,000 topics, in batches";

pub(super) const CONTEST: Contest = Contest {
    name: "scale-topics",
    title: "A native publisher with one topic and with ten thousand",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: ONE,
            run: |arena| pass(arena, &["--topics", "1", "--single"]),
        },
        Contender {
            name: MANY,
            run: |arena| pass(arena, &["--topics", "10000", "--single"]),
        },
        Contender {
            name: ONE_IN_BATCHES,
            run: |arena| pass(arena, &["--topics", "1"]),
        },
        Contender {
            name: MANY_IN_BATCHES,
            run: |arena| pass(arena, &["--topics", "10000"]),
        },
    ]),
    ratios: &[
        Ratio {
            of: MANY,
            to: ONE,
            quantity: CPU.name,
            target: Target::AtMost(1.2),
        },
        Ratio {
            of: MANY_IN_BATCHES,
            to: ONE_IN_BATCHES,
            quantity: CPU.name,
            target: Target::None,
        },
    ],
    picture: Picture::Bars,
};

fn pass(arena: &Arena, publisher: &[&str]) -> anyhow::Result<Vec<f64>> {
    let bus = Bus::own(arena, None)?;
    let result = bus.pass_records(arena, arena.amount(RECORDS), publisher);
    bus.end()?;
    result
}
