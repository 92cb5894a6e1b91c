//! Delivery with a spool: what outlives an outage and a publisher, and what does not come twice.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logbus_publisher::{
    Config, Delivery, Drained, DurableConfig, Fsync, Overflow, Publisher, Reason, Report, Tell,
    drain, stamped,
};

use crate::broker::{Broker, Rules};
use crate::{LONG, assert_adds_up, config, publish, publisher};

fn spooled(dir: &Path) -> DurableConfig {
    DurableConfig {
        spool: Some(dir.to_owned()),
        ..DurableConfig::default()
    }
}

fn spools(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// A publisher of this program that published so much while nobody was there.
fn leave(broker: &Broker, dir: &Path, count: usize) -> Report {
    let publisher = publisher(broker, spooled(dir));
    publish(&publisher, "a", count);
    let report = publisher.shutdown(Duration::from_millis(100));
    assert_adds_up(&publisher.stats(), &report);
    report
}

/// What becomes of what dead publishers left.
fn drained(broker: &Broker, dir: &Path) -> Drained {
    drain(dir, &config(broker, DurableConfig::default()), LONG).unwrap()
}

#[test]
fn a_spool_goes_when_all_of_it_is_acknowledged() {
    for fsync in [Fsync::Always, Fsync::Interval, Fsync::Never] {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(Rules::default());
        let durable = DurableConfig {
            fsync,
            ..spooled(dir.path())
        };
        let publisher = publisher(&broker, durable);
        publish(&publisher, "a", 1000);
        assert!(publisher.flush(LONG));
        assert_eq!(spools(dir.path()), 1);
        let report = publisher.shutdown(LONG);
        assert_eq!((report.acknowledged, report.kept), (1000, 0));
        assert_eq!(spools(dir.path()), 0);
    }
}

#[test]
fn an_outage_longer_than_the_window_is_sent_from_disk_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let durable = DurableConfig {
        window_messages: 3,
        ..spooled(dir.path())
    };
    let config = Config {
        batch_bytes: 1000,
        ..config(&broker, durable)
    };
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "a", 5000);
    assert!(!publisher.flush(Duration::from_millis(200)));
    broker.come_back();
    publish(&publisher, "a", 5000);
    assert!(publisher.flush(LONG));
    let journal = broker.journal();
    assert_eq!((journal.records(), journal.again), (10_000, 0));
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
}

#[test]
fn what_was_left_is_kept_and_the_next_publisher_of_the_program_sends_it_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let report = leave(&broker, dir.path(), 100);
    assert_eq!((report.kept, report.left), (100, 0));
    assert!(report.is_complete());
    let report = leave(&broker, dir.path(), 50);
    assert_eq!(report.kept, 50);
    assert_eq!(spools(dir.path()), 2);

    broker.come_back();
    let publisher = publisher(&broker, spooled(dir.path()));
    publish(&publisher, "a", 10);
    let report = publisher.shutdown(LONG);
    assert_eq!(report.acknowledged, 10, "{report:?}");
    let adopted = publisher.stats().adopted;
    assert_eq!((adopted.records, adopted.acknowledged), (150, 150));
    let journal = broker.journal();
    assert_eq!(journal.records(), 160);
    assert_eq!(journal.messages.len(), 3, "each under its own sender");
    assert_eq!(journal.goodbyes(), 3);
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    assert_eq!(spools(dir.path()), 0);
}

#[test]
fn what_was_acknowledged_is_not_sent_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(Rules::default());
    let publisher = publisher(&broker, spooled(dir.path()));
    publish(&publisher, "a", 100);
    assert!(publisher.flush(LONG));
    broker.vanish();
    publish(&publisher, "a", 10);
    assert_eq!(publisher.shutdown(Duration::from_millis(100)).kept, 10);
    broker.come_back();
    let drained = drained(&broker, dir.path());
    assert_eq!(
        (drained.records.records, drained.records.acknowledged),
        (10, 10)
    );
    assert!(drained.is_complete() && drained.left() == 0);
    let journal = broker.journal();
    assert_eq!((journal.records(), journal.again), (110, 0));
}

#[test]
fn the_totals_of_a_goodbye_that_nobody_heard_are_sent_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(Rules::default());
    let config = Config {
        max_record: 500,
        ..config(&broker, spooled(dir.path()))
    };
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "a", 10);
    assert!(publisher.flush(LONG));
    broker.vanish();
    publisher.publish(&stamped("a", 20, &"too large".repeat(100)));
    let report = publisher.shutdown(Duration::from_millis(100));
    assert_eq!((report.acknowledged, report.kept, report.left), (10, 0, 0));

    broker.come_back();
    assert!(drained(&broker, dir.path()).is_complete());
    let journal = broker.journal();
    assert_eq!((journal.records(), journal.goodbyes()), (10, 1));
    let (.., goodbye, _) = journal.heartbeats.last().unwrap();
    assert_eq!(goodbye.discarded, 1);
    assert_eq!(spools(dir.path()), 0);
}

