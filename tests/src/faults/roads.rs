//! Bad roads: relays between publishers and broker, and between broker and readers. And a broker that
//! moves: where a relay leads elsewhere, and where its name means another address.

use std::net::SocketAddr;
use std::time::Duration;

use super::bus::{Bus, Places, kill};
use super::hosts::succeeds;
use super::reckoning::all_there_once;
use super::relay::{Relay, Weather};
use super::{Chance, Plan};
use crate::Program;

const PUBLISHERS: usize = 2;
/// A rate that such roads carry most of the time.
const MOST: u32 = 4_000;
/// How often a broker moves.
const MOVES: u32 = 4;

/// Late and in small pieces, standing still now and then, and broken after some hundred messages.
const BAD: Weather = Weather {
    delay: Duration::from_millis(10),
    jitter: Duration::from_millis(30),
    bytes_per_second: Some(400_000),
    piece: Some(1_500),
    stall_every: Some(300_000),
    stall: Duration::from_millis(400),
    reset_every: Some(400_000),
};
/// In crumbs, so that every header and length is cut somewhere.
const CRUMBS: Weather = Weather {
    delay: Duration::ZERO,
    jitter: Duration::from_millis(2),
    bytes_per_second: None,
    piece: Some(24),
    stall_every: None,
    stall: Duration::ZERO,
    reset_every: Some(60_000),
};
/// A line that carries less than is said.
const NARROW: Weather = Weather {
    delay: Duration::from_millis(50),
    jitter: Duration::ZERO,
    bytes_per_second: Some(120_000),
    piece: None,
    stall_every: None,
    stall: Duration::ZERO,
    reset_every: None,
};

/// A bus whose publishers and readers reach it over relays.
struct Roads {
    bus: Bus,
    is_durable: bool,
    /// The publishers' and the readers'.
    relays: [Relay; 2],
}

impl Roads {
    fn new(mut bus: Bus, seed: u64, is_durable: bool) -> Self {
        let mut chance = Chance::new(seed);
        let mut road = |endpoint: &mut String| {
            let target = address_of(endpoint);
            let relay = Relay::start(target, chance.draw(), Weather::default());
            *endpoint = endpoint.replace(&target.to_string(), &relay.address.to_string());
            relay
        };
        let (into, out) = (&mut bus.from_publishers, &mut bus.from_readers);
        let relays = if is_durable {
            [&mut into.durable, &mut out.durable].map(&mut road)
        } else {
            [&mut into.publishers, &mut out.subscribers].map(&mut road)
        };
        Self {
            bus,
            is_durable,
            relays,
        }
    }

    fn set(&self, weather: Weather) {
        for relay in &self.relays {
            relay.set(weather);
        }
    }

    /// Leads to where the broker is now.
    fn lead_to(&self, places: &Places) {
        let ends = if self.is_durable {
            [&places.durable, &places.durable]
        } else {
            [&places.publishers, &places.subscribers]
        };
        for (relay, end) in self.relays.iter().zip(ends) {
            relay.lead_to(address_of(end));
        }
    }

    fn told(&self) -> String {
        let [into, out] = &self.relays;
        format!("publishers' road: {into}\n  readers' road: {out}\n  ")
    }

    /// Runs a bus of one kind while something is done to it; what came of it.
    fn run(mut self, rate: u32, mut fault: impl FnMut(&mut Self, &mut Program)) -> String {
        let mut broker = self.bus.broker(&[]);
        let reader = if self.is_durable {
            self.bus.durable_reader("sink")
        } else {
            self.bus.counting_reader("sink")
        };
        let issuers = self.bus.issuers(PUBLISHERS, rate, self.is_durable);
        fault(&mut self, &mut broker);
        self.set(Weather::default());
        let told = if self.is_durable {
            self.bus.end_all(issuers);
            let sink = self.bus.wait_for_all("sink");
            reader.stop();
            let journal = self.bus.account(&self.bus.journal_lines());
            let told = format!("{}journal: {journal}\n  file: {sink}", self.told());
            all_there_once(&journal, &told);
            all_there_once(&sink, &told);
            told
        } else {
            let reckoning = self.bus.reckon(reader, "sink", issuers, &[]);
            reckoning.check(&self.told())
        };
        broker.stop();
        told
    }
}

