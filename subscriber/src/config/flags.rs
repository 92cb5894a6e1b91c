//! The command line and the environment, put into the configuration's tree.
//!
//! Settings take the place of those in files. Handlers come besides those in files and get what
//! reaches the root; without a file that has handlers there is also the terminal view
//! (`view/config.rs`), which `main.rs` adds.

use super::node::{Node, Place, Tree};
use super::options::Problems;
use crate::cli::Cli;
use crate::format::FORMATTERS;

/// The name of the formatter that flags give to their handlers.
const FORMATTER: &str = "--format";

/// Whether a tree says which handlers there are.
pub(super) fn has_handlers(tree: &Node) -> bool {
    ["handlers", "loggers", "root"]
        .iter()
        .any(|part| tree.get(part).is_some())
}

/// Adds what was typed, and what the user's own defaults are.
pub(super) fn add(cli: &Cli, tree: &mut Node, problems: &mut Problems) {
    let written = tree.get("logsub").cloned();
    settings(cli, tree);
    let has_handlers = has_handlers(tree);
    let formatter = formatter(cli, tree);
    let mut added = Added {
        tree,
        formatter,
        problems,
    };
    file(cli, &mut added);
    seq(cli, &mut added);
    if !has_handlers {
        // Nothing but flags: what comes is shown.
        added.root("level", flag("--level", Tree::Int(0)));
    }
    cli.own.settle(written.as_ref(), tree);
}

fn settings(cli: &Cli, tree: &mut Node) {
    let mut part = tree.get("logsub").cloned().unwrap_or_default();
    let texts = |list: &[String]| {
        let items = list.iter().map(|text| Tree::Text(text.clone()));
        items
            .map(|tree| Node::new(Place::default(), tree))
            .collect()
    };
    for (name, list) in [
        ("topics", &cli.topics),
        ("bind", &cli.bind),
        ("connect", &cli.connect),
        ("listen", &cli.listen),
        ("level", &cli.level),
    ] {
        if !list.is_empty() {
            part.set(name, flag(&format!("--{name}"), Tree::List(texts(list))));
        }
    }
    let path = |path: &std::path::PathBuf| path.display().to_string();
    for (name, text) in [
        ("listen_api_key", cli.listen_api_key.clone()),
        ("max_message", cli.max_message.clone()),
        ("reject_file", cli.reject_file.as_ref().map(path)),
        ("key_file", cli.key.as_ref().map(path)),
        ("server_key_file", cli.server_key.as_ref().map(path)),
        ("clients", cli.clients.as_ref().map(path)),
    ] {
        if let Some(text) = text {
            let place = match name {
                "key_file" => "--key".to_owned(),
                "server_key_file" => "--server-key".to_owned(),
                name => format!("--{}", name.replace('_', "-")),
            };
            part.set(name, flag(&place, Tree::Text(text)));
        }
    }
    for (name, is_set) in [
        ("verbose", cli.verbose),
        ("stats", cli.stats),
        ("insecure", cli.insecure),
    ] {
        if is_set {
            part.set(name, flag(&format!("--{name}"), Tree::Bool(true)));
        }
    }
    if part.entries().is_some() {
        tree.set("logsub", part);
    }
}

/// The name of the formatter for the flags' handlers, when one was asked for.
fn formatter(cli: &Cli, tree: &mut Node) -> Option<Node> {
    let name = |name: &str| Some(flag("--format", Tree::Text(name.to_owned())));
    if let Some(format) = &cli.format
        && FORMATTERS.iter().any(|row| row.name == format)
        && cli.datefmt.is_none()
    {
        return name(format);
    }
    if cli.format.is_none() && cli.datefmt.is_none() {
        return None;
    }
    let mut options = Node::default();
    options.set("class", flag("--format", Tree::Text("percent".to_owned())));
    for (key, text) in [("format", &cli.format), ("datefmt", &cli.datefmt)] {
        if let Some(text) = text {
            options.set(key, flag(&format!("--{key}"), Tree::Text(text.clone())));
        }
    }
    let mut formatters = tree.get("formatters").cloned().unwrap_or_default();
    formatters.set(FORMATTER, options);
    tree.set("formatters", formatters);
    name(FORMATTER)
}

