//! A clock that is set back by an hour, and forward again, while everything runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Plan;
use super::bus::{Bus, kill, output};
use super::reckoning::all_there_once;
use super::shim::{LEFT_OUT, Shim};
use crate::{command, path_of};

const HOUR: i64 = 3_600;

/// Nothing is lost or out of its order, nothing is deleted for an age that it does not have, and readers
/// who ask for the last ten minutes get what came in them.
pub(super) fn set_back(plan: Plan) -> String {
    let (mut kept, mut counted) = (Bus::new(), Bus::new());
    let Some(shim) = Shim::build(kept.folder.path()) else {
        return LEFT_OUT.to_owned();
    };
    let (clock, variables) = shim.arm("clock");
    for bus in [&mut kept, &mut counted] {
        let variables = variables.iter();
        bus.environment = variables
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
    }
    let aged = ["--journal-max-age", "30min"];
    let mut broker = kept.broker(&aged);
    let plain = counted.broker(&[]);
    let reader = kept.durable_reader("sink");
    let counter = counted.counting_reader("sink");
    let issuers = kept.issuers(2, plan.rate / 2, true);
    let spoken = counted.issuers(2, plan.rate / 2, false);
    let each = Duration::from_secs(plan.seconds.into()) / 6;
    let mut since = Vec::new();
    for shift in [0, -HOUR, 0, -HOUR, 0] {
        clock.shift_clock(shift);
        kept.pause(each);
        if shift != 0 {
            // What was kept before the clock was set back is younger than its clock says now.
            kill(broker);
            broker = kept.broker(&aged);
            kept.pause(each / 2);
        }
        since.push(lines_since(&kept, &kept.environment));
    }
    kept.end_all(issuers);
    let sink = kept.wait_for_all("sink");
    reader.stop();
    let lines = kept.journal_lines();
    let journal = kept.account(&lines);
    let last = lines_since(&kept, &kept.environment);
    broker.stop();
    let reckoning = counted.reckon(counter, "sink", spoken, &[]);
    plain.stop();
    let told = format!(
        "journal: {journal}\n  file:    {sink}\n  of the last ten minutes, as time went on: {since:?}, at the end \
         {last}\n  PUB/SUB: "
    );
    let told = reckoning.check(&told);
    all_there_once(&journal, &told);
    all_there_once(&sink, &told);
    assert_eq!(out_of_order(&lines), 0, "{told}");
    assert!(since.is_sorted(), "some of it was gone for a while: {told}");
    assert_eq!(last as u64, journal.delivered, "{told}");
    told
}

/// Records that came in the last ten minutes, as a reader asks for them.
fn lines_since(bus: &Bus, environment: &[(String, String)]) -> usize {
    let args = ["--since", "10m", "--no-follow", "--quiet", "-o", "raw"];
    let mut reader = command(path_of("logsub"));
    reader
        .args(args)
        .args(["--durable-endpoint", &bus.own.durable])
        .envs(environment.iter().map(|(name, value)| (name, value)));
    output(&mut reader).lines().count()
}

/// Records of a publisher that come behind one that it said later.
fn out_of_order(lines: &str) -> usize {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let records = lines.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?.parse::<u64>().ok()?))
    });
    let mut late = 0;
    for (name, number) in records {
        let before = last.insert(name, number);
        late += usize::from(before.is_some_and(|before| number < before));
    }
    late
}
