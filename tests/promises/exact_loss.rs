use logbus_tests::{Broker, Program, Sums};

const RECORDS: u64 = 600_000;

/// Floods a subscriber that stands still, through a broker that holds little for it; then lets it
/// go on and holds its account against what was published.
fn check(transport: usize, topics: &str, wanted: &str, published: u64) {
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
            "%(lineno)s",
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
    // A heartbeat comes through again and tells of the loss; only then can a goodbye.
    logsub.wait_for(" lost ");
    worker.close_input();
    worker.succeed();
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
    check(0, "flood.a,flood.b", "flood", RECORDS);
}

#[test]
fn a_flooded_subscriber_knows_what_it_lost_over_nng() {
    check(1, "flood.a,flood.b", "flood", RECORDS);
}

#[test]
fn a_topic_filter_does_not_make_gaps_of_what_it_holds_back() {
    check(0, "flood.a,flood.b,flooding", "flood.a", RECORDS / 3);
}
