//! Delivery from memory: late answers, refusals, little credit, a broker that comes and goes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Delivery, DurableConfig, Overflow, Publisher, Reason, Tell};

use crate::broker::{Broker, Journal, Rules, until};
use crate::{LONG, assert_adds_up, config, publish, publisher};

#[test]
fn what_is_published_is_acknowledged_once_and_in_order() {
    let broker = Broker::start(Rules::default());
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 1000);
    publish(&publisher, "b", 10);
    assert!(publisher.flush(LONG));
    assert_eq!(broker.journal().records(), 1010);
    let report = publisher.shutdown(LONG);
    assert_eq!(
        (report.acknowledged, report.left, report.kept),
        (1010, 0, 0)
    );
    assert!(report.is_complete());
    assert_adds_up(&publisher.stats(), &report);
    let journal = broker.journal();
    assert_eq!((journal.again, journal.goodbyes()), (0, 2));
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
}

#[test]
fn flush_means_acknowledged() {
    let broker = Broker::start(Rules {
        acknowledges: false,
        ..Rules::default()
    });
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 10);
    broker.until("ten records", |journal| journal.records() == 10);
    assert!(!publisher.flush(Duration::from_millis(50)));
    broker.rules().acknowledges = true;
    assert!(publisher.flush(LONG));
    assert_eq!(publisher.stats().acknowledged, 10);
}

#[test]
fn answers_may_come_late_and_in_another_order_of_topics() {
    let broker = Broker::start(Rules {
        acknowledges: false,
        ..Rules::default()
    });
    let publisher = publisher(&broker, DurableConfig::default());
    for topic in ["a", "b", "c"] {
        publish(&publisher, topic, 10);
    }
    broker.until("all records", |journal| journal.records() == 30);
    broker.rules().acknowledges = true;
    assert!(publisher.flush(LONG));
    assert_eq!(broker.journal().again, 0);
}

#[test]
fn no_more_is_sent_than_there_is_credit_for() {
    let broker = Broker::start(Rules {
        credit: 3,
        ..Rules::default()
    });
    let publisher = publisher(&broker, DurableConfig::default());
    for round in 0..50 {
        publish(&publisher, &format!("t{}", round % 7), 20);
    }
    let report = publisher.shutdown(LONG);
    assert_eq!(report.acknowledged, 1000, "{report:?}");
    let journal = broker.journal();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
}

#[test]
fn what_a_broker_missed_is_sent_again_when_it_comes_back() {
    let mut broker = Broker::start(Rules {
        acknowledges: false,
        ..Rules::default()
    });
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 10);
    broker.until("ten records", |journal| journal.records() == 10);
    for round in 0..3 {
        broker.vanish();
        publish(&publisher, "a", 10);
        publish(&publisher, &format!("b{round}"), 10);
        broker.come_back();
        let all = 10 + 20 * (round + 1);
        broker.until("the rest", |journal| journal.records() == all);
    }
    broker.rules().acknowledges = true;
    let report = publisher.shutdown(LONG);
    assert_eq!(report.acknowledged, 70, "{report:?}");
    assert_adds_up(&publisher.stats(), &report);
    let journal = broker.journal();
    assert!(journal.again > 0, "what was not acknowledged came again");
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
}

#[test]
fn a_full_window_leaves_the_rest_to_the_queue_and_its_policy() {
    let mut broker = Broker::absent(Rules::default());
    let durable = DurableConfig {
        window_messages: 2,
        window_bytes: 1000,
        ..DurableConfig::default()
    };
    let config = Config {
        queue_records: 100,
        overflow: Overflow::DiscardNewest,
        ..config(&broker, durable)
    };
    let publisher = Publisher::new(config).unwrap();
    let begun = Instant::now();
    publish(&publisher, "a", 10_000);
    assert!(begun.elapsed() < LONG / 2, "nobody waited");
    let discarded = publisher.stats().discarded;
    assert!(discarded[&Reason::QueueFull] > 5_000, "{discarded:?}");
    broker.come_back();
    let report = publisher.shutdown(LONG);
    assert_eq!(report.left, 0, "{report:?}");
    assert_adds_up(&publisher.stats(), &report);
    let journal = broker.journal();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    let told = journal
        .heartbeats
        .iter()
        .map(|(_, _, header, _)| header.discarded);
    assert_eq!(told.max(), Some(report.discarded.values().sum()));
}

