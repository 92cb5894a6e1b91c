use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use logbus_tests::{Logsub, Program, wait_for_file};

/// A configuration of this folder, with `FOLDER` in it replaced, in a file of its own.
fn configuration(name: &str, folder: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("configs")
        .join(name);
    let text = fs::read_to_string(source).unwrap();
    let path = folder.with_extension(name);
    fs::write(&path, text.replace("FOLDER", &folder.display().to_string())).unwrap();
    path.display().to_string()
}

fn folder(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir(&path).unwrap();
    path
}

/// Every file of a folder with its content.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The same records through Python's handlers in the worker and through `logsub`'s.
fn gives_the_same_files(name: &str, expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder(dir.path(), "theirs"), folder(dir.path(), "ours"));
    let logsub = Logsub::bound(&["--config", &configuration(name, &ours)]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("configs")
        .join(name);
    let (source, folder) = (source.display().to_string(), theirs.display().to_string());
    Program::python("same_both_ways.py", &[&source, &folder, &logsub.zmq]).succeed();
    wait_for_file(&ours.join("last.log"), "that is all");
    logsub.program.stop();
    let (theirs, ours) = (contents(&theirs), contents(&ours));
    let names: Vec<&str> = theirs.keys().map(String::as_str).collect();
    assert_eq!(names, expected);
    assert_eq!(names, ours.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, theirs) in &theirs {
        let first = theirs.lines().zip(ours[name].lines()).find(|(a, b)| a != b);
        assert_eq!(first, None, "{name}");
        assert_eq!(theirs, &ours[name], "{name}");
    }
}

#[test]
fn the_dict_config_that_the_workers_had_gives_the_files_that_they_wrote() {
    gives_the_same_files(
        "shop.json",
        &[
            "all.log",
            "bare.log",
            "db.log",
            "errors.log",
            "last.log",
            "turning.log",
            "turning.log.1",
            "turning.log.2",
            "turning.log.3",
        ],
    );
}

#[test]
fn the_ini_file_that_the_workers_had_gives_the_files_that_they_wrote() {
    gives_the_same_files(
        "shop.ini",
        &[
            "all.log",
            "db.log",
            "last.log",
            "turning.log",
            "turning.log.1",
            "turning.log.2",
        ],
    );
}

/// A configuration with one file, and a format that tells which configuration wrote a line.
fn one_file(path: &Path, log: &Path, mark: &str) {
    let text = format!(
        "version: 1\nformatters:\n  f: {{format: '{mark} %(message)s'}}\nhandlers:\n  \
         out: {{class: logging.FileHandler, filename: '{}', formatter: f}}\nroot:\n  \
         level: INFO\n  handlers: [out]\n",
        log.display()
    );
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(&next, path).unwrap();
}

/// Every line number once and in order, whatever wrote it; which marks there are.
fn numbered(log: &Path, count: usize) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    let (marks, numbers): (Vec<String>, Vec<usize>) = lines
        .map(|line| {
            let (mark, number) = line.split_once(' ').unwrap();
            (mark.to_owned(), number.parse::<usize>().unwrap())
        })
        .unzip();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    let mut marks = marks;
    marks.dedup();
    marks
}

#[test]
fn a_configuration_read_again_loses_and_repeats_nothing_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (config, log) = (dir.path().join("log.yaml"), dir.path().join("app.log"));
    one_file(&config, &log, "one");
    let logsub = Logsub::bound(&["--config", &config.display().to_string()]);
    let mut logpub = Program::start("logpub", &["--connect", &logsub.zmq, "--linger", "30"]);
    let mut count = 0;
    let mut publish = |logpub: &mut Program| {
        for _ in 0..500 {
            logpub.say(&format!("{count}\n"));
            count += 1;
        }
    };
    publish(&mut logpub);
    wait_for_file(&log, "one 499");
    one_file(&config, &log, "two");
    logsub.program.signal("-HUP");
    publish(&mut logpub);
    logsub.program.wait_for("the configuration was read again");
    publish(&mut logpub);
    wait_for_file(&log, "two 1499");
    fs::write(
        &config,
        "version: 1\nhandlers: {out: {class: myapp.Handler}}\n",
    )
    .unwrap();
    logsub.program.signal("-HUP");
    let said = logsub.program.wait_for("stays as it was");
    assert!(
        said.contains("log.yaml:2:25: handlers.out: \"myapp.Handler\""),
        "{said}"
    );
    publish(&mut logpub);
    logpub.close_input();
    logpub.succeed();
    wait_for_file(&log, "two 1999");
    logsub.program.stop();
    assert_eq!(numbered(&log, 2000), ["one", "two"]);
}

#[test]
fn a_watched_configuration_is_read_again_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (config, log) = (dir.path().join("log.yaml"), dir.path().join("app.log"));
    one_file(&config, &log, "one");
    let logsub = Logsub::bound(&["--watch", "--config", &config.display().to_string()]);
    one_file(&config, &log, "two");
    logsub.program.wait_for("the configuration was read again");
    let publish = ["--connect", &logsub.zmq, "--linger", "30", "0"];
    Program::start("logpub", &publish).succeed();
    wait_for_file(&log, "two 0");
    logsub.program.stop();
}

#[test]
fn every_problem_of_a_configuration_is_shown_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.yaml");
    let text = "version: 1\nhandlers:\n  app:\n    class: logging.FileHandler\n    \
                filname: app.log\n  own:\n    class: myapp.SlackHandler\nroot:\n  \
                level: LOUD\n  handlers: [app, ap, own]\n";
    fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let (status, lines) = Program::start("logsub", &["check-config", &path]).wait();
    assert_eq!(status.code(), Some(2));
    for (place, what) in [
        (
            ":5:5",
            "there is no option \"filname\"; did you mean \"filename\"?",
        ),
        (":3:3", "filename is missing"),
        (":7:12", "\"myapp.SlackHandler\" is not built in"),
        (":9:10", "unknown level \"LOUD\""),
        (":10:19", "there is no handler \"ap\""),
    ] {
        let begin = format!("{path}{place}: error: ");
        let found = lines
            .iter()
            .any(|line| line.starts_with(&begin) && line.contains(what));
        assert!(found, "{place} {what}: {lines:#?}");
    }
    let lenient = ["check-config", "--lenient", &path];
    let (_, lines) = Program::start("logsub", &lenient).wait();
    let left_out = lines.iter().find(|line| line.contains("SlackHandler"));
    assert!(left_out.unwrap().contains(":7:12: warning: "), "{lines:#?}");
}

#[test]
fn a_configuration_that_was_understood_can_be_printed_and_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("good.yaml");
    let text = "version: 1\nlogsub: {listen_api_key: hush}\nhandlers:\n  out: {type: console}\n\
                root: {handlers: [out]}\n";
    fs::write(&path, text).unwrap();
    let config = path.display().to_string();
    let lines = Program::start(
        "logsub",
        &["--config", &config, "-t", "a", "--print-config"],
    );
    let printed = lines.succeed().join("\n");
    assert!(
        printed.contains("listen_api_key: \"(secret)\"") && !printed.contains("hush"),
        "{printed}"
    );
    assert!(printed.contains("topics: [a]"), "{printed}");
    fs::write(&path, &printed).unwrap();
    let again = Program::start("logsub", &["--config", &config, "--print-config"]);
    assert_eq!(again.succeed().join("\n"), printed);
}
