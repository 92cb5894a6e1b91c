//! What the sender promises when the network drops, breaks and refuses on command. What it does on
//! real sockets is told in `tests/promises`.

use logbus_schemas::wire::ledger::{Ledger, Notice, Totals};
use logbus_schemas::wire::sequence::MAX_TOPICS;
use logbus_transport::memory::Network;
use logbus_transport::{Inlet, InletKind, open_inlet};

use super::*;
use crate::{Publisher, stamped};

fn chunk(records: &[(&str, &str)]) -> [Chunk; 1] {
    let mut chunk = Chunk::default();
    for (topic, text) in records {
        chunk.push(&Topic::new(topic).unwrap(), text.as_bytes());
    }
    [chunk]
}

fn shown(batches: &[Batch]) -> Vec<(String, String, u32)> {
    let text = |batch: &'_ Batch| std::str::from_utf8(&batch.payload).unwrap().to_owned();
    batches
        .iter()
        .map(|batch| (batch.topic.to_string(), text(batch), batch.count))
        .collect()
}

fn of(topic: &str, payload: &str, count: u32) -> (String, String, u32) {
    (topic.to_owned(), payload.to_owned(), count)
}

#[test]
fn a_backlog_of_a_topic_goes_in_one_message_in_order() {
    let chunks = chunk(&[("a", "1"), ("b", "2"), ("a", "3")]);
    assert_eq!(
        shown(&batches(&chunks, 100)),
        [of("a", "13", 2), of("b", "2", 1)]
    );
}

#[test]
fn a_message_is_closed_when_it_is_large_enough_and_a_larger_record_goes_alone() {
    let chunks = chunk(&[("a", "12"), ("a", "34"), ("a", "56789"), ("a", "0")]);
    let batches = batches(&chunks, 4);
    assert_eq!(
        shown(&batches),
        [of("a", "1234", 2), of("a", "56789", 1), of("a", "0", 1)]
    );
    assert_eq!(
        batches.iter().map(|batch| batch.taken_bytes).sum::<usize>(),
        10
    );
}

/// A publisher and its subscriber on a network that the test has in its hands.
struct World {
    network: Network,
    publisher: Publisher,
    inlet: Box<dyn Inlet>,
    ledger: Ledger,
    notices: Vec<Notice>,
}

impl World {
    fn new(name: &str, receive_queue: usize) -> Self {
        let endpoint: Endpoint = format!("memory://{name}").parse().unwrap();
        let place = [Attachment::Bind(endpoint.clone())];
        let options = Options {
            receive_queue,
            ..Options::default()
        };
        let inlet = open_inlet(InletKind::Subscribe, &place, &options).unwrap();
        let publisher = Publisher::new(Config::connect([endpoint])).unwrap();
        let (ledger, notices) = (Ledger::new(0), Vec::new());
        Self {
            network: Network::named(name),
            publisher,
            inlet,
            ledger,
            notices,
        }
    }

    fn publish(&self, count: usize) {
        for at in 0..count {
            self.publisher.publish(&stamped("a", 20, &at.to_string()));
        }
    }

    /// Takes what has come into the account.
    fn receive(&mut self) {
        while let Some(message) = self.inlet.receive().unwrap() {
            let frames = message.slices();
            let (topic, header) = wire::Native::split(&frames).unwrap().parse().unwrap();
            if header.flags.is_heartbeat() {
                self.ledger
                    .heartbeat(&topic, &header, None, 1, &mut self.notices);
            } else {
                self.ledger.records(&topic, &header, 1, &mut self.notices);
            }
        }
    }

    fn totals(mut self) -> Totals {
        assert_eq!(self.publisher.shutdown(Duration::from_secs(30)).left, 0);
        assert!(self.publisher.flush(Duration::ZERO), "nothing waits");
        self.receive();
        self.ledger.totals()
    }
}

