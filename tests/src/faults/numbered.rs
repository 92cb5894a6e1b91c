//! Records numbered at birth, and the account of them at the sink.
//!
//! A publisher notes, before it says a record, that it will, and then what is acknowledged, with one
//! write into a small file each time: that outlives its kill. A line says who said it, its number,
//! and a check of both, so that a changed one is known.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Delivery, DurableConfig, Fsync, Overflow, Publisher, stamped};

use super::Chance;

const LINGER: Duration = Duration::from_secs(60);
/// How often an issuer says some records.
const TURN: Duration = Duration::from_millis(5);

/// What one life of a publisher says, and where.
#[derive(Debug)]
pub struct Issue<'a> {
    pub endpoint: &'a str,
    /// `SLOT-LIFE`: durable lives of a slot are one program, which adopts its dead lives' spools.
    pub name: &'a str,
    /// Records a second.
    pub rate: u64,
    pub note: &'a Path,
    /// Durable delivery with this spool, else PUB/SUB.
    pub spool: Option<PathBuf>,
    /// When that is synced.
    pub fsync: Fsync,
}

/// How far a publisher was when it noted it. Numbers are taken over and acknowledged in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Note {
    /// At most so many records were said.
    pub issued: u64,
    /// So many were in the spool; none of PUB/SUB.
    pub sent: u64,
    /// So many were acknowledged; none of PUB/SUB.
    pub acknowledged: u64,
}

impl Note {
    fn write(self, file: &File) -> anyhow::Result<()> {
        let numbers = [self.issued, self.sent, self.acknowledged];
        Ok(file.write_all_at(&numbers.map(u64::to_le_bytes).concat(), 0)?)
    }

    /// The last one; all zeros where a publisher was killed before its first.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let number = |at: usize| {
            let bytes = bytes.get(at * 8..at * 8 + 8);
            bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
        };
        Self {
            issued: number(0),
            sent: number(1),
            acknowledged: number(2),
        }
    }
}

/// Says records at a steady rate until `is_over`; what is behind is caught up with.
pub fn issue(what: &Issue<'_>, is_over: impl Fn() -> bool) -> anyhow::Result<Note> {
    let slot = what.name.split('-').next().unwrap_or_default();
    let mut config = Config::connect([what.endpoint.parse()?]);
    config.hold = LINGER;
    config.program = what.name.to_owned();
    if let Some(spool) = &what.spool {
        config.program = slot.to_owned();
        config.overflow = Overflow::Block(LINGER);
        config.delivery = Delivery::Durable(DurableConfig {
            endpoint: Some(what.endpoint.parse()?),
            spool: Some(spool.clone()),
            fsync: what.fsync,
            ..DurableConfig::default()
        });
    }
    let publisher = Publisher::new(config)?;
    let file = File::create(what.note)?;
    let topic = format!("fault.{slot}");
    let begin = Instant::now();
    let mut note = Note::default();
    while !is_over() {
        let due = u64::try_from(begin.elapsed().as_millis())? * what.rate / 1_000;
        // What is written down first is at most one turn more than was said.
        let next = due.min(note.issued + what.rate / 10 + 1);
        let numbers = note.issued..next.max(note.issued);
        note.issued = numbers.end;
        note.write(&file)?;
        for number in numbers {
            publisher.publish(&stamped(&topic, 20, &line(what.name, number)));
        }
        let stats = publisher.stats();
        if what.spool.is_some() {
            (note.sent, note.acknowledged) = (stats.sent, stats.acknowledged);
        }
        note.write(&file)?;
        std::thread::park_timeout(TURN);
    }
    let report = publisher.shutdown(LINGER);
    if what.spool.is_some() {
        (note.sent, note.acknowledged) = (report.sent, report.acknowledged);
    }
    note.write(&file)?;
    Ok(note)
}

/// The text of a record.
fn line(name: &str, number: u64) -> String {
    let seed = name.bytes().fold(number, |seed, byte| {
        Chance::new(seed ^ u64::from(byte)).draw()
    });
    let mut chance = Chance::new(seed);
    let mut text = format!("{name} {number}");
    for _ in 0..1 + chance.below(8) {
        text.push_str(&format!(" {:016x}", chance.draw()));
    }
    text
}

/// What became of all that was issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub issued: u64,
    /// Records that the broker said it has.
    pub acknowledged: u64,
    /// Records that must arrive: acknowledged, or in the spool.
    pub owed: u64,
    /// Different records that arrived.
    pub delivered: u64,
    /// Records that are owed and did not.
    pub missing: u64,
    /// Those of them behind which another one of the same publisher did.
    pub missing_inside: u64,
    /// Arrivals of what had arrived before.
    pub again: u64,
    /// Lines that nobody wrote like that, the first some of them.
    pub corrupt: Vec<String>,
    /// Notices that stood between them.
    pub notices: Vec<String>,
    /// How many arrived of each life.
    pub of: BTreeMap<String, u64>,
}

impl Account {
    pub fn of<'a>(notes: &BTreeMap<String, Note>, lines: impl Iterator<Item = &'a str>) -> Self {
        let mut account = Self::default();
        let mut seen: BTreeMap<&str, Vec<bool>> = notes
            .iter()
            .map(|(name, note)| (name.as_str(), vec![false; note.issued as usize]))
            .collect();
        for text in lines {
            if text.starts_with("-- ") {
                account.notices.push(text.to_owned());
                continue;
            }
            let mut words = text.split(' ');
            let (name, number) = (words.next(), words.next());
            let place = name
                .zip(number.and_then(|number| number.parse::<u64>().ok()))
                .filter(|(name, number)| line(name, *number) == text)
                .and_then(|(name, number)| seen.get_mut(name)?.get_mut(number as usize));
            match place {
                Some(place) if *place => account.again += 1,
                Some(place) => *place = true,
                None => account.corrupt.push(text.to_owned()),
            }
        }
        for (name, note) in notes {
            let seen = &seen[name.as_str()];
            let owed = note.sent.max(note.acknowledged) as usize;
            let delivered = seen.iter().filter(|is| **is).count() as u64;
            account.issued += note.issued;
            account.acknowledged += note.acknowledged;
            account.owed += owed as u64;
            account.delivered += delivered;
            account.missing += seen.iter().take(owed).filter(|is| !**is).count() as u64;
            let last = seen.iter().rposition(|is| *is).unwrap_or(0);
            let inside = seen[..last].iter().filter(|is| !**is).count();
            account.missing_inside += inside as u64;
            account.of.insert(name.clone(), delivered);
        }
        account
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} issued, {} acknowledged, {} owed, {} delivered, {} missing, {} again, {} corrupt",
            self.issued,
            self.acknowledged,
            self.owed,
            self.delivered,
            self.missing,
            self.again,
            self.corrupt.len()
        )
    }
}
