//! Faults on purpose: processes killed and stopped, disks full and damaged, hosts cut off.
//!
//! Every record is numbered at birth (`numbered.rs`) and reconciled at the sink. What happens when is
//! drawn from a seed that each run prints, so that it can be had again; how far the processes are by
//! then is the machine's affair. `cargo xtask faults` runs long forms, the promises short ones.

mod chance;
mod numbered;
mod bus;
mod reckoning;
mod kills;
mod stopped;
mod disk;
mod spools;
mod shim;
mod errors;
mod crashes;
mod hosts;
mod network;
mod relay;
mod roads;
mod sinks;
mod clock;
mod soak;

use bus::Bus;
pub use chance::Chance;
pub use numbered::{Account, Issue, Note, issue};
pub use soak::soak;

/// How much of a fault there is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub kills: u32,
    pub seconds: u32,
    /// Records a second, of all publishers together.
    pub rate: u32,
}

/// A fault: its name, what it shows, and the run, which panics when a promise is broken. What it
/// returns is what it measured, or why it was left out.
#[derive(Debug)]
pub struct Fault {
    pub name: &'static str,
    pub summary: &'static str,
    pub run: fn(Plan) -> String,
}

/// All of them, in the order in which they run.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "kill-always",
        summary: "kill -9 of everybody, durable, --fsync always",
        run: |plan| kills::durable(plan, "always"),
    },
    Fault {
        name: "kill-interval",
        summary: "kill -9 of everybody, durable, --fsync interval",
        run: |plan| kills::durable(plan, "interval=50ms"),
    },
    Fault {
        name: "kill-default",
        summary: "kill -9 of everybody but the one who counts, PUB/SUB",
        run: |plan| kills::default_mode(plan, Bus::new()),
    },
    Fault {
        name: "kill-nng",
        summary: "the same over NNG",
        run: |plan| kills::default_mode(plan, Bus::new().over_nng()),
    },
    Fault {
        name: "stop",
        summary: "readers stopped under load, and a pipe that nobody reads",
        run: stopped::readers,
    },
    Fault {
        name: "disk-full",
        summary: "the journal's disk is full, and has room again",
        run: disk::full,
    },
    Fault {
        name: "read-only",
        summary: "the journal's disk may only be read, and then written again",
        run: disk::read_only,
    },
    Fault {
        name: "bit-flips",
        summary: "bits of the journal's files are flipped while the broker is down",
        run: disk::bit_flips,
    },
    Fault {
        name: "partition",
        summary: "three hosts, of which the publisher's and the reader's are cut off in turn",
        run: network::partition,
    },
    Fault {
        name: "partition-default",
        summary: "the same, PUB/SUB, with a reader who counts",
        run: |plan| network::partition_default(plan, Bus::new()),
    },
    Fault {
        name: "partition-nng",
        summary: "the same over NNG",
        run: |plan| network::partition_default(plan, Bus::new().over_nng()),
    },
    Fault {
        name: "packets",
        summary: "packets between three hosts are lost, late and out of order, durable",
        run: network::bad,
    },
    Fault {
        name: "packets-default",
        summary: "the same, PUB/SUB, with a reader who counts",
        run: |plan| network::bad_default(plan, Bus::new()),
    },
    Fault {
        name: "packets-nng",
        summary: "the same over NNG",
        run: |plan| network::bad_default(plan, Bus::new().over_nng()),
    },
    Fault {
        name: "weather",
        summary: "relays that are late, narrow, stand still, cut pieces and break, durable",
        run: |plan| roads::weather(plan, Bus::new(), true),
    },
    Fault {
        name: "weather-default",
        summary: "the same, PUB/SUB, with a reader who counts",
        run: |plan| roads::weather(plan, Bus::new(), false),
    },
    Fault {
        name: "weather-nng",
        summary: "the same over NNG",
        run: |plan| roads::weather(plan, Bus::new().over_nng(), false),
    },
    Fault {
        name: "moved",
        summary: "a broker that is killed, and begins elsewhere behind a relay, durable",
        run: |plan| roads::moved(plan, Bus::new(), true),
    },
    Fault {
        name: "moved-default",
        summary: "the same, PUB/SUB, with a reader who counts",
        run: |plan| roads::moved(plan, Bus::new(), false),
    },
    Fault {
        name: "moved-nng",
        summary: "the same over NNG",
        run: |plan| roads::moved(plan, Bus::new().over_nng(), false),
    },
    Fault {
        name: "name",
        summary: "a broker whose name means another address, durable",
        run: |plan| roads::renamed(plan, Bus::new(), true),
    },
    Fault {
        name: "name-default",
        summary: "the same, PUB/SUB, with a reader who counts",
        run: |plan| roads::renamed(plan, Bus::new(), false),
    },
    Fault {
        name: "name-nng",
        summary: "the same over NNG",
        run: |plan| roads::renamed(plan, Bus::new().over_nng(), false),
    },
    Fault {
        name: "spool-damage",
        summary: "bits of spools are flipped and ends cut while nobody has them",
        run: spools::damage,
    },
    Fault {
        name: "crash",
        summary: "brokers and publishers die at each step of their writing",
        run: crashes::steps,
    },
    Fault {
        name: "torn",
        summary: "brokers and publishers die with half of a write done",
        run: crashes::torn,
    },
    Fault {
        name: "eio-journal",
        summary: "the journal's disk gives errors",
        run: errors::journal,
    },
    Fault {
        name: "eio-spool",
        summary: "the spools' disk gives errors",
        run: |plan| errors::spool(plan, "interval"),
    },
    Fault {
        name: "eio-spool-sync",
        summary: "the same, with spools that are synced at once",
        run: |plan| errors::spool(plan, "always"),
    },
    Fault {
        name: "clock",
        summary: "the clock is set back an hour and forward again",
        run: clock::set_back,
    },
    Fault {
        name: "slow-seq",
        summary: "a Seq server that is slow, and hard to reach",
        run: sinks::slow_seq,
    },
    Fault {
        name: "steady",
        summary: "threads and open files at a steady rate; soak is its long form",
        run: soak::steady,
    },
];

/// Runs the fault of this name.
pub fn run(name: &str, plan: Plan) -> String {
    let fault = FAULTS.iter().find(|fault| fault.name == name);
    (fault.unwrap_or_else(|| panic!("no fault {name}")).run)(plan)
}
