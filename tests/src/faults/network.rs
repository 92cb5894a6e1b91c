//! Hosts that are cut off, and networks that lose packets, hold them up and put them out of order.
//!
//! TCP mends most of that below; what is shown is that connections which stand still, break and come
//! back cost nothing where delivery is durable, and are counted where it is not.

use std::time::Duration;

use super::bus::{Bus, Issuer};
use super::hosts::{BROKER, Hosts, LEFT_OUT, Spoil};
use super::reckoning::all_there_once;
use super::{Chance, Plan};
use crate::Program;

const CUTS: [&str; 4] = ["pub", "sub", "pub", "sub"];
const PUBLISHERS: usize = 2;
/// Of what comes in at either host 1.5 %, and of what goes out 2 %.
const SPOIL: Spoil = Spoil { lost: 15, late: 20 };
/// A rate that a network which loses packets can carry.
const MOST: u32 = 4_000;

/// A bus over three hosts.
struct Spread {
    hosts: Hosts,
    bus: Bus,
    broker: Program,
}

impl Spread {
    fn new(bus: Bus) -> Option<Self> {
        let hosts = Hosts::new()?;
        let bus = bus.at(BROKER);
        let args = bus.broker_args(&["--insecure"]);
        let broker = hosts.start(&bus, "broker", "bus-broker", &args);
        broker.wait_for("durable ones to");
        Some(Self { hosts, bus, broker })
    }

    fn reader(&self, is_durable: bool) -> Program {
        let args = if is_durable {
            self.bus.durable_reader_args("sink")
        } else {
            self.bus.counting_reader_args("sink")
        };
        let reader = self.hosts.start(&self.bus, "sub", "logsub", &args);
        reader.wait_for(if is_durable {
            "reading the journal"
        } else {
            "connected to"
        });
        reader
    }

    fn issuers(&mut self, rate: u32, is_durable: bool) -> Vec<Issuer> {
        let mut start = |slot| {
            let rate = rate / PUBLISHERS as u32;
            let (name, args) = self.bus.issuer_args(slot, rate, is_durable);
            let program = self.hosts.start(&self.bus, "pub", "test-worker", &args);
            Issuer::of(name, program)
        };
        (0..PUBLISHERS).map(&mut start).collect()
    }

    /// Cuts hosts off in turn; what was done.
    fn cut(&self, plan: Plan) -> String {
        let mut chance = Chance::new(plan.seed);
        let each = Duration::from_secs(plan.seconds.into()) / (2 * CUTS.len() as u32);
        let mut cuts = Vec::new();
        for host in CUTS {
            self.bus.pause(chance.around(each));
            let time = chance.around(each);
            self.hosts.cut(host, true);
            self.bus.pause(time);
            self.hosts.cut(host, false);
            cuts.push(format!("{host} for {time:.1?}"));
        }
        format!("cut off: {}", cuts.join(", "))
    }

    /// Makes the network bad for a while; `None` where that cannot be done.
    fn spoil(&self, plan: Plan) -> Option<String> {
        let hosts = ["pub", "sub"];
        if hosts.map(|host| self.hosts.spoil(host, SPOIL)) != [true; 2] {
            return None;
        }
        self.bus.pause(Duration::from_secs(plan.seconds.into()));
        let told = hosts.map(|host| {
            let [lost, late] = self.hosts.spoilt(host);
            format!("{lost} packets lost and {late} late at {host}")
        });
        Some(told.join(", "))
    }
}

/// A durable publisher and a durable reader are cut off in turn, and nothing is missing.
pub(super) fn partition(plan: Plan) -> String {
    let Some(spread) = Spread::new(Bus::new()) else {
        return LEFT_OUT.to_owned();
    };
    durable(spread, plan.rate, |spread| Some(spread.cut(plan)))
}

/// Publishers and the one who counts are cut off in turn, and the account is exact.
pub(super) fn partition_default(plan: Plan, bus: Bus) -> String {
    let Some(spread) = Spread::new(bus) else {
        return LEFT_OUT.to_owned();
    };
    counted(spread, plan.rate, |spread| Some(spread.cut(plan)))
}

/// Packets of publishers and readers are lost and out of order, and nothing is missing.
pub(super) fn bad(plan: Plan) -> String {
    let Some(spread) = Spread::new(Bus::new()) else {
        return LEFT_OUT.to_owned();
    };
    durable(spread, plan.rate.min(MOST), |spread| spread.spoil(plan))
}

/// The same, PUB/SUB, and the account is exact.
pub(super) fn bad_default(plan: Plan, bus: Bus) -> String {
    let Some(spread) = Spread::new(bus) else {
        return LEFT_OUT.to_owned();
    };
    counted(spread, plan.rate.min(MOST), |spread| spread.spoil(plan))
}

fn durable(mut spread: Spread, rate: u32, fault: impl Fn(&Spread) -> Option<String>) -> String {
    let reader = spread.reader(true);
    let issuers = spread.issuers(rate, true);
    let told = fault(&spread);
    let bus = &spread.bus;
    bus.end_all(issuers);
    let sink = bus.wait_for_all("sink");
    reader.stop();
    spread.broker.stop();
    let Some(told) = told else {
        return "left out: no nft and tc that can do it here".to_owned();
    };
    let told = format!("{told}\n  file: {sink}");
    all_there_once(&sink, &told);
    told
}

fn counted(mut spread: Spread, rate: u32, fault: impl Fn(&Spread) -> Option<String>) -> String {
    let counter = spread.reader(false);
    let issuers = spread.issuers(rate, false);
    let told = fault(&spread);
    let reckoning = spread.bus.reckon(counter, "sink", issuers, &[]);
    spread.broker.stop();
    match told {
        Some(told) => reckoning.check(&format!("{told}\n  ")),
        None => "left out: no nft and tc that can do it here".to_owned(),
    }
}
