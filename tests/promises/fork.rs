use logbus_tests::{Logsub, Program, Sums};

#[test]
fn before_and_after_a_fork_every_record_arrives_once_under_its_own_sender() {
    let logsub = Logsub::bound(&["--format", "%(message)s"]);
    for endpoint in [&logsub.zmq, &logsub.nng] {
        let worker = Program::start("test-worker", &[endpoint, "fork"]);
        assert!(worker.succeed().contains(&"published 300".to_owned()));
    }
    let lines = logsub.program.stop();
    let sums = Sums::of(&lines);
    assert_eq!((sums.received, sums.all()), (600, 600));
    for who in ["before", "parent", "child"] {
        for at in 0..100 {
            let text = format!("{who} {at}");
            assert_eq!(
                lines.iter().filter(|line| **line == text).count(),
                2,
                "{text}"
            );
        }
    }
    let senders = lines
        .iter()
        .filter(|line| line.starts_with("worker-fork (pid"))
        .count();
    assert_eq!(senders, 4, "a parent and a child for each transport");
}