fn address_of(endpoint: &str) -> SocketAddr {
    endpoint.rsplit('/').next().unwrap().parse().unwrap()
}

/// Three kinds of weather, one after the other, on both roads.
pub(super) fn weather(plan: Plan, bus: Bus, is_durable: bool) -> String {
    let roads = Roads::new(bus, plan.seed, is_durable);
    let each = Duration::from_secs(plan.seconds.into()) / 3;
    roads.run(plan.rate.min(MOST), |roads, _| {
        for weather in [BAD, CRUMBS, NARROW] {
            roads.set(weather);
            roads.bus.pause(each);
        }
    })
}

/// A broker that is killed, and begins again at other ports with its journal.
pub(super) fn moved(plan: Plan, bus: Bus, is_durable: bool) -> String {
    let roads = Roads::new(bus, plan.seed, is_durable);
    let mut chance = Chance::new(plan.seed);
    let each = Duration::from_secs(plan.seconds.into()) / (MOVES + 1);
    roads.run(plan.rate, |roads, broker| {
        for _ in 0..MOVES {
            roads.bus.pause(chance.around(each));
            broker.signal("-KILL");
            let new = Bus::new().own;
            for (from, to) in [
                (&mut roads.bus.own.publishers, &new.publishers),
                (&mut roads.bus.own.subscribers, &new.subscribers),
                (&mut roads.bus.own.durable, &new.durable),
            ] {
                let old = address_of(from).to_string();
                *from = from.replace(&old, &address_of(to).to_string());
            }
            *broker = roads.bus.broker(&[]);
            roads.lead_to(&roads.bus.own);
        }
        roads.bus.pause(each);
    })
}

/// A broker whose name means another address than before.
pub(super) fn renamed(plan: Plan, bus: Bus, is_durable: bool) -> String {
    const NAME: &str = "bus.faults";
    let mut bus = bus.at("127.0.0.2");
    bus.from_publishers = bus.own.replace("127.0.0.2", NAME);
    bus.from_readers = bus.from_publishers.clone();
    let hosts = bus.path("hosts");
    let name_is = |address: &str| std::fs::write(&hosts, format!("{address} {NAME}\n")).unwrap();
    name_is("127.0.0.2");
    // Each program has a mount of its own over the system's file.
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
    let inside = ["-m", "sh", "-c", &script, "sh"];
    if !succeeds(
        std::process::Command::new("unshare")
            .args(inside)
            .arg("true"),
    ) {
        return "left out: a file cannot be mounted over another one here".to_owned();
    }
    bus.begin_with = [&["unshare"], &inside[..]]
        .concat()
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    let mut broker = bus.broker(&[]);
    let reader = if is_durable {
        bus.durable_reader("sink")
    } else {
        bus.counting_reader("sink")
    };
    let issuers = bus.issuers(PUBLISHERS, plan.rate, is_durable);
    let each = Duration::from_secs(plan.seconds.into()) / (MOVES + 1);
    for turn in 0..MOVES {
        bus.pause(each);
        kill(broker);
        let (from, to) =
            [("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2")][turn as usize % 2];
        bus.own = bus.own.replace(from, to);
        broker = bus.broker(&[]);
        name_is(to);
    }
    bus.pause(each);
    let told = format!("{MOVES} times another address\n  ");
    let told = if is_durable {
        bus.end_all(issuers);
        let sink = bus.wait_for_all("sink");
        reader.stop();
        let told = format!("{told}file: {sink}");
        all_there_once(&sink, &told);
        told
    } else {
        bus.reckon(reader, "sink", issuers, &[]).check(&told)
    };
    broker.stop();
    told
}
