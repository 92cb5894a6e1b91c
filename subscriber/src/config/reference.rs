//! `cfg://handlers.mail.toaddrs[0]`: a value that stands elsewhere in the same configuration.
//!
//! As "Access to internal objects" has it
//! (docs.python.org/3/library/logging.config.html#access-to-internal-objects). What it refers to is
//! put in its place. `ext://sys.stdout` stays as it is: who reads the option knows what it means.

use super::document::MAX_REPEATED;
use super::node::{Node, Tree};
use super::options::Problems;

/// References to references, at most.
const MAX_DEPTH: usize = 16;
/// How the name of a handler may be written where one is expected.
const HANDLERS: &str = "handlers.";

/// Replaces every reference in a tree.
pub(super) fn resolve(tree: &mut Node, problems: &mut Problems) {
    let whole = tree.clone();
    let mut resolver = Resolver {
        whole: &whole,
        room: MAX_REPEATED,
        problems,
    };
    resolver.replace(tree, 0);
}

struct Resolver<'a> {
    whole: &'a Node,
    /// How much larger references may still make the tree.
    room: usize,
    problems: &'a mut Problems,
}

impl Resolver<'_> {
    fn replace(&mut self, node: &mut Node, depth: usize) {
        match &mut node.tree {
            Tree::List(items) => {
                for item in items {
                    self.replace(item, depth);
                }
            }
            Tree::Map(entries) => {
                for entry in entries {
                    self.replace(&mut entry.value, depth);
                }
            }
            Tree::Text(text) => {
                if let Some(path) = text.strip_prefix("cfg://").map(str::to_owned) {
                    self.refer(node, &path, depth);
                }
            }
            _ => {}
        }
    }

    /// Puts what stands at `path` in the place of a node.
    fn refer(&mut self, node: &mut Node, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            let text = format!("cfg://{path} refers to itself");
            return self.problems.error(&node.place, text);
        }
        // A handler that is referred to is meant, not copied.
        if let Some(name) = path.strip_prefix(HANDLERS)
            && !name.contains(['.', '['])
        {
            node.tree = Tree::Text(name.to_owned());
            return;
        }
        let Some(found) = lookup(self.whole, path) else {
            let text = format!("cfg://{path} leads nowhere in this configuration");
            return self.problems.error(&node.place, text);
        };
        match self.room.checked_sub(found.size()) {
            Some(room) => {
                self.room = room;
                node.tree = found.tree.clone();
                self.replace(node, depth + 1);
            }
            None => {
                let text = format!("references stand for more than {MAX_REPEATED} parts and bytes");
                self.problems.error(&node.place, text);
            }
        }
    }
}

/// Follows `a.b[0].c` and `a[key]`.
fn lookup<'a>(whole: &'a Node, path: &str) -> Option<&'a Node> {
    let mut node = whole;
    for part in path
        .split(['.', '['])
        .map(|part| part.trim_end_matches(']'))
    {
        node = match &node.tree {
            Tree::List(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => node.get(part)?,
        };
    }
    Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Place;

    fn resolved(text: &str) -> (String, Vec<String>) {
        let mut problems = Problems::default();
        let path = std::path::Path::new("x.yaml");
        let mut tree = super::super::document::read(path, text, &mut problems).unwrap();
        resolve(&mut tree, &mut problems);
        let said = problems.errors.iter().map(ToString::to_string).collect();
        (crate::config::print::yaml(&tree), said)
    }

    #[test]
    fn a_reference_stands_for_what_it_leads_to() {
        let text = "to: [a, b]\nmail: {first: 'cfg://to[0]', all: cfg://to}\n\
                    again: cfg://mail.first\nhandler: cfg://handlers.x\n";
        let (yaml, said) = resolved(text);
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(
            yaml,
            "to: [a, b]\nmail:\n  first: a\n  all: [a, b]\nagain: a\nhandler: x\n"
        );
    }

    #[test]
    fn one_that_leads_nowhere_or_to_itself_is_a_problem_with_a_place() {
        assert_eq!(
            resolved("a: cfg://b.c\n").1,
            ["x.yaml:1:4: cfg://b.c leads nowhere in this configuration"]
        );
        assert_eq!(
            resolved("a: cfg://a\n").1,
            ["x.yaml:1:4: cfg://a refers to itself"]
        );
        assert!(lookup(&Node::new(Place::default(), Tree::Null), "").is_none());
    }
}
