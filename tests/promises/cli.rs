use std::io::Write;
use std::process::{Command, Output, Stdio};

use logbus_tests::{Logsub, Program, free_port, path_of};

#[test]
fn a_port_in_use_is_one_line_that_names_it_and_what_may_hold_it() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", held.local_addr().unwrap());
    let broker = Program::start(
        "bus-broker",
        &[
            "--publishers",
            &endpoint,
            "--subscribers",
            "tcp://127.0.0.1:0",
        ],
    );
    let (status, lines) = broker.wait();
    assert_eq!(status.code(), Some(1));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(&endpoint) && lines[0].contains("publisher that binds"),
        "{lines:?}"
    );
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for (program, args) in [
        ("logsub", ["--bind", "5556"]),
        ("bus-broker", ["--publishers", "5556"]),
        ("logpub", ["--connect", "5556"]),
    ] {
        let (status, lines) = Program::start(program, &args).wait();
        assert_eq!(
            (status.code(), lines.len()),
            (Some(2), 1),
            "{program}: {lines:?}"
        );
        assert!(lines[0].contains("\"5556\""), "{lines:?}");
    }
}

#[test]
fn a_message_that_reaches_nobody_is_said_to() {
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let logpub = Program::start(
        "logpub",
        &["--connect", &endpoint, "--linger", "0.2", "hello"],
    );
    let (status, lines) = logpub.wait();
    assert_eq!(status.code(), Some(1));
    assert!(
        lines[0].contains("1 records were not handed over"),
        "{lines:?}"
    );
}

#[test]
fn a_program_run_on_the_bus_loses_no_line_and_keeps_its_status() {
    let logsub = Logsub::bound(&["--format", "%(levelname)s %(message)s"]);
    let script = "echo out; printf last; python3 -c 'print(1/0)'; exit 7";
    let program = Program::start(
        "logpub",
        &[
            "run",
            "--connect",
            &logsub.zmq,
            "-t",
            "job",
            "--linger",
            "30",
            "--",
            "/bin/sh",
            "-c",
            script,
        ],
    );
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(7), "{lines:?}");
    for line in [
        "INFO out",
        "INFO last",
        "ERROR ZeroDivisionError: division by zero",
    ] {
        logsub.program.wait_for(line);
    }
    logsub
        .program
        .wait_for("    Traceback (most recent call last):");
    logsub.program.stop();
}

#[test]
fn a_pipe_that_nobody_reads_is_a_clean_end_wherever_it_is() {
    for (args, expected) in [
        (
            &["--bind", "tcp://127.0.0.1:0", "-v", "--timeout", "1ms"][..],
            0,
        ),
        (&["--print-config"], 0),
        (&["check-config", "/dev/null"], 0),
        (&["check-config", "/no/such/file"], 2),
        (&["--reorder", "soon"], 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(path_of("logsub"))
            .args(args)
            .env("LOGSUB_USER_CONFIG", "")
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(expected), "{args:?}");
    }
}

#[test]
fn a_flag_for_what_is_shown_is_wrong_usage_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("logging.toml");
    std::fs::write(&file, "[root]\nlevel = 'INFO'\n").unwrap();
    for (args, expected) in [
        (
            &["--no-console", "--count", "1"][..],
            "logsub: --count: with --no-console nothing is shown",
        ),
        (
            &["-c", file.to_str().unwrap(), "-i", "timeout"],
            "logsub: --include: the configuration's handlers take the place",
        ),
    ] {
        let (status, lines) = Program::start("logsub", args).wait();
        assert_eq!((status.code(), lines.len()), (Some(2), 1), "{lines:?}");
        assert!(lines[0].starts_with(expected), "{lines:?}");
    }
    let top = ["--top", "--count", "1"];
    assert_eq!(Program::start("logsub", &top).wait().0.code(), Some(2));
}

#[test]
fn a_message_that_nobody_can_read_is_told_counted_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.jsonl");
    let logsub = Logsub::bound(&["--reject-file", &rejects.display().to_string()]);
    Program::python("garbage.py", &[&logsub.zmq]).succeed();
    logsub.program.wait_for("message discarded: unrecognised");
    logsub.program.stop();
    assert!(
        std::fs::read_to_string(&rejects)
            .unwrap()
            .contains("frames_b64")
    );
}

/// What `logsub` says and ends with, whose user has these defaults.
fn with_own_defaults(defaults: &str, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.toml");
    std::fs::write(&path, defaults).unwrap();
    let own = path.display().to_string();
    let environment = [("LOGSUB_USER_CONFIG", own.as_str()), ("LOGSUB_KEEP", "7")];
    let (status, lines) = Program::start_with("logsub", args, &environment).wait();
    let lines = lines.iter().map(|line| line.replace(&own, "own.toml"));
    (status.code(), lines.collect())
}

fn says(lines: &[String], expected: &str) -> bool {
    lines.iter().any(|line| line.trim() == expected)
}

