//! Every event arrives, whatever the server does: held against a server that keeps Seq's rules.

use proptest::prelude::*;

use super::conformance_server::{Act, SeqServer};
use super::*;
use crate::handler::conformance::{self, Look};
use logbus_schemas::Value;

/// A handler with short waits, and what it says.
struct Bench {
    _dir: tempfile::TempDir,
    dir: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir: dir.path().to_owned(),
            _dir: dir,
            said: Arc::default(),
        }
    }

    fn handler(&self, url: &str, change: impl Fn(&mut Settings)) -> Seq {
        let mut settings = Settings::new(url.to_owned(), None);
        settings.spool = Some(self.dir.join("seq.redb"));
        settings.batching.time = Duration::from_millis(1);
        settings.batching.first_wait = Duration::from_millis(1);
        settings.close_timeout = Duration::from_secs(30);
        change(&mut settings);
        let said = self.said.clone();
        let setting = Setting {
            name: "seq".to_owned(),
            formatter: None,
            verbose: false,
            say: Arc::new(move |line| said.lock().unwrap().push(line.to_owned())),
            target: Arc::default(),
        };
        Seq::open(settings, setting).unwrap()
    }

    /// Waits until no thread of the handler holds the spool any more, as after a restart.
    fn released(&self) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while Spool::open(&self.dir.join("seq.redb"), 1).is_err() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
    }

    fn has_said(&self, text: &str) -> bool {
        self.said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }

    fn dead_letters(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dir.join("seq.dead.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn emit(seq: &mut Seq, ids: std::ops::Range<usize>) {
    let items: Vec<Item> = ids.map(|id| item(id, 20)).collect();
    seq.emit(&items).unwrap();
    seq.flush().unwrap();
}

fn item(id: usize, level: i64) -> Item {
    let mut record = Record::new("shop", level, "order %d");
    record.set("args", vec![Value::from(id as i64)]);
    record.set("created", 1795207453.5);
    record.set("id", id as i64);
    conformance::item(record)
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

/// For the conformance suite of handlers: what the server has of each event.
pub(in crate::handler) fn on_server(dir: &Path, verbose: bool) -> (Box<dyn Handler>, Look) {
    let server = SeqServer::start();
    let mut settings = Settings::new(server.url.clone(), None);
    settings.spool = Some(dir.join("seq.redb"));
    settings.batching.time = Duration::ZERO;
    let setting = Setting {
        name: "seq".to_owned(),
        formatter: None,
        verbose,
        say: Arc::new(|_| {}),
        target: Arc::default(),
    };
    let seq = Seq::open(settings, setting).unwrap();
    let shared = seq.outpost.shared.clone();
    let look = move || {
        assert_eq!(shared.drain(Duration::from_secs(30)), 0);
        // A message is a value there, whatever it holds: here its lines are shown as one.
        let visible = |c: char| if c.is_control() { '?' } else { c };
        let shown = |template: String| {
            let message = template.replace("{{", "{").replace("}}", "}");
            message.chars().map(visible).collect::<String>() + "\n"
        };
        server.ids("@mt").into_iter().map(shown).collect()
    };
    (Box::new(seq), Box::new(look))
}

#[test]
fn events_arrive_in_their_order_over_one_connection() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    let url = format!("{}/prefix/", server.url);
    let mut seq = bench.handler(&url, |settings| settings.batching.records = 7);
    emit(&mut seq, 0..100);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..100));
    let state = server.state();
    assert!(
        state.requests >= 15 && state.connections == 1,
        "{}",
        state.connections
    );
    assert_eq!(state.events[0]["@mt"], "order {0}");
}

#[test]
fn an_outage_of_any_kind_loses_nothing_and_repeats_nothing() {
    let failures = [
        Act::Answer(500, "{\"Error\":\"oops\"}", ""),
        Act::Answer(503, "", ""),
        Act::Answer(429, "", "Retry-After: 0\r\n"),
        Act::Answer(301, "", "Location: /elsewhere\r\n"),
        Act::Answer(418, "<html>proxy</html>", ""),
        Act::HangUp,
    ];
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().script.extend(failures.clone());
    let mut seq = bench.handler(&server.url, |settings| settings.batching.records = 10);
    emit(&mut seq, 0..50);
    server.until("events", |state| state.events.len() == 50);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..50));
    assert_eq!(
        seq.outpost.shared.lock().counts.retried,
        failures.len() as u64
    );
    assert!(bench.has_said("50 events wait on disk") && bench.has_said("takes events again"));
}

