//! Queries, and the flags that become some.

use logbus_schemas::{Map, Record, Topic, Value};

use super::Query;
use crate::item::Delivered;

/// Bytes as a query, a field, a regular expression and a pattern for senders: refused with a place
/// in it, or an answer for a record; and a query that is written out is the same query.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let delivered = delivered();
    let sender = Query::sender(text);
    for query in [
        Query::parse(text),
        Query::field(text),
        Query::matching_text(text),
        Ok(sender),
    ] {
        match query {
            Ok(query) => check(&query, &delivered),
            Err(error) => {
                assert!(error.column <= text.chars().count() + 1 && !error.problem.is_empty());
            }
        }
    }
}

fn check(query: &Query, delivered: &Delivered) {
    let written = query.to_string();
    match Query::parse(&written) {
        Ok(again) => {
            assert_eq!(again.to_string(), written);
            assert_eq!(
                again.matches(delivered),
                query.matches(delivered),
                "{written}"
            );
        }
        Err(error) => panic!("{written}: {error}"),
    }
}

fn delivered() -> Delivered {
    let mut record = Record::new("shop.db", 40, "GET %s took %d ms");
    record.set("args", vec![Value::from("/orders"), Value::from(250)]);
    record.set("created", 1_795_207_453.25);
    record.set("status", 503);
    record.set(
        "user",
        Map::from_iter([("id", Value::from(7)), ("a.b", Value::from("x"))]),
    );
    record.set("tags", vec![Value::from("a"), Value::from(2)]);
    record.set("nothing", Value::Null);
    Delivered {
        record,
        topic: Topic::for_name("shop"),
        origin: None,
        sender: None,
        offset: None,
        received: 1_800_000_000_000_000_000,
    }
}
