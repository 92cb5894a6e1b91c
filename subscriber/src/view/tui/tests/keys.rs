//! What keys do.

use super::*;

#[test]
fn scrolling_up_stops_following_and_the_end_resumes() {
    let mut seat = Seat::with_records(&[], 100);
    seat.screen(80, 24);
    assert!(seat.model.place.follows());
    seat.press("j");
    assert!(seat.model.place.follows(), "there is nothing below the end");
    seat.press("k k");
    assert!(!seat.model.place.follows());
    assert_eq!(seat.cursor(), "order 97 taken");
    seat.take(delivered(1, 20, "more", 20.0), false);
    assert_eq!(seat.cursor(), "order 97 taken");
    assert!(seat.screen(80, 24).contains("SCROLLED 1 new, 0 dropped"));
    seat.press("G");
    assert_eq!(seat.cursor(), "more");
    assert!(seat.screen(80, 24).contains("FOLLOW"));
    seat.press("g");
    assert_eq!(seat.cursor(), "order 0 taken");
}

#[test]
fn a_pause_keeps_the_screen_and_goes_on_receiving() {
    let mut seat = Seat::with_records(&[], 100);
    let before = seat.screen(80, 24);
    seat.press("space");
    for number in 0..1204 {
        seat.take(delivered(1, 20, "more", 20.0 + number as f64), false);
    }
    let paused = seat.screen(80, 24);
    assert!(paused.contains("PAUSED 1,204 new, 0 dropped"), "{paused}");
    let records = |screen: &str| {
        screen
            .lines()
            .take(22)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(records(&before), records(&paused));
    seat.press("space");
    assert_eq!(seat.cursor(), "more");
}

#[test]
fn a_filter_is_previewed_while_it_is_typed_and_escape_leaves_everything_as_it_was() {
    let mut seat = Seat::with_records(&[], 100);
    seat.press("k k k");
    seat.press("i");
    seat.type_in("order 9");
    assert_eq!(seat.visible().len(), 11);
    assert_eq!(seat.gathered.store.index().hidden(), 89);
    seat.type_in("(");
    assert_eq!(
        seat.visible().len(),
        11,
        "what is no filter yet changes nothing"
    );
    seat.press("esc");
    assert_eq!(seat.visible().len(), 100);
    assert_eq!(seat.cursor(), "order 96 taken");
    assert_eq!(seat.gathered.store.choice().filters.list().len(), 0);
}

#[test]
fn filters_are_made_switched_changed_and_deleted() {
    let mut seat = Seat::with_records(&[], 100);
    seat.press("i");
    seat.type_in("order 9");
    seat.press("enter o");
    seat.type_in("99");
    seat.press("enter");
    assert_eq!(seat.visible().len(), 10);
    seat.press("F");
    assert_eq!(seat.visible().len(), 100);
    seat.press("F f space");
    assert_eq!(seat.visible().len(), 99, "only the exclude is on");
    seat.press("j e backspace backspace");
    seat.type_in("98");
    seat.press("enter k space");
    assert!(seat.visible().contains(&"order 99 taken".to_owned()));
    assert!(!seat.visible().contains(&"order 98 taken".to_owned()));
    seat.press("d d");
    assert_eq!(seat.visible().len(), 100);
}

#[test]
fn the_least_level_hides_records_and_never_a_loss() {
    let mut seat = Seat::with_records(&[], 46);
    seat.notice(ledger::Notice::Lost {
        sender: sender(3),
        topic: Topic::for_name("shop"),
        records: 1..3,
    });
    seat.notice(ledger::Notice::Joined(sender(7)));
    assert_eq!(seat.visible().len(), 48);
    seat.press("4");
    assert_eq!(seat.visible().len(), 3, "{:?}", seat.visible());
    assert!(seat.visible()[2].contains("lost 2 records"));
    assert_eq!(seat.gathered.store.index().hidden(), 44);
    seat.press("0");
    assert_eq!(seat.visible().len(), 48);
}

#[test]
fn errors_and_warnings_are_gone_to_around_the_end() {
    let mut seat = Seat::with_records(&[], 50);
    seat.press("g e");
    assert_eq!(seat.cursor(), "order 22 taken");
    seat.press("e");
    assert_eq!(seat.cursor(), "order 45 taken");
    seat.press("e");
    assert_eq!(seat.cursor(), "order 22 taken");
    assert!(seat.told().contains("past the end"));
    seat.press("W");
    assert_eq!(seat.cursor(), "order 20 taken");
    seat.press("w");
    assert_eq!(seat.cursor(), "order 22 taken");
    seat.press("E");
    assert_eq!(seat.cursor(), "order 45 taken");
}

#[test]
fn a_search_is_smart_about_case_highlights_and_goes_around() {
    let mut seat = Seat::with_records(&[], 50);
    seat.press("/");
    seat.type_in("ORDER 3 ");
    seat.press("enter");
    assert!(seat.told().contains("nowhere"), "{}", seat.told());
    seat.press("/");
    seat.type_in("order [34] ");
    seat.press("enter");
    assert_eq!(seat.cursor(), "order 4 taken", "the latest one");
    seat.press("n");
    assert_eq!(seat.cursor(), "order 3 taken");
    assert!(seat.told().contains("past the end"));
    seat.press("n");
    assert_eq!(seat.cursor(), "order 4 taken");
    seat.press("N");
    assert_eq!(seat.cursor(), "order 3 taken");
    assert_eq!(seat.visible().len(), 50, "a search hides nothing");
}

#[test]
fn marks_lead_back_and_say_when_their_record_is_gone() {
    let mut seat = Seat::with_records(&["--buffer", "64KiB"], 40);
    seat.press("g m a G k");
    seat.press("' a");
    assert_eq!(seat.cursor(), "order 0 taken");
    seat.press("' '");
    assert_eq!(seat.cursor(), "order 38 taken");
    seat.press("' z");
    assert_eq!(seat.told(), "there is no mark z");
    for _ in 0..200 {
        seat.take(delivered(1, 20, "more", 9.0), false);
    }
    seat.press("' a");
    assert_eq!(seat.told(), "mark a has fallen out of the buffer");
}

#[test]
fn a_sender_is_heard_alone_or_not_at_all_and_so_is_its_successor() {
    let mut seat = Seat::with_records(&[], 100);
    seat.press("G s");
    assert_eq!(seat.visible().len(), 5);
    seat.press("s");
    assert_eq!(seat.visible().len(), 100);
    seat.press("S");
    assert_eq!(seat.visible().len(), 95);
    seat.notice(ledger::Notice::Restarted {
        sender: sender(39),
        previous: sender(19),
    });
    seat.take(delivered(39, 20, "again", 20.0), false);
    while seat.model.work(&mut seat.gathered, &mut || false) {}
    assert!(!seat.visible().contains(&"again".to_owned()));
}

#[test]
fn the_field_that_the_cursor_is_on_makes_filters_and_can_be_copied() {
    let mut seat = Seat::with_records(&[], 90);
    seat.press("G enter");
    while seat.press("y") != Some(Effect::Copy("202".into())) {
        seat.press("j");
    }
    seat.press("+");
    let list = |seat: &Seat| {
        let filters = seat.gathered.store.choice().filters.list().iter();
        filters.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(list(&seat), ["-f status=202"]);
    assert_eq!(seat.visible().len(), 30);
    seat.press("-");
    assert_eq!(list(&seat), ["-f status=202", "-f status?!=202"]);
    assert_eq!(seat.visible().len(), 0);
    seat.press("esc +");
    assert_eq!(list(&seat).len(), 2, "{}", seat.told());
}

#[test]
fn the_end_of_every_list_can_be_left_again() {
    let mut seat = Seat::with_records(&["-i", "a", "-i", "b"], 90);
    seat.press("? G");
    let end = seat.screen(80, 24);
    seat.press("k");
    assert_ne!(seat.screen(80, 24), end);
    seat.press("esc f G k d");
    let list = seat.gathered.store.choice().filters.list();
    assert_eq!(list[0].text(), "b");
    seat.press("esc L tab G k s");
    assert_eq!(seat.gathered.store.choice().solo().len(), 1);
}

#[test]
fn the_mouse_scrolls_and_selects() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    let mut seat = Seat::with_records(&[], 90);
    let mut mouse = |kind, row| {
        seat.screen(80, 24);
        seat.event(&Event::Mouse(MouseEvent {
            kind,
            column: 9,
            row,
            modifiers: KeyModifiers::NONE,
        }));
        seat.cursor()
    };
    assert_eq!(mouse(MouseEventKind::ScrollUp, 0), "order 86 taken");
    let click = MouseEventKind::Down(MouseButton::Left);
    assert_eq!(mouse(click, 0), "order 68 taken");
    assert_eq!(mouse(click, 23), "order 68 taken");
}

#[test]
fn what_is_pasted_is_typed_and_never_pressed() {
    let mut seat = Seat::with_records(&[], 90);
    seat.event(&Event::Paste("q".into()));
    seat.press("i");
    seat.event(&Event::Paste("order 1\n\x1b[2J".into()));
    assert_eq!(seat.model.prompt.as_ref().unwrap().text(), "order 1[2J");
}

#[test]
fn commands_do_what_they_say() {
    let mut seat = Seat::with_records(&[], 200);
    let mut run = |command: &str| {
        seat.press(":");
        seat.type_in(command);
        let effect = seat.press("enter");
        (seat.visible().len(), seat.cursor(), effect)
    };
    assert_eq!(run("query status == 201").0, 67);
    assert_eq!(run("reset").0, 200);
    assert_eq!(run("level error").0, 8);
    run("level all");
    assert_eq!(run("goto 20:44:15").1, "order 20 taken");
    assert_eq!(run("goto +5s").1, "order 70 taken");
    assert_eq!(run("goto -2s").1, "order 50 taken");
    let save = Effect::Save("a.log".into(), true);
    assert_eq!(run("save! a.log").2, Some(save));
    assert_eq!(run("quit").2, Some(Effect::Quit));
}

#[test]
fn a_command_that_is_none_can_be_mended() {
    let mut seat = Seat::with_records(&[], 3);
    seat.press(":");
    seat.type_in("levle error");
    seat.press("enter");
    let problem = seat.model.prompt.as_ref().unwrap().problem.clone();
    assert!(problem.unwrap().contains("did you mean \"level\""));
}

#[test]
fn what_is_visible_is_written_as_lines_and_never_over_a_file_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut seat = Seat::with_records(&["-i", "order 1"], 20);
    let mut write = |is_over| {
        let page = super::super::save::Page::new(&mut seat.gathered, None);
        page.write(&mut seat.model.lines(), &path, is_over)
    };
    assert_eq!(write(false).unwrap(), 11);
    let error = write(false).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(write(true).unwrap(), 11);
    let text = std::fs::read_to_string(&path).unwrap();
    let first = " 20:44:13.100 INF jobs:601 │ shop.orders: order 1 taken";
    assert!(text.starts_with(first), "{text}");
    assert_eq!(text.lines().count(), 11);
}

#[test]
fn times_can_look_in_every_way() {
    let mut seat = Seat::with_records(&["--time-format", "%H:%M"], 3);
    let mut first = || {
        let screen = seat.screen(80, 24);
        seat.press("t");
        let line = screen
            .lines()
            .find(|line| line.contains("order 2"))
            .unwrap();
        line[..20].to_owned()
    };
    let looks: Vec<String> = (0..6).map(|_| first()).collect();
    assert!(looks[1].contains("20:44:13.200"), "{looks:?}");
    assert!(looks[2].contains("2026-11-20"), "{looks:?}");
    assert!(looks[3].contains("+0.100"), "{looks:?}");
    assert_eq!(looks[0], looks[5], "{looks:?}");
}
