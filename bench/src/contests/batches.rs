//! A native publisher's batches through the broker to a receiver that counts records; without a journal
//! and with one that is synced at intervals. A journal's rate is that of the records that it kept.

use std::path::Path;

use anyhow::Context;

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
    let mut figures = bus.pass_records(arena, count, &[])?;
    bus.end()?;
    if let (Some(journal), Some(rate)) = (journal, figures.first_mut()) {
        // What came faster than the disk takes it was passed on and not kept: it does not count.
        *rate *= kept(arena, &journal)? as f64 / count as f64;
    }
    Ok(figures)
}

/// How many records a journal has.
fn kept(arena: &Arena, journal: &Path) -> anyhow::Result<u64> {
    let mut command = arena.own("bus-broker")?;
    let output = command
        .args(["journal", "ls", "--journal"])
        .arg(journal)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().find(|line| line.starts_with("myapp.http"));
    let kept = row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    kept.with_context(|| format!("the journal says nothing of its records:\n{text}"))
}