#[test]
fn records_wait_for_the_first_subscriber() {
    let mut world = World::new("hold", 1000);
    world.publish(50);
    world.inlet.subscribe(b"a").unwrap();
    let totals = world.totals();
    assert_eq!((totals.received, totals.lost), (50, 0));
}

#[test]
fn what_the_network_loses_is_counted_at_the_other_end() {
    let mut world = World::new("drop", 1000);
    world.inlet.subscribe(b"a").unwrap();
    world.publish(10);
    assert!(world.publisher.flush(Duration::from_secs(30)));
    world.network.drop_next(1);
    world.publish(1);
    assert!(world.publisher.flush(Duration::from_secs(30)));
    world.publish(10);
    let totals = world.totals();
    assert_eq!(totals.received + totals.lost, 21);
    assert!(
        totals.lost <= 1,
        "a heartbeat may have been the message that was dropped"
    );
}

#[test]
fn records_wait_while_the_connection_is_broken() {
    let mut world = World::new("break", 1000);
    world.inlet.subscribe(b"a").unwrap();
    world.publish(10);
    assert!(world.publisher.flush(Duration::from_secs(30)));
    world.network.disconnect();
    world.publish(10);
    world.network.reconnect();
    let totals = world.totals();
    assert_eq!((totals.received, totals.lost), (20, 0));
}

#[test]
fn messages_that_are_delayed_cost_nothing() {
    let mut world = World::new("delay", 1000);
    world.inlet.subscribe(b"a").unwrap();
    world.network.hold();
    world.publish(10);
    assert!(world.publisher.flush(Duration::from_secs(30)));
    world.receive();
    assert_eq!(world.ledger.totals().received, 0);
    world.network.release();
    assert_eq!(world.totals().received, 10);
}

#[test]
fn while_nobody_hears_the_totals_of_only_so_many_topics_are_kept() {
    let endpoint: Endpoint = "memory://topics".parse().unwrap();
    let config = Config::connect([endpoint.clone()]);
    let waker = Waker::new().unwrap();
    let queue = Arc::new(Queue::new(&config, Some(waker.clone())));
    let links = vec![Link::open(endpoint, None).unwrap()];
    let mut sender = Sender::new(&config, queue, waker, links);
    let id = sender.numbers.sender();
    let discard = |at: usize| {
        (
            Topic::new(&format!("job{at}")).unwrap(),
            Reason::QueueFull,
            1,
        )
    };
    sender.count_discards((0..MAX_TOPICS + 10).map(discard).collect());
    sender.count_discards(vec![discard(5)]);
    assert_eq!(sender.numbers.topics().count(), MAX_TOPICS);
    assert_eq!(sender.numbers.discarded("job5")["queue full"], 2);
    assert_eq!(
        sender.numbers.sender(),
        id,
        "nobody could be told of another one"
    );
}

#[test]
fn the_goodbye_tells_what_was_discarded_since_the_last_turn() {
    let endpoint: Endpoint = "memory://goodbye".parse().unwrap();
    let place = [Attachment::Bind(endpoint.clone())];
    let mut inlet = open_inlet(InletKind::Subscribe, &place, &Options::default()).unwrap();
    inlet.subscribe(b"a").unwrap();
    let config = Config {
        queue_records: 1,
        ..Config::connect([endpoint.clone()])
    };
    let waker = Waker::new().unwrap();
    let queue = Arc::new(Queue::new(&config, Some(waker.clone())));
    let links = vec![Link::open(endpoint, None).unwrap()];
    let mut sender = Sender::new(&config, queue.clone(), waker, links);
    while !sender.is_heard() {
        sender.turn();
    }
    for text in ["1", "2", "3"] {
        queue.push("a", text.as_bytes());
    }
    assert_eq!(sender.close(Instant::now()).left, 1);
    let goodbye = inlet.receive().unwrap().unwrap();
    let frames = goodbye.slices();
    let (_, header) = wire::Native::split(&frames).unwrap().parse().unwrap();
    assert!(header.flags.is_goodbye());
    assert_eq!(header.discarded, 3, "two for want of room, and one at exit");
}
