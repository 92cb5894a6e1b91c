//! A configuration's tree as a plan: which handlers there are, and which loggers feed them.
//!
//! The shape is that of Python's `logging.config.dictConfig`, version 1
//! (docs.python.org/3/library/logging.config.html#configuration-dictionary-schema), and the names
//! of its classes are understood as ours. Reading opens nothing and finds every problem at once. A
//! class of the user's own cannot run here: that is an error or, where that was asked for, a
//! warning, and this one part is left out. The next step is `install.rs`.

use std::collections::{HashMap, HashSet};

use logbus_schemas::Level;

use super::node::{Entry, Node, Tree};
use super::options::{Form, Kind, Options, Problems, level_of, nearest};
use crate::dispatch::Logger;
use crate::filter::{FILTERS, Filter, Sieve};
use crate::format::{FORMATTERS, Formatter};
use crate::handler::{HANDLERS, Opener};
use crate::lane::{Overflow, ROOM};

/// What there is to know at the top of a configuration.
const TOP: &[&str] = &[
    "version",
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
    "disable_existing_loggers",
    "incremental",
    "logsub",
];
/// What every handler can be given, beside its own options.
const OF_HANDLERS: &[&str] = &[
    "class",
    "type",
    "()",
    "level",
    "formatter",
    "filters",
    "queue_records",
    "overflow",
    "args",
    "kwargs",
    ".",
];
const OF_PARTS: &[&str] = &["class", "type", "()", "args", "kwargs", "."];
const OF_LOGGERS: &[&str] = &[
    "level",
    "handlers",
    "filters",
    "propagate",
    "disabled",
    "qualname",
];

/// What a configuration means.
pub struct Plan {
    /// Every handler, in the order in which they were written.
    pub handlers: Vec<HandlerPlan>,
    /// The root of the tree of loggers; its handlers are places in the list.
    pub root: Logger,
    /// The other loggers by name.
    pub loggers: Vec<(String, Logger)>,
}

/// A handler, read and not yet opened.
pub struct HandlerPlan {
    /// Its name.
    pub name: String,
    /// All that it was made from: two handlers with the same recipe are the same.
    pub recipe: Node,
    /// Makes it.
    pub open: Opener,
    /// The formatter that it was given.
    pub formatter: Option<Box<dyn Formatter>>,
    /// Its level and filters.
    pub sieve: Sieve,
    /// Items that may wait for it.
    pub room: usize,
    /// Which go when more come.
    pub overflow: Overflow,
    /// The handler that it hands records on to.
    pub target: Option<String>,
}

impl Plan {
    /// Adds a handler that no configuration describes; it gets what reaches the root.
    pub fn attach(&mut self, name: &str, open: Opener) {
        self.root.handlers.push(self.handlers.len());
        self.handlers.push(HandlerPlan {
            name: name.to_owned(),
            recipe: Node::default(),
            open,
            formatter: None,
            sieve: Sieve::default(),
            room: ROOM,
            overflow: Overflow::DiscardOldest,
            target: None,
        });
    }
}

/// Reads a tree; `None` when it has a problem. With `is_lenient`, a part whose class is not built
/// in is left out with a warning.
pub fn read(root: &Node, is_lenient: bool, problems: &mut Problems) -> Option<Plan> {
    let before = problems.errors.len();
    let mut reader = Reader {
        root,
        is_lenient,
        problems,
        formatters: HashMap::new(),
        filters: HashMap::new(),
        handlers: Vec::new(),
        left_out: HashSet::new(),
    };
    reader.top();
    reader.formatters();
    reader.filters();
    reader.handlers();
    reader.targets();
    let top = reader.logger("root", root.get("root"), Some(Level::WARNING));
    let loggers = reader.loggers();
    let handlers = reader.handlers;
    (problems.errors.len() == before).then_some(Plan {
        handlers,
        root: top,
        loggers,
    })
}

/// Finds the form that a class has among the rows of a table.
pub(crate) fn form_of<T>(
    mut forms: impl Iterator<Item = &'static Form<T>>,
    class: &str,
) -> Option<&'static Form<T>> {
    forms.find(|form| form.class == class)
}

