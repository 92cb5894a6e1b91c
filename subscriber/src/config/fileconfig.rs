//! The `.ini` files of Python's `logging.config.fileConfig`, in the shape of `dictConfig`.
//!
//! The rules are those of "Configuration file format"
//! (docs.python.org/3/library/logging.config.html#configuration-file-format): the sections
//! `[loggers]`, `[handlers]` and `[formatters]` list keys, and each key has a section of its own.
//! Classes are named as within `logging`. Arguments are Python's literals (`literal.rs`).

use super::document::Source;
use super::ini::{Ini, Section, Value};
use super::literal;
use super::node::{Node, Place, Tree};
use super::options::{Problems, nearest};

/// Reads an `.ini` text; `None` when it has a problem.
pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Node> {
    let before = problems.errors.len();
    let ini = Ini::read(source, problems);
    let mut reader = Reader {
        ini: &ini,
        whole: source.place_at(1, 1),
        problems,
    };
    let mut tree = Node::new(reader.whole.clone(), Tree::Map(Vec::new()));
    let formatters = reader.part("formatters", "formatter", Reader::formatter);
    let handlers = reader.part("handlers", "handler", Reader::handler);
    let mut loggers = reader.part("loggers", "logger", Reader::logger);
    if let Tree::Map(entries) = &mut loggers.tree {
        match entries.iter().position(|entry| entry.key == "root") {
            Some(at) => tree.set("root", entries.remove(at).value),
            None => {
                let text = "keys of [loggers] must have root, as for fileConfig";
                reader.problems.error(&loggers.place, text);
            }
        }
    }
    tree.set("formatters", formatters);
    tree.set("handlers", handlers);
    tree.set("loggers", loggers);
    reader.unknown_sections();
    (problems.errors.len() == before).then_some(tree)
}

