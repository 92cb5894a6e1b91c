//! JSON, with comments where somebody wrote some.

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::document::{MAX_DEPTH, Source};
use super::node::{Entry, Node, Tree};
use super::options::Problems;

/// Reads a JSON text; `None` when it has a problem.
pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Node> {
    if let Some(at) = too_deep(source.text) {
        let text = format!("more than {MAX_DEPTH} lists and maps in one another");
        problems.error(&source.place(at), text);
        return None;
    }
    let strict = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match parse_to_ast(source.text, &CollectOptions::default(), &strict) {
        Ok(parsed) => {
            let before = problems.errors.len();
            let value = parsed.value?;
            let node = node(&value, source, problems);
            (problems.errors.len() == before).then_some(node)
        }
        Err(error) => {
            let place = source.place(error.range().start);
            problems.error(&place, format!("this is no JSON: {}", error.kind()));
            None
        }
    }
}

/// Where brackets are nested too deeply for a parser that goes down with them.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

fn node(value: &Value<'_>, source: &Source<'_>, problems: &mut Problems) -> Node {
    let tree = match value {
        Value::StringLit(text) => Tree::Text(text.value.to_string()),
        Value::NumberLit(number) => number_of(number.value),
        Value::BooleanLit(truth) => Tree::Bool(truth.value),
        Value::NullKeyword(_) => Tree::Null,
        Value::Array(array) => {
            let items = array.elements.iter();
            Tree::List(items.map(|item| node(item, source, problems)).collect())
        }
        Value::Object(object) => {
            let mut entries = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                entry(property, &mut entries, source, problems);
            }
            Tree::Map(entries)
        }
    };
    Node::new(source.place(value.start()), tree)
}

fn entry(
    property: &ObjectProp<'_>,
    entries: &mut Vec<Entry>,
    source: &Source<'_>,
    problems: &mut Problems,
) {
    let key = property.name.as_str().to_owned();
    let place = source.place(property.range.start);
    if let Some(first) = entries.iter().find(|entry: &&Entry| entry.key == key) {
        let text = format!("{key:?} stands here a second time, after {}", first.place);
        problems.error(&place, text);
        return;
    }
    let value = node(&property.value, source, problems);
    entries.push(Entry { key, place, value });
}

fn number_of(text: &str) -> Tree {
    match text.parse() {
        Ok(number) => Tree::Int(number),
        Err(_) => Tree::Float(text.parse().unwrap_or(f64::NAN)),
    }
}
