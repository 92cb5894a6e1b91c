//! What a record looks like, in every way that can be asked for.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use logbus_schemas::{Map, Topic, Value};

use super::*;
use crate::view::moment::TimeFormat;
use crate::view::style::ThemeName;

const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"shop.py\", line 3, in take\n    \
    return {}[\"rate\"]\n  File \"rates.py\", line 9, in rate\n    raise KeyError(name)\nKeyError: 'rate'";

fn delivered(level: i64, message: &str, extras: &[(&str, Value)]) -> Delivered {
    let mut record = Record::new("shop.orders", level, message);
    record.set("created", 1_795_207_453.072_258);
    record.set("process", 613);
    for (key, value) in extras {
        record.set(*key, value.clone());
    }
    Delivered {
        record,
        topic: Topic::for_name("shop"),
        origin: None,
        sender: None,
        received: 1_795_207_453_500_000_000,
        offset: None,
    }
}

fn shown(look: Look, delivered: &Delivered, standing: Standing) -> String {
    let moment = Moment::new(TimeFormat::Short, TimeZone::UTC);
    let badge = Badge {
        name: "shop:613".into(),
        width: 8,
        color: look.theme.senders.first().copied(),
    };
    let mut out = Styled::default();
    Lines::new(look, moment).record(delivered, &badge, 10, standing, &mut out);
    let mut text = String::new();
    out.write_ansi(&mut text);
    text
}

fn plain(look: Look, delivered: &Delivered) -> String {
    shown(look, delivered, Standing::default())
}

fn failed() -> Delivered {
    let extras = [
        ("user", Value::from("fred \"the\" first")),
        (
            "order",
            Value::from(Map::from_iter([
                ("id", Value::from(17)),
                ("paid", Value::from(false)),
            ])),
        ),
        ("sql", Value::from("select 1\nfrom t\n")),
        ("exc_text", Value::from(TRACEBACK)),
    ];
    delivered(40, "order 17 failed\nwhile it was paid", &extras)
}

#[test]
fn a_record_is_one_line_and_what_has_more_lines_is_a_block_below() {
    assert_snapshot!(
        "hello",
        plain(Look::default(), &delivered(20, "hello", &[]))
    );
    assert_snapshot!("failed", plain(Look::default(), &failed()));
}

#[test]
fn blocks_can_be_had_in_four_ways_and_tracebacks_be_folded() {
    let with = |expand, fold| Look {
        expand,
        fold,
        ..Look::default()
    };
    assert_snapshot!("never", plain(with(Expand::Never, 0), &failed()));
    assert_snapshot!("inline", plain(with(Expand::Inline, 0), &failed()));
    assert_snapshot!("always_folded", plain(with(Expand::Always, 1), &failed()));
}

#[test]
fn parts_are_shown_and_hidden_as_asked_for() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let look = Look {
        hide: names(&["*", "time", "sender"]),
        show: names(&["user", "topic", "process"]),
        ..Look::default()
    };
    assert_snapshot!(
        "hidden",
        plain(
            Look {
                expand: Expand::Never,
                ..look
            },
            &failed()
        )
    );
    let look = Look {
        hide: names(&["sql", "level", "logger"]),
        truncate: 4,
        ..Look::default()
    };
    let shown = plain(
        look,
        &delivered(
            20,
            "hello",
            &[("user", "sheila".into()), ("sql", "x".into())],
        ),
    );
    assert_snapshot!("truncated", shown);
}

#[test]
fn a_field_within_an_extra_can_be_hidden_and_a_traceback_says_what_was_raised() {
    let user = Map::from_iter([("id", 7), ("age", 31)]);
    let look = Look {
        hide: vec!["user.id".to_owned(), "time".to_owned(), "sender".to_owned()],
        expand: Expand::Never,
        ..Look::default()
    };
    let extras = [
        ("user", Value::Map(user)),
        ("exc_text", "Traceback:\nKeyError: 1".into()),
        ("exc_type", "KeyError".into()),
        ("exc_value", "1".into()),
    ];
    let shown = plain(look, &delivered(20, "hello", &extras));
    assert!(
        shown.contains("user.age=31  error=") && !shown.contains("user.id"),
        "{shown}"
    );
    assert!(!shown.contains("exc_"), "{shown}");
}

#[test]
fn with_colours_every_part_has_its_style() {
    let mut look = Look {
        theme: Theme::named(ThemeName::Default),
        ..Look::default()
    };
    look.highlights = vec![Highlight {
        regex: Regex::new("or.er").unwrap(),
        style: Style::of(5),
    }];
    let late = Standing {
        is_late: true,
        is_context: false,
    };
    let shown = shown(
        look,
        &delivered(50, "order or order", &[("order", 1.into())]),
        late,
    );
    assert_snapshot!("colours", shown.replace('\x1b', "^"));
}

#[test]
fn a_sender_cannot_steer_the_terminal_or_forge_a_line() {
    let mut evil = delivered(
        20,
        "a\x1b[2J\u{202e}\nb\tc",
        &[("k\n\x07", "v\n\u{9b}".into())],
    );
    evil.record.set("name", "log\x1b]0;x\x07\nger");
    evil.record.set("exc_text", "T\r\n\x1b[31mE");
    assert_snapshot!("evil", plain(Look::default(), &evil));
}

#[test]
fn a_line_feed_at_the_end_of_a_message_begins_no_line() {
    for (message, expected) in [
        ("done\n", "shop.orders: done"),
        ("a\nb\n\n", "shop.orders: a\n    │ b"),
    ] {
        let text = plain(Look::default(), &delivered(20, message, &[]));
        assert!(text.ends_with(expected), "{text:?}");
    }
}

#[test]
fn highlights_find_what_they_fit_behind_nothing_and_in_a_text_of_any_length() {
    let highlight = |regex: &str, color| Highlight {
        regex: Regex::new(regex).unwrap(),
        style: Style::of(color),
    };
    let marked = |highlights: &[Highlight], message: &str| {
        let look = Look {
            highlights: highlights.to_vec(),
            ..Look::default()
        };
        plain(look, &delivered(20, message, &[]))
    };
    let text = marked(&[highlight("a*", 5), highlight("é", 6)], "béaab");
    assert!(
        text.ends_with("b\x1b[36mé\x1b[0m\x1b[35maa\x1b[0mb"),
        "{text:?}"
    );
    // Were the second one searched for again behind each find of the first, this would take hours.
    let long = "ab".repeat(1 << 20);
    let text = marked(&[highlight("a", 5), highlight("c", 6)], &long);
    assert_eq!(text.matches("\x1b[35ma\x1b[0m").count(), 1 << 20);
}

#[test]
fn every_level_has_three_letters() {
    let tag = |level: Option<i64>, name: Option<&str>| {
        let mut record = Record::from(Map::default());
        record.set("levelno", level);
        record.set("levelname", name);
        level_tag(&record).to_string()
    };
    let known = [5, 10, 20, 30, 40, 50, 25].map(|level| tag(Some(level), None));
    assert_eq!(known, ["TRC", "DBG", "INF", "WRN", "ERR", "CRT", "25 "]);
    assert_eq!(tag(Some(25), Some("notice")), "NOT");
    assert_eq!(tag(Some(25), Some("Level 25")), "25 ");
    assert_eq!(tag(Some(1000), None), "1000", "a number is whole");
    assert_eq!(tag(Some(-1000), None), "-1000");
    assert_eq!(tag(None, Some("ok")), "OK ");
    assert_eq!(tag(None, None), "---");
}