struct Reader<'a> {
    ini: &'a Ini,
    whole: Place,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    /// One of the three lists, with the section of each of its keys.
    fn part(
        &mut self,
        list: &str,
        prefix: &str,
        read: impl Fn(&mut Self, &Section) -> Node,
    ) -> Node {
        let ini = self.ini;
        let Some(section) = ini.section(list) else {
            let text = format!("the section [{list}] is missing, with keys = …");
            self.problems.error(&self.whole.clone(), text);
            return Node::default();
        };
        let Some(keys) = section.value(ini, "keys") else {
            let text = format!("keys is missing in [{list}]");
            self.problems.error(&section.place, text);
            return Node::default();
        };
        let mut part = Node::new(section.place.clone(), Tree::Map(Vec::new()));
        for key in names(&self.resolved(section, keys)) {
            let name = format!("{prefix}_{key}");
            match ini.section(&name) {
                Some(section) => {
                    let mut node = read(self, section);
                    node.place = section.place.clone();
                    part.set(&key, node);
                }
                None => {
                    let text = format!("{key} needs a section [{name}]");
                    self.problems.error(&keys.begin(), text);
                }
            }
        }
        part
    }

    fn formatter(&mut self, section: &Section) -> Node {
        let mut node = Node::default();
        // These three are read as they are: their percent signs are for records.
        for key in ["format", "datefmt", "style"] {
            if let Some(value) = section.value(self.ini, key)
                && !value.raw().is_empty()
            {
                node.set(key, Node::text(&value.begin(), &value.raw()));
            }
        }
        self.class(section, &mut node);
        self.literal(section, "defaults", &mut node);
        self.unknown_keys(
            section,
            &["format", "datefmt", "style", "class", "defaults"],
        );
        node
    }

    fn handler(&mut self, section: &Section) -> Node {
        let mut node = Node::default();
        self.class(section, &mut node);
        if node.get("class").is_none() {
            let text = format!("class is missing in [{}]", section.name);
            self.problems.error(&section.place, text);
        }
        self.text(section, "level", &mut node);
        self.text(section, "formatter", &mut node);
        self.literal(section, "args", &mut node);
        self.literal(section, "kwargs", &mut node);
        if let Some(args) = node.get("args").cloned()
            && !matches!(args.tree, Tree::List(_))
        {
            let text = format!("args: {args} is no tuple; write a comma behind it: ({args},)");
            self.problems.error(&args.place, text);
        }
        // A memory handler names its target in its section.
        self.text(section, "target", &mut node);
        self.unknown_keys(
            section,
            &["class", "level", "formatter", "args", "kwargs", "target"],
        );
        node
    }

    fn logger(&mut self, section: &Section) -> Node {
        let mut node = Node::default();
        self.text(section, "level", &mut node);
        self.text(section, "qualname", &mut node);
        let ini = self.ini;
        if let Some(value) = section.value(ini, "propagate") {
            let text = self.resolved(section, value);
            let tree = text.trim().parse().map_or(Tree::Text(text), Tree::Int);
            node.set("propagate", Node::new(value.begin(), tree));
        }
        if let Some(value) = section.value(ini, "handlers") {
            let place = value.begin();
            let names = names(&self.resolved(section, value));
            let items = names.iter().map(|name| Node::text(&place, name));
            node.set(
                "handlers",
                Node::new(place.clone(), Tree::List(items.collect())),
            );
        }
        if section.name != "logger_root" && node.get("qualname").is_none() {
            let text = format!(
                "qualname is missing in [{}], the logger's name",
                section.name
            );
            self.problems.error(&section.place, text);
        }
        self.unknown_keys(
            section,
            &[
                "level",
                "qualname",
                "propagate",
                "handlers",
                "channel",
                "parent",
            ],
        );
        node
    }

    fn class(&mut self, section: &Section, node: &mut Node) {
        if let Some(value) = section.value(self.ini, "class") {
            let class = self.resolved(section, value);
            if !class.is_empty() {
                node.set("class", Node::text(&value.begin(), &full_name(&class)));
            }
        }
    }

    fn text(&mut self, section: &Section, key: &str, node: &mut Node) {
        if let Some(value) = section.value(self.ini, key) {
            let text = self.resolved(section, value);
            if !text.is_empty() {
                node.set(key, Node::text(&value.begin(), &text));
            }
        }
    }

    fn literal(&mut self, section: &Section, key: &str, node: &mut Node) {
        let Some(value) = section.value(self.ini, key) else {
            return;
        };
        let text = self.resolved(section, value);
        if text.is_empty() {
            return;
        }
        match literal::parse(&text, &|at| value.place_of(&text, at)) {
            Ok(literal) => node.set(key, literal),
            Err(error) => {
                let place = value.place_of(&text, error.at);
                let problem = format!("{key} of [{}]: {}", section.name, error.problem);
                self.problems.error(&place, problem);
            }
        }
    }

    fn resolved(&mut self, section: &Section, value: &Value) -> String {
        let text = self.ini.resolved(section, value, self.problems);
        text.unwrap_or_default()
    }

    fn unknown_keys(&mut self, section: &Section, known: &[&str]) {
        for value in &section.values {
            if !known.contains(&value.key.as_str()) {
                let text = format!(
                    "[{}] has no key {:?}{}",
                    section.name,
                    value.key,
                    nearest(&value.key, known)
                );
                self.problems.warn(&value.place, text);
            }
        }
    }

    /// A section that no list names does nothing, and that is worth knowing.
    fn unknown_sections(&mut self) {
        for section in &self.ini.sections {
            let Some((prefix, key)) = section.name.split_once('_') else {
                continue;
            };
            let list = format!("{prefix}s");
            let keys = self
                .ini
                .section(&list)
                .and_then(|list| list.value(self.ini, "keys"));
            if keys.is_some_and(|keys| !names(&keys.raw()).contains(&key.to_owned())) {
                let text = format!(
                    "[{}] does nothing: keys of [{list}] do not have {key}",
                    section.name
                );
                self.problems.warn(&section.place, text);
            }
        }
    }
}

/// Names that are set apart by commas.
fn names(text: &str) -> Vec<String> {
    text.split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// `handlers.X` and `X` are names within `logging`.
fn full_name(class: &str) -> String {
    match class.split_once('.') {
        None => match super::plan::handler_forms().any(|form| form.class == class) {
            true => class.to_owned(),
            false => format!("logging.{class}"),
        },
        Some(("handlers", name)) => format!("logging.handlers.{name}"),
        Some(_) => class.to_owned(),
    }
}
