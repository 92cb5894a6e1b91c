//! kill -9 at random, of brokers, readers and publishers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bus::{Bus, Issuer, kill, pause};
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
    let mut issuers: Vec<Issuer> = (0..PUBLISHERS)
        .map(|slot| bus.issuer(slot, rate, true))
        .collect();
    let mut killed = [0_u32; 3];
    for _ in 0..plan.kills {
        pause(chance.around(Duration::from_secs(plan.seconds.into()) / plan.kills));
        let away = chance.around(AWAY);
        match chance.below(3) {
            0 => {
                killed[0] += 1;
                kill(broker);
                pause(away);
                broker = start_broker(&bus);
            }
            1 => {
                killed[1] += 1;
                kill(reader);
                pause(away);
                reader = bus.durable_reader("sink");
            }
            _ => {
                killed[2] += 1;
                let slot = chance.below(PUBLISHERS as u64) as usize;
                replace(&mut issuers, slot, || {
                    pause(away);
                    bus.issuer(slot, rate, true)
                });
            }
        }
    }
    Issuer::end_all(issuers);
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
    assert!(journal.issued > 0, "{told}");
    for account in [&journal, &sink] {
        assert_eq!(account.missing, 0, "{told}");
    }
    assert_eq!(journal.again, 0, "{told}");
    assert_eq!(journal.corrupt, Vec::<String>::new(), "{told}");
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
pub(super) fn default_mode(plan: Plan) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let mut broker = bus.broker(&[]);
    let counter = bus.counting_reader("sink");
    let mut other = bus.counting_reader("other");
    let rate = plan.rate / PUBLISHERS as u32;
    let mut issuers: Vec<Issuer> = (0..PUBLISHERS)
        .map(|slot| bus.issuer(slot, rate, false))
        .collect();
    let mut victims = Vec::new();
    let mut killed = [0_u32; 2];
    for _ in 0..plan.kills {
        pause(chance.around(Duration::from_secs(plan.seconds.into()) / plan.kills));
        let away = chance.around(AWAY);
        match chance.below(3) {
            0 => {
                killed[0] += 1;
                kill(broker);
                pause(away);
                broker = bus.broker(&[]);
            }
            1 => {
                killed[1] += 1;
                kill(other);
                pause(away);
                other = bus.counting_reader("other");
            }
            _ => {
                let slot = chance.below(PUBLISHERS as u64) as usize;
                victims.push(replace(&mut issuers, slot, || {
                    pause(away);
                    bus.issuer(slot, rate, false)
                }));
            }
        }
    }
    // Whoever ends now is heard by the one who counts.
    for issuer in &issuers {
        bus.wait_for_notice("sink", &issuer.name, "");
    }
    let survivors: Vec<String> = issuers.iter().map(|issuer| issuer.name.clone()).collect();
    Issuer::end_all(issuers);
    for name in &survivors {
        bus.wait_for_notice("sink", name, " ended");
    }
    // Longer than silence takes to be noticed.
    pause(Duration::from_secs(7));
    let lines = counter.stop();
    drop(other);
    broker.stop();
    let sink = bus.account_of_file("sink");
    let rows = rows(&lines);
    let notes = bus.notes();
    let silent = |name: &str| {
        let mut notices = sink.notices.iter();
        notices.any(|line| line.contains(&format!("{name} ")) && line.contains("went silent"))
    };
    let mut sums = [0_u64; 7];
    let mut problems = Vec::new();
    let (mut tail, mut unheard) = (0, 0);
    for (name, note) in &notes {
        let Some(row) = rows.get(name) else {
            if survivors.contains(name) {
                problems.push(format!("{name} was never heard of"));
            }
            unheard += 1;
            tail += note.issued;
            continue;
        };
        let [received, lost, discarded, _, duplicate, malformed, earlier] = *row;
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, more)| *sum += more);
        let known = received + lost + discarded + malformed + earlier;
        if survivors.contains(name) && known != note.issued {
            problems.push(format!("{name}: {} issued, {row:?}", note.issued));
        }
        if known > note.issued || duplicate > 0 || sink.of[name] != received {
            let written = sink.of[name];
            problems.push(format!("{name}: {note:?}, {written} written, {row:?}"));
        }
        if victims.contains(name) && !silent(name) {
            problems.push(format!("{name} was killed, and nobody said so"));
        }
        tail += note.issued.saturating_sub(known);
    }
    let [received, lost, discarded, late, _, _, earlier] = sums;
    let told = format!(
        "killed {} brokers, {} other readers, {} publishers\n  file:    {} lines, each once\n  account: {} issued \
         = {received} received + {lost} lost + {discarded} discarded + {earlier} earlier + {tail} in \
         the tails of killed ones ({unheard} of them never heard of); {late} came late",
        killed[0],
        killed[1],
        victims.len(),
        sink.delivered,
        sink.issued,
    );
    assert_eq!(problems, Vec::<String>::new(), "{told}");
    assert!(sink.issued > 0 && sink.again == 0, "{told}");
    assert_eq!(sink.corrupt, Vec::<String>::new(), "{told}");
    told
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

/// The table of `--stats`, by the senders' names.
pub(super) fn rows(lines: &[String]) -> BTreeMap<String, [u64; 7]> {
    let row = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Vec<u64> = words
            .iter()
            .rev()
            .map_while(|word| word.parse().ok())
            .collect();
        let mut numbers: [u64; 7] = numbers.get(..7)?.try_into().ok()?;
        numbers.reverse();
        words
            .first()?
            .starts_with('w')
            .then(|| (words[0].to_owned(), numbers))
    };
    lines.iter().filter_map(row).collect()
}
