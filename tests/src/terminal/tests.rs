//! What a test of logsub's views relies on, tried with programs that everybody has.

use super::Terminal;
use std::os::unix::process::ExitStatusExt;

#[test]
fn a_program_hears_of_a_new_size() {
    let script = "trap 'stty size' WINCH; stty size; sleep 100 & wait; wait";
    let terminal = Terminal::start_path("bash", &["-c", script], 24, 80);
    terminal.wait_for("24 80");
    terminal.resize(40, 120);
    terminal.wait_for("40 120");
}

#[test]
fn control_c_interrupts_and_the_end_says_so() {
    let script = "echo begun; exec sleep 100";
    let mut terminal = Terminal::start_path("sh", &["-c", script], 5, 40);
    terminal.wait_for("begun");
    terminal.press("<C-c>");
    assert_eq!(terminal.wait().signal(), Some(libc::SIGINT));
    assert_eq!(terminal.screen(), "begun\n^C");
}

#[test]
fn under_a_shell_control_z_stops_a_program_that_goes_on_later() {
    let shell = Terminal::shell(10, 60);
    let script = r#"trap "echo went \$((6 * 7))" CONT; echo pid $$; sleep 100 & wait; wait"#;
    shell.press(&format!("bash -c '{script}'<Enter>"));
    shell.wait_until("an id", has_id);
    shell.press("<C-z>");
    shell.wait_for("Stopped");
    shell.press("fg<Enter>");
    shell.wait_for("went 42");
}

#[test]
fn a_program_waits_while_its_terminal_does_not_read_and_nothing_is_lost() {
    const BYTES: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let done = dir.path().join("done");
    let script = "read begin; yes | head -c $1; echo > $2";
    let args = [
        "-c",
        script,
        "sh",
        &BYTES.to_string(),
        done.to_str().unwrap(),
    ];
    let mut terminal = Terminal::start_path("sh", &args, 24, 80);
    terminal.keep_raw(2 * BYTES);
    terminal.stop_reading();
    terminal.press("<Enter>");
    // Ten times what the system takes; not one byte of it is shown.
    let before = (done.exists(), terminal.screen(), terminal.raw());
    assert_eq!(before, (false, String::new(), Vec::new()));
    terminal.go_on_reading();
    assert!(terminal.wait().success() && done.exists());
    // The terminal makes two characters of a line's end, and of the one that was pressed.
    assert_eq!(terminal.raw().len(), BYTES / 2 * 3 + 2);
}

#[test]
fn the_alternate_screen_is_seen_to_come_and_go_and_cursor_keys_are_those_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines");
    let lines: String = (1..=100).map(|line| format!("line {line}.\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let mut less = Terminal::start_path("less", &[file.to_str().unwrap()], 10, 40);
    less.wait_for("line 9.");
    assert!(less.is_alternate_screen());
    less.press("<Down><Down><End>");
    less.wait_for("line 100.");
    less.press("q");
    assert!(less.wait().success());
    assert_eq!(
        (less.is_alternate_screen(), less.screen()),
        (false, String::new())
    );
}

#[test]
fn a_terminal_says_where_its_cursor_is() {
    let script = r#"printf 'ab\e[6n'; IFS= read -rs -d R answer; echo "${answer#?}""#;
    let terminal = Terminal::start_path("bash", &["-c", script], 5, 40);
    terminal.wait_for("[1;3");
}

#[test]
fn nothing_survives_its_terminal() {
    let shell = Terminal::shell(10, 60);
    shell.press("sh -c 'trap \"\" HUP; echo pid $$; while :; do sleep 100; done'<Enter>");
    let screen = shell.wait_until("an id", has_id).contents();
    let id = screen.split("\npid ").nth(1).unwrap().trim();
    let program = std::path::Path::new("/proc").join(id);
    assert!(program.exists());
    drop(shell);
    while std::fs::read_to_string(program.join("cmdline")).is_ok_and(|line| !line.is_empty()) {
        std::thread::yield_now();
    }
}

/// Whether a program has said who it is, on a line of its own.
fn has_id(screen: &vt100::Screen) -> bool {
    screen.contents().contains("\npid ")
}
