//! Keys in, screen out, on real terminals.

use std::time::Duration;

use logbus_publisher::{Publisher, stamped};
use logbus_tests::{Terminal, free_port, publishers};

const SENDERS: usize = 20;
const LINGER: Duration = Duration::from_secs(120);

/// The interactive view, and the endpoint where it listens.
fn interactive(args: &[&str], rows: u16, cols: u16) -> (Terminal, String) {
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let own = ["--tui", "--bind", &endpoint, "--utc"];
    let terminal = Terminal::start("logsub", &[&own, args].concat(), rows, cols);
    terminal.wait_for("0 shown");
    (terminal, endpoint)
}

fn say(sender: &Publisher, level: i64, text: &str) {
    sender.publish(&stamped("shop", level, text));
}

/// As many records in turn, the last of which is on the screen.
fn say_in_turn(terminal: &Terminal, senders: &[Publisher], count: usize) {
    for n in 0..count {
        let level = if n % 10 == 0 { 40 } else { 20 };
        say(
            &senders[n % senders.len()],
            level,
            &format!("record {n} of all"),
        );
    }
    terminal.wait_for(&format!("record {} of all", count - 1));
}

fn quit(mut terminal: Terminal, senders: Vec<Publisher>) -> String {
    for sender in senders {
        assert!(sender.shutdown(LINGER).is_complete());
    }
    terminal.press("q");
    assert!(terminal.wait().success());
    assert!(!terminal.is_alternate_screen(), "the terminal is as it was");
    terminal.screen()
}

#[test]
fn twenty_senders_are_in_one_pane_at_any_size() {
    let (terminal, endpoint) = interactive(&[], 24, 80);
    assert!(terminal.is_alternate_screen());
    let senders = publishers(SENDERS, &endpoint);
    say_in_turn(&terminal, &senders, 200);
    terminal.wait_for("200 shown");
    for (rows, cols) in [(50, 160), (12, 40), (5, 20), (24, 80)] {
        terminal.resize(rows, cols);
        let last = format!("after {rows} by {cols}");
        say(&senders[7], 30, &last);
        if cols >= 80 {
            terminal.wait_for(&last);
        }
    }
    let screen = terminal.wait_for("204 shown");
    assert!(screen.contains("web-7 "), "{screen}");
    let ended = quit(terminal, senders);
    assert!(
        ended.contains("204 records from 20 senders, none lost"),
        "{ended}"
    );
}

#[test]
fn filters_hide_and_say_how_much_and_come_and_go() {
    let (terminal, endpoint) = interactive(&[], 30, 110);
    let senders = publishers(3, &endpoint);
    say_in_turn(&terminal, &senders, 100);
    terminal.wait_for("100 shown");
    // While it is typed the screen shows what it would leave.
    terminal.press("irecord 1");
    terminal.wait_for("89 hidden");
    terminal.wait_for("11 shown");
    terminal.press("<Enter>");
    terminal.wait_for("89 hidden");
    terminal.wait_for("11 shown");
    terminal.press("orecord 1[0-4]<Enter>");
    terminal.wait_for("94 hidden");
    terminal.wait_for("6 shown");
    terminal.press("F");
    terminal.wait_for("100 shown");
    terminal.press("F");
    terminal.wait_for("6 shown");
    // A mistake is shown with its place, and nothing changes when it is given up.
    terminal.press(":query level >= and<Enter>");
    terminal.wait_for("column");
    terminal.press("<Esc>");
    terminal.wait_for("? help");
    terminal.wait_for("6 shown");
    terminal.press(":reset<Enter>");
    terminal.wait_for("100 shown");
    terminal.press("4");
    terminal.wait_for("10 shown");
    terminal.press("0");
    terminal.wait_for("100 shown");
    quit(terminal, senders);
}

#[test]
fn scrolling_up_stands_still_and_goes_on_receiving() {
    let (terminal, endpoint) = interactive(&[], 24, 100);
    let senders = publishers(2, &endpoint);
    say_in_turn(&terminal, &senders, 60);
    terminal.press("<PageUp>");
    terminal.wait_for("0 new, 0 dropped");
    for n in 0..1204 {
        say(&senders[n % 2], 20, "meanwhile");
    }
    let screen = terminal.wait_for("1,204 new, 0 dropped");
    assert!(!screen.contains("meanwhile"), "{screen}");
    terminal.press("G");
    terminal.wait_for("meanwhile");
    terminal.wait_for("FOLLOW");
    quit(terminal, senders);
}

