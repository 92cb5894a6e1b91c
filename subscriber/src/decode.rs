//! From bytes to records and notices: the decoding stage.
//!
//! For each message: find its dialect, match its topic exactly, ask the account of losses
//! (`schemas/src/wire/ledger.rs`) which of its records are new, and decode those. What cannot be
//! read is counted by kind, told at a bounded rate, and kept whole where asked for. No input makes
//! this stage fail. The next step is `dispatch.rs`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use logbus_broker::{Inbound, RejectFile};
use logbus_schemas::dialect::{self, Dialect, Malformed, MalformedKind, Reading};
use logbus_schemas::wire::durable::Gone;
use logbus_schemas::wire::ledger::{self, Ledger, Sender, Totals, Verdict};
use logbus_schemas::wire::{Header, Identity, Native, WELCOME, WireError};
use logbus_schemas::{Record, Topic, TopicFilter};

use crate::item::{Delivered, Item, Notice};
use crate::levels::Levels;

/// The least time between two notices of malformed messages of one kind, in ns.
const NOTICE_EVERY: u64 = 10_000_000_000;

/// What is decoded and what is not.
pub struct Config {
    /// Topics; none means all.
    pub topics: Vec<TopicFilter>,
    /// Records below are counted and not passed on.
    pub levels: Levels,
    /// Bytes of the largest message that is read.
    pub max_message: usize,
    /// Where messages that cannot be read are kept.
    pub rejects: Option<RejectFile>,
}

/// The stage; owned by one thread.
pub struct Decoder {
    config: Config,
    ledger: Ledger,
    faults: BTreeMap<MalformedKind, Faults>,
    foreign: u64,
    overflow: u64,
    gone: u64,
    again: u64,
    notices: Vec<ledger::Notice>,
}

/// Messages of one kind that could not be read.
#[derive(Default)]
struct Faults {
    total: u64,
    /// Of those: not told yet.
    untold: u64,
    /// The first of those not told, as a notice shows it.
    detail: String,
    last_told: Option<u64>,
}

/// What came, and what did not, when all is over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Each sender with its account.
    pub senders: Vec<(Sender, Totals)>,
    /// The sum over all senders.
    pub totals: Totals,
    /// Messages that could not be read, by kind.
    pub malformed: BTreeMap<MalformedKind, u64>,
    /// Senders that fell silent without goodbye, and were not heard again: what they sent last is unknown.
    pub silent: u64,
    /// Records that came straight from foreign senders, which number nothing.
    pub foreign: u64,
    /// Messages dropped here because they came too fast.
    pub overflow: u64,
    /// Records that the journal no longer had, of all topics.
    pub gone: u64,
    /// Messages of the journal that were handed out before, and may have been handled.
    pub again: u64,
}

impl Decoder {
    /// A stage that listens since `attached`, in ns since 1970-01-01 00:00 UTC.
    pub fn new(config: Config, attached: u64) -> Self {
        Self {
            config,
            ledger: Ledger::new(attached),
            faults: BTreeMap::new(),
            foreign: 0,
            overflow: 0,
            gone: 0,
            again: 0,
            notices: Vec::new(),
        }
    }

    /// The same, of a part of the records, others of which go elsewhere: what is missing is no loss.
    pub fn of_a_share(config: Config, attached: u64) -> Self {
        Self {
            ledger: Ledger::of_a_share(attached),
            ..Self::new(config, attached)
        }
    }

    /// Takes a message in and adds what it says to `out`.
    pub fn message(&mut self, inbound: &Inbound, now: u64, out: &mut Vec<Item>) {
        let frames = inbound.message.slices();
        if matches!(&frames[..], [only] if only.starts_with(WELCOME)) {
            return;
        }
        if let Err(malformed) = self.read(&frames, inbound.dialect, now, out) {
            self.reject(&malformed, &frames, &inbound.from, now, out);
        }
    }

