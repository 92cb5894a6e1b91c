//! Programs that die in the midst of writing: at each step of the journal's and the spool's (points that
//! debug builds have), and with half of what one call was to write.

use std::time::{Duration, Instant};

use super::bus::{Bus, Issuer, PATIENCE, kill};
use super::reckoning::nothing_missing;
use super::shim::{Shim, borrowed};
use super::{Chance, Plan, shim};
use crate::Program;

/// The steps of a broker that writes.
const JOURNAL: [&str; 4] = [
    "journal.append",
    "journal.sync",
    "journal.ack",
    "journal.note",
];
/// The steps of a publisher that spools, and of one that finds another one's spool.
const SPOOL: [&str; 7] = [
    "spool.folder",
    "spool.segment",
    "spool.write",
    "spool.sync",
    "spool.trim",
    "spool.adopt",
    "spool.remove",
];
/// Steps at which one is but once or twice in a life, or in none.
const RARE: [&str; 5] = ["folder", "segment", "trim", "adopt", "remove"];
/// How long such a step is waited for.
const UNREACHED: Duration = Duration::from_secs(2);
/// Where it is not said otherwise, a process dies at one of its first so many times at a step.
const TIMES: u64 = 40;
const PUBLISHERS: usize = 2;

/// Every step in turn, as often as there are kills for; whatever dies is started again.
pub(super) fn steps(plan: Plan) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let mut broker = start(&bus, None);
    let reader = bus.durable_reader("sink");
    let mut issuers = bus.issuers(PUBLISHERS, plan.rate, true);
    let (mut reached, mut unreached) = (0_u32, Vec::new());
    let steps = JOURNAL.iter().chain(&SPOOL).cycle();
    for step in steps.take(plan.kills.max(12) as usize) {
        let is_rare = RARE.iter().any(|rare| step.ends_with(rare));
        let times = 1 + chance.below(if is_rare { 2 } else { TIMES });
        let at = format!("{step}:{times}");
        let is_reached = if step.starts_with("journal") {
            kill(broker);
            let is_reached = dies(&bus, start(&bus, Some(&at)), PATIENCE);
            broker = start(&bus, None);
            is_reached
        } else {
            let slot = chance.below(PUBLISHERS as u64) as usize;
            let victim = issuers.swap_remove(slot);
            // Its life in this slot is known by its name, as `w0-3`.
            let slot: usize = victim.name[1..2].parse().unwrap();
            victim.kill();
            let is_reached = publisher_dies(&mut bus, slot, plan.rate, &at, is_rare);
            issuers.push(bus.issuer(slot, plan.rate / 2, true));
            is_reached
        };
        assert!(is_reached || is_rare, "nobody came to {at}");
        reached += u32::from(is_reached);
        if !is_reached {
            unreached.push(at);
        }
    }
    bus.end_all(issuers);
    bus.drain();
    let told = format!("died at {reached} steps; not reached: {unreached:?}");
    settle(&bus, broker, reader, &told)
}

/// Of one call that writes, only half of the bytes are there when the process dies.
pub(super) fn torn(plan: Plan) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let Some(shim) = Shim::build(bus.folder.path()) else {
        return shim::LEFT_OUT.to_owned();
    };
    let mut broker = start(&bus, None);
    let reader = bus.durable_reader("sink");
    let mut issuers = bus.issuers(PUBLISHERS, plan.rate, true);
    let mut torn = [0_u32; 2];
    for turn in 0..plan.kills {
        let is_broker = turn % 2 == 0;
        let (control, variables) = shim.arm(if is_broker { "journal" } else { "spool" });
        control.tear_after(1 + chance.below(60));
        let variables = borrowed(&variables);
        let is_torn = if is_broker {
            kill(broker);
            let args = bus.broker_args(&["--fsync", "always"]);
            let doomed = bus.start_with("bus-broker", &args, &variables);
            let is_torn = dies(&bus, doomed, PATIENCE);
            broker = start(&bus, None);
            is_torn
        } else {
            let slot = chance.below(PUBLISHERS as u64) as usize;
            let victim = issuers.swap_remove(slot);
            let slot: usize = victim.name[1..2].parse().unwrap();
            victim.kill();
            let doomed = bus.issuer_with(slot, plan.rate / 2, true, &variables);
            let is_torn = dies(&bus, doomed.program, PATIENCE);
            issuers.push(bus.issuer(slot, plan.rate / 2, true));
            is_torn
        };
        assert!(is_torn, "nobody wrote so often");
        torn[usize::from(!is_broker)] += 1;
    }
    bus.end_all(issuers);
    // A torn end is damage to whoever drains the spool, who says so, and ends with 1.
    bus.wait(bus.start_drain());
    let [journal, spool] = torn;
    let told = format!("{journal} torn writes of journals, {spool} of spools");
    settle(&bus, broker, reader, &told)
}

fn start(bus: &Bus, at: Option<&str>) -> Program {
    let at = at.map(|at| ("LOGBUS_CRASH_AT", at));
    let args = bus.broker_args(&["--fsync", "always"]);
    let broker = bus.start_with("bus-broker", &args, at.as_slice());
    match at {
        // It may die before it has said anything.
        Some(_) => broker.expect_end(),
        None => drop(broker.wait_for("durable ones to")),
    }
    broker
}

/// Waits a while for a process to die by itself; one that does not is killed. Whether it did.
fn dies(bus: &Bus, program: Program, patience: Duration) -> bool {
    program.expect_end();
    let deadline = Instant::now() + patience;
    while !program.is_over() && Instant::now() < deadline {
        bus.pause(Duration::from_millis(5));
    }
    let has_died = program.is_over();
    drop(program);
    has_died
}

/// A publisher that dies at a step; one that removes its spool is asked to end before.
fn publisher_dies(bus: &mut Bus, slot: usize, rate: u32, at: &str, is_rare: bool) -> bool {
    let variables = [("LOGBUS_CRASH_AT", at)];
    let doomed: Issuer = bus.issuer_with(slot, rate / 2, true, &variables);
    if at.starts_with("spool.remove") {
        doomed.program.expect_end();
        bus.pause(Duration::from_millis(200));
        // That it ends is not that it dies: only one that died has not said how much it published.
        let lines = bus.wait(doomed.program);
        return !lines.iter().any(|line| line.starts_with("published"));
    }
    let patience = if is_rare { UNREACHED } else { PATIENCE };
    dies(bus, doomed.program, patience)
}

fn settle(bus: &Bus, broker: Program, reader: Program, told: &str) -> String {
    let journal = bus.account(&bus.journal_lines());
    let sink = bus.wait_for_all("sink");
    reader.stop();
    broker.stop();
    let told = format!("{told}\n  journal: {journal}\n  file:    {sink}");
    nothing_missing(&journal, &told);
    nothing_missing(&sink, &told);
    // The reader was left alone, and knows what a broker hands out again.
    assert_eq!((journal.again, sink.again), (0, 0), "{told}");
    told
}
