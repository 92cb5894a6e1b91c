//! What a command line means.

use super::*;
use clap::Parser;
use logbus_schemas::Level;

fn resolve(arguments: &[&str]) -> Result<Config, String> {
    let arguments = ["logsub"].iter().chain(arguments);
    Config::resolve(&Cli::try_parse_from(arguments).unwrap()).map_err(|problems| problems.line())
}

fn names(config: &Config) -> Vec<&str> {
    let handlers = config.plan.handlers.iter();
    handlers.map(|handler| handler.name.as_str()).collect()
}

#[test]
fn lists_may_have_commas_or_come_one_by_one() {
    let config = resolve(&["-t", "a,b", "-t", "c", "--bind", "tcp://*:1,nng+tcp://*:2"]).unwrap();
    let Settings {
        topics, entrances, ..
    } = &config.settings;
    assert_eq!((topics.len(), entrances.own.len()), (3, 2));
}

#[test]
fn of_what_is_given_twice_the_last_counts() {
    let config = resolve(&[
        "--max-message=1",
        "--max-message=2",
        "--stats",
        "--stats",
        "-v",
        "-v",
        "--file=a",
        "--file=b",
        "--level=info",
        "--level=error",
        "--reject-file=a",
        "--reject-file=b",
        "--no-console",
        "--no-console",
    ])
    .unwrap();
    let settings = &config.settings;
    assert_eq!(
        (settings.max_message, settings.levels.to_string().as_str()),
        (2, "error")
    );
    assert_eq!(settings.reject_file, Some("b".into()));
    assert!(settings.stats && settings.verbose);
    assert_eq!(names(&config), ["file"]);
    let path = config.tree.get("handlers").unwrap().get("file").unwrap();
    assert_eq!(path.get("path").unwrap().to_string(), "\"b\"");
}

#[test]
fn every_flag_has_its_variable() {
    use clap::CommandFactory;
    for argument in Cli::command().get_arguments() {
        let name = argument.get_id().as_str();
        let variable = argument.get_env().and_then(|name| name.to_str());
        let expected = format!("LOGSUB_{}", name.to_uppercase());
        assert_eq!(variable, Some(expected.as_str()), "{name}");
    }
}

#[test]
fn every_problem_is_named_at_once_on_one_line() {
    let error = resolve(&[
        "-t",
        "a..b",
        "--bind",
        "5556",
        "-l",
        "loud",
        "--max-message",
        "x",
        "--keep",
        "3",
    ])
    .err()
    .unwrap();
    for part in [
        "--topics: a..b",
        "--bind: 5556",
        "--level: unknown level \"loud\"",
        "--max-message: \"x\" is not a size such as 500KiB or 16MiB",
        "--keep: needs --file",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn handlers_of_flags_leave_the_view_and_those_of_files_take_its_place() {
    let config = resolve(&["--file", "a"]).unwrap();
    assert_eq!(names(&config), ["file"]);
    assert!(!config.has_handlers);
    assert!(files(&["root: {level: INFO}"], false).unwrap().has_handlers);
}

#[test]
fn a_level_may_be_a_number() {
    let config = resolve(&["-l", "25"]).unwrap();
    assert_eq!(config.settings.levels.to_string(), "25");
    let said = |text: &str| files(&[text], false).unwrap().settings.levels.to_string();
    assert_eq!(said("logsub: {level: 25}"), "25");
    assert_eq!(said("logsub: {level: INFO}"), "info");
}

#[test]
fn loggers_and_senders_may_have_levels_of_their_own() {
    let config = resolve(&["-l", "warning,myapp.db=debug", "--level=worker-*=error"]).unwrap();
    let expected = "warning,myapp.db=debug,worker-*=error";
    assert_eq!(config.settings.levels.to_string(), expected);
    let text = "logsub: {level: [30, myapp.db=debug, 'worker-*=error']}";
    let config = files(&[text], false).unwrap();
    assert_eq!(config.settings.levels.to_string(), expected);
    let said = files(&["logsub:\n  level: [info, a=loud]"], false);
    assert_eq!(
        said.err().unwrap(),
        [
            "0.yaml:2:10: logsub.level: a=loud: unknown level \"loud\": use debug, info, warning, \
          error, critical or a number such as 25"
        ]
    );
}

/// Files with these texts, read one after the other.
fn files(texts: &[&str], is_lenient: bool) -> Result<Config, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..texts.len())
        .map(|at| dir.path().join(format!("{at}.yaml")))
        .collect();
    for (path, text) in paths.iter().zip(texts) {
        std::fs::write(path, text).unwrap();
    }
    let folder = format!("{}/", dir.path().display());
    let shown = |problem: &Problem| problem.to_string().replace(&folder, "");
    Config::check(&paths, is_lenient)
        .map_err(|problems| problems.errors.iter().map(shown).collect())
}

