//! The durable endpoint and PUB/SUB beside it.

use super::*;

#[test]
fn what_a_durable_publisher_sends_goes_live_when_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (tap, mut taker) = tap(&[]);
    let mut config = config(dir.path());
    config.taps = vec![tap];
    let world = start_as(config);
    let mut client = world.client();
    client.publish_as("web", 7, 0, 0, Flags::HEARTBEAT);
    client.publish("web", 7, 0, 2);
    client.publish("web", 7, 0, 2);
    client.publish_as("web", 7, 2, 0, Flags::HEARTBEAT);
    client.publish("web", 7, 2, 1);
    client.acked(3);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let inbound = taker.take(Duration::from_secs(20)).unwrap();
        let header = Header::parse(&inbound.message.frames()[1]).unwrap();
        seen.push((header.sequence, header.count));
    }
    assert_eq!(seen, [(0, 0), (0, 2), (2, 0), (2, 1)]);
    client.read(all(From::Begin));
    assert_eq!(
        client.rest(),
        [0, 0, 2],
        "of heartbeats only the first says something new"
    );
    world.close();
}

#[test]
fn pub_sub_traffic_that_was_chosen_is_there_for_those_who_come_late() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.publishers = vec![crate::Entrance::listen("pull+tcp://127.0.0.1:0").unwrap()];
    if let Some(durable) = &mut config.durable {
        durable.journal.topics = Some(vec![TopicFilter::parse("shop").unwrap()]);
    }
    let world = start_as(config);
    let to = world.broker.publishers()[0].trim_start_matches("pull+");
    let to = logbus_transport::Attachment::Connect(to.parse().unwrap());
    let kind = logbus_transport::OutletKind::Push;
    let mut outlet = logbus_transport::open_outlet(kind, &[to], &Options::default()).unwrap();
    for number in 0..6 {
        let topic = ["shop", "web"][number % 2];
        let mut message = native(topic, 5, number as u64, 1, Flags::default());
        while let Sent::Busy(back) = outlet.send(message).unwrap() {
            message = back;
            drop(wait(&mut PollSet::new(), Some(Duration::from_millis(1))));
        }
    }
    let mut client = world.client();
    client.read(Read {
        follow: true,
        ..all(From::Begin)
    });
    for number in [0, 2, 4] {
        assert_eq!(client.entry().1, number);
    }
    assert_eq!(world.close().journal.unwrap().entries, 3);
}

#[test]
fn a_journal_that_cannot_be_opened_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path());
    let error = Broker::start(config(dir.path())).unwrap_err().to_string();
    assert!(
        error.contains("another program has this journal open"),
        "{error}"
    );
    world.close();
}

#[test]
fn a_sync_is_awaited_where_that_is_what_an_acknowledgement_means() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    if let Some(durable) = &mut config.durable {
        durable.journal.fsync = Fsync::Always;
    }
    let world = start_as(config);
    let mut client = world.client();
    for number in 0..100 {
        client.publish("web", 7, number, 1);
    }
    client.acked(100);
    client.read(all(From::Last(1)));
    assert_eq!(client.rest(), [99]);
    world.close();
}

/// Who throws away what waits on the live bus, and reads on in the journal, has it from there.
#[test]
fn a_read_ends_behind_all_that_was_live_before_it_however_slow_the_disk_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path()).durable.unwrap();
    config.journal.topics = Some(Vec::new());
    let (durable, _live, gate) = gated(&config);
    gate.shut(true);
    let intake = durable.intake();
    for number in 0..3 {
        let message = native("web", 7, number, 1, Flags::default());
        let frames = message.slices();
        intake.offer(&frames, None);
    }
    let mut client = Client::at(&durable.endpoints()[0], &Options::default());
    client.read(all(From::Begin));
    client.settle();
    gate.shut(false);
    assert_eq!(client.rest(), [0, 1, 2]);
    durable.close();
}
