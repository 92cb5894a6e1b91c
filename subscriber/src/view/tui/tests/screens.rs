//! What is on the screen.

use insta::assert_snapshot;

use super::*;

/// Twenty senders, a loss, a late record, a traceback.
fn busy(args: &[&str]) -> Seat {
    let mut seat = Seat::with_records(args, 300);
    seat.notice(ledger::Notice::Lost {
        sender: sender(3),
        topic: Topic::for_name("shop"),
        records: 17..34,
    });
    seat.take(delivered(4, 20, "came too late", 12.0), true);
    let mut failed = delivered(5, 50, "order 東京 failed \x1b[2J", 30.2);
    failed.record.set("exc_text", TRACEBACK);
    failed.record.set("user", "sheila\x1b]0;x\x07");
    seat.take(failed, false);
    seat.now = BEGIN + 31 * SECOND;
    seat
}

#[test]
fn the_usual_screen_has_records_a_status_and_hints() {
    assert_snapshot!(busy(&[]).screen(80, 24));
}

#[test]
fn a_large_screen_has_the_senders_and_the_histogram_too() {
    assert_snapshot!(busy(&[]).screen(120, 40));
}

#[test]
fn the_fields_of_a_record_stand_below_with_the_whole_traceback() {
    let mut seat = busy(&[]);
    seat.press("enter");
    for _ in 0..14 {
        seat.press("j");
    }
    assert_snapshot!(seat.screen(80, 24));
}

#[test]
fn an_expanded_record_has_its_block_below() {
    let mut seat = busy(&[]);
    seat.press("x");
    assert_snapshot!(seat.screen(80, 12));
}

#[test]
fn help_is_made_of_the_keys() {
    let mut seat = busy(&["--keys", "pause=p"]);
    seat.press("?");
    assert_snapshot!(seat.screen(120, 40));
}

#[test]
fn the_list_of_filters_says_which_are_on() {
    let mut seat = busy(&["-i", "order", "-f", "status>=200", "-q", "level >= info"]);
    seat.press("f space j");
    assert_snapshot!(seat.screen(80, 12));
}

#[test]
fn what_is_typed_is_previewed_and_faults_say_where() {
    let mut seat = busy(&[]);
    seat.press("i");
    seat.type_in("order 2[");
    assert_snapshot!(seat.screen(80, 8));
}

#[test]
fn while_it_is_paused_it_says_what_has_come_and_what_has_gone() {
    let mut seat = Seat::with_records(&["--buffer", "100KiB"], 100);
    seat.press("space");
    for number in 0..1204 {
        seat.take(
            delivered(1, 20, "more", 20.0 + number as f64 / 100.0),
            false,
        );
    }
    let screen = seat.screen(100, 8);
    assert!(screen.contains("PAUSED"), "{screen}");
    assert_snapshot!(screen.lines().rev().nth(1).unwrap());
}

#[test]
fn no_size_is_too_small_and_none_is_too_large() {
    let mut seat = busy(&["-i", "o"]);
    for keys in ["H", "L", "enter", "?", "esc", "f", "esc", ":", "esc", "/"] {
        seat.press(keys);
        for (width, height) in [
            (40, 8),
            (1, 1),
            (2, 2),
            (3, 9),
            (7, 3),
            (80, 2),
            (13, 40),
            (300, 90),
        ] {
            seat.screen(width, height);
        }
    }
}

#[test]
fn a_small_screen_shows_what_has_room() {
    assert_snapshot!(busy(&[]).screen(40, 8));
}

#[test]
fn wide_characters_do_not_move_what_stands_beside_them() {
    let mut seat = Seat::new(&[]);
    for width in 0..6 {
        let message = format!("{}東京東京東京東京東京東京", "x".repeat(width));
        seat.take(delivered(1, 20, &message, 1.0), false);
    }
    seat.press("L");
    for left in 0..3 {
        seat.model.left = left;
        let screen = seat.screen(60, 10);
        let columns = screen.lines().take(6).map(|line| {
            use unicode_width::UnicodeWidthStr;
            let bar = line.rfind('│').unwrap();
            line[..bar].width()
        });
        let columns: Vec<_> = columns.collect();
        assert!(
            columns.iter().all(|column| *column == columns[0]),
            "{screen}"
        );
    }
}

#[test]
fn a_bar_says_in_colour_that_there_were_errors() {
    let mut seat = busy(&[]);
    let area = Rect::new(0, 0, 120, 40);
    let scene = Scene::take(&mut seat.model, &mut seat.gathered, area, seat.now);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal
        .draw(|frame| draw(frame, &seat.model, &scene))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let color = |level: i64| seat.model.look.theme.level(level).color;
    let top = |column: u16| {
        let mut cells = (0..5).map(|row| &buffer[(8 + column, row)]);
        let cell = cells.find(|cell| cell.symbol() != " ").unwrap();
        match cell.fg {
            ratatui::style::Color::Indexed(color) => Some(color),
            _ => None,
        }
    };
    // The first error is in the third second.
    assert_eq!([top(0), top(1), top(2)], [color(30), color(30), color(40)]);
}

#[test]
fn a_long_command_is_shown_whole() {
    let mut seat = busy(&["-i", &"o".repeat(90)]);
    seat.press(":");
    seat.type_in("cmdline");
    seat.press("enter");
    let screen = seat.screen(60, 10);
    let letters = screen.chars().filter(|c| *c == 'o').count();
    assert!(letters >= 90, "{screen}");
}
