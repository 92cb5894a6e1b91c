//! Reading the options of a handler, formatter or filter out of the configuration.
//!
//! [`Options`] is asked for each option by name and answers with its value, or with nothing where
//! it was not given or is not of the kind asked for; problems are noted with their place, and
//! reading goes on, so that all of them are found at once. Whatever nobody asked for is a problem,
//! too, with the nearest name that exists. A [`Form`] says which options there are: it is what the
//! JSON Schema, the documentation and `.ini` files with positional arguments are made from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use logbus_schemas::value::Map;
use logbus_schemas::{Level, Value};

use super::node::{Entry, Node, Place, Tree};

/// A class of handlers, formatters or filters as configurations name it: a name of ours, as
/// `file`, or one of Python's, as `logging.FileHandler`.
pub struct Form<T: 'static> {
    /// The name.
    pub class: &'static str,
    /// Its options, in the order of Python's positional arguments.
    pub parameters: &'static [Parameter],
    /// Reads the options; `None` when they have a problem, which is noted.
    pub read: fn(&mut Options<'_>) -> Option<T>,
}

/// An option that a form has.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What it is for, with its unit and default; one line.
    pub help: &'static str,
}

/// What may stand as an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A truth value.
    Bool,
    /// A whole number, 0 or above.
    Count,
    /// A number.
    Number,
    /// A number of bytes, or a text such as `10MiB`.
    Bytes,
    /// A number of seconds, or a text such as `500ms`, `2s`, `5min`, `1h`, `7d`.
    Seconds,
    /// A level's name or number.
    Level,
    /// A list of texts, or one.
    Texts,
    /// A map of anything.
    Map,
    /// The name of another handler, which this one hands records on to.
    Handler,
    /// Whatever the reader makes of it.
    Any,
}

/// Short for a row of a table of parameters.
pub const fn parameter(name: &'static str, kind: Kind, help: &'static str) -> Parameter {
    Parameter { name, kind, help }
}

/// Problems that are shown on one line.
pub(super) const SHOWN: usize = 5;

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and the remedy.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// What is wrong, gathered; and, where that was asked for, what was left out instead.
#[derive(Debug, Default)]
pub struct Problems {
    /// Each a reason not to run.
    pub errors: Vec<Problem>,
    /// Each something to know.
    pub warnings: Vec<Problem>,
}

impl Problems {
    /// The errors on one line: the first ones, and how many more there are.
    pub fn line(&self) -> String {
        let mut parts: Vec<String> = self
            .errors
            .iter()
            .take(SHOWN)
            .map(Problem::to_string)
            .collect();
        if self.errors.len() > SHOWN {
            let more = self.errors.len() - SHOWN;
            parts.push(format!("and {more} more, which logsub check-config shows"));
        }
        parts.join("; ")
    }

    /// Notes an error.
    pub fn error(&mut self, place: &Place, text: impl Into<String>) {
        self.errors.push(Problem {
            place: place.clone(),
            text: text.into(),
        });
    }

    /// Notes a warning.
    pub fn warn(&mut self, place: &Place, text: impl Into<String>) {
        self.warnings.push(Problem {
            place: place.clone(),
            text: text.into(),
        });
    }
}

/// The options that one handler, formatter or filter was given.
pub struct Options<'a> {
    /// What it is, for messages: `handlers.app`.
    what: String,
    place: Place,
    entries: Vec<(Entry, bool)>,
    parameters: &'static [Parameter],
    problems: &'a mut Problems,
    is_good: bool,
}

