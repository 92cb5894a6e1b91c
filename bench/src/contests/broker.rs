//! The broker beside its peers, one message a record, from one publisher to one subscriber.
//!
//! `zmq_proxy` passes on the same three frames, and is shown with single frames, too. A NATS server
//! has messages of its own, with the same records in them.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};

use super::bus::{Bus, Flow, nats};
use super::{CPU, RATE};

/// Messages of a round.
const MESSAGES: u64 = 300_000;
const OWN: &str = "bus-broker, native";

pub(super) const CONTEST: Contest = Contest {
    name: "broker",
    title: "Through a broker, one message a record",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: OWN,
            run: |arena| own(arena, Some(1)),
        },
        Contender {
            name: "zmq_proxy, the same frames",
            run: |arena| proxy(arena, Some(1)),
        },
        Contender {
            name: "bus-broker, Cookbook",
            run: |arena| own(arena, None),
        },
        Contender {
            name: "zmq_proxy, single frames",
            run: |arena| proxy(arena, None),
        },
        Contender {
            name: "nats-server",
            run: |arena| nats(arena, arena.amount(MESSAGES)),
        },
    ]),
    ratios: &[
        Ratio {
            of: OWN,
            to: "zmq_proxy, the same frames",
            quantity: RATE.name,
            target: Target::AtLeast(1.0),
        },
        Ratio {
            of: OWN,
            to: "nats-server",
            quantity: RATE.name,
            target: Target::AtLeast(1.0),
        },
        Ratio {
            of: "bus-broker, Cookbook",
            to: "zmq_proxy, single frames",
            quantity: RATE.name,
            target: Target::None,
        },
    ],
    picture: Picture::Bars,
};

fn own(arena: &Arena, topics: Option<u64>) -> anyhow::Result<Vec<f64>> {
    let bus = Bus::own(arena, None)?;
    let count = arena.amount(MESSAGES);
    let result = bus.pass(arena, &Flow { count, topics });
    bus.end()?;
    result
}

fn proxy(arena: &Arena, topics: Option<u64>) -> anyhow::Result<Vec<f64>> {
    let bus = Bus::proxy(arena)?;
    let count = arena.amount(MESSAGES);
    let result = bus.pass(arena, &Flow { count, topics });
    bus.end()?;
    result
}