#[test]
fn what_is_searched_is_found_and_errors_are_one_key_away() {
    let (terminal, endpoint) = interactive(&[], 24, 100);
    let senders = publishers(2, &endpoint);
    say_in_turn(&terminal, &senders, 200);
    terminal.press("/record 17 of<Enter>");
    terminal.wait_for("▸ ");
    terminal.wait_for("record 17 of all");
    let is_chosen = |text: &str| {
        let text = text.to_owned();
        move |screen: &vt100::Screen| {
            screen
                .contents()
                .lines()
                .any(|line| line.starts_with('▸') && line.contains(&text))
        }
    };
    terminal.wait_until("the record that was searched", is_chosen("record 17 of"));
    terminal.press("e");
    terminal.wait_until("the next error", is_chosen("record 20 of"));
    terminal.press("E");
    terminal.wait_until("the error before", is_chosen("record 10 of"));
    terminal.press("ma<End>");
    terminal.wait_until("the last one", is_chosen("record 199 of"));
    terminal.press("'a");
    terminal.wait_until("the mark", |screen| {
        let text = screen.contents();
        text.lines()
            .any(|line| line.starts_with('a') && line.contains("record 10 of"))
    });
    quit(terminal, senders);
}

#[test]
fn the_filtered_view_is_saved_and_is_a_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.log");
    let (terminal, endpoint) = interactive(&["-e", "record 1"], 24, 120);
    let senders = publishers(3, &endpoint);
    say_in_turn(&terminal, &senders, 100);
    terminal.wait_for("11 hidden");
    terminal.wait_for("89 shown");
    terminal.press(&format!(":save {}<Enter>", path.display()));
    terminal.wait_for("89");
    let saved = logbus_tests::wait_for_file(&path, "record 99 of all");
    assert!(saved.contains("INF web-0"), "{saved}");
    let saved = std::fs::read_to_string(&path).unwrap();
    assert_eq!(saved.lines().count(), 89);
    terminal.press(":cmdline<Enter>");
    terminal.wait_for("logsub --");
    terminal.wait_for("--exclude");
    quit(terminal, senders);
}

#[test]
fn details_have_every_field_and_a_field_becomes_a_filter() {
    let (terminal, endpoint) = interactive(&[], 40, 100);
    let senders = publishers(2, &endpoint);
    let mut record = stamped("shop", 40, "order failed");
    record.set("user", "fred");
    record.set(
        "exc_text",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in b\nKeyError: 'rate'",
    );
    senders[0].publish(&record);
    say(&senders[1], 20, "something else");
    terminal.wait_for("2 shown");
    terminal.press("E<Enter>");
    let screen = terminal.wait_for("File \"a.py\", line 1, in b");
    assert!(
        screen.contains("user")
            && screen.contains("fred")
            && screen.contains("File \"a.py\", line 1"),
        "{screen}"
    );
    quit(terminal, senders);
}

#[test]
fn the_terminal_is_restored_when_it_is_stopped_continued_and_ended() {
    let shell = Terminal::shell(24, 90);
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    shell.press(&format!("logsub --tui --bind {endpoint}<Enter>"));
    shell.wait_for("0 shown");
    assert!(shell.is_alternate_screen());
    shell.press("<C-z>");
    shell.wait_for("Stopped");
    assert!(!shell.is_alternate_screen());
    let senders = publishers(1, &endpoint);
    shell.press("fg<Enter>");
    shell.wait_until("the view again", |screen| screen.alternate_screen());
    say(&senders[0], 20, "after the break");
    shell.wait_for("after the break");
    for sender in senders {
        assert!(sender.shutdown(LINGER).is_complete());
    }
    shell.press("<C-c>");
    shell.wait_until("the shell's prompt", |screen| {
        let text = screen.contents();
        text.contains("1 record from 1 sender, none lost") && text.trim_end().ends_with("\n$")
    });
    shell.press("stty -a<Enter>");
    let settings = shell.wait_for(" icanon");
    assert!(
        !settings.contains("-icanon") && !settings.contains("-echo "),
        "{settings}"
    );
}

#[test]
fn a_signal_to_end_restores_the_terminal() {
    let (mut terminal, _) = interactive(&[], 24, 80);
    terminal.signal("-TERM");
    assert!(terminal.wait().success());
    assert!(!terminal.is_alternate_screen());
    assert!(terminal.screen().contains("0 records from 0 senders"));
}