impl<'a> Options<'a> {
    /// The options in `entries`.
    pub fn new(
        what: &str,
        place: &Place,
        entries: Vec<Entry>,
        parameters: &'static [Parameter],
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            what: what.to_owned(),
            place: place.clone(),
            entries: entries.into_iter().map(|entry| (entry, false)).collect(),
            parameters,
            problems,
            is_good: true,
        }
    }

    /// Whether an option was given, and not as `null`.
    pub fn has(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|(entry, _)| entry.key == name && entry.value.tree != Tree::Null)
    }

    /// An option as it was written; `None` where it was not given, or as `null`.
    pub fn take(&mut self, name: &'static str) -> Option<Node> {
        debug_assert!(
            self.parameters.iter().any(|known| known.name == name),
            "{name} is not among the parameters of {}",
            self.what
        );
        let (entry, is_taken) = self
            .entries
            .iter_mut()
            .find(|(entry, _)| entry.key == name)?;
        *is_taken = true;
        Some(entry.value.clone()).filter(|node| node.tree != Tree::Null)
    }

    /// Whether an option was given as `null`.
    pub fn is_null(&self, name: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(entry, _)| entry.key == name && entry.value.tree == Tree::Null)
    }

    /// A value, as records hold it.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.take(name).map(|node| value_of(&node))
    }

    /// Values by name, as records hold them.
    pub fn values(&mut self, name: &'static str) -> Option<Map> {
        let node = self.take(name)?;
        match value_of(&node) {
            Value::Map(map) => Some(map),
            _ => self.unfit(name, &node, "a map"),
        }
    }

    /// The same as [`Options::text`] for an option that only some of the forms have which one
    /// function reads.
    pub fn text_if_known(&mut self, name: &'static str) -> Option<String> {
        let is_known = self.parameters.iter().any(|known| known.name == name);
        if is_known { self.text(name) } else { None }
    }

    /// A text; a number is one, too.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let node = self.take(name)?;
        self.text_of(name, &node)
    }

    /// A text that must be there.
    pub fn required_text(&mut self, name: &'static str) -> Option<String> {
        if !self.has(name) {
            self.missing(name);
        }
        self.text(name)
    }

    /// A path; `~` is not replaced.
    pub fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A path that must be there.
    pub fn required_path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.required_text(name).map(PathBuf::from)
    }

    /// A truth value; Python's 0 and 1 are some, too.
    pub fn bool(&mut self, name: &'static str) -> Option<bool> {
        let node = self.take(name)?;
        match node.tree {
            Tree::Bool(truth) => Some(truth),
            Tree::Int(n @ (0 | 1)) => Some(n == 1),
            _ => self.unfit(name, &node, "true or false"),
        }
    }

    /// A whole number, 0 or above.
    pub fn count(&mut self, name: &'static str) -> Option<u64> {
        let node = self.take(name)?;
        match node.tree {
            Tree::Int(n) if n >= 0 => Some(n as u64),
            _ => self.unfit(name, &node, "a whole number, 0 or above"),
        }
    }

    /// A number.
    pub fn number(&mut self, name: &'static str) -> Option<f64> {
        let node = self.take(name)?;
        match node.tree {
            Tree::Int(n) => Some(n as f64),
            Tree::Float(x) => Some(x),
            _ => self.unfit(name, &node, "a number"),
        }
    }

    /// A number of bytes.
    pub fn bytes(&mut self, name: &'static str) -> Option<u64> {
        let node = self.take(name)?;
        let bytes = match &node.tree {
            Tree::Int(n) => u64::try_from(*n).ok(),
            Tree::Text(text) => super::units::bytes(text),
            _ => None,
        };
        bytes.or_else(|| self.unfit(name, &node, "a size such as 500KiB or 16MiB"))
    }

    /// A time.
    pub fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        let node = self.take(name)?;
        let time = match &node.tree {
            Tree::Int(n) => u64::try_from(*n).ok().map(Duration::from_secs),
            Tree::Float(x) => Duration::try_from_secs_f64(*x).ok(),
            Tree::Text(text) => super::units::time(text),
            _ => None,
        };
        time.or_else(|| self.unfit(name, &node, "a time such as 2.5, 500ms, 5min or 7d"))
    }

    /// A level.
    pub fn level(&mut self, name: &'static str) -> Option<Level> {
        let node = self.take(name)?;
        match level_of(&node) {
            Ok(level) => Some(level),
            Err(problem) => {
                self.wrong_at(&node.place, name, problem);
                None
            }
        }
    }

    /// Texts: a list of them, or one.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let node = self.take(name)?;
        let Tree::List(items) = &node.tree else {
            return Some(vec![self.text_of(name, &node)?]);
        };
        items.iter().map(|item| self.text_of(name, item)).collect()
    }

    /// One of the names that the option's [`Kind::OneOf`] has.
    pub fn one_of(&mut self, name: &'static str) -> Option<&'static str> {
        let node = self.take(name)?;
        let parameter = self.parameters.iter().find(|known| known.name == name)?;
        let Kind::OneOf(choices) = parameter.kind else {
            return None;
        };
        let found = match &node.tree {
            Tree::Text(text) => choices.iter().find(|choice| *choice == text),
            _ => None,
        };
        if let Some(choice) = found {
            return Some(choice);
        }
        self.unfit(name, &node, &format!("one of {}", choices.join(", ")))
    }

    /// The same as [`Options::one_of`] for an option that only some of the forms have which one
    /// function reads.
    pub fn one_of_if_known(&mut self, name: &'static str) -> Option<&'static str> {
        let is_known = self.parameters.iter().any(|known| known.name == name);
        if is_known { self.one_of(name) } else { None }
    }

    /// What a text stands for.
    pub fn parse<T: FromStr>(&mut self, name: &'static str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        let node = self.take(name)?;
        let text = self.text_of(name, &node)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong_at(&node.place, name, error);
                None
            }
        }
    }

    /// Where an option stands, or where the whole does.
    pub fn place(&self, name: &str) -> Place {
        let given = self.entries.iter().find(|(entry, _)| entry.key == name);
        given.map_or_else(
            || self.place.clone(),
            |(entry, _)| entry.value.place.clone(),
        )
    }

    /// Notes what is wrong with an option.
    pub fn wrong(&mut self, name: &str, problem: impl fmt::Display) {
        let place = self.place(name);
        self.wrong_at(&place, name, problem);
    }

    /// Notes that an option must be given.
    pub fn missing(&mut self, name: &str) {
        let place = self.place.clone();
        self.is_good = false;
        let text = format!("{}: {name} is missing", self.what);
        self.problems.error(&place, text);
    }

    /// Notes something to know about an option.
    pub fn warn(&mut self, name: &str, text: impl fmt::Display) {
        let place = self.place(name);
        let text = self.said_of(&place, name, text);
        self.problems.warn(&place, text);
    }

    /// Ends the reading: every option that nobody took is a problem. Says whether there was none.
    pub fn finish(self) -> bool {
        let names: Vec<&str> = self.parameters.iter().map(|known| known.name).collect();
        let unknown = self
            .entries
            .iter()
            .filter(|(entry, is_taken)| !is_taken && !names.contains(&entry.key.as_str()));
        let mut is_good = self.is_good;
        for (entry, _) in unknown {
            is_good = false;
            let text = format!(
                "{}: there is no option {:?}{}",
                self.what,
                entry.key,
                nearest(&entry.key, &names)
            );
            self.problems.error(&entry.place, text);
        }
        is_good
    }

    fn text_of(&mut self, name: &str, node: &Node) -> Option<String> {
        match &node.tree {
            Tree::Text(text) => Some(text.clone()),
            Tree::Int(n) => Some(n.to_string()),
            Tree::Float(x) => Some(x.to_string()),
            _ => self.unfit(name, node, "a text"),
        }
    }

    fn unfit<T>(&mut self, name: &str, node: &Node, wanted: &str) -> Option<T> {
        self.wrong_at(&node.place, name, format!("{node} is not {wanted}"));
        None
    }

    fn wrong_at(&mut self, place: &Place, name: &str, problem: impl fmt::Display) {
        self.is_good = false;
        let text = self.said_of(place, name, problem);
        self.problems.error(place, text);
    }

    /// A flag says by its place which option it is.
    fn said_of(&self, place: &Place, name: &str, text: impl fmt::Display) -> String {
        match place.source.starts_with("--") {
            true => text.to_string(),
            false => format!("{}.{name}: {text}", self.what),
        }
    }
}

