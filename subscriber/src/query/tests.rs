//! What a query says of a record.

use logbus_schemas::{Map, Record, Topic, Value};
use proptest::prelude::*;

use super::*;

fn delivered() -> Delivered {
    let mut record = Record::new("shop.db", 40, "GET %s took %d ms");
    record.set("args", vec![Value::from("/orders"), Value::from(250)]);
    record.set("created", 1795207453.25);
    record.set("status", 503);
    record.set("code", "17");
    record.set(
        "user",
        Map::from_iter([("id", Value::from(7)), ("a.b", Value::from("x"))]),
    );
    record.set("odd key", true);
    record.set("tags", vec![Value::from("a"), Value::from(2)]);
    record.set("nothing", Value::Null);
    Delivered {
        record,
        topic: Topic::new("shop").unwrap(),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    }
}

fn matches(text: &str) -> bool {
    Query::parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .matches(&delivered())
}

#[test]
fn queries_say_what_is_asked_for() {
    for (text, expected) in [
        (
            "level >= warn and (status >= 500 or not exists(user.id))",
            true,
        ),
        ("level == ERROR", true),
        ("level < 40", false),
        ("'error' <= level", true),
        ("level in [warning, error]", true),
        ("name == 'shop.db' && logger startswith \"shop\"", true),
        ("topic = shop", false),
        ("topic = 'shop'", true),
        ("message contains '/orders took 250'", true),
        ("message ~ /took \\d+ ms$/", true),
        ("message !~ 'took'", false),
        ("lower(message) startswith 'get'", true),
        (
            "len(tags) == 2 and tags contains 'a' and tags contains 2",
            true,
        ),
        ("user.id == 7 and user.a.b == 'x'", true),
        ("user.none == null", true),
        ("nothing == null and not exists(nothing)", true),
        ("`odd key` and `odd key` == true", true),
        ("code == 17 and code > 9", true),
        ("status == '503'", true),
        ("status > 'abc' or status < 'abc'", false),
        ("none != 5", true),
        ("none < 5 or none > 5 or none == 5", false),
        (
            "created >= '2026-11-20T20:44:00Z' and created < '2026-11-20T20:45:00'",
            true,
        ),
        ("not (level >= info) or status in [500, 503]", true),
        ("!exists(x) && -1.5e1 < 0", true),
        ("tags == 'a'", false),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_query_is_said_with_its_column() {
    for (text, column, part) in [
        (
            "level >=",
            9,
            "a field or a value is expected here; write for example",
        ),
        ("level >= warn an x", 15, "and, or or the end"),
        ("(a", 3, "\")\" is missing"),
        ("a == 'x", 6, "this ' is not closed"),
        ("a ~ 5", 5, "a regular expression such as"),
        ("a ~ /(/", 5, "no regular expression: unclosed group"),
        ("a in [b]", 7, "a list holds"),
        ("a == 1x", 6, "no number; a text stands in quotes"),
        ("ä ; b", 3, "';' has no meaning here"),
        ("", 1, "expected here"),
        ("and", 1, "expected here"),
    ] {
        let error = Query::parse(text).unwrap_err();
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    let deep = format!("{}a", "(".repeat(100_000));
    assert!(Query::parse(&deep).is_err());
    assert!(Query::parse(&"not ".repeat(100_000)).is_err());
}

fn query() -> impl Strategy<Value = String> {
    let operand = prop_oneof![
        "[a-c](\\.[a-c])?",
        "-?[0-9]{1,3}(\\.[0-9])?",
        "'[a-z \\\\\"`\n]{0,3}a'",
        "`[a-z '/]{1,3}`",
        Just("level".to_owned()),
        Just("message".to_owned()),
        Just("null".to_owned()),
        Just("warn".to_owned()),
        Just("len(user)".to_owned()),
        Just("lower(name)".to_owned()),
    ];
    let sign = prop_oneof![
        Just("=="),
        Just("!="),
        Just("<"),
        Just(">="),
        Just("contains"),
        Just("endswith"),
    ];
    let leaf = prop_oneof![
        (operand.clone(), sign, operand.clone()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
        operand.clone(),
        "exists\\([a-c]\\)",
        (operand.clone(), "[a-c./]{0,3}").prop_map(|(a, b)| format!("{a} ~ \"{b}\"")),
        operand.prop_map(|a| format!("{a} in [1, 'x', null]")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let many = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            many.clone()
                .prop_map(|all| format!("({})", all.join(" or "))),
            many.prop_map(|all| format!("({})", all.join(") and ("))),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_refused(text in "[ a-c0-9.'\"`/()<>=!~&|,\\[\\]\u{e4}-]{0,40}") {
        if let Ok(query) = Query::parse(&text) {
            query.matches(&delivered());
        }
    }

    #[test]
    fn a_query_that_is_printed_is_the_same_query(text in query()) {
        if let Ok(parsed) = Query::parse(&text) {
            let printed = parsed.to_string();
            let again = Query::parse(&printed);
            prop_assert!(again.is_ok(), "{} -> {}: {:?}", text, printed, again);
            let again = again.unwrap();
            prop_assert_eq!(again.to_string(), printed);
            prop_assert_eq!(again.matches(&delivered()), parsed.matches(&delivered()));
        }
    }

    #[test]
    fn not_and_or_are_what_logic_says(a in query(), b in query()) {
        let parse = |text: &str| Query::parse(text).map(|query| query.matches(&delivered()));
        if let (Ok(x), Ok(y)) = (parse(&a), parse(&b)) {
            prop_assert_eq!(parse(&format!("not ({a})")), Ok(!x));
            prop_assert_eq!(parse(&format!("({a}) and ({b})")), Ok(x && y));
            prop_assert_eq!(parse(&format!("({a}) or ({b})")), Ok(x || y));
        }
    }
}
