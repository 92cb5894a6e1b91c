//! What flags come to.

use clap::Parser;

use super::*;
use crate::config::Config;

const NOW: u64 = 1_800_000_000_000_000_000;

fn resolve(args: &[&str]) -> Result<Option<Wanted>, String> {
    let cli = Cli::try_parse_from([&["logsub", "--utc"], args].concat());
    let cli = cli.map_err(|error| error.to_string())?;
    let config = Config::resolve(&cli).map_err(|problems| problems.line())?;
    Wanted::resolve(&cli, &config.settings, NOW)
}

fn wanted(args: &[&str]) -> Wanted {
    resolve(args).unwrap().unwrap()
}

#[test]
fn without_a_flag_no_history_is_wanted() {
    for args in [
        &[][..],
        &["-t", "a"],
        &["--until", "ready"],
        &["--count", "5"],
    ] {
        assert_eq!(resolve(args), Ok(None), "{args:?}");
    }
}

#[test]
fn what_has_no_end_goes_over_to_the_live_bus() {
    let since = wanted(&[
        "--since",
        "10m",
        "-t",
        "myapp,jobs",
        "-l",
        "warning,myapp.db=info",
    ]);
    assert_eq!(
        since.request,
        Read {
            topics: vec!["myapp".into(), "jobs".into()],
            level: Some(20),
            from: From::Time(NOW - 600_000_000_000),
            ..Read::default()
        }
    );
    assert!(since.is_live_next && !since.is_optional);
    assert_eq!(wanted(&["--since", "begin"]).request.from, From::Begin);
    assert_eq!(
        wanted(&["--from-offset", "7"]).request.from,
        From::Offset(7)
    );
    assert_eq!(since.endpoint.to_string(), DEFAULT_DURABLE);
}

#[test]
fn an_end_is_the_journals() {
    let day = wanted(&["--since", "2026-11-20", "--until", "2026-11-21"]).request;
    assert_eq!(day.from, From::Time(1_795_132_800_000_000_000));
    assert_eq!(day.until, Some(Until::Time(1_795_219_200_000_000_000)));
    assert!(!day.follow, "that day is over");
    let later = wanted(&["--until", "2030-01-01T08:00"]);
    assert!(later.request.follow && !later.is_live_next);
    assert_eq!(later.request.from, From::Begin);
    assert_eq!(
        wanted(&["--until", "offset:9"]).request.until,
        Some(Until::Offset(9))
    );
    let all = wanted(&["--no-follow"]);
    assert!(!all.request.follow && !all.is_live_next);
}

#[test]
fn the_last_records_are_asked_for_where_there_is_a_journal() {
    let tail = wanted(&["--tail", "100"]);
    assert_eq!(tail.request.from, From::Last(100));
    assert!(tail.is_optional && tail.is_live_next);
    assert!(!wanted(&["--tail", "100", "--no-follow"]).is_optional);
    let since = wanted(&["--tail", "100", "--from-offset", "7"]);
    assert_eq!(since.request.from, From::Offset(7));
    assert_eq!(
        resolve(&["--tail", "9", "--connect", "tcp://web1:5557"]),
        Ok(None)
    );
}

#[test]
fn a_durable_subscription_is_followed_in_the_journal() {
    let audit = wanted(&[
        "--durable",
        "audit",
        "--share",
        "--durable-endpoint",
        "tcp://web1:5558",
    ]);
    assert_eq!(
        audit.request,
        Read {
            from: From::Begin,
            follow: true,
            name: Some("audit".into()),
            share: true,
            ..Read::default()
        }
    );
    assert!(audit.is_durable() && !audit.is_live_next);
    assert_eq!(audit.endpoint.to_string(), "tcp://web1:5558");
}

#[test]
fn what_cannot_be_is_said_with_its_flag() {
    for (args, expected) in [
        (&["--since", "soon"][..], "--since: \"soon\" is no time"),
        (&["--since", "500"], "--since: \"500\" is no time"),
        (
            &["--since", "1h", "--connect", "tcp://web1:5557"],
            "--durable-endpoint: say where",
        ),
        (
            &["--since", "1h", "--durable-endpoint", "nng+tcp://a:1"],
            "--durable-endpoint: nng",
        ),
        (
            &["--since", "1h", "--durable-endpoint", "5558"],
            "--durable-endpoint: ",
        ),
        (
            &["--since", "1h", "--from-offset", "1"],
            "error: the argument '--since",
        ),
        (
            &["--durable", "a", "--tail", "1"],
            "error: the argument '--durable",
        ),
        (&["--share"], "error: the following required arguments"),
    ] {
        let error = resolve(args).unwrap_err();
        assert!(error.starts_with(expected), "{args:?}: {error}");
    }
}
