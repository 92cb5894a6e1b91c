//! `record.schema.json` describes every attribute of a record, and the records of stock senders
//! are valid by it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;

use logbus_schemas::codec::JSON;
use logbus_schemas::dialect::{self, Reading};
use logbus_schemas::record::ATTRIBUTES;
use logbus_schemas::reject::Reject;
use serde_json::{Value, json};

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("record.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_schema_has_the_attributes_in_their_order_each_described() {
    // The parsed schema keeps no order of keys, the text does.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("record.schema.json");
    let text = fs::read_to_string(path).unwrap();
    let places: Vec<usize> = ATTRIBUTES
        .iter()
        .map(|name| text.find(&format!("\n    \"{name}\": {{")).unwrap())
        .collect();
    assert!(places.is_sorted());

    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.len(), ATTRIBUTES.len());
    assert!(
        properties
            .values()
            .all(|property| property["description"].is_string())
    );
}

#[test]
fn what_stock_senders_sent_is_valid() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for (name, dialect) in [
        ("cookbook-zmq.jsonl", None),
        ("cookbook-nng.jsonl", None),
        ("pyzmq-pubhandler.jsonl", None),
        ("logbook-zmq.jsonl", None),
        ("rsyslog-omczmq.jsonl", dialect::named("rsyslog")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/captures")
            .join(name);
        for line in fs::read_to_string(path).unwrap().lines() {
            let frames = Reject::from_line(line).unwrap().frames().unwrap();
            let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            let Ok(Reading::Foreign { record, .. }) = dialect::read_in(dialect, &frames) else {
                panic!("not read: {line}")
            };
            let mut bytes = Vec::new();
            JSON.encode(&record, &mut bytes);
            let record = serde_json::from_slice(&bytes).unwrap();
            validator.validate(&record).unwrap();
        }
    }
}

#[test]
fn a_record_needs_a_message_and_may_have_anything_more() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    assert!(validator.is_valid(&json!({"msg": "x"})));
    assert!(validator.is_valid(&json!({"message": "x", "anything": {"at": ["all"]}})));
    assert!(validator.is_valid(&json!({"msg": {"an": "object"}, "args": null, "taskName": null})));
    assert!(!validator.is_valid(&json!({"name": "x"})));
    assert!(!validator.is_valid(&json!({"msg": "x", "levelno": "high"})));
    assert!(!validator.is_valid(&json!(["msg"])));
}