#[test]
fn a_publisher_of_another_program_leaves_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    assert_eq!(leave(&broker, dir.path(), 10).kept, 10);
    broker.come_back();
    let config = Config {
        program: "other".to_owned(),
        ..config(&broker, spooled(dir.path()))
    };
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "b", 1);
    assert_eq!(publisher.shutdown(LONG).acknowledged, 1);
    assert_eq!(publisher.stats().adopted.records, 0);
    assert_eq!((spools(dir.path()), broker.journal().records()), (1, 1));
}

#[test]
fn two_publishers_of_a_process_do_not_take_each_others_spools() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::absent(Rules::default());
    let first = publisher(&broker, spooled(dir.path()));
    publish(&first, "a", 10);
    let second = publisher(&broker, spooled(dir.path()));
    publish(&second, "b", 10);
    assert_eq!(second.shutdown(Duration::from_millis(200)).kept, 10);
    assert_eq!(second.stats().adopted.records, 0);
    assert_eq!(first.shutdown(Duration::from_millis(200)).kept, 10);
}

#[test]
fn a_full_spool_leaves_the_rest_to_the_queue_and_is_named_as_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let durable = DurableConfig {
        spool_bytes: 100_000,
        ..spooled(dir.path())
    };
    let config = Config {
        queue_records: 100,
        overflow: Overflow::DiscardOldest,
        ..config(&broker, durable)
    };
    let publisher = Publisher::new(config).unwrap();
    for _ in 0..100 {
        publish(&publisher, "a", 50);
        publisher.flush(Duration::from_millis(2));
    }
    let discarded = publisher.stats().discarded;
    assert!(discarded[&Reason::SpoolFull] > 1000, "{discarded:?}");
    broker.come_back();
    assert!(publisher.flush(LONG));
    publish(&publisher, "a", 50);
    let report = publisher.shutdown(LONG);
    assert_eq!((report.left, report.kept), (0, 0));
    assert_adds_up(&publisher.stats(), &report);
    assert!(broker.journal().faults.is_empty());
}

#[test]
fn a_spool_that_cannot_be_made_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broker = Broker::absent(Rules::default());
    let error = Publisher::new(config(&broker, spooled(&file)))
        .err()
        .unwrap();
    assert!(error.to_string().contains("cannot make a spool"), "{error}");
}

#[test]
fn a_damaged_spool_costs_what_was_damaged_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::absent(Rules::default());
    let config = Config {
        batch_bytes: 500,
        ..config(&broker, spooled(dir.path()))
    };
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "a", 100);
    let kept = publisher.shutdown(Duration::from_millis(100)).kept;
    assert_eq!(kept, 100);
    let spool = std::fs::read_dir(dir.path()).unwrap().next().unwrap();
    let segment = spool.unwrap().path().join("000001");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();

    broker.come_back();
    let drained = drained(&broker, dir.path());
    assert_eq!((drained.records.damages, drained.spools_left), (2, 0));
    assert_eq!(drained.left(), 0);
    assert!(!drained.is_complete());
    let records = broker.journal().records();
    assert!((90..100).contains(&records), "{records}");
}

#[test]
fn where_a_spool_can_no_longer_be_written_memory_takes_its_place_and_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Rules::default());
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = told.clone();
    let durable = DurableConfig {
        spool_bytes: 20_000,
        ..spooled(dir.path())
    };
    let mut config = config(&broker, durable);
    if let Delivery::Durable(durable) = &mut config.delivery {
        durable.tell = Tell::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    }
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "a", 10);
    assert!(publisher.flush(LONG));
    std::fs::remove_dir_all(dir.path()).unwrap();
    for _ in 0..50 {
        publish(&publisher, "a", 20);
        assert!(publisher.flush(LONG));
    }
    let report = publisher.shutdown(LONG);
    assert_eq!((report.acknowledged, report.left), (1010, 0));
    assert!(broker.journal().faults.is_empty());
    let told = told.lock().unwrap();
    assert!(told[0].contains("cannot write the spool"), "{told:?}");
}

#[test]
fn a_spool_that_cannot_be_read_is_neither_done_nor_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Rules::default());
    // As where it is another user's, which says nothing to root.
    let name = dir.path().join("other.1.00000000000000ff");
    std::fs::create_dir_all(name.join("lock")).unwrap();
    let drained = drained(&broker, dir.path());
    assert_eq!((drained.spools, drained.spools_unreadable), (0, 1));
    assert_eq!(drained.spools_in_use, 0);
    assert!(!drained.is_complete());
}

#[test]
fn a_spool_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Rules::default());
    let publisher = publisher(&broker, spooled(dir.path()));
    let entry = std::fs::read_dir(dir.path()).unwrap().next();
    let mode = entry.unwrap().unwrap().metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
    drop(publisher);
}