#[test]
fn a_caller_that_may_wait_waits_for_acknowledgements() {
    let broker = Broker::start(Rules {
        credit: 1,
        ..Rules::default()
    });
    let durable = DurableConfig {
        window_messages: 1,
        window_bytes: 1000,
        ..DurableConfig::default()
    };
    let config = Config {
        queue_records: 10,
        overflow: Overflow::Block(LONG),
        ..config(&broker, durable)
    };
    let publisher = Publisher::new(config).unwrap();
    publish(&publisher, "a", 500);
    let report = publisher.shutdown(LONG);
    assert_eq!((report.acknowledged, report.discarded.len()), (500, 0));
}

#[test]
fn what_is_refused_is_counted_told_once_and_never_sent_again() {
    let rules = Rules::default();
    let mut broker = Broker::start(rules);
    broker
        .rules()
        .refuses
        .insert("secret".into(), "right".into());
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = told.clone();
    let mut config = config(&broker, DurableConfig::default());
    if let Delivery::Durable(durable) = &mut config.delivery {
        durable.tell = Tell::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    }
    let publisher = Publisher::new(config).unwrap();
    for _ in 0..5 {
        publish(&publisher, "secret", 2);
        publish(&publisher, "open", 2);
        assert!(publisher.flush(LONG));
    }
    broker.vanish();
    broker.rules().refuses.clear();
    broker.come_back();
    publish(&publisher, "open", 1);
    let report = publisher.shutdown(LONG);
    assert_eq!(report.acknowledged, 11);
    assert_eq!(report.discarded[&Reason::RefusedRight], 10);
    assert_adds_up(&publisher.stats(), &report);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("(right)"), "{told:?}");
}

#[test]
fn what_another_has_the_sender_id_of_is_kept_and_sent_again() {
    let broker = Broker::start(Rules::default());
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 10);
    assert!(publisher.flush(LONG));
    broker.rules().refuses.insert("a".into(), "sender".into());
    publish(&publisher, "a", 10);
    broker.until("a refusal", Journal::has_barred);
    broker.rules().refuses.clear();
    publish(&publisher, "a", 10);
    assert!(publisher.flush(LONG));
    assert_eq!(broker.journal().records(), 30);
    let report = publisher.shutdown(LONG);
    assert_eq!((report.acknowledged, report.discarded.len()), (30, 0));
    assert_adds_up(&publisher.stats(), &report);
    let journal = broker.journal();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
}

#[test]
fn a_record_that_is_too_large_for_the_broker_is_not_sent_to_it() {
    let broker = Broker::start(Rules {
        max_message: 4096,
        ..Rules::default()
    });
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 5);
    assert!(publisher.flush(LONG));
    publisher.publish(&logbus_publisher::stamped("a", 20, &"x".repeat(5000)));
    publish(&publisher, "b", 100);
    let report = publisher.shutdown(LONG);
    assert_eq!(report.acknowledged, 105);
    assert_eq!(report.discarded[&Reason::RefusedSize], 1);
}

#[test]
fn without_a_broker_a_publisher_ends_in_time_and_says_what_is_left() {
    let broker = Broker::absent(Rules::default());
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 10);
    let begun = Instant::now();
    let report = publisher.shutdown(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!((report.left, report.kept), (10, 0));
    assert!(!report.is_complete());
    assert_adds_up(&publisher.stats(), &report);
}

#[test]
fn the_first_heartbeat_names_the_sender_and_others_follow() {
    let broker = Broker::start(Rules::default());
    let publisher = publisher(&broker, DurableConfig::default());
    publish(&publisher, "a", 1);
    until("a second heartbeat", || {
        (broker.journal().heartbeats.len() >= 3).then_some(())
    });
    let journal = broker.journal();
    let (_, topic, header, identity) = &journal.heartbeats[0];
    assert_eq!((topic.as_str(), header.sequence), ("a", 0));
    assert_eq!(
        (identity.program.as_str(), identity.pid),
        ("test", std::process::id())
    );
    assert_eq!(journal.heartbeats[1].2.sequence, 1);
}