    /// Takes in a message of a journal, which the bus had at `received`. One without a payload has no
    /// record of the level that was asked for: its records came, and are kept back.
    pub fn entry(&mut self, inbound: &Inbound, received: u64, out: &mut Vec<Item>) {
        let Some((topic, header)) = bare(inbound) else {
            return self.message(inbound, received, out);
        };
        if self.wants(&topic) {
            self.ledger
                .records(&topic, &header, received, &mut self.notices);
            self.pass_notices(out);
        }
    }

    /// Counts a message that was handed out before.
    pub fn again(&mut self) {
        self.again += 1;
    }

    /// Says that entries of the journal are gone.
    pub fn gone(&mut self, gone: Gone, out: &mut Vec<Item>) {
        self.gone = self.gone.saturating_add(gone.records);
        out.push(Item::Notice(Notice::Gone {
            from: gone.from,
            to: gone.to,
            records: gone.records,
            reason: gone.reason,
        }));
    }

    /// Says what only time shows; to be called about once a second, and at the end.
    pub fn tick(&mut self, now: u64, out: &mut Vec<Item>) {
        self.ledger.tick(now, &mut self.notices);
        self.pass_notices(out);
        for (kind, faults) in &mut self.faults {
            out.extend(faults.tell(*kind, now));
        }
    }

    /// Says that messages were dropped before they came here.
    pub fn overflow(&mut self, messages: u64, out: &mut Vec<Item>) {
        self.overflow += messages;
        out.push(Item::Notice(Notice::ReceiverFull { messages }));
    }

    /// The account so far.
    pub fn summary(&self) -> Summary {
        let senders = self
            .ledger
            .senders()
            .map(|(sender, totals)| (sender.clone(), totals));
        Summary {
            senders: senders.collect(),
            totals: self.ledger.totals(),
            malformed: self
                .faults
                .iter()
                .map(|(kind, faults)| (*kind, faults.total))
                .collect(),
            silent: self.ledger.silent(),
            foreign: self.foreign,
            overflow: self.overflow,
            gone: self.gone,
            again: self.again,
        }
    }

    fn read(
        &mut self,
        frames: &[&[u8]],
        dialect: Option<&Dialect>,
        now: u64,
        out: &mut Vec<Item>,
    ) -> Result<(), Malformed> {
        let size: usize = frames.iter().map(|frame| frame.len()).sum();
        if size > self.config.max_message {
            let detail = format!("{size} bytes, at most {} are read", self.config.max_message);
            return Err(Malformed {
                kind: MalformedKind::Oversized,
                detail,
            });
        }
        match dialect::read_in(dialect, frames)? {
            Reading::Native {
                topic,
                header,
                payload,
            } => {
                if !self.wants(&topic) {
                    return Ok(());
                }
                if header.flags.is_heartbeat() {
                    self.heartbeat(&topic, &header, payload, now, out);
                    return Ok(());
                }
                self.records(&topic, &header, payload, now, out)
            }
            Reading::Foreign { topic, record, .. } => {
                if self.wants(&topic) {
                    self.foreign += 1;
                    self.pass(
                        Delivered {
                            record: dated(record, now),
                            topic,
                            origin: None,
                            sender: None,
                            offset: None,
                            received: now,
                        },
                        out,
                    );
                }
                Ok(())
            }
        }
    }

    /// The socket matched by prefix; this matches exactly.
    fn wants(&self, topic: &Topic) -> bool {
        let topics = &self.config.topics;
        topics.is_empty() || topics.iter().any(|filter| filter.matches(topic.as_str()))
    }

    fn heartbeat(
        &mut self,
        topic: &Topic,
        header: &Header,
        payload: &[u8],
        now: u64,
        out: &mut Vec<Item>,
    ) {
        let identity = Identity::decode(header.codec, payload);
        self.ledger
            .heartbeat(topic, header, identity, now, &mut self.notices);
        self.pass_notices(out);
    }