/// What was written, as a record would hold it.
fn value_of(node: &Node) -> Value {
    match &node.tree {
        Tree::Null => Value::Null,
        Tree::Bool(truth) => Value::from(*truth),
        Tree::Int(n) => Value::from(*n),
        Tree::Float(x) => Value::from(*x),
        Tree::Text(text) => Value::from(text.as_str()),
        Tree::List(items) => Value::List(items.iter().map(value_of).collect()),
        Tree::Map(entries) => {
            let entries = entries.iter();
            Value::Map(
                entries
                    .map(|entry| (entry.key.as_str(), value_of(&entry.value)))
                    .collect(),
            )
        }
    }
}

/// A level's name or number.
pub(crate) fn level_of(node: &Node) -> Result<Level, String> {
    match &node.tree {
        Tree::Int(number) => Ok(Level(*number)),
        Tree::Text(text) => text.parse().map_err(|error| format!("{error}")),
        _ => Err(format!("{node} is no level")),
    }
}

/// `; did you mean "…"?`, where a name is near enough, else which there are.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .map(|known| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()),
                known,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, known)) if likeness > 0.8 => format!("; did you mean {known:?}?"),
        _ if known.is_empty() => String::new(),
        _ => format!("; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &[Parameter] = &[
        parameter("filename", Kind::Text, "the file"),
        parameter("maxBytes", Kind::Bytes, "its size"),
        parameter("wait", Kind::Seconds, "how long"),
        parameter("mode", Kind::OneOf(&["a", "w"]), "how"),
    ];

    fn read<T>(
        entries: &[(&str, Tree)],
        read: impl FnOnce(&mut Options<'_>) -> T,
    ) -> (T, bool, Vec<String>) {
        let entries = entries.iter().enumerate().map(|(at, (key, tree))| {
            let place = Place {
                source: "x.yaml".into(),
                line: at as u32 + 1,
                column: 5,
            };
            Entry {
                key: (*key).to_owned(),
                place: place.clone(),
                value: Node::new(place, tree.clone()),
            }
        });
        let (entries, mut problems) = (entries.collect(), Problems::default());
        let mut options = Options::new(
            "handlers.app",
            &Place::of("x.yaml"),
            entries,
            PARAMETERS,
            &mut problems,
        );
        let value = read(&mut options);
        let is_good = options.finish();
        let said = problems.errors.iter().map(Problem::to_string).collect();
        (value, is_good, said)
    }

    #[test]
    fn options_have_kinds_and_units() {
        let given = [
            ("maxBytes", Tree::Text("10MiB".into())),
            ("wait", Tree::Float(0.5)),
            ("mode", Tree::Text("w".into())),
            ("filename", Tree::Null),
        ];
        let (values, is_good, _) = read(&given, |options| {
            (
                options.bytes("maxBytes"),
                options.seconds("wait"),
                options.one_of("mode"),
                options.text("filename"),
            )
        });
        let expected = (
            Some(10 << 20),
            Some(Duration::from_millis(500)),
            Some("w"),
            None,
        );
        assert!(is_good && values == expected, "{values:?}");
    }

    #[test]
    fn every_problem_has_its_place_and_its_remedy() {
        let given = [
            ("filname", Tree::Text("a".into())),
            ("maxBytes", Tree::Bool(true)),
            ("mode", Tree::Text("x".into())),
        ];
        let (_, is_good, said) = read(&given, |options| {
            (
                options.required_text("filename"),
                options.bytes("maxBytes"),
                options.one_of("mode"),
            )
        });
        assert!(!is_good);
        assert_eq!(
            said,
            [
                "x.yaml: handlers.app: filename is missing",
                "x.yaml:2:5: handlers.app.maxBytes: true is not a size such as 500KiB or 16MiB",
                "x.yaml:3:5: handlers.app.mode: \"x\" is not one of a, w",
                "x.yaml:1:5: handlers.app: there is no option \"filname\"; did you mean \
                 \"filename\"?",
            ]
        );
    }
}
