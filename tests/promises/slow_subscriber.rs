use logbus_tests::{Broker, Program, Sums};

#[test]
fn one_subscriber_that_stands_still_slows_neither_the_others_nor_a_publisher() {
    const RECORDS: u64 = 30_000;
    let broker = Broker::start(&[]);
    let subscribe = |endpoint: &str| {
        let args = [
            "--connect",
            endpoint,
            "-t",
            "flood",
            "-v",
            "--stats",
            "--format",
            "%(lineno)s",
        ];
        let logsub = Program::start("logsub", &args);
        logsub.wait_for("connected to");
        logsub
    };
    let still = broker
        .subscribers
        .each_ref()
        .map(|endpoint| subscribe(endpoint));
    for program in &still {
        program.signal("-STOP");
    }
    let quick = subscribe(&broker.subscribers[0]);
    let records = RECORDS.to_string();
    let args = [broker.publishers[0].as_str(), "flood", "flood", &records];
    let mut worker = Program::start("test-worker", &args);
    worker.wait_for("flooded");
    worker.close_input();
    worker.succeed();
    quick.wait_for(" ended");
    let sums = Sums::of(&quick.stop());
    assert_eq!(sums.all(), RECORDS, "{sums:?}");
    assert_eq!(
        sums.lost, 0,
        "{sums:?}: nobody else's slowness costs this one a record"
    );
}
