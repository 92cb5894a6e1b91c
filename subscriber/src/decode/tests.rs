//! What the decoding stage promises for good and for bad messages.

use logbus_schemas::codec::{JSON, MSGPACK};
use logbus_schemas::wire::SenderId;
use logbus_transport::Frame;
use proptest::prelude::*;

use super::*;

fn decoder(topics: &[&str], level: &str) -> Decoder {
    let topics = topics
        .iter()
        .map(|topic| TopicFilter::parse(topic).unwrap())
        .collect();
    Decoder::new(
        Config {
            topics,
            levels: Levels::parse(&[level.to_owned()]).unwrap(),
            max_message: 1 << 20,
            rejects: None,
        },
        0,
    )
}

fn payload(messages: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        MSGPACK.encode(&Record::new("myapp", 20, message), &mut bytes);
    }
    bytes
}

fn native(sequence: u64, count: u32) -> [u8; 48] {
    Header {
        sequence,
        count,
        sent: 1,
        ..Header::new(MSGPACK, SenderId(1))
    }
    .to_bytes()
}

fn feed(decoder: &mut Decoder, frames: &[&[u8]]) -> Vec<Item> {
    let mut out = Vec::new();
    decoder.message(&inbound(frames), 1, &mut out);
    out
}

fn inbound(frames: &[&[u8]]) -> Inbound {
    Inbound {
        message: frames.iter().copied().map(Frame::from).collect(),
        from: "tcp://127.0.0.1:5556".into(),
        dialect: None,
    }
}

fn messages(items: &[Item]) -> Vec<String> {
    let text = |item: &Item| match item {
        Item::Record(delivered) => delivered.record.get_message().into_owned(),
        Item::Notice(notice) => format!("-- {notice} --"),
    };
    items.iter().map(text).collect()
}

#[test]
fn records_of_a_batch_come_in_order_and_once() {
    let mut decoder = decoder(&[], "");
    let payload = payload(&["one", "two"]);
    assert_eq!(
        messages(&feed(&mut decoder, &[b"myapp", &native(0, 2), &payload])),
        ["one", "two"]
    );
    assert!(feed(&mut decoder, &[b"myapp", &native(0, 2), &payload]).is_empty());
    assert_eq!(
        messages(&feed(&mut decoder, &[b"myapp", &native(1, 2), &payload])),
        ["two"]
    );
    assert_eq!(decoder.summary().totals.received, 3);
}

#[test]
fn a_topic_is_matched_exactly_and_others_cost_nothing() {
    let mut decoder = decoder(&["myapp"], "");
    let one = payload(&["x"]);
    assert!(feed(&mut decoder, &[b"myapplication", &native(5, 1), &one]).is_empty());
    assert_eq!(
        feed(&mut decoder, &[b"myapp.db", &native(0, 1), &one]).len(),
        1
    );
    assert_eq!(decoder.summary().totals.lost, 0);
}

#[test]
fn a_level_holds_back_what_is_below_and_counts_it_as_received() {
    let mut decoder = decoder(&[], "warning");
    assert!(feed(&mut decoder, &[b"myapp", &native(0, 1), &payload(&["x"])]).is_empty());
    assert_eq!(decoder.summary().totals.received, 1);
}

#[test]
fn a_payload_that_breaks_costs_its_own_records_and_is_told() {
    let mut decoder = decoder(&[], "");
    let mut broken = payload(&["one"]);
    broken.push(0xC1);
    let items = feed(&mut decoder, &[b"myapp", &native(0, 3), &broken]);
    assert_eq!(messages(&items[..1]), ["one"]);
    assert!(matches!(
        items[1],
        Item::Notice(Notice::Malformed {
            kind: MalformedKind::NativePayload,
            ..
        })
    ));
    let totals = decoder.summary().totals;
    assert_eq!((totals.received, totals.malformed), (1, 2));
    let next = feed(
        &mut decoder,
        &[b"myapp", &native(3, 1), &payload(&["next"])],
    );
    assert_eq!(messages(&next), ["next"]);
}

#[test]
fn malformed_messages_are_told_once_in_a_while_and_counted_always() {
    let mut decoder = decoder(&[], "");
    let told: Vec<Item> = (0..100)
        .flat_map(|_| feed(&mut decoder, &[b"garbage"]))
        .collect();
    assert!(matches!(
        &told[..],
        [Item::Notice(Notice::Malformed { count: 1, .. })]
    ));
    assert_eq!(
        decoder.summary().malformed[&MalformedKind::Unrecognised],
        100
    );
}

#[test]
fn malformed_messages_that_were_not_told_at_once_are_told_when_it_is_time() {
    let mut decoder = decoder(&[], "");
    let mut out = Vec::new();
    for _ in 0..100 {
        decoder.message(&inbound(&[b"garbage"]), 1, &mut out);
    }
    out.clear();
    decoder.tick(NOTICE_EVERY, &mut out);
    assert!(out.is_empty());
    decoder.tick(NOTICE_EVERY + 1, &mut out);
    decoder.tick(9 * NOTICE_EVERY, &mut out);
    let [told] = &messages(&out)[..] else {
        panic!("{out:?}")
    };
    for part in [
        "99 messages discarded: unrecognised",
        "from tcp://127.0.0.1:5556",
        "67617262616765",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_kept_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rejects.jsonl");
    let mut decoder = decoder(&[], "");
    decoder.config.rejects = Some(RejectFile::open(&path).unwrap());
    feed(&mut decoder, &[b"garbage", b"\xff"]);
    feed(&mut decoder, &[b"myapp", &native(0, 1), b"\xc1"]);
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.lines().count(), 2);
    assert!(kept.contains("unrecognised") && kept.contains("bad native payload"));
}

