//! The directory of clients: a TOML file each, named after the client.
//!
//! ```toml
//! public-key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
//! publish = ["shop"]
//! subscribe = ["shop", "jobs"]
//! ```
//!
//! Files are `NAME.toml` or `NAME.pub`, which key generation writes; all others are left alone. At
//! the start everything must be right. Later a file that cannot be read counts as it was when it
//! could, so that an editor's half-written file cuts nobody; a file that is gone counts at once.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use logbus_schemas::Topic;
use logbus_transport::PublicKey;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Client;

/// Files of more bytes are no client's.
const MAX_FILE: u64 = 64 << 10;

/// Why a client's file cannot be read: the file, the line where there is one, and the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsError {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
}

impl fmt::Display for ClientsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ClientsError {}

/// What tells that a file has changed.
type Stamp = (PathBuf, Option<SystemTime>, u64);

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    stamps: Vec<Stamp>,
    /// What each file said when it could last be read.
    good: HashMap<PathBuf, (PublicKey, Client)>,
}

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            stamps: Vec::new(),
            good: HashMap::new(),
        }
    }

    /// Reads every file; the first that is wrong ends it.
    pub(super) fn read(&mut self) -> Result<HashMap<PublicKey, Client>, ClientsError> {
        self.stamps = stamps(&self.path)?;
        let (clients, problems) = self.read_files();
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(clients),
        }
    }

    /// Whether a file came, went or changed since it was last read.
    pub(super) fn has_changed(&mut self) -> bool {
        stamps(&self.path).is_ok_and(|stamps| {
            let is_changed = stamps != self.stamps;
            self.stamps = stamps;
            is_changed
        })
    }

    /// Reads every file, with what it said before in place of what is wrong.
    pub(super) fn read_again(&mut self) -> (HashMap<PublicKey, Client>, Vec<ClientsError>) {
        self.read_files()
    }

    fn read_files(&mut self) -> (HashMap<PublicKey, Client>, Vec<ClientsError>) {
        let (mut clients, mut problems) = (HashMap::<PublicKey, Client>::new(), Vec::new());
        let (mut good, mut names) = (HashMap::new(), HashSet::new());
        for (path, _, _) in &self.stamps {
            let said = read_file(path).or_else(|problem| {
                problems.push(problem);
                self.good.get(path).cloned().ok_or(())
            });
            let Ok((key, client)) = said else {
                continue;
            };
            let clash = match clients.get(&key) {
                Some(other) => Some(format!("{} has the same key", other.name)),
                // A durable subscription belongs to a name.
                None if !names.insert(client.name.clone()) => {
                    Some(format!("another file is of {}, too", client.name))
                }
                None => None,
            };
            if let Some(problem) = clash {
                problems.push(ClientsError {
                    path: path.clone(),
                    line: None,
                    problem,
                });
                continue;
            }
            good.insert(path.clone(), (key, client.clone()));
            clients.insert(key, client);
        }
        self.good = good;
        (clients, problems)
    }
}

/// Every client's file, in order.
fn stamps(directory: &Path) -> Result<Vec<Stamp>, ClientsError> {
    let error = |io: std::io::Error| ClientsError {
        path: directory.to_owned(),
        line: None,
        problem: io.to_string(),
    };
    let mut stamps = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        // Through links, for directories that are mounted into containers.
        if matches!(extension, Some("toml" | "pub"))
            && let Ok(metadata) = fs::metadata(&path)
            && metadata.is_file()
        {
            stamps.push((path, metadata.modified().ok(), metadata.len()));
        }
    }
    stamps.sort();
    Ok(stamps)
}

fn read_file(path: &Path) -> Result<(PublicKey, Client), ClientsError> {
    let error = |line, problem: String| ClientsError {
        path: path.to_owned(),
        line,
        problem,
    };
    let length = fs::metadata(path).map(|metadata| metadata.len());
    if length.is_ok_and(|length| length > MAX_FILE) {
        return Err(error(
            None,
            "it is too large for a client's file".to_owned(),
        ));
    }
    let text = fs::read_to_string(path).map_err(|io| error(None, io.to_string()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &text).map_err(|(at, problem)| {
        let line = at.map(|at| text[..at.min(text.len())].matches('\n').count() + 1);
        error(line, problem)
    })
}

/// Where something is wrong, as a byte of the text, and what.
pub(super) type Problem = (Option<usize>, String);

pub(super) fn parse(name: &str, text: &str) -> Result<(PublicKey, Client), Problem> {
    let table = DeTable::parse(text).map_err(|error| {
        let said = error.message().replace('\n', ", ");
        (error.span().map(|span| span.start), said)
    })?;
    let mut key = None;
    let mut client = Client {
        name: name.to_owned(),
        publish: Vec::new(),
        subscribe: Vec::new(),
    };
    for (word, value) in table.get_ref() {
        let at = value.span().start;
        match &**word.get_ref() {
            "public-key" => key = Some(public_key(value)?),
            "publish" => client.publish = topics(value)?,
            "subscribe" => client.subscribe = topics(value)?,
            "secret-key" => {
                let problem = "a secret key has no place here; it is its owner's alone";
                return Err((Some(at), problem.to_owned()));
            }
            other => {
                let known = "public-key, publish and subscribe are known";
                return Err((Some(word.span().start), format!("{other:?}: {known}")));
            }
        }
    }
    match key {
        Some(key) => Ok((key, client)),
        None => Err((None, "it has no line public-key = \"KEY\"".to_owned())),
    }
}

fn public_key(value: &Spanned<DeValue<'_>>) -> Result<PublicKey, Problem> {
    let at = Some(value.span().start);
    let text = value.get_ref().as_str();
    let text = text.ok_or_else(|| (at, "a key is a text in quotes".to_owned()))?;
    text.parse().map_err(|error| (at, format!("{error}")))
}

/// Topics; the empty text stands for all.
fn topics(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Problem> {
    let form = "a list of topics, as [\"shop\", \"jobs\"]; [\"\"] is everything";
    let DeValue::Array(items) = value.get_ref() else {
        return Err((Some(value.span().start), form.to_owned()));
    };
    let mut topics = Vec::new();
    for item in items.iter() {
        let at = Some(item.span().start);
        let text = item.get_ref().as_str();
        let text = text.ok_or_else(|| (at, form.to_owned()))?;
        if !text.is_empty() {
            Topic::new(text).map_err(|error| (at, format!("{text:?}: {error}")))?;
        }
        topics.push(text.to_owned());
    }
    Ok(topics)
}
