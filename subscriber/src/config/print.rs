//! A configuration's tree as YAML, for people: what was understood, without its secrets.

use std::fmt::Write;

use super::node::{Entry, Node, Tree};
use super::options::{Form, Kind, Parameter};
use super::plan::{filter_forms, form_of, formatter_forms, handler_forms};
use super::settings::SETTINGS;

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";

/// The tree as YAML. What its options call a secret is not in it, nor is the password in a URL.
pub fn yaml(tree: &Node) -> String {
    let mut tree = tree.clone();
    hide_in_parts(&mut tree, "handlers", handler_forms);
    hide_in_parts(&mut tree, "formatters", formatter_forms);
    hide_in_parts(&mut tree, "filters", filter_forms);
    if let Some(mut settings) = tree.get("logsub").cloned() {
        hide(&mut settings, SETTINGS);
        tree.set("logsub", settings);
    }
    let mut out = String::new();
    write_map(tree.entries().unwrap_or(&[]), 0, &mut out);
    out
}

fn hide_in_parts<T: 'static, I: Iterator<Item = &'static Form<T>>>(
    tree: &mut Node,
    key: &str,
    forms: fn() -> I,
) {
    let Some(mut parts) = tree.get(key).cloned() else {
        return;
    };
    if let Tree::Map(entries) = &mut parts.tree {
        for entry in entries {
            let class = ["class", "type", "()"]
                .iter()
                .find_map(|key| entry.value.get(key));
            let form = match class.map(|node| &node.tree) {
                Some(Tree::Text(class)) => form_of(forms(), class),
                _ => None,
            };
            hide(&mut entry.value, form.map_or(&[], |form| form.parameters));
        }
    }
    tree.set(key, parts);
}

fn hide(part: &mut Node, parameters: &[Parameter]) {
    let is_secret = |name: &str| {
        let known = parameters.iter().find(|known| known.name == name);
        known.is_some_and(|known| known.kind == Kind::Secret)
    };
    if let Tree::Map(entries) = &mut part.tree {
        for entry in entries {
            match (&mut entry.value.tree, entry.key.as_str()) {
                (Tree::List(items), "args") => {
                    for (item, parameter) in items.iter_mut().zip(parameters) {
                        hide_value(item, parameter.kind == Kind::Secret);
                    }
                }
                (Tree::Map(_), "kwargs" | ".") => hide(&mut entry.value, parameters),
                _ => hide_value(&mut entry.value, is_secret(&entry.key)),
            }
        }
    }
}

fn hide_value(node: &mut Node, is_secret: bool) {
    match &mut node.tree {
        Tree::Null => {}
        tree if is_secret => *tree = Tree::Text(HIDDEN.to_owned()),
        Tree::Text(text) => *text = without_password(text),
        Tree::List(items) => items.iter_mut().for_each(|item| hide_value(item, false)),
        _ => {}
    }
}

/// `https://user:password@host` without the password.
fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (login, _) = rest[..end].rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!(
            "{scheme}://{user}:{HIDDEN}{}",
            &rest[login.len()..]
        ))
    };
    hidden().unwrap_or_else(|| text.to_owned())
}

fn write_map(entries: &[Entry], depth: usize, out: &mut String) {
    for entry in entries {
        let (key, indent) = (quoted(&entry.key), depth * 2);
        let _infallible = match is_long(&key) {
            true => write!(out, "{:indent$}? {key}\n{:indent$}:", "", ""),
            false => write!(out, "{:indent$}{key}:", ""),
        };
        match &entry.value.tree {
            Tree::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                write_map(entries, depth + 1, out);
            }
            _ => {
                let _infallible = writeln!(out, " {}", flow(&entry.value));
            }
        }
    }
}

fn flow(node: &Node) -> String {
    match &node.tree {
        Tree::Text(text) => quoted(text),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Tree::Map(entries) => {
            let pairs: Vec<String> = entries
                .iter()
                .map(|entry| (quoted(&entry.key), flow(&entry.value)))
                .map(|(key, value)| match is_long(&key) {
                    true => format!("? {key} : {value}"),
                    false => format!("{key}: {value}"),
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Tree::Float(x) if x.is_finite() => format!("{x:?}"),
        // As YAML has them: bare, they would be texts.
        Tree::Float(x) if x.is_nan() => ".nan".to_owned(),
        Tree::Float(x) => if *x > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        _ => node.to_string(),
    }
}

/// Whether a key, as it is written, needs a question mark before it: a reader of YAML looks no more
/// than 1024 characters ahead for the colon (yaml.org/spec/1.2.2, section 7.4.2).
fn is_long(key: &str) -> bool {
    key.chars().count() > 1000
}

/// A text as it is where every reader of YAML takes it for one, else in double quotes, by the
/// rules that YAML shares with JSON.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Place;

    fn map(entries: &[(&str, Tree)]) -> Tree {
        let mut node = Node::default();
        for (key, tree) in entries {
            node.set(key, Node::new(Place::default(), tree.clone()));
        }
        node.tree
    }

    #[test]
    fn what_is_printed_can_be_read_again_and_holds_no_secret() {
        let settings = map(&[
            ("listen_api_key", Tree::Text("hush".into())),
            (
                "topics",
                Tree::List(vec![Node::new(
                    Place::default(),
                    Tree::Text("a b: c".into()),
                )]),
            ),
            ("connect", Tree::Text("http://ann:hush@seq:5341/x".into())),
            ("verbose", Tree::Bool(true)),
            ("level", Tree::Text("no".into())),
        ]);
        let tree = Node::new(
            Place::default(),
            map(&[("version", Tree::Int(1)), ("logsub", settings)]),
        );
        assert_eq!(
            yaml(&tree),
            "version: 1\nlogsub:\n  listen_api_key: \"(secret)\"\n  topics: [\"a b: c\"]\n  \
             connect: \"http://ann:(secret)@seq:5341/x\"\n  verbose: true\n  level: \"no\"\n"
        );
    }
}
