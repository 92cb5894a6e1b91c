//! What a query says of a record.

use logbus_schemas::{Map, Record, Topic, Value};
use proptest::prelude::*;

use super::*;
use crate::item::tests::sent_by_web_3;

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
    record.set("exc_text", "Traceback\nTimeoutError: late");
    Delivered {
        topic: Topic::new("shop").unwrap(),
        ..sent_by_web_3(record)
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
        ("msg == message and msg startswith 'GET /orders'", true),
        ("`msg` == 'GET %s took %d ms'", true),
        ("@sender == 'alpha/web-3:613' and @host = 'alpha'", true),
        ("@pid == 613 and @pid > 600 and exists(@pid)", true),
        ("@sender like 'web-?' and @sender like 'alpha/*'", true),
        ("@sender like 'web-3:613'", true),
        ("@sender like '*beef' and not (@sender like 'eb-3')", true),
        ("logger like 'shop.*' and not (logger like 'shop')", true),
        ("status like '5??' and not (none like '*')", true),
        ("@text contains '250 ms status=503 code=17 user={'", true),
        ("@text ~ /odd key=True/ and @text endswith 'late'", true),
        ("`@sender` == null and `@other` == null", true),
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
            "at the end: a field or a value is expected here; write for example",
        ),
        ("level >= warn an x", 15, "at \"an x\": and, or or the end"),
        (
            "a and ] x == 1 or y == 2",
            7,
            "at \"] x == 1 or …\": a field",
        ),
        ("(a", 3, "\")\" is missing"),
        ("a == 'x", 6, "at \"'x\": this ' is not closed"),
        ("a ~ 5", 5, "a regular expression such as"),
        ("a ~ /(/", 5, "no regular expression: unclosed group"),
        ("a in [b]", 7, "a list holds"),
        (
            "a == 1x",
            6,
            "at \"1x\": this is no number; a text stands in quotes",
        ),
        ("ä ; b", 3, "at \"; b\": this has no meaning here"),
        ("level >= lound", 10, "a level such as warning"),
        (
            "level in [warn] or level == 'loud'",
            29,
            "a level such as warning",
        ),
        (
            "created >= \"yesterday\"",
            12,
            "a time such as 2026-11-20T08:00:00Z",
        ),
        ("@foo = 1", 1, "there is no @foo: @sender,"),
        ("a like b", 8, "a pattern in quotes such as 'worker-*'"),
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

