//! Events of real clients and of Datalust's own tests, and what their properties become.

use proptest::prelude::*;

use super::*;
use crate::level::Level;

fn event(json: &str) -> Map {
    codec::JSON.decode(json.as_bytes()).unwrap().into_fields()
}

fn clef_record(json: &str) -> Record {
    clef(event(json)).unwrap()
}

fn extras(record: &Record) -> Vec<(&str, Value)> {
    record
        .extras()
        .map(|(key, value)| (key, value.clone()))
        .collect()
}

#[test]
fn a_clef_event_is_a_record() {
    let record = clef_record(
        r#"{"@t":"2026-11-20T20:44:18.042099Z","@mt":"order {order_id} took {ms:0.0} ms","@r":["12.3"],
            "@l":"Warning","@x":"System.Exception: no","SourceContext":"Shop.Orders","ThreadId":7,
            "order_id":17,"ms":12.345,"@@t":"mine"}"#,
    );
    assert_eq!(record.name(), Some("Shop.Orders"));
    assert_eq!(record.level_name().as_deref(), Some("WARNING"));
    assert_eq!(record.get("levelno"), Some(&30.into()));
    assert_eq!(record.created(), Some(1_795_207_458.042099));
    assert_eq!(
        record.text("msg"),
        Some("order {order_id} took {ms:0.0} ms")
    );
    assert_eq!(record.get_message(), "order 17 took 12.3 ms");
    assert_eq!(record.text("exc_text"), Some("System.Exception: no"));
    assert_eq!(record.get("thread"), Some(&7.into()));
    assert_eq!(
        extras(&record),
        [
            ("order_id", 17.into()),
            ("ms", 12.345.into()),
            ("@t", "mine".into())
        ]
    );
}

#[test]
fn the_classic_form_says_the_same() {
    let record = classic(event(
        r#"{"Timestamp":"2026-11-20 20:44:18.042099+00:00","Level":"INFO","EventType":"0xFF",
            "MessageTemplate":"order {order_id}","Exception":"Traceback","Brand":"new",
            "Properties":{"LoggerName":"myapp.seq","order_id":17,"ThreadName":"MainThread"}}"#,
    ))
    .unwrap();
    assert_eq!(
        (record.name(), record.level()),
        (Some("myapp.seq"), Some(Level::INFO))
    );
    assert_eq!(record.get_message(), "order 17");
    assert_eq!(record.text("exc_text"), Some("Traceback"));
    assert_eq!(record.text("threadName"), Some("MainThread"));
    assert_eq!(
        extras(&record),
        [
            ("event_type", "0xFF".into()),
            ("Brand", "new".into()),
            ("order_id", 17.into())
        ]
    );
}

#[test]
fn a_trace_is_kept_as_extras() {
    let record = clef_record(
        r#"{"@t":"2026-11-20T20:44:18Z","@tr":"abc","@sp":"def","@ps":"012","@st":"2026-11-20T20:44:17Z",
            "@sk":"Server","@i":"ba6bd213","@ra":{"host":"a"},"@sa":{"lib":"b"},"trace_id":"abc","span_id":"x"}"#,
    );
    let names: Vec<&str> = record.extras().map(|(key, _)| key).collect();
    assert_eq!(
        names,
        [
            "trace_id",
            "span_id",
            "parent_span_id",
            "span_start",
            "span_kind",
            "event_type",
            "resource",
            "scope",
            "span_id_"
        ]
    );
}

#[test]
fn nothing_takes_the_place_of_an_attribute() {
    let record = clef_record(
        r#"{"@t":"2026-11-20T20:44:18Z","@m":"hi","name":"n","msg":1,"levelno":99,"name_":"other","created":0}"#,
    );
    assert_eq!((record.name(), &*record.get_message()), (Some("seq"), "hi"));
    assert_eq!(
        extras(&record),
        [
            ("name_", "n".into()),
            ("msg_", 1.into()),
            ("levelno_", 99.into()),
            ("name__", "other".into()),
            ("created_", 0.into())
        ]
    );
}

#[test]
fn what_is_of_the_wrong_type_is_kept_as_an_extra() {
    let record = clef_record(
        r#"{"@t":"2026-11-20T20:44:18Z","@mt":5,"@l":3,"@x":{"a":1},"@r":["x"],"@new":true,"ThreadId":"a","@m":null}"#,
    );
    assert_eq!(
        (record.level(), &*record.get_message()),
        (Some(Level::INFO), "")
    );
    let names: Vec<&str> = record.extras().map(|(key, _)| key).collect();
    assert_eq!(names, ["renderings", "@mt", "@l", "@x", "@new", "ThreadId"]);
}

#[test]
fn a_rendered_message_is_taken_as_it_is() {
    let record =
        clef_record(r#"{"@t":"2026-11-20T20:44:18Z","@m":"no {hole} %s","@mt":"a {hole}"}"#);
    assert_eq!(
        (record.text("msg"), &*record.get_message()),
        (Some("a {hole}"), "no {hole} %s")
    );
    let record = clef_record(r#"{"@t":"2026-11-20T20:44:18Z","@m":"only {this}"}"#);
    assert_eq!(
        (record.text("msg"), record.get("message")),
        (Some("only {this}"), None)
    );
}

#[test]
fn an_event_has_a_timestamp() {
    let problem = |json| clef(event(json)).unwrap_err().to_string();
    assert_eq!(
        clef_record(r#"{"@t":"2026-11-20T20:44:18.0420990"}"#).created(),
        Some(1_795_207_458.042099)
    );
    assert_eq!(problem("{}"), "missing `@t` timestamp");
    assert_eq!(problem(r#"{"@t":5}"#), "unparseable `@t` timestamp");
    assert_eq!(problem(r#"{"@t":"soon"}"#), "unparseable `@t` timestamp");
    assert_eq!(
        classic(event("{}")).unwrap_err().to_string(),
        "missing `Timestamp` timestamp"
    );
}

#[test]
fn a_clef_event_is_a_message_where_clef_comes_in() {
    let clef = super::super::named("clef").unwrap();
    let body = br#"{"@t":"2026-11-20T20:44:18Z","@m":"hi","logger":"a.b"}"#;
    let Ok(Reading::Foreign { topic, .. }) = (clef.read)(&[body]) else {
        panic!("not read")
    };
    assert_eq!(topic.as_str(), "a.b");
    let kind_of = |body: &[u8]| (clef.read)(&[body]).unwrap_err().kind;
    assert_eq!(kind_of(b"{hello!}"), MalformedKind::Dict);
    assert_eq!(kind_of(b"{}"), MalformedKind::NoRecord);
}

proptest! {
    #[test]
    fn nothing_that_an_event_says_is_dropped(
        pairs in proptest::collection::vec(("@{0,2}[a-c]{0,2}|name_?|ThreadId|@[trmxli]{1,2}", any::<i64>()), 0..20)
    ) {
        let mut event: Map = pairs.into_iter().collect();
        event.set("@t", "2026-11-20T20:44:18Z");
        let said: Vec<i64> = event.iter().filter_map(|(_, value)| value.as_i64()).collect();
        let record = clef(event).unwrap();
        for number in said {
            let is_kept = record.fields().iter().any(|(_, value)| value.as_i64() == Some(number));
            prop_assert!(is_kept, "{number} in {record:?}");
        }
    }
}
