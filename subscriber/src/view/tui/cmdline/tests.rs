//! The command that shows the same does show the same.

use clap::Parser;

use super::*;
use crate::view::config::{Config, Surroundings};
use crate::view::tui::tests::{Seat, delivered};

/// The words of a line as a shell reads them; quotes are all that it knows.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_escaped) =
        (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            c if std::mem::take(&mut is_escaped) => word.push(c),
            '\\' if !is_quoted => is_escaped = true,
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

/// Holds the view that the line asks for against the one that it is of.
fn check(seat: &Seat, expected: &str) {
    let line = seat.model.cmdline(&seat.gathered);
    assert_eq!(line, expected);
    let cli = Cli::parse_from(words(&line));
    let config = Config::resolve(&cli, &Surroundings::default()).unwrap();
    for from in 0..20 {
        for (at, level) in [10, 20, 30, 40].into_iter().enumerate() {
            let mut record = delivered(from, level, &format!("order {at} it's"), 1.0);
            record.record.set("status", 200 + at as i64);
            let (theirs, ours) = (config.filters.admit(&record), seat.gathered.store.choice());
            assert_eq!(theirs, ours.admits(&record), "{line}: {record:?}");
        }
    }
    assert_eq!(config.look.hide, seat.model.look.hide);
    assert_eq!(*config.moment.format(), seat.model.format);
}

#[test]
fn the_command_shows_what_the_keys_have_chosen() {
    let mut seat = Seat::with_records(&["-t", "shop,jobs", "-i", "order", "-l", "debug"], 40);
    let begin = "logsub --topics=shop --topics=jobs --level=debug --utc";
    check(&seat, &format!("{begin} --include=order"));
    seat.press("3 o");
    seat.type_in("it's");
    seat.press("enter :");
    seat.type_in("query status >= 201");
    seat.press("enter t :");
    seat.type_in("hide user,status");
    seat.press("enter");
    check(
        &seat,
        &format!(
            "{begin} '--field=level?>=30' --include=order '--exclude=it'\\''s' \
             '--query=status >= 201' --hide=user,status --time-format=full"
        ),
    );
    seat.press("f j d k space esc");
    check(
        &seat,
        &format!(
            "{begin} '--field=level?>=30' '--query=status >= 201' --hide=user,status \
             --time-format=full"
        ),
    );
}

#[test]
fn senders_that_are_alone_or_muted_are_part_of_the_query() {
    let mut seat = Seat::with_records(&["-q", "status == 200", "-q", "status == 201"], 20);
    seat.press("G s k S");
    let line = seat.model.cmdline(&seat.gathered);
    assert!(line.contains(r#"@sender == "alpha/"#), "{line}");
    check(&seat, &line.clone());
    seat.press("F");
    let line = seat.model.cmdline(&seat.gathered);
    assert!(!line.contains("status"), "{line}");
    check(&seat, &line.clone());
}
