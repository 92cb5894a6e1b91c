//! kill -9 at random, of brokers, readers and publishers.

use std::time::Duration;

use super::bus::{Bus, Issuer, kill};
use super::reckoning::nothing_missing;
use super::{Chance, Plan};

const PUBLISHERS: usize = 4;
/// How long somebody who was killed stays away, about.
const AWAY: Duration = Duration::from_millis(150);

/// Durable publishers with a spool, a journal, and a durable subscription into a file: everything
/// that was acknowledged or in a spool is in the journal once, and in the file.
pub(super) fn durable(plan: Plan, fsync: &str) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let start_broker = |bus: &Bus| bus.broker(&["--fsync", fsync]);
    let mut broker = start_broker(&bus);
    let mut reader = bus.durable_reader("sink");
    let rate = plan.rate / PUBLISHERS as u32;
    let mut issuers = bus.issuers(PUBLISHERS, plan.rate, true);
    let mut killed = [0_u32; 3];
    for _ in 0..plan.kills {
        bus.pause(chance.around(Duration::from_secs(plan.seconds.into()) / plan.kills));
        let away = chance.around(AWAY);
        match chance.below(3) {
            0 => {
                killed[0] += 1;
                kill(broker);
                bus.pause(away);
                broker = start_broker(&bus);
            }
            1 => {
                killed[1] += 1;
                kill(reader);
                bus.pause(away);
                reader = bus.durable_reader("sink");
            }
            _ => {
                killed[2] += 1;
                let slot = chance.below(PUBLISHERS as u64) as usize;
                replace(&mut issuers, slot, || {
                    bus.pause(away);
                    bus.issuer(slot, rate, true)
                });
            }
        }
    }
    bus.end_all(issuers);
    bus.drain();
    let journal = bus.account(&bus.journal_lines());
    let sink = bus.wait_for_all("sink");
    reader.stop();
    broker.stop();
    let [brokers, readers, publishers] = killed;
    let told = format!(
        "killed {brokers} brokers, {readers} readers, {publishers} publishers\n  \
         journal: {journal}\n  file:    {sink}"
    );
    nothing_missing(&journal, &told);
    assert_eq!((journal.again, sink.missing), (0, 0), "{told}");
    // A reader that was killed may have left one line cut, and said it again then.
    assert!(
        sink.corrupt.len() as u32 <= readers,
        "{:?}\n{told}",
        sink.corrupt
    );
    told
}

/// PUB/SUB: one reader counts, and is left alone. Of each publisher that ended in order it knows what
/// became of every record; of a killed one all but the tail, and that there is one.
pub(super) fn default_mode(plan: Plan, mut bus: Bus) -> String {
    let mut chance = Chance::new(plan.seed);
    let mut broker = bus.broker(&[]);
    let counter = bus.counting_reader("sink");
    let mut other = bus.counting_reader("other");
    let rate = plan.rate / PUBLISHERS as u32;
    let mut issuers = bus.issuers(PUBLISHERS, plan.rate, false);
    let mut victims = Vec::new();
    let mut killed = [0_u32; 2];
    for _ in 0..plan.kills {
        bus.pause(chance.around(Duration::from_secs(plan.seconds.into()) / plan.kills));
        let away = chance.around(AWAY);
        match chance.below(3) {
            0 => {
                killed[0] += 1;
                kill(broker);
                bus.pause(away);
                broker = bus.broker(&[]);
            }
            1 => {
                killed[1] += 1;
                kill(other);
                bus.pause(away);
                other = bus.counting_reader("other");
            }
            _ => {
                let slot = chance.below(PUBLISHERS as u64) as usize;
                victims.push(replace(&mut issuers, slot, || {
                    bus.pause(away);
                    bus.issuer(slot, rate, false)
                }));
            }
        }
    }
    let reckoning = bus.reckon(counter, "sink", issuers, &victims);
    drop(other);
    broker.stop();
    let [brokers, readers] = killed;
    reckoning.check(&format!(
        "killed {brokers} brokers, {readers} other readers, {} publishers\n  ",
        victims.len()
    ))
}

/// Kills who is in this slot; their name.
fn replace(issuers: &mut Vec<Issuer>, slot: usize, next: impl FnOnce() -> Issuer) -> String {
    let victim = issuers.swap_remove(slot);
    let name = victim.name.clone();
    victim.kill();
    issuers.push(next());
    let last = issuers.len() - 1;
    issuers.swap(slot, last);
    name
}
