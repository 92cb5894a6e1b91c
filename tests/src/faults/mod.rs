//! Faults on purpose: processes killed and stopped, disks full and damaged, hosts cut off.
//!
//! Every record is numbered at birth (`numbered.rs`) and reconciled at the sink. What happens when is
//! drawn from a seed that each run prints, so that it can be had again; how far the processes are by
//! then is the machine's affair. `cargo xtask faults` runs long forms, the promises short ones.

mod chance;
mod numbered;
mod bus;
mod kills;
mod stopped;
mod disk;
mod network;
mod soak;

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
        run: kills::default_mode,
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
];

/// Runs the fault of this name.
pub fn run(name: &str, plan: Plan) -> String {
    let fault = FAULTS.iter().find(|fault| fault.name == name);
    (fault.unwrap_or_else(|| panic!("no fault {name}")).run)(plan)
}
