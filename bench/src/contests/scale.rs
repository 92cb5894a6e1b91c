//! From one publisher to a thousand: what a record costs the broker, and what a publisher does.
//!
//! All of them together send the same number of records, in native messages of one record on one topic,
//! and each subscriber gets every one. Up to a hundred publishers are processes of their own; a thousand
//! are sockets in [`CROWDED`] processes, so that the machine measures the broker and not
//! its scheduler. Memory is what the broker has more when each publisher is connected and has sent one
//! record; for few publishers it says little, because what anything takes at first is in it.

use crate::arena::{Arena, allow_descriptors};
use crate::contest::{
    Contender, Contenders, Contest, Line, Lines, Picture, Point, Quantity, Ratio, Target,
};

use super::bus::{Bus, Crowd};
use super::{CPU, RATE};

/// Records of a round, of all publishers together.
const RECORDS: u64 = 150_000;
/// The most publishers there are, of which the number of records is a multiple.
const MOST: u64 = 1000;
/// Publishers up to which each has a process.
const ALONE: u64 = 100;
/// Processes of more publishers.
const CROWDED: u64 = 20;

// Publishers, and subscribers.
const ONE_1: &str = "bus-broker, 1 publisher, 1 subscriber";
const TEN_1: &str = "bus-broker, 10 publishers, 1 subscriber";
const HUNDRED_1: &str = "bus-broker, 100 publishers, 1 subscriber";
const THOUSAND_1: &str = "bus-broker, 1,000 publishers, 1 subscriber";
const ONE_10: &str = "bus-broker, 1 publisher, 10 subscribers";
const TEN_10: &str = "bus-broker, 10 publishers, 10 subscribers";
const HUNDRED_10: &str = "bus-broker, 100 publishers, 10 subscribers";
const THOUSAND_10: &str = "bus-broker, 1,000 publishers, 10 subscribers";

pub(super) const CONTEST: Contest = Contest {
    name: "scale",
    title: "From one publisher to a thousand",
    quantities: &[
        RATE,
        CPU,
        Quantity {
            name: "memory",
            unit: "KiB/publisher",
        },
    ],
    contenders: Contenders::InTurn(&[
        Contender {
            name: ONE_1,
            run: |arena| pass(arena, 1, 1),
        },
        Contender {
            name: TEN_1,
            run: |arena| pass(arena, 10, 1),
        },
        Contender {
            name: HUNDRED_1,
            run: |arena| pass(arena, 100, 1),
        },
        Contender {
            name: THOUSAND_1,
            run: |arena| pass(arena, 1000, 1),
        },
        Contender {
            name: ONE_10,
            run: |arena| pass(arena, 1, 10),
        },
        Contender {
            name: TEN_10,
            run: |arena| pass(arena, 10, 10),
        },
        Contender {
            name: HUNDRED_10,
            run: |arena| pass(arena, 100, 10),
        },
        Contender {
            name: THOUSAND_10,
            run: |arena| pass(arena, 1000, 10),
        },
    ]),
    ratios: &[
        Ratio {
            of: THOUSAND_1,
            to: ONE_1,
            quantity: CPU.name,
            target: Target::AtMost(1.2),
        },
        Ratio {
            of: THOUSAND_10,
            to: ONE_10,
            quantity: CPU.name,
            target: Target::AtMost(1.2),
        },
    ],
    picture: Picture::Lines(Lines {
        over: "publishers",
        what: "records/s",
        is_by_powers: false,
        lines,
    }),
};

fn lines() -> Vec<Line> {
    let line = |name: &str, is_dashed, contenders: [(u64, &'static str); 4]| Line {
        name: name.to_owned(),
        is_dashed,
        points: contenders
            .map(|(at, contender)| Point {
                at,
                contender,
                quantity: RATE.name,
            })
            .into(),
    };
    let one = [
        (1, ONE_1),
        (10, TEN_1),
        (100, HUNDRED_1),
        (1000, THOUSAND_1),
    ];
    let ten = [
        (1, ONE_10),
        (10, TEN_10),
        (100, HUNDRED_10),
        (1000, THOUSAND_10),
    ];
    vec![
        line("bus-broker, 1 subscriber", false, one),
        line("bus-broker, 10 subscribers", true, ten),
    ]
}

fn pass(arena: &Arena, publishers: u64, subscribers: u64) -> anyhow::Result<Vec<f64>> {
    // A connection each in the broker; what else it and its peers have open is far less than as many.
    allow_descriptors(2 * publishers + 1000)?;
    let bus = Bus::own(arena, None)?;
    let all = arena.amount(RECORDS) / MOST * MOST;
    let crowd = Crowd {
        publishers,
        processes: processes_of(publishers),
        subscribers,
        each: all / publishers,
    };
    let result = bus.pass_crowd(arena, &crowd);
    bus.end()?;
    result
}

fn processes_of(publishers: u64) -> u64 {
    if publishers > ALONE {
        CROWDED
    } else {
        publishers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_is_on_a_line() {
        let Contenders::InTurn(contenders) = CONTEST.contenders else {
            panic!("they take turns");
        };
        let lines = lines();
        for contender in contenders {
            let mut points = lines.iter().flat_map(|line| &line.points);
            assert!(points.any(|point| point.contender == contender.name));
        }
    }

    #[test]
    fn all_publishers_send_equally_much_in_full_processes() {
        for publishers in [1, 10, 100, 1000] {
            let processes = processes_of(publishers);
            assert_eq!(publishers % processes, 0);
            assert_eq!(MOST % publishers, 0);
        }
    }
}