#[test]
fn the_users_own_defaults_come_after_flags_environment_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("logging.toml");
    std::fs::write(&file, "[logsub]\nmax_message = '2KiB'\n").unwrap();
    let file = file.display().to_string();
    let defaults = "level = 'info'\ntopics = ['myapp']\nmax-message = '1KiB'\nkeep = 5\n\
                    reject_file = 'r'\n";
    let args = ["--print-config", "-l", "error", "--file", "x", "-c", &file];
    let (status, lines) = with_own_defaults(defaults, &args);
    assert_eq!(status, Some(0), "{lines:?}");
    for expected in [
        "level: [error]",
        "topics: [myapp]",
        "max_message: \"2KiB\"",
        "keep: 7",
        "reject_file: r",
    ] {
        assert!(says(&lines, expected), "{expected}: {lines:?}");
    }
}

#[test]
fn own_defaults_that_cannot_be_used_are_one_line_with_their_place_and_exit_code_2() {
    for (defaults, expected) in [
        ("\nlevel info", "logsub: own.toml:2:7: this is no TOML: "),
        (
            "levle = 'info'",
            "own.toml:1:1: there is no flag \"levle\"; did you mean \"level\"?",
        ),
        ("verbose = 1", "own.toml:1:11: 1 is not true or false"),
        ("help = true", "own.toml:1:1: \"help\" cannot stand here"),
        ("level = 'loud'", "--level in own.toml:1:9: unknown level"),
    ] {
        let (status, lines) = with_own_defaults(defaults, &["--print-config"]);
        assert_eq!((status, lines.len()), (Some(2), 1), "{lines:?}");
        assert!(lines[0].contains(expected), "{lines:?}");
        // What does not need them works all the same.
        for args in [&["--version"][..], &["check-config", "--help"]] {
            assert_eq!(with_own_defaults(defaults, args).0, Some(0));
        }
        let (_, lines) = with_own_defaults(defaults, &["check-config", "/dev/null"]);
        assert!(!lines.concat().contains("own.toml"), "{lines:?}");
    }
}

#[test]
fn own_defaults_are_found_below_xdg_config_home_and_may_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().display().to_string();
    let logsub = path_of("logsub").display().to_string();
    let level = |variable: &str, file: Option<&str>| {
        if let Some(file) = file {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "level = 17").unwrap();
        }
        let unset = ["-u", "LOGSUB_USER_CONFIG", "-u", "XDG_CONFIG_HOME"];
        let home = format!("{variable}={home}");
        let args = [&unset[..], &[&home, &logsub, "--print-config"]].concat();
        says(
            &Program::start_path("env", &args).succeed(),
            "level: [\"17\"]",
        )
    };
    assert!(!level("HOME", None) && !level("XDG_CONFIG_HOME", None));
    assert!(level("XDG_CONFIG_HOME", Some("logsub/config.toml")) && !level("HOME", None));
    assert!(level("HOME", Some(".config/logsub/config.toml")));
    let unreadable = [("LOGSUB_USER_CONFIG", home.as_str())];
    let (status, lines) = Program::start_with("logsub", &["--print-config"], &unreadable).wait();
    assert_eq!((status.code(), lines.len()), (Some(2), 1), "{lines:?}");
    assert!(
        lines[0].contains(&home) && lines[0].contains("with LOGSUB_USER_CONFIG= logsub starts"),
        "{lines:?}"
    );
}

/// What `logsub` prints.
fn printed(args: &[&str]) -> String {
    Program::start("logsub", args).succeed().join("\n") + "\n"
}

/// What a program makes of its input; `None` where there is no such program.
fn piped(program: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().ok()?;
    // The program may answer before it has read everything.
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Some(output)
}

#[test]
fn bash_completes_what_is_typed_after_logsub() {
    let script = printed(&["completions", "bash"]);
    let checked = piped("bash", &["-n"], &script).unwrap();
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );
    let asking = r#"
        how=$(complete -p logsub); how=${how##*-F }; how=${how%% *}
        typed() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            "$how" logsub "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        }
        typed logsub --top
        typed logsub check
        typed logsub check-config --len
        typed logsub completions f
    "#;
    let completed = piped("bash", &["--norc"], &(script + asking)).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&completed.stdout),
        "--topics --top\ncheck-config\n--lenient\nfish\n",
        "{completed:?}"
    );
}

#[test]
fn there_are_completions_for_zsh_and_fish_and_no_other_shell() {
    assert!(printed(&["completions", "zsh"]).starts_with("#compdef logsub\n"));
    assert!(printed(&["completions", "fish"]).contains("complete -c logsub "));
    let (status, lines) = Program::start("logsub", &["completions", "csh"]).wait();
    assert_eq!(status.code(), Some(2));
    assert!(lines.concat().contains("bash, zsh, fish"), "{lines:?}");
}

#[test]
fn the_manual_page_is_rendered_without_a_warning() {
    let page = printed(&["man"]);
    let Some(rendered) = piped("groff", &["-man", "-Tascii", "-ww", "-P-cbu"], &page) else {
        return;
    };
    assert!(
        rendered.status.success() && rendered.stderr.is_empty(),
        "{rendered:?}"
    );
    let text = String::from_utf8_lossy(&rendered.stdout);
    for expected in [
        "logsub check-config [OPTIONS] <FILE>...",
        "EXAMPLES",
        "0 done",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_reader_of_the_manual_page_may_have_seen_enough() {
    let mut command = Command::new(path_of("logsub"));
    command
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut logsub = command.spawn().unwrap();
    drop(logsub.stdout.take());
    let output = logsub.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}
