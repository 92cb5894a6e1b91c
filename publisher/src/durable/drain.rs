//! Sending what dead publishers left, for whoever has no publisher of that program to do it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::wire::durable::Hello;
use logbus_transport::{Error, ErrorKind, PollSet, wait};

use super::config::{Delivery, DurableConfig};
use super::courier::Courier;
use crate::config::Config;
use crate::queue::FOR_EVER;
use crate::spool::{self, Name};
use crate::stats::{Adopted, Counters};

/// What became of the spools in a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Spools whose owners were dead.
    pub spools: u64,
    /// What was in them.
    pub records: Adopted,
    /// Spools of those that are not done: they are in the folder still.
    pub spools_left: u64,
    /// Spools whose owners live. They send what is in them.
    pub spools_in_use: u64,
    /// Spools that could not be read, as for want of rights. What is in them, nobody has sent.
    pub spools_unreadable: u64,
}

impl Drained {
    /// Records that are in the spools still.
    pub fn left(&self) -> u64 {
        let done = self.records.acknowledged + self.records.refused;
        self.records.records.saturating_sub(done)
    }

    /// Whether nothing is left and nothing was refused or damaged.
    pub fn is_complete(&self) -> bool {
        let left = self.spools_left + self.spools_unreadable;
        left == 0 && self.records.refused == 0 && self.records.damages == 0
    }
}

/// Sends what is in the spools in `dir` whose owners are dead, whatever their program, and removes
/// what is done. Of the settings those of durable delivery and the keys count. Gives up when the broker
/// has acknowledged nothing for as long as `patience`.
pub fn drain(dir: &Path, config: &Config, patience: Duration) -> Result<Drained, Error> {
    let unreadable = |error: io::Error| Error {
        kind: ErrorKind::Unusable,
        endpoint: None,
        source: format!("cannot read {}: {error}", dir.display()).into(),
    };
    // A folder that is not there is more likely misspelt than empty.
    std::fs::read_dir(dir).map_err(unreadable)?;
    let hello = Hello {
        program: "drain".to_owned(),
        host: process::host_name(),
        pid: std::process::id(),
    };
    let durable = match &config.delivery {
        Delivery::Durable(durable) => durable.clone(),
        Delivery::BestEffort => DurableConfig::default(),
    };
    let mut courier = Courier::open(&durable, config.security()?, hello, None)?;
    let counters = Counters::default();
    let spools_unreadable = courier
        .adopt(dir, |_: &Name| true, &counters)
        .map_err(unreadable)?;
    let spools = courier.adopted() as u64;
    send_all(&mut courier, &counters, patience.min(FOR_EVER));
    let spools_left = courier.adopted() as u64;
    let in_use = spool::spools(dir).map_err(unreadable)?.len() as u64;
    courier.close(Duration::ZERO);
    Ok(Drained {
        spools,
        records: counters.adopted(),
        spools_left,
        spools_in_use: in_use.saturating_sub(spools_unreadable),
        spools_unreadable,
    })
}

fn send_all(courier: &mut Courier, counters: &Counters, patience: Duration) {
    let (mut before, mut since) = (counters.adopted(), Instant::now());
    courier.turn(counters);
    while courier.adopted() > 0 && since.elapsed() < patience {
        let mut set = PollSet::new();
        set.wake_by(since + patience);
        courier.poll(&mut set);
        // An interrupted wait is a short one.
        drop(wait(&mut set, None));
        courier.turn(counters);
        if counters.adopted() != before {
            (before, since) = (counters.adopted(), Instant::now());
        }
    }
}
