//! What a user's own defaults do, and what is said of those that cannot be.

use super::*;
use crate::config::Config;
use crate::config::print::yaml;

/// A command line with defaults that stand in `own.toml`.
fn read_with(defaults: &str, arguments: &[&str]) -> Result<Cli, String> {
    let mut problems = Problems::default();
    let node = toml::read(&Source::new("own.toml", defaults), &mut problems);
    let node = node.ok_or_else(|| problems.line())?;
    let arguments: Vec<OsString> = ["logsub"]
        .iter()
        .chain(arguments)
        .map(OsString::from)
        .collect();
    let typed = Cli::command().try_get_matches_from(&arguments).unwrap();
    complete(&node, &typed, arguments).map_err(|problems| problems.line())
}

fn resolve(defaults: &str, arguments: &[&str]) -> Result<Config, String> {
    Config::resolve(&read_with(defaults, arguments)?).map_err(|problems| problems.line())
}

/// What a file of this text makes of a command line.
fn resolve_with_file(defaults: &str, file: &str, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logging.yaml");
    std::fs::write(&path, file).unwrap();
    let path = path.display().to_string();
    let mut all = vec!["--config", &path];
    all.extend(arguments);
    yaml(&resolve(defaults, &all).unwrap().tree)
}

#[test]
fn every_kind_of_flag_may_have_a_default() {
    let cli = read_with(
        "level = 30\ntopics = [\"a\", \"b\"]\nmax-message = \"1MiB\"\nverbose = true\n\
         stats = false\nkeep = 5\nfile = \"-x.log\"",
        &[],
    )
    .unwrap();
    assert_eq!((cli.level.join(","), cli.keep), ("30".to_owned(), Some(5)));
    assert_eq!(
        (cli.topics, cli.file),
        (vec!["a".into(), "b".into()], Some("-x.log".into()))
    );
    assert!(cli.verbose && !cli.stats && cli.own.has("--max-message") && !cli.own.has("bind"));
}

#[test]
fn what_is_typed_comes_before_the_users_own_defaults() {
    let defaults = "level = 'info'\ntopics = 'a'\nkeep = 5\nmax_message = '1KiB'";
    let cli = read_with(defaults, &["-l", "error", "-t", "b,c", "--keep", "1"]).unwrap();
    assert_eq!(
        (cli.level.join(","), cli.keep),
        ("error".to_owned(), Some(1))
    );
    assert_eq!(cli.topics, ["b", "c"]);
    assert!(!cli.own.has("level") && !cli.own.has("topics") && cli.own.has("max_message"));
}

#[test]
fn settings_of_files_come_before_the_users_own_defaults() {
    let defaults = "level = 'info'\ntopics = 'a'\nverbose = true\nstats = true";
    let file = "logsub: {level: error, verbose: no, topics: ~}";
    let shown = resolve_with_file(defaults, file, &[]);
    for line in [
        "level: error",
        "verbose: false",
        "topics: [a]",
        "stats: true",
    ] {
        assert!(shown.contains(&format!("\n  {line}\n")), "{shown}");
    }
    let shown = resolve_with_file(defaults, file, &["-l", "debug"]);
    assert!(shown.contains("\n  level: [debug]\n"), "{shown}");
}

#[test]
fn a_default_for_what_is_not_used_this_time_is_no_mistake() {
    let config = resolve(
        "keep = 5\nrotate-size = '1MiB'\nseq-api-key-file = 'k'",
        &[],
    )
    .unwrap();
    assert!(config.plan.handlers.is_empty());
    let config = resolve("keep = 5\nrotate-size = '1MiB'", &["--file", "a"]).unwrap();
    assert!(yaml(&config.tree).contains("keep: 5\n"));
    assert!(resolve("keep = 5", &["--rotate-size", "1MiB"]).is_err());
}

#[test]
fn a_subcommand_may_be_given_beside_defaults() {
    let cli = read_with("level = 'info'", &["check-config", "a.yaml"]).unwrap();
    assert!(cli.command.is_some());
}

#[test]
fn what_cannot_be_used_is_said_with_its_place_and_the_remedy() {
    for (defaults, expected) in [
        (
            "\nlevle = 'info'",
            "own.toml:2:1: there is no flag \"levle\"; did you mean \"level\"?",
        ),
        (
            "rotate_szie = 1",
            "there is no flag \"rotate_szie\"; did you mean \"rotate-size\"?",
        ),
        ("[logsub]", "own.toml:1:2: there is no flag \"logsub\"; "),
        (
            "verbose = 'yes'",
            "own.toml:1:11: \"yes\" is not true or false",
        ),
        (
            "format = true",
            "own.toml:1:10: true is not a text or a number",
        ),
        (
            "format = ['%']",
            "own.toml:1:10: a list is not a text or a number",
        ),
        (
            "topics = [true]",
            "own.toml:1:10: a list is not a list of texts",
        ),
        (
            "topics = {a = 1}",
            "own.toml:1:10: a map is not a list of texts",
        ),
        (
            "keep = 'many'",
            "own.toml:1:8: invalid value 'many' for '--keep <COUNT>': invalid digit found in string",
        ),
        (
            "keep = -1",
            "own.toml:1:8: invalid value '-1' for '--keep <COUNT>'",
        ),
        (
            "file = ''",
            "own.toml:1:8: a value is required for '--file <PATH>' but none",
        ),
        (
            "max-message = 1\nmax_message = 2",
            "own.toml:2:1: \"max_message\" has a value already",
        ),
        (
            "[logsub",
            "own.toml:1:8: this is no TOML: unclosed table, expected `]`",
        ),
        (
            "level = info",
            "own.toml:1:9: this is no TOML: invalid float, expected `inf`; a text",
        ),
        ("topics = [a]", "; a text stands in quotes"),
        (
            "level = 'loud'",
            "--level in own.toml:1:9: unknown level \"loud\"",
        ),
        ("topics = 'a..b'", "--topics in own.toml:1:10: a..b: "),
    ] {
        let said = resolve(defaults, &[]).err().unwrap();
        assert!(
            said.contains(expected) && said.lines().count() == 1,
            "{defaults}: {said}"
        );
    }
}

#[test]
fn what_is_for_one_run_has_no_default() {
    for key in [
        "help",
        "version",
        "config",
        "print-config",
        "print_config",
        "check-config",
    ] {
        let said = read_with(&format!("{key} = true"), &[]).err().unwrap();
        let expected = format!(
            "own.toml:1:1: {key:?} cannot stand here: help, version, config, print-config and \
             subcommands are for the command line alone"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_flag_that_was_typed_rules_out_defaults_that_do_not_go_with_it() {
    let arg = |name: &'static str| Arg::new(name).long(name).num_args(1);
    let command = Command::new("x")
        .arg(arg("a").conflicts_with("b"))
        .args([arg("b"), arg("c")]);
    let typed = |arguments: &[&str]| command.clone().try_get_matches_from(arguments).unwrap();
    let is_ruled_out = |name: &str, typed: &ArgMatches| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == name);
        is_ruled_out(&command, arg.unwrap(), typed)
    };
    let of_a = typed(&["x", "--a", "1"]);
    assert!(is_ruled_out("b", &of_a) && !is_ruled_out("a", &of_a) && !is_ruled_out("c", &of_a));
    assert!(is_ruled_out("a", &typed(&["x", "--b", "1"])));
}