#[test]
fn an_oversized_message_is_not_read() {
    let mut decoder = decoder(&[], "");
    let items = feed(&mut decoder, &[&vec![b'{'; 2 << 20]]);
    assert!(matches!(
        items[0],
        Item::Notice(Notice::Malformed {
            kind: MalformedKind::Oversized,
            ..
        })
    ));
}

#[test]
fn a_foreign_record_is_shown_though_nobody_numbered_it() {
    let mut decoder = decoder(&["myapp"], "");
    let mut dict = Vec::new();
    JSON.encode(&Record::new("myapp.lib", 25, "hello"), &mut dict);
    assert_eq!(messages(&feed(&mut decoder, &[&dict])), ["hello"]);
    assert_eq!(decoder.summary().foreign, 1);
}

#[test]
fn a_record_without_a_time_has_its_messages() {
    let mut decoder = decoder(&[], "");
    let created = |items: &[Item]| match items {
        [Item::Record(delivered)] => delivered.record.created(),
        other => panic!("{other:?}"),
    };
    let sent = feed(&mut decoder, &[b"myapp", &native(0, 1), &payload(&["x"])]);
    assert_eq!(created(&sent), Some(1e-9));
    assert_eq!(created(&feed(&mut decoder, &[b"a.INFO", b"x"])), Some(1e-9));
    let said = feed(&mut decoder, &[b"a", b"{\"msg\":\"x\",\"created\":7}"]);
    assert_eq!(created(&said), Some(7.0));
}

#[test]
fn a_record_comes_with_how_far_its_senders_clock_is_behind() {
    let mut decoder = decoder(&[], "");
    let mut out = Vec::new();
    for (sequence, now) in [(0, 900), (1, 400), (2, 700)] {
        let header = native(sequence, 1);
        let message = inbound(&[b"myapp", &header, &payload(&["x"])]);
        decoder.message(&message, now, &mut out);
    }
    decoder.message(&inbound(&[b"a.INFO", b"x"]), 1, &mut out);
    let offset = |item: &Item| match item {
        Item::Record(delivered) => delivered.offset,
        other => panic!("{other:?}"),
    };
    let offsets: Vec<_> = out.iter().map(offset).collect();
    assert_eq!(offsets, [Some(899), Some(399), Some(399), None]);
}

proptest! {
    #[test]
    fn any_frames_are_decoded_or_refused(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        count: u32,
    ) {
        let mut decoder = decoder(&[], "");
        let borrowed: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        feed(&mut decoder, &borrowed);
        feed(&mut decoder, &[b"t", &native(u64::MAX, count), &payload]);
        let Summary { totals, .. } = decoder.summary();
        prop_assert!(totals.received <= u64::from(count));
    }
}

#[test]
fn of_a_share_nothing_is_missing_and_everything_is_new() {
    let mut decoder = Decoder {
        ledger: Ledger::of_a_share(0),
        ..decoder(&[], "")
    };
    for sequence in [7, 3, 20] {
        let frames: &[&[u8]] = &[b"myapp", &native(sequence, 1), &payload(&["x"])];
        assert_eq!(messages(&feed(&mut decoder, frames)), ["x"]);
    }
    let totals = decoder.summary().totals;
    assert_eq!((totals.received, totals.lost, totals.earlier), (3, 0, 0));
}

#[test]
fn entries_that_are_gone_are_a_loss_with_a_count() {
    let mut decoder = decoder(&[], "");
    let gone = Gone {
        from: 4,
        to: 9,
        records: 17,
        reason: "retention".into(),
        ..Gone::default()
    };
    let mut items = Vec::new();
    decoder.gone(gone, &mut items);
    assert_eq!(
        messages(&items),
        ["-- the journal no longer has the entries 4..8: 17 records gone (retention) --"]
    );
    assert!(matches!(&items[0], Item::Notice(notice) if notice.is_loss()));
    let summary = decoder.summary();
    assert_eq!(summary.gone, 17);
    let loss = crate::stats::loss(&summary, &[]);
    assert_eq!(loss.unwrap(), "17 records gone from the journal");
}

#[test]
fn an_entry_without_a_payload_is_for_journals_alone() {
    let mut decoder = decoder(&[], "");
    let frames: &[&[u8]] = &[b"myapp", &native(0, 2), b""];
    let mut items = Vec::new();
    decoder.entry(&inbound(frames), 1, &mut items);
    assert!(items.is_empty());
    assert_eq!(decoder.summary().totals.received, 2);
    let frames: &[&[u8]] = &[b"myapp", &native(2, 2), b""];
    assert_eq!(feed(&mut decoder, frames).len(), 1, "malformed");
}
