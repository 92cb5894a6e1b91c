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
        (settings.max_message, settings.level),
        (2, Some(Level::ERROR))
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
fn without_a_file_there_is_a_console_unless_it_is_not_wanted() {
    assert_eq!(names(&resolve(&[]).unwrap()), ["console"]);
    assert_eq!(
        names(&resolve(&["--file", "a"]).unwrap()),
        ["console", "file"]
    );
    assert!(names(&resolve(&["--no-console"]).unwrap()).is_empty());
}

#[test]
fn a_level_may_be_a_number() {
    let config = resolve(&["-l", "25"]).unwrap();
    assert_eq!(config.settings.level, Some(Level(25)));
}
