//! A native publisher's batches through the broker to a receiver that counts records; without a journal
//! and with one that is synced at intervals.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};

use super::bus::Bus;
use super::{CPU, RATE};

/// Records of a round.
const RECORDS: u64 = 4_000_000;

pub(super) const CONTEST: Contest = Contest {
    name: "batches",
    title: "A native publisher's batches through the broker",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: "bus-broker",
            run: |arena| pass(arena, false),
        },
        Contender {
            name: "bus-broker with a journal",
            run: |arena| pass(arena, true),
        },
    ]),
    ratios: &[
        Ratio {
            of: "bus-broker",
            to: "bus-broker",
            quantity: RATE.name,
            target: Target::FigureAtLeast(2e6),
        },
        Ratio {
            of: "bus-broker with a journal",
            to: "bus-broker",
            quantity: RATE.name,
            target: Target::AtLeast(0.8),
        },
    ],
    picture: Picture::Bars,
};

fn pass(arena: &Arena, has_journal: bool) -> anyhow::Result<Vec<f64>> {
    let folder = arena.folder()?;
    let journal = has_journal.then(|| folder.path().join("journal"));
    let bus = Bus::own(arena, journal.as_deref())?;
    let count = arena.amount(RECORDS);
    let result = bus.pass_records(arena, count, &[]);
    bus.end()?;
    if let Some(journal) = journal {
        check(arena, &journal, count).context("the journal")?;
    }
    result
}

/// A journal that kept less would have been faster by that.
fn check(arena: &Arena, journal: &Path, count: u64) -> anyhow::Result<()> {
    let mut command = arena.own("bus-broker")?;
    let output = command
        .args(["journal", "ls", "--journal"])
        .arg(journal)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().find(|line| line.starts_with("myapp.http"));
    let kept = row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    ensure!(kept == Some(count), "{kept:?} of {count} records are in it");
    Ok(())
}
