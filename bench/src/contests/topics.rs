//! Ten subscribers with a topic each, beside one that has one topic.
//!
//! The same publisher sends single records on ten topics in turn, or on one. The subscribers' sockets
//! are in one process in both cases, so that what differs is the broker's work.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};

use super::bus::{Bus, Flow};
use super::{CPU, RATE};

/// Messages of a round.
const MESSAGES: u64 = 300_000;

pub(super) const CONTEST: Contest = Contest {
    name: "topics",
    title: "Ten subscribers with different topics",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: "bus-broker, one subscriber",
            run: |arena| pass(arena, 1),
        },
        Contender {
            name: "bus-broker, ten subscribers",
            run: |arena| pass(arena, 10),
        },
    ]),
    ratios: &[Ratio {
        of: "bus-broker, ten subscribers",
        to: "bus-broker, one subscriber",
        quantity: RATE.name,
        target: Target::AtLeast(0.95),
    }],
    picture: Picture::Bars,
};

fn pass(arena: &Arena, topics: u64) -> anyhow::Result<Vec<f64>> {
    let bus = Bus::own(arena, None)?;
    let flow = Flow {
        count: arena.amount(MESSAGES),
        topics: Some(topics),
    };
    let result = bus.pass(arena, &flow);
    bus.end()?;
    result
}
