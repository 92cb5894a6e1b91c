//! Disks that give errors (EIO) for what is written or synced, under a journal and under spools.

use std::time::Duration;

use super::Plan;
use super::bus::{Bus, kill};
use super::reckoning::all_there_once;
use super::shim::{Failing, LEFT_OUT, Shim, borrowed};

const PUBLISHERS: usize = 2;

/// A broker acknowledges nothing that it could not write, says so, and goes on when it can; killed
/// while it could not, it has everything that it acknowledged.
pub(super) fn journal(plan: Plan) -> String {
    let mut bus = Bus::new();
    let Some(shim) = Shim::build(bus.folder.path()) else {
        return LEFT_OUT.to_owned();
    };
    let (control, variables) = shim.arm("journal");
    let args = bus.broker_args(&["--fsync", "always"]);
    let broker = bus.start_with("bus-broker", &args, &borrowed(&variables));
    broker.wait_for("durable ones to");
    let reader = bus.durable_reader("sink");
    let issuers = bus.issuers(PUBLISHERS, plan.rate, true);
    let each = Duration::from_secs(plan.seconds.into()) / 6;
    let mut told = String::new();
    for (turn, what) in [Failing::Writes, Failing::Syncs].into_iter().enumerate() {
        bus.pause(each);
        control.fail(what);
        broker.wait_for_count("cannot be written", turn + 1);
        bus.pause(each);
        let then = bus.acknowledged();
        bus.pause(each);
        let now = bus.acknowledged();
        told.push_str(&format!(
            "{what:?} failed, {then} and then {now} were acknowledged; "
        ));
        control.fail(Failing::Nothing);
        broker.wait_for_count("written again", turn + 1);
    }
    bus.pause(each);
    control.fail(Failing::Writes);
    broker.wait_for_count("cannot be written", 3);
    bus.pause(each);
    let said = broker.lines()[1..].join("\n    ");
    kill(broker);
    let broker = bus.broker(&["--fsync", "always"]);
    bus.end_all(issuers);
    let journal = bus.account(&bus.journal_lines());
    let sink = bus.wait_for_all("sink");
    reader.stop();
    let after = broker.stop()[1..].join("\n    ");
    let told = format!(
        "{told}{} calls failed\n  journal: {journal}\n  file:    {sink}\n  \
         the broker said:\n    {said}\n  the next one:\n    {after}",
        control.failed()
    );
    all_there_once(&journal, &told);
    all_there_once(&sink, &told);
    told
}

/// A publisher whose spool gives errors says so, keeps records in memory, and loses and repeats none.
pub(super) fn spool(plan: Plan, fsync: &str) -> String {
    let mut bus = Bus::new();
    let Some(shim) = Shim::build(bus.folder.path()) else {
        return LEFT_OUT.to_owned();
    };
    let (control, variables) = shim.arm("spool");
    let mut broker = bus.broker(&[]);
    let issuers: Vec<_> = (0..PUBLISHERS)
        .map(|slot| {
            let rate = plan.rate / PUBLISHERS as u32;
            let variables = borrowed(&variables);
            let fsync = [("WORKER_FSYNC", fsync)];
            bus.issuer_with(slot, rate, true, &[&variables[..], &fsync].concat())
        })
        .collect();
    let each = Duration::from_secs(plan.seconds.into()) / 6;
    for what in [Failing::Writes, Failing::Syncs] {
        bus.pause(each);
        control.fail(what);
        if let Failing::Writes = what {
            for issuer in &issuers {
                issuer.program.wait_for("cannot write the spool");
            }
        }
        bus.pause(each);
        // Without a broker all of it piles up, in memory as far as there is room.
        kill(broker);
        bus.pause(each);
        broker = bus.broker(&[]);
        control.fail(Failing::Nothing);
    }
    let said: Vec<String> = issuers
        .iter()
        .flat_map(|issuer| issuer.program.lines())
        .filter(|line| line.contains("spool"))
        .collect();
    bus.end_all(issuers);
    let journal = bus.account(&bus.journal_lines());
    broker.stop();
    let told = format!(
        "{} calls failed\n  journal: {journal}\n  they said:\n    {}",
        control.failed(),
        said.join("\n    ")
    );
    all_there_once(&journal, &told);
    assert!(control.failed() > 0, "{told}");
    told
}
