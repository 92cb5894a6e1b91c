//! A long day: a broker that comes, goes, stalls, refuses and is stingy, in every order, while records
//! are published. Whatever the weather, the account adds up and nothing comes twice or out of order.

use std::path::PathBuf;
use std::time::Duration;

use logbus_publisher::{Config, DurableConfig, Publisher};

use crate::broker::{Broker, Journal, Rules};
use crate::{LONG, assert_adds_up, config, publish};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }
}

fn change(broker: &mut Broker, dice: &mut Dice, is_there: &mut bool) {
    match dice.roll(6) {
        0 if *is_there => {
            broker.vanish();
            *is_there = false;
        }
        1 | 2 if !*is_there => {
            broker.rules().credit = 1 + dice.roll(20) as u32;
            broker.come_back();
            broker.until("caller", Journal::is_called);
            *is_there = true;
        }
        3 => {
            let acknowledges = dice.roll(2) == 0;
            broker.rules().acknowledges = acknowledges;
        }
        4 => drop(broker.rules().refuses.insert("c".into(), "full".into())),
        5 => broker.rules().refuses.clear(),
        _ => {}
    }
}

fn live_through(seed: u64, spool: Option<PathBuf>) {
    let mut broker = Broker::absent(Rules::default());
    let durable = DurableConfig {
        window_messages: 8,
        window_bytes: 5_000,
        spool_bytes: 60_000,
        spool: spool.clone(),
        ..DurableConfig::default()
    };
    let config = Config {
        queue_records: 200,
        batch_bytes: 1_000,
        ..config(&broker, durable)
    };
    let publisher = Publisher::new(config).unwrap();
    let (mut dice, mut is_there) = (Dice(seed), false);
    for _ in 0..150 {
        change(&mut broker, &mut dice, &mut is_there);
        let topic = ["a", "b", "c"][dice.roll(3) as usize];
        publish(&publisher, topic, dice.roll(60) as usize);
        publisher.flush(Duration::from_millis(dice.roll(8)));
    }
    if is_there && dice.roll(2) == 0 {
        broker.rules().acknowledges = true;
    }
    let report = publisher.shutdown(Duration::from_millis(500));
    assert_adds_up(&publisher.stats(), &report);
    assert!(report.kept == 0 || spool.is_some());
    let journal = broker.journal();
    assert!(
        journal.faults.is_empty(),
        "seed {seed}: {:?}",
        journal.faults
    );
    assert!(journal.records() >= report.acknowledged);
    assert!(report.acknowledged > 0, "seed {seed}: {report:?}");
    let came = journal.records();
    drop(journal);
    if let Some(dir) = spool {
        drain_the_rest(&mut broker, &dir, is_there, came.max(report.acknowledged));
    }
}

fn drain_the_rest(broker: &mut Broker, dir: &std::path::Path, is_there: bool, came: u64) {
    *broker.rules() = Rules::default();
    if !is_there {
        broker.come_back();
    }
    let durable = DurableConfig {
        endpoint: Some(broker.endpoint.clone()),
        ..DurableConfig::default()
    };
    let drained = logbus_publisher::drain(dir, &config(broker, durable), LONG).unwrap();
    assert_eq!(drained.left(), 0);
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
    let journal = broker.journal();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    assert!(journal.records() >= came);
}

#[test]
fn from_memory_the_account_adds_up_in_any_weather() {
    for seed in 1..4 {
        live_through(seed, None);
    }
}

#[test]
fn from_a_spool_the_account_adds_up_in_any_weather() {
    for seed in 11..14 {
        let dir = tempfile::tempdir().unwrap();
        live_through(seed, Some(dir.path().to_owned()));
    }
}