    fn records(
        &mut self,
        topic: &Topic,
        header: &Header,
        payload: &[u8],
        now: u64,
        out: &mut Vec<Item>,
    ) -> Result<(), Malformed> {
        let verdict = self.ledger.records(topic, header, now, &mut self.notices);
        self.pass_notices(out);
        let new: Vec<Range<u32>> = match verdict {
            Verdict::All => vec![0..header.count],
            Verdict::Only(new) => new,
        };
        let sender = self.ledger.sender(header.sender);
        let offset = self.ledger.offset(header.sender);
        let mut found = 0;
        let mut passed = 0;
        let mut fault = None;
        for record in header.codec.decode_all(payload) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    fault = Some(WireError::Payload(error));
                    break;
                }
            };
            if new.iter().any(|part| part.contains(&found)) {
                passed += 1;
                let origin = Some((header.sender, header.sequence + u64::from(found)));
                self.pass(
                    Delivered {
                        record: dated(record, header.sent),
                        topic: topic.clone(),
                        origin,
                        sender: sender.clone(),
                        offset,
                        received: now,
                    },
                    out,
                );
            }
            found += 1;
        }
        let missing = accepted(&new).saturating_sub(passed);
        if missing > 0 {
            self.ledger.malformed(header.sender, missing);
        }
        match fault {
            Some(fault) => Err(fault.into()),
            None if found != header.count => Err(WireError::Count {
                said: header.count,
                found,
            }
            .into()),
            None => Ok(()),
        }
    }

    fn pass(&self, delivered: Delivered, out: &mut Vec<Item>) {
        if self.config.levels.admits(&delivered) {
            out.push(Item::Record(Arc::new(delivered)));
        }
    }

    fn pass_notices(&mut self, out: &mut Vec<Item>) {
        out.extend(
            self.notices
                .drain(..)
                .map(|notice| Item::Notice(Notice::Ledger(notice))),
        );
    }

    fn reject(
        &mut self,
        malformed: &Malformed,
        frames: &[&[u8]],
        from: &str,
        now: u64,
        out: &mut Vec<Item>,
    ) {
        if let Some(rejects) = &mut self.config.rejects {
            rejects.write(now, from, &malformed.to_string(), frames);
        }
        let faults = self.faults.entry(malformed.kind).or_default();
        faults.total += 1;
        faults.untold += 1;
        if faults.untold == 1 {
            let shown = dialect::preview(frames);
            faults.detail = format!("{}; from {from}: {shown}", malformed.detail);
        }
        out.extend(faults.tell(malformed.kind, now));
    }
}

impl Faults {
    /// A notice, when there is something to tell and the last one was long enough ago.
    fn tell(&mut self, kind: MalformedKind, now: u64) -> Option<Item> {
        let is_time = self
            .last_told
            .is_none_or(|last| now.saturating_sub(last) >= NOTICE_EVERY);
        if self.untold == 0 || !is_time {
            return None;
        }
        self.last_told = Some(now);
        Some(Item::Notice(Notice::Malformed {
            kind,
            count: std::mem::take(&mut self.untold),
            detail: std::mem::take(&mut self.detail),
        }))
    }
}

/// The topic and the header of a message that has records and no payload.
fn bare(inbound: &Inbound) -> Option<(Topic, Header)> {
    let frames = inbound.message.slices();
    let native = Native::split(&frames).filter(|native| native.payload.is_empty())?;
    let (topic, header) = native.parse().ok()?;
    (header.count > 0 && !header.flags.is_heartbeat()).then_some((topic, header))
}

/// A record whose sender gives no time has the time at which its message was sent; for a foreign
/// one that is when the bus, or this program, took it in. `at` is in ns since 1970.
fn dated(mut record: Record, at: u64) -> Record {
    if !record.has("created") {
        record.set("created", at as f64 / 1e9);
    }
    record
}

fn accepted(parts: &[Range<u32>]) -> u64 {
    parts
        .iter()
        .map(|part| u64::from(part.end - part.start))
        .sum()
}

#[cfg(test)]
mod tests;