#[test]
fn a_later_file_adds_and_replaces_by_name_and_an_incremental_one_sets_levels() {
    let config = files(
        &[
            "handlers: {a: {type: console}, b: {type: console}}\nroot: {level: ERROR, handlers: [a]}",
            "handlers: {b: {type: 'null'}}\nloggers: {x: {handlers: [b]}}",
            "incremental: true\nhandlers: {a: {level: ERROR, type: nonsense}}\n\
             loggers: {x: {level: DEBUG, propagate: false, handlers: [a]}}\nroot: {level: INFO}",
        ],
        false,
    )
    .unwrap();
    assert_eq!(names(&config), ["a", "b"]);
    assert_eq!(config.plan.handlers[0].sieve.level, Level::ERROR);
    assert_eq!(config.plan.root.level, Some(Level::INFO));
    let (name, logger) = &config.plan.loggers[0];
    assert_eq!((name.as_str(), logger.level), ("x", Some(Level::DEBUG)));
    assert!(!logger.propagate && logger.handlers == [1]);
    let alone = files(&["incremental: true\nhandlers: {a: {level: INFO}}"], false);
    assert!(alone.err().unwrap()[0].contains("changes handlers of files before it"));
}

#[test]
fn a_handler_hands_on_to_one_that_exists_and_never_in_a_circle() {
    let memory = |target: &str| format!("{{class: memory, target: {target}}}");
    let handlers = |a: &str, b: &str| {
        format!(
            "handlers: {{a: {}, b: {}, c: {{type: console}}}}",
            memory(a),
            memory(b)
        )
    };
    assert!(files(&[&handlers("b", "cfg://handlers.c")], false).is_ok());
    let said = files(&[&handlers("b", "a")], false).err().unwrap();
    assert!(said[0].contains("lead in a circle"), "{said:?}");
    let said = files(&[&handlers("b", "d")], false).err().unwrap();
    assert!(said[0].contains("there is no handler \"d\""), "{said:?}");
}

#[test]
fn what_is_left_out_leniently_is_left_out_wherever_it_is_named() {
    let text = "formatters: {f: {(): my.Formatter}}\nfilters: {x: {(): my.Filter}}\n\
                handlers:\n  a: {type: console, formatter: f, filters: [x]}\n  b: {class: my.Handler}\n\
                loggers: {l: {handlers: [b], filters: [x]}}\nroot: {handlers: [a, b]}";
    assert_eq!(files(&[text], false).err().unwrap().len(), 3);
    let config = files(&[text], true).unwrap();
    assert_eq!(names(&config), ["a"]);
    assert_eq!(config.warnings.len(), 3);
    assert_eq!(config.plan.root.handlers, [0]);
}

#[test]
fn settings_of_files_give_way_to_flags() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.yaml");
    std::fs::write(
        &path,
        "logsub: {topics: [a], max_message: 1KiB, verbose: yes}",
    )
    .unwrap();
    let path = path.display().to_string();
    let config = resolve(&["--config", &path, "-t", "b"]).unwrap();
    let Settings {
        topics,
        max_message,
        verbose,
        ..
    } = &config.settings;
    assert_eq!(topics, &[logbus_schemas::TopicFilter::parse("b").unwrap()]);
    assert!(*max_message == 1024 && *verbose);
    // A file without handlers leaves the terminal view.
    assert!(!config.has_handlers);
}