fn file(cli: &Cli, added: &mut Added<'_>) {
    let Some(path) = &cli.file else {
        let rotation = [
            ("--rotate-size", cli.rotate_size.is_some()),
            ("--rotate-when", cli.rotate_when.is_some()),
            ("--keep", cli.keep.is_some()),
        ];
        let is_typed = |name, is_given| is_given && !cli.own.has(name);
        for (name, _) in rotation
            .iter()
            .filter(|(name, is_given)| is_typed(name, *is_given))
        {
            let text = "needs --file PATH, the file that is rotated";
            added.problems.error(&Place::of(name), text);
        }
        return;
    };
    let mut options = Node::default();
    options.set(
        "path",
        flag("--file", Tree::Text(path.display().to_string())),
    );
    for (key, text) in [
        ("rotate_size", &cli.rotate_size),
        ("rotate_when", &cli.rotate_when),
    ] {
        if let Some(text) = text {
            let place = format!("--{}", key.replace('_', "-"));
            options.set(key, flag(&place, Tree::Text(text.clone())));
        }
    }
    if let Some(keep) = cli.keep {
        options.set("keep", flag("--keep", Tree::Int(i64::from(keep))));
    }
    added.handler("file", "file", options);
}

fn seq(cli: &Cli, added: &mut Added<'_>) {
    let Some(server) = &cli.seq else {
        if cli.seq_api_key_file.is_some() && !cli.own.has("--seq-api-key-file") {
            let text = "needs --seq URL, the server that is shown the key";
            added.problems.error(&Place::of("--seq-api-key-file"), text);
        }
        return;
    };
    let mut options = Node::default();
    options.set("server", flag("--seq", Tree::Text(server.clone())));
    if let Some(path) = &cli.seq_api_key_file {
        let path = Tree::Text(path.display().to_string());
        options.set("api_key_file", flag("--seq-api-key-file", path));
    }
    added.handler("seq", "seq", options);
}

/// What flags add to a tree.
struct Added<'a> {
    tree: &'a mut Node,
    formatter: Option<Node>,
    problems: &'a mut Problems,
}

impl Added<'_> {
    /// Adds a handler, under another name where a file has one of that name, and gives it what
    /// reaches the root.
    fn handler(&mut self, name: &str, class: &str, mut options: Node) {
        let mut handlers = self.tree.get("handlers").cloned().unwrap_or_default();
        let name = match handlers.get(name) {
            Some(_) => format!("--{name}"),
            None => name.to_owned(),
        };
        options.place = Place::of(&format!("--{class}"));
        options.set(
            "class",
            flag(&format!("--{class}"), Tree::Text(class.to_owned())),
        );
        if class != "seq"
            && let Some(formatter) = &self.formatter
        {
            options.set("formatter", formatter.clone());
        }
        handlers.set(&name, options);
        self.tree.set("handlers", handlers);
        let root = self.tree.get("root").and_then(|root| root.get("handlers"));
        let mut names = root.cloned().unwrap_or_default();
        if !matches!(names.tree, Tree::List(_)) {
            names.tree = Tree::List(Vec::new());
        }
        if let Tree::List(items) = &mut names.tree {
            items.push(flag(&format!("--{class}"), Tree::Text(name)));
        }
        self.root("handlers", names);
    }

    fn root(&mut self, key: &str, value: Node) {
        let mut root = self.tree.get("root").cloned().unwrap_or_default();
        root.set(key, value);
        self.tree.set("root", root);
    }
}

fn flag(name: &str, tree: Tree) -> Node {
    Node::new(Place::of(name), tree)
}
