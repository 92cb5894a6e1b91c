//! What the command line wants of the journal: flags, resolved and checked.

use jiff::tz::TimeZone;
use logbus_schemas::wire::durable::{From, Read, Until};
use logbus_transport::Endpoint;

use super::when::{Place, must_be_place, place};
use crate::cli::{Cli, HistoryArgs};
use crate::config::settings::Settings;

/// Where a broker's journal is, when nothing else is said.
pub const DEFAULT_DURABLE: &str = "tcp://127.0.0.1:5558";

/// A read of the journal that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where the journal is.
    pub endpoint: Endpoint,
    /// What of it.
    pub request: Read,
    /// Whether to do without where there is no journal.
    pub is_optional: bool,
    /// Whether to go over to the live bus at its end.
    pub is_live_next: bool,
}

impl Wanted {
    /// Resolves the flags; `None` when no history is wanted. An error is one line that names the
    /// flag. `now` is in ns since 1970-01-01 00:00 UTC.
    pub fn resolve(cli: &Cli, settings: &Settings, now: u64) -> Result<Option<Self>, String> {
        let flags = &cli.history;
        let zone = match cli.view.utc {
            true => TimeZone::UTC,
            false => TimeZone::system(),
        };
        let until = cli.view.until.as_deref();
        let until = until.and_then(|text| place(text, now, &zone));
        let since = match &flags.since {
            Some(text) => Some(beginning(text, now, &zone)?),
            None => flags.from_offset.map(From::Offset),
        };
        let tail = cli.view.tail.map(|records| From::Last(records as u64));
        let is_asked_for =
            since.is_some() || until.is_some() || flags.no_follow || flags.durable.is_some();
        if !is_asked_for && (tail.is_none() || is_elsewhere(cli, settings)) {
            return Ok(None);
        }
        if is_elsewhere(cli, settings) {
            return Err(
                "--durable-endpoint: say where the bus of --connect or --bind has its journal, as \
                 tcp://web1:5558"
                    .to_owned(),
            );
        }
        let is_past = matches!(until, Some(Place::Time(time)) if time <= now);
        let follow = !flags.no_follow && !is_past;
        let is_live_next = follow && until.is_none() && flags.durable.is_none();
        Ok(Some(Self {
            endpoint: endpoint(flags.durable_endpoint.as_deref())?,
            request: Read {
                from: since.or(tail).unwrap_or(From::Begin),
                until: until.map(ending),
                follow: follow && !is_live_next,
                ..request(flags, settings)
            },
            is_optional: !is_asked_for,
            is_live_next,
        }))
    }

    /// Whether it is a durable subscription.
    pub fn is_durable(&self) -> bool {
        self.request.name.is_some()
    }

    /// When it ends, where that is a time.
    pub fn until_time(&self) -> Option<u64> {
        match self.request.until {
            Some(Until::Time(time)) => Some(time),
            _ => None,
        }
    }
}

/// What is read, whatever its begin and end are.
fn request(flags: &HistoryArgs, settings: &Settings) -> Read {
    Read {
        topics: settings.topics.iter().map(ToString::to_string).collect(),
        level: settings.levels.least().map(|level| level.0),
        name: flags.durable.clone(),
        share: flags.share,
        ..Read::default()
    }
}

fn ending(until: Place) -> Until {
    match until {
        Place::Offset(offset) => Until::Offset(offset),
        Place::Time(time) => Until::Time(time),
    }
}

fn beginning(text: &str, now: u64, zone: &TimeZone) -> Result<From, String> {
    if text.trim() == "begin" {
        return Ok(From::Begin);
    }
    let place = must_be_place(text, now, zone).map_err(|problem| format!("--since: {problem}"))?;
    Ok(match place {
        Place::Offset(offset) => From::Offset(offset),
        Place::Time(time) => From::Time(time),
    })
}

/// Whether the bus is not the one of this machine, and nobody said where its journal is.
fn is_elsewhere(cli: &Cli, settings: &Settings) -> bool {
    !settings.entrances.own.is_empty() && cli.history.durable_endpoint.is_none()
}

fn endpoint(text: Option<&str>) -> Result<Endpoint, String> {
    let parse = |text: &str| -> Result<Endpoint, String> {
        let endpoint = text.parse::<Endpoint>();
        let endpoint = endpoint.map_err(|error| format!("--durable-endpoint: {error}"))?;
        match endpoint.scheme() {
            "tcp" | "ipc" | "inproc" => Ok(endpoint),
            _ => Err(format!(
                "--durable-endpoint: {text}: journals are read over ZeroMQ; write for example {DEFAULT_DURABLE}"
            )),
        }
    };
    if let Some(text) = text {
        return parse(text);
    }
    let endpoint = parse(DEFAULT_DURABLE)?;
    match std::env::var("LOGBUS_PORT_BASE") {
        Ok(base) => {
            let base: Option<u16> = base.parse().ok();
            let port = base.and_then(|base| base.checked_add(4));
            let port = port.ok_or("LOGBUS_PORT_BASE: set it to a port number below 65532")?;
            Ok(endpoint.with_port(port))
        }
        Err(_) => Ok(endpoint),
    }
}

#[cfg(test)]
mod tests;