/// Whether what was typed as `key=value` lets the record through.
fn field(text: &str) -> bool {
    let query = Query::field(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    query.matches(&delivered())
}

#[test]
fn a_field_is_typed_with_its_value() {
    for (text, expected) in [
        ("status=503", true),
        ("status = 503.0 ", true),
        ("status==503", true),
        ("status!=503", false),
        ("status>=503", true),
        ("status>503", false),
        ("status<1e3", true),
        ("status<=-5", false),
        ("code=17", true),
        ("user.id=7", true),
        ("user.a.b=x", true),
        ("logger=shop.db", true),
        ("topic=shop", true),
        ("msg~=^GET /orders", true),
        ("message~=ms=", false),
        ("`msg`~=%s", true),
        ("@sender~=web-\\d", true),
        ("@pid>600", true),
        ("level=error", true),
        ("level>=WARN", true),
        ("level<40", false),
        ("created>2026-11-20T20:44:00Z", true),
        ("created<2026-11-20T20:44:00", false),
        ("odd key=true", true),
        ("odd key='true'", false),
        ("`odd key`!=false", true),
        ("nothing=null", true),
        ("code=\"17\"", true),
        ("code='17", false),
    ] {
        assert_eq!(field(text), expected, "{text}");
    }
}

#[test]
fn a_field_that_is_not_there_is_let_through_only_where_that_is_typed() {
    for (text, expected) in [
        ("none=5", false),
        ("none!=5", false),
        ("none<5", false),
        ("none~=5", false),
        ("nothing!=5", false),
        ("none?=5", true),
        ("none?!=5", true),
        ("none?<5", true),
        ("none?~=5", true),
        ("nothing?=5", true),
        ("status?=5", false),
        ("status?=503", true),
        ("status?!=503", false),
    ] {
        assert_eq!(field(text), expected, "{text}");
    }
}

#[test]
fn digits_that_are_too_many_for_a_number_are_compared_to_the_last() {
    let mut delivered = delivered();
    delivered.record.set("id", "12345678901234567890");
    let fits = |text: &str| Query::field(text).unwrap().matches(&delivered);
    assert!(fits("id=12345678901234567890") && !fits("id=12345678901234567891"));
}

#[test]
fn what_is_no_field_with_a_value_is_said_with_its_column() {
    for (text, column, part) in [
        (
            "status",
            7,
            "at the end: =, !=, ~=, <, <=, > or >= is expected here",
        ),
        (
            "",
            1,
            "the name of a field is expected here; write for example status>=500",
        ),
        ("=5", 1, "at \"=5\": the name of a field"),
        ("ä!5", 2, "at \"!5\": =, !=,"),
        ("a?5", 3, "at \"5\": =, !=,"),
        ("a >=", 5, "at the end: a value is expected"),
        (
            "ä ~= x(",
            7,
            "at \"(\": \"x(\" is no regular expression: unclosed group",
        ),
        ("level=loud", 7, "at \"loud\": a level such as warning"),
        ("created>noon", 9, "at \"noon\": a time such as 2026"),
        ("`a=5", 1, "this ` is not closed"),
    ] {
        let error = Query::field(text).unwrap_err();
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn a_text_is_searched_for_in_any_case_unless_upper_case_is_written() {
    let finds = |regex: &str| Query::matching_text(regex).unwrap().matches(&delivered());
    for (regex, expected) in [
        ("get /orders", true),
        ("timeouterror|x", true),
        ("Get", false),
        ("GET", true),
        ("[A-F]et", false),
        ("get\\S* \\P{Lu}orders", true),
        ("status=503", true),
        ("", true),
    ] {
        assert_eq!(finds(regex), expected, "{regex}");
    }
    let error = Query::matching_text("ab(c").unwrap_err();
    assert_eq!(
        error.to_string(),
        "column 3: at \"(c\": \"ab(c\" is no regular expression: unclosed group"
    );
    assert_eq!(Query::matching_text("(a{999}){999}").unwrap_err().column, 1);
}

#[test]
fn a_sender_may_be_called_by_any_of_its_names() {
    for (glob, expected) in [
        ("alpha/web-3:613", true),
        ("web-*", true),
        ("web-3:613", true),
        ("000000000000beef", true),
        ("alpha", false),
        ("613", false),
    ] {
        assert_eq!(
            Query::sender(glob).matches(&delivered()),
            expected,
            "{glob}"
        );
    }
}

fn query() -> impl Strategy<Value = String> {
    let operand = prop_oneof![
        "[a-c](\\.[a-c])?",
        "-?[0-9]{1,3}(\\.[0-9])?",
        "'[a-z \\\\\"`\n]{0,3}a'",
        "`[a-z '/]{1,3}`",
        Just("level".to_owned()),
        Just("message".to_owned()),
        Just("msg".to_owned()),
        "@(sender|host|pid|text)",
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
        "exists\\(@(sender|host|pid|text)\\)",
        (operand.clone(), "[a-z*?'\n]{0,3}").prop_map(|(a, b)| format!("{a} like \"{b}\"")),
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
    fn a_query_that_is_built_can_be_printed_and_parsed(
        key in "[a-c@.` \u{e4}]{0,3}|status|level|created|@sender|msg|`[^`]`",
        sign in "\\??(=|!=|~=|<|<=|>|>=)",
        value in "\\PC{0,6}|-?[0-9.e]{1,24}|true|null|warn|[\"'\\\\\n\t\ra]{0,6}",
    ) {
        let built = [
            Query::field(&format!("{key}{sign}{value}")).ok(),
            Query::matching_text(&value).ok(),
            Some(Query::sender(&value)),
        ];
        for query in built.into_iter().flatten() {
            let printed = query.to_string();
            let parsed = Query::parse(&printed);
            prop_assert!(parsed.is_ok(), "{}: {:?}", printed, parsed);
            let parsed = parsed.unwrap();
            prop_assert_eq!(&parsed, &query);
            prop_assert_eq!(parsed.matches(&delivered()), query.matches(&delivered()));
        }
    }

    #[test]
    fn any_text_is_a_field_with_a_value_or_refused(text in "[ a-c0-9.'\"`?=!<>~\u{e4}-]{0,20}") {
        if let Ok(query) = Query::field(&text) {
            query.matches(&delivered());
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
