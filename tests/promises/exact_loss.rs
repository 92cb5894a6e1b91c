use std::time::Duration;

use logbus_tests::{Broker, Program, Sums};

const RECORDS: u64 = 600_000;
/// Between two records that should come through: so few that they do not fill the queue again.
const BREATH: Duration = Duration::from_secs(3);

/// Floods a subscriber that stands still, through a broker that holds little for it; then lets it
/// go on and holds its account against what was published: one part of `parts` is under the
/// topics that are wanted.
fn check(transport: usize, topics: &str, wanted: &str, parts: u64) {
    // Little, but enough for the goodbyes of three topics at once.
    let broker = Broker::start(&["--subscriber-queue", "8"]);
    let logsub = Program::start(
        "logsub",
        &[
            "--connect",
            &broker.subscribers[transport],
            "-t",
            wanted,
            "-v",
            "--stats",
            "--format",
            "%(message).8s",
        ],
    );
    logsub.wait_for("connected to");
    let records = RECORDS.to_string();
    let mut worker = Program::start(
        "test-worker",
        &[&broker.publishers[transport], "flood", topics, &records],
    );
    logsub.wait_for("worker-flood");
    logsub.signal("-STOP");
    worker.wait_for("flooded");
    logsub.signal("-CONT");
    // Behind all that waited, a record comes through again; only then can a goodbye.
    logsub.wait_for_answer_within(BREATH, "answered", || worker.say("answered\n"));
    worker.close_input();
    let said = worker.succeed();
    let published = said.last().and_then(|line| line.strip_prefix("published "));
    let published = published.unwrap().parse::<u64>().unwrap() / parts;
    logsub.wait_for(" ended");
    let lines = logsub.stop();
    let sums = Sums::of(&lines);
    assert_eq!(sums.all(), published, "{sums:?}");
    assert!(
        sums.received > 0 && sums.lost > 0,
        "{sums:?}: the flood was none"
    );
    broker.program.stop();
}

#[test]
fn a_flooded_subscriber_knows_what_it_lost_over_zeromq() {
    check(0, "flood.a,flood.b", "flood", 1);
}

#[test]
fn a_flooded_subscriber_knows_what_it_lost_over_nng() {
    check(1, "flood.a,flood.b", "flood", 1);
}

#[test]
fn a_topic_filter_does_not_make_gaps_of_what_it_holds_back() {
    check(0, "flood.a,flood.b,flooding", "flood.a", 3);
}