pub(crate) fn handler_forms() -> impl Iterator<Item = &'static Form<Opener>> {
    HANDLERS.iter().flat_map(|row| row.forms)
}

pub(crate) fn filter_forms() -> impl Iterator<Item = &'static Form<Box<dyn Filter>>> {
    FILTERS.iter().flat_map(|row| row.forms)
}

pub(crate) fn formatter_forms() -> impl Iterator<Item = &'static Form<Box<dyn Formatter>>> {
    FORMATTERS.iter().flat_map(|row| row.forms)
}

struct Reader<'a> {
    root: &'a Node,
    is_lenient: bool,
    problems: &'a mut Problems,
    formatters: HashMap<String, Box<dyn Formatter>>,
    filters: HashMap<String, Box<dyn Filter>>,
    handlers: Vec<HandlerPlan>,
    /// Parts that have a problem of their own, or are left out: nobody is told again who names
    /// them.
    left_out: HashSet<String>,
}

impl Reader<'_> {
    fn top(&mut self) {
        known_keys(self.root, "the configuration", TOP, self.problems);
        if let Some(version) = self.root.get("version")
            && version.tree != Tree::Int(1)
        {
            let text = format!("version: {version} is not 1, the only version there is");
            self.problems.error(&version.place, text);
        }
    }

    fn formatters(&mut self) {
        for entry in entries(self.root, "formatters", self.problems) {
            let what = format!("formatters.{}", entry.key);
            match self.part(&what, &entry, "logging.Formatter", formatter_forms) {
                Some(formatter) => drop(self.formatters.insert(entry.key, formatter)),
                None => drop(self.left_out.insert(what)),
            }
        }
    }

    fn filters(&mut self) {
        for entry in entries(self.root, "filters", self.problems) {
            let what = format!("filters.{}", entry.key);
            match self.part(&what, &entry, "logging.Filter", filter_forms) {
                Some(filter) => drop(self.filters.insert(entry.key, filter)),
                None => drop(self.left_out.insert(what)),
            }
        }
    }

    /// A formatter or filter: its class, or the usual one, with all other keys as options.
    fn part<T: 'static, I: Iterator<Item = &'static Form<T>>>(
        &mut self,
        what: &str,
        entry: &Entry,
        usual: &str,
        forms: fn() -> I,
    ) -> Option<T> {
        let form = self.form(what, entry, Some(usual), forms)?;
        self.options(what, entry, form, OF_PARTS)
    }

    fn handlers(&mut self) {
        for entry in entries(self.root, "handlers", self.problems) {
            let what = format!("handlers.{}", entry.key);
            let plan = self.handler(&what, &entry);
            match plan {
                Some(plan) => self.handlers.push(plan),
                None => drop(self.left_out.insert(what)),
            }
        }
    }

    fn handler(&mut self, what: &str, entry: &Entry) -> Option<HandlerPlan> {
        let form = self.form(what, entry, None, handler_forms)?;
        let open = self.options(what, entry, form, OF_HANDLERS);
        let level = self.level(what, &entry.value);
        let (formatter, formatter_node) = self.formatter_of(what, &entry.value);
        let filters = self.filters_of(what, &entry.value);
        let mut recipe = entry.value.clone();
        recipe.set(".formatter", formatter_node);
        recipe.set(
            ".filters",
            self.root.get("filters").cloned().unwrap_or_default(),
        );
        Some(HandlerPlan {
            name: entry.key.clone(),
            recipe,
            open: open?,
            formatter,
            sieve: Sieve {
                level: level.unwrap_or(Level::NOTSET),
                filters,
            },
            room: self.room(what, &entry.value),
            overflow: self.overflow(what, &entry.value),
            target: target_of(form, &entry.value),
        })
    }

    /// Checks that whoever hands records on does so to a handler, and not in a circle.
    fn targets(&mut self) {
        for at in 0..self.handlers.len() {
            let mut seen = vec![self.handlers[at].name.clone()];
            let mut next = self.handlers[at].target.clone();
            while let Some(target) = next.take() {
                let place = self.handlers[at].recipe.place.clone();
                let what = format!("handlers.{}.target", self.handlers[at].name);
                if seen.contains(&target) {
                    let circle = format!("{what}: {} lead in a circle", seen.join(", "));
                    self.problems.error(&place, circle);
                } else if let Some(found) = self.handlers.iter().find(|plan| plan.name == target) {
                    next = found.target.clone();
                    seen.push(target);
                } else if !self.left_out.contains(&format!("handlers.{target}")) {
                    let names: Vec<&str> = self.names();
                    let text = format!(
                        "{what}: there is no handler {target:?}{}",
                        nearest(&target, &names)
                    );
                    self.problems.error(&place, text);
                }
            }
        }
        // What is the same but for its target is not the same.
        for at in 0..self.handlers.len() {
            if let Some(target) = &self.handlers[at].target {
                let found = self.handlers.iter().find(|plan| plan.name == *target);
                let recipe = found.map(|plan| plan.recipe.clone()).unwrap_or_default();
                self.handlers[at].recipe.set(".target", recipe);
            }
        }
    }

    fn loggers(&mut self) -> Vec<(String, Logger)> {
        let mut loggers = Vec::new();
        for entry in entries(self.root, "loggers", self.problems) {
            let what = format!("loggers.{}", entry.key);
            let logger = self.logger(&what, Some(&entry.value), None);
            let qualname = entry.value.get("qualname").and_then(text_of);
            loggers.push((qualname.unwrap_or(entry.key), logger));
        }
        loggers
    }

    fn logger(&mut self, what: &str, node: Option<&Node>, usual: Option<Level>) -> Logger {
        let Some(node) = node.filter(|node| node.tree != Tree::Null) else {
            return Logger {
                level: usual,
                ..Logger::default()
            };
        };
        known_keys(node, what, OF_LOGGERS, self.problems);
        Logger {
            level: self.level(what, node).or(usual),
            filters: Sieve {
                level: Level::NOTSET,
                filters: self.filters_of(what, node),
            },
            handlers: self.handlers_of(what, node),
            propagate: self.truth(what, node, "propagate").unwrap_or(true),
            disabled: self.truth(what, node, "disabled").unwrap_or(false),
        }
    }

    /// The form of an entry's class. One that is not built in is a problem or, leniently, none.
    fn form<T: 'static, I: Iterator<Item = &'static Form<T>>>(
        &mut self,
        what: &str,
        entry: &Entry,
        usual: Option<&str>,
        forms: fn() -> I,
    ) -> Option<&'static Form<T>> {
        let given = ["class", "type", "()"]
            .iter()
            .find_map(|key| entry.value.get(key));
        let (class, place) = match (given.map(|node| (text_of(node), node)), usual) {
            (Some((Some(class), node)), _) => (class, &node.place),
            (Some((None, node)), _) => {
                let text = format!("{what}.class: {node} is not the name of a class");
                self.problems.error(&node.place, text);
                return None;
            }
            (None, Some(usual)) => (usual.to_owned(), &entry.place),
            (None, None) => {
                let text = format!("{what}: class is missing; write for example class: file");
                self.problems.error(&entry.place, text);
                return None;
            }
        };
        let class = class.strip_prefix("ext://").unwrap_or(&class);
        if let Some(form) = form_of(forms(), class) {
            return Some(form);
        }
        let names: Vec<&str> = forms().map(|form| form.class).collect();
        let text = format!(
            "{what}: {class:?} is not built in, and code of your own does not run here; the \
             nearest is {:?}",
            like(class, &names)
        );
        if self.is_lenient {
            self.problems.warn(place, format!("{text}; left out"));
        } else {
            let text = format!("{text}; --lenient leaves it out");
            self.problems.error(place, text);
        }
        None
    }

    /// Reads an entry's own options with its form.
    fn options<T>(
        &mut self,
        what: &str,
        entry: &Entry,
        form: &'static Form<T>,
        common: &[&str],
    ) -> Option<T> {
        let own = self.own_options(what, entry, form, common);
        let mut options = Options::new(what, &entry.place, own, form.parameters, self.problems);
        let made = (form.read)(&mut options);
        // Also when something is wrong already: everything is said at once.
        let is_good = options.finish();
        made.filter(|_| is_good)
    }

    /// What an entry says by name, what `.ini` files say by position, and what `.` adds.
    fn own_options<T>(
        &mut self,
        what: &str,
        entry: &Entry,
        form: &Form<T>,
        common: &[&str],
    ) -> Vec<Entry> {
        let mut own = Vec::new();
        if let Some(args) = entry.value.get("args") {
            let Tree::List(items) = &args.tree else {
                let text = format!("{what}.args: {args} is not a list");
                self.problems.error(&args.place, text);
                return own;
            };
            if items.len() > form.parameters.len() {
                let text = format!(
                    "{what}.args: {} takes {} arguments at most",
                    form.class,
                    form.parameters.len()
                );
                self.problems.error(&args.place, text);
            }
            own.extend(
                form.parameters
                    .iter()
                    .zip(items)
                    .map(|(parameter, item)| Entry {
                        key: parameter.name.to_owned(),
                        place: item.place.clone(),
                        value: item.clone(),
                    }),
            );
        }
        for key in ["kwargs", "."] {
            own.extend_from_slice(entry.value.get(key).and_then(Node::entries).unwrap_or(&[]));
        }
        let named = entry.value.entries().unwrap_or(&[]).iter();
        own.extend(
            named
                .filter(|entry| !common.contains(&entry.key.as_str()))
                .cloned(),
        );
        own
    }

    fn level(&mut self, what: &str, node: &Node) -> Option<Level> {
        let node = node.get("level").filter(|node| node.tree != Tree::Null)?;
        level_of(node)
            .map_err(|problem| {
                self.problems
                    .error(&node.place, format!("{what}.level: {problem}"));
            })
            .ok()
    }

    fn truth(&mut self, what: &str, node: &Node, key: &str) -> Option<bool> {
        let node = node.get(key)?;
        match node.tree {
            Tree::Bool(truth) => Some(truth),
            Tree::Int(n @ (0 | 1)) => Some(n == 1),
            Tree::Null => None,
            _ => {
                let text = format!("{what}.{key}: {node} is not true or false");
                self.problems.error(&node.place, text);
                None
            }
        }
    }

    fn room(&mut self, what: &str, node: &Node) -> usize {
        let Some(node) = node.get("queue_records") else {
            return ROOM;
        };
        match node.tree {
            Tree::Int(room) if room > 0 => usize::try_from(room).unwrap_or(ROOM),
            _ => {
                let text = format!("{what}.queue_records: {node} is not a number above 0");
                self.problems.error(&node.place, text);
                ROOM
            }
        }
    }

    fn overflow(&mut self, what: &str, node: &Node) -> Overflow {
        let Some(node) = node.get("overflow") else {
            return Overflow::default();
        };
        match text_of(node).as_deref() {
            Some("discard-newest") => Overflow::DiscardNewest,
            Some("discard-oldest") => Overflow::DiscardOldest,
            _ => {
                let text =
                    format!("{what}.overflow: {node} is not one of discard-newest, discard-oldest");
                self.problems.error(&node.place, text);
                Overflow::default()
            }
        }
    }

    /// The formatter that a handler names, and what it was written as.
    fn formatter_of(&mut self, what: &str, node: &Node) -> (Option<Box<dyn Formatter>>, Node) {
        let written = |name: &str| {
            let formatters = self.root.get("formatters");
            let node = formatters.and_then(|formatters| formatters.get(name));
            node.cloned().unwrap_or_default()
        };
        let Some(node) = node.get("formatter").filter(|node| node.tree != Tree::Null) else {
            return (None, Node::default());
        };
        let name = text_of(node).unwrap_or_default();
        if let Some(formatter) = self.formatters.get(&name) {
            return (Some(formatter.again()), written(&name));
        }
        // A format that needs no options can be named as it is.
        if let Some(form) = form_of(formatter_forms(), &name)
            && !name.contains('.')
        {
            let mut unused = Problems::default();
            let mut options =
                Options::new(what, &node.place, Vec::new(), form.parameters, &mut unused);
            return ((form.read)(&mut options), Node::default());
        }
        let known: Vec<String> = self.formatters.keys().cloned().collect();
        self.no_such(what, "formatter", node, &name, &known);
        (None, Node::default())
    }

    fn filters_of(&mut self, what: &str, node: &Node) -> Vec<Box<dyn Filter>> {
        let known: Vec<String> = self.filters.keys().cloned().collect();
        let mut filters = Vec::new();
        for (name, node) in self.names_in(what, node, "filters") {
            match self.filters.get(&name) {
                Some(filter) => filters.push(filter.again()),
                None => self.no_such(what, "filter", &node, &name, &known),
            }
        }
        filters
    }

    fn handlers_of(&mut self, what: &str, node: &Node) -> Vec<usize> {
        let known: Vec<String> = self.names().into_iter().map(str::to_owned).collect();
        let mut handlers = Vec::new();
        for (name, node) in self.names_in(what, node, "handlers") {
            match known.iter().position(|known| *known == name) {
                Some(place) if !handlers.contains(&place) => handlers.push(place),
                Some(_) => {}
                None => self.no_such(what, "handler", &node, &name, &known),
            }
        }
        handlers
    }

    /// The names in a list, each with where it stands.
    fn names_in(&mut self, what: &str, node: &Node, key: &str) -> Vec<(String, Node)> {
        let Some(node) = node.get(key).filter(|node| node.tree != Tree::Null) else {
            return Vec::new();
        };
        let Tree::List(items) = &node.tree else {
            let text = format!("{what}.{key}: {node} is not a list of names");
            self.problems.error(&node.place, text);
            return Vec::new();
        };
        items
            .iter()
            .map(|item| (text_of(item).unwrap_or_default(), item.clone()))
            .collect()
    }

    fn no_such(&mut self, what: &str, kind: &str, node: &Node, name: &str, known: &[String]) {
        if self.left_out.contains(&format!("{kind}s.{name}")) {
            return;
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let text = format!(
            "{what}: there is no {kind} {name:?}{}",
            nearest(name, &known)
        );
        self.problems.error(&node.place, text);
    }

    fn names(&self) -> Vec<&str> {
        self.handlers
            .iter()
            .map(|plan| plan.name.as_str())
            .collect()
    }
}

