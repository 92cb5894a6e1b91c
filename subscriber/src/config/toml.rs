//! TOML: the same shape, with `[handlers.app]` for a handler.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Source;
use super::node::{Entry, Node, Tree};
use super::options::Problems;

/// Reads a TOML text; `None` when it has a problem. The parser bounds the depth itself.
pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Node> {
    match DeTable::parse(source.text) {
        Ok(table) => {
            let place = source.place(table.span().start);
            Some(Node::new(place, map(table.get_ref(), source)))
        }
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let said = error.message().replace('\n', ", ");
            let remedy = match is_bare_word(source.text, at) {
                true => "; a text stands in quotes",
                false => "",
            };
            problems.error(
                &source.place(at),
                format!("this is no TOML: {said}{remedy}"),
            );
            None
        }
    }
}

/// Whether the value that begins `at` this byte is a word without quotes.
fn is_bare_word(text: &str, at: usize) -> bool {
    let Some((before, value)) = text.split_at_checked(at) else {
        return false;
    };
    before.trim_end().ends_with(['=', '[', ',']) && value.starts_with(char::is_alphabetic)
}

fn map(table: &DeTable<'_>, source: &Source<'_>) -> Tree {
    let entries = table.iter().map(|(key, value)| Entry {
        key: key.get_ref().to_string(),
        place: source.place(key.span().start),
        value: node(value, source),
    });
    Tree::Map(entries.collect())
}

fn node(value: &Spanned<DeValue<'_>>, source: &Source<'_>) -> Node {
    let tree = match value.get_ref() {
        DeValue::String(text) => Tree::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Tree::Int(number),
            Err(_) => Tree::Text(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Tree::Float(number),
            Err(_) => Tree::Text(number.to_string()),
        },
        DeValue::Boolean(truth) => Tree::Bool(*truth),
        // A time of day is a text to whoever asks for one.
        DeValue::Datetime(time) => Tree::Text(time.to_string()),
        DeValue::Array(items) => Tree::List(items.iter().map(|item| node(item, source)).collect()),
        DeValue::Table(table) => map(table, source),
    };
    Node::new(source.place(value.span().start), tree)
}