#[test]
fn an_answer_that_is_lost_repeats_its_batch_and_no_other() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server
        .state()
        .script
        .extend([Act::Rules, Act::TakeAndHangUp]);
    let mut seq = bench.handler(&server.url, |settings| settings.batching.records = 10);
    emit(&mut seq, 0..30);
    server.until("events", |state| state.events.len() == 40);
    seq.close().unwrap();
    let expected = [ids(0..20), ids(10..30)].concat();
    assert_eq!(server.ids("id"), expected);
}

#[test]
fn a_server_that_is_away_is_waited_for_across_restarts() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let bench = Bench::new();
    let url = format!("http://{address}");
    for round in 0..3 {
        let mut seq = bench.handler(&url, |_| {});
        emit(&mut seq, round * 10..round * 10 + 10);
        seq.close().unwrap();
        assert!(bench.has_said(&format!("{} events wait on disk for", round * 10 + 10)));
        drop(seq);
        bench.released();
    }
    let server = SeqServer::on(std::net::TcpListener::bind(address).unwrap());
    let mut seq = bench.handler(&url, |_| {});
    assert!(bench.has_said("30 events of an earlier run wait"));
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..30));
}

#[test]
fn a_bad_event_goes_alone_into_the_dead_letter_file_with_the_reason() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    let mut seq = bench.handler(&server.url, |_| {});
    let mut items: Vec<Item> = (0..40).map(|id| item(id, 20)).collect();
    for bad in [13, 27] {
        let Item::Record(delivered) = &mut items[bad] else {
            unreachable!();
        };
        Arc::make_mut(delivered).record.set("poison", true);
    }
    seq.emit(&items).unwrap();
    seq.close().unwrap();
    let good: Vec<String> = ids(0..40)
        .into_iter()
        .filter(|id| id != "13" && id != "27")
        .collect();
    assert_eq!(server.ids("id"), good);
    let dead = bench.dead_letters();
    assert_eq!(dead.len(), 2);
    assert!(
        dead[0]["reason"]
            .as_str()
            .unwrap()
            .contains("status 400: poison")
    );
    assert!(dead[0]["event"].as_str().unwrap().contains("\"id\":13"));
    assert_eq!(seq.outpost.shared.lock().counts.dead, 2);
}

#[test]
fn what_is_too_much_at_once_is_sent_in_parts() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().limit = 1000;
    let mut seq = bench.handler(&server.url, |_| {});
    emit(&mut seq, 0..50);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..50));
    assert!(bench.dead_letters().is_empty());
}

#[test]
fn a_wrong_key_keeps_everything_and_says_so() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().api_key = Some("right".to_owned());
    let mut seq = bench.handler(&server.url, |settings| {
        settings.api_key = Some("wrong".into())
    });
    emit(&mut seq, 0..5);
    server.until("request", |state| state.requests > 0);
    seq.close().unwrap();
    assert!(bench.has_said("status 401: the API key is missing or wrong; give the right key"));
    drop(seq);
    bench.released();
    let mut seq = bench.handler(&server.url, |settings| {
        settings.api_key = Some("right".into())
    });
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..5));
}

#[test]
fn an_older_server_is_spoken_to_at_its_older_path() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().is_old = true;
    let mut seq = bench.handler(&server.url, |settings| settings.batching.records = 5);
    emit(&mut seq, 0..20);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..20));
    // It is asked once.
    assert_eq!(server.state().requests, 5);
}

#[test]
fn the_level_that_the_server_wants_is_obeyed_until_it_wants_another() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().level = Some("Error");
    let mut seq = bench.handler(&server.url, |_| {});
    emit(&mut seq, 0..1);
    server.until("event", |state| state.events.len() == 1);
    while seq.outpost.shared.is_wanted("Information") {
        std::thread::yield_now();
    }
    server.state().level = None;
    seq.emit(&[item(1, 20), item(2, 40)]).unwrap();
    seq.flush().unwrap();
    server.until("event", |state| state.events.len() == 2);
    while !seq.outpost.shared.is_wanted("Information") {
        std::thread::yield_now();
    }
    emit(&mut seq, 3..4);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ["0", "2", "3"]);
    assert_eq!(seq.held_back(), 1);
}