/// The entries of a part of the configuration, which must be a map.
fn entries(root: &Node, key: &str, problems: &mut Problems) -> Vec<Entry> {
    let Some(node) = root.get(key).filter(|node| node.tree != Tree::Null) else {
        return Vec::new();
    };
    match node.entries() {
        Some(entries) => entries.to_vec(),
        None => {
            problems.error(&node.place, format!("{key}: {node} is not a map of names"));
            Vec::new()
        }
    }
}

fn known_keys(node: &Node, what: &str, known: &[&str], problems: &mut Problems) {
    let Some(entries) = node.entries() else {
        problems.error(&node.place, format!("{what}: {node} is not a map"));
        return;
    };
    for entry in entries {
        if !known.contains(&entry.key.as_str()) {
            let text = format!(
                "{what}: there is no key {:?}{}",
                entry.key,
                nearest(&entry.key, known)
            );
            problems.error(&entry.place, text);
        }
    }
}

fn text_of(node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The handler that one of this form hands records on to.
fn target_of<T>(form: &Form<T>, node: &Node) -> Option<String> {
    let parameter = form
        .parameters
        .iter()
        .position(|parameter| parameter.kind == Kind::Handler)?;
    let by_name = node.get(form.parameters[parameter].name);
    let by_place = match node.get("args").map(|args| &args.tree) {
        Some(Tree::List(items)) => items.get(parameter),
        _ => None,
    };
    by_name.or(by_place).and_then(text_of)
}

/// The name among `known` that is most like a class, by the last part of it first.
fn like<'a>(class: &str, known: &[&'a str]) -> &'a str {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let likeness = |name: &str| {
        strsim::normalized_damerau_levenshtein(&last(class), &last(name))
            + strsim::jaro_winkler(&last(class), &last(name))
    };
    known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .copied()
        .unwrap_or_default()
}