#[test]
fn a_server_that_wanted_little_is_asked_whether_it_wants_more_now() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().level = Some("Fatal");
    let mut seq = bench.handler(&server.url, |settings| {
        settings.batching.ask_every = Duration::from_millis(20);
    });
    emit(&mut seq, 0..1);
    while seq.outpost.shared.is_wanted("Information") {
        std::thread::yield_now();
    }
    server.state().level = None;
    while !seq.outpost.shared.is_wanted("Information") {
        std::thread::yield_now();
    }
    emit(&mut seq, 1..2);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ["0", "1"]);
}

#[test]
fn a_full_spool_is_said_and_counted() {
    let bench = Bench::new();
    let mut seq = bench.handler("http://127.0.0.1:9", |settings| settings.spool_bytes = 1000);
    let items: Vec<Item> = (0..50).map(|id| item(id, 20)).collect();
    seq.emit(&items).unwrap();
    let Err(Fault::Partly(error)) = seq.flush() else {
        panic!("a full spool took everything");
    };
    assert!(error.to_string().contains("the spool is full"), "{error}");
    seq.close().unwrap();
    let waiting = seq.outpost.shared.lock().spool.waiting();
    assert_eq!(waiting + seq.dropped(), 50);
    assert!(waiting > 0);
}

#[test]
fn an_event_that_is_too_large_is_said_in_its_place() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    let mut seq = bench.handler(&server.url, |_| {});
    let huge = "x".repeat(300 << 10);
    seq.emit(&[conformance::item(Record::new("shop", 40, &huge))])
        .unwrap();
    seq.close().unwrap();
    let state = server.state();
    assert!(
        state.events[0]["@m"]
            .as_str()
            .unwrap()
            .contains("was too large) xxx")
    );
    assert_eq!(state.events[0]["@l"], "Error");
}

#[test]
fn a_server_that_answers_anything_at_all_loses_nothing() {
    let answers: [&[u8]; 6] = [
        b"",
        b"\0\xff\xfe",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{\"Minimum",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"SSH-2.0-OpenSSH\r\n",
    ];
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().script.extend(answers.map(Act::Bytes));
    let mut seq = bench.handler(&server.url, |_| {});
    for round in 0..3 {
        emit(&mut seq, round..round + 1);
        server.until("event", |state| {
            state.events.iter().any(|event| event["id"] == round)
        });
    }
    while seq.outpost.shared.lock().spool.waiting() > 0 {
        std::thread::yield_now();
    }
    seq.close().unwrap();
    let mut arrived = server.ids("id");
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived, ids(0..3));
}

#[test]
fn a_server_that_stalls_is_given_up_and_tried_again() {
    let (bench, server) = (Bench::new(), SeqServer::start());
    server.state().script.push_back(Act::Stall);
    let mut seq = bench.handler(&server.url, |settings| {
        settings.timeout = Duration::from_millis(200);
    });
    server.state().usual = Act::Rules;
    emit(&mut seq, 0..3);
    server.until("events", |state| state.events.len() == 3);
    seq.close().unwrap();
    assert_eq!(server.ids("id"), ids(0..3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_a_record_holds_the_server_takes_its_event(
        msg in "[ -~\u{e9}%{}]{0,12}",
        args in proptest::collection::vec("[a-z{}]{0,4}".prop_map(|text| Value::from(text.as_str())), 0..3),
        extras in proptest::collection::vec(("[@a-z.{}]{0,6}", any::<f64>().prop_map(Value::from)), 0..4),
        created in any::<f64>(),
    ) {
        let mut record = Record::new("shop", 20, &msg);
        record.set("args", args);
        record.set("created", created);
        for (key, value) in extras {
            if key != "poison" {
                record.set(key, value);
            }
        }
        let (bench, server) = (Bench::new(), SeqServer::start());
        let mut seq = bench.handler(&server.url, |_| {});
        seq.emit(&[conformance::item(record)]).unwrap();
        seq.close().unwrap();
        prop_assert_eq!(server.state().events.len(), 1);
        prop_assert!(bench.dead_letters().is_empty());
    }
}
