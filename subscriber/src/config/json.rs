//! JSON, with comments where somebody wrote some.

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::document::{MAX_DEPTH, Source};
use super::node::{Entry, Node, Place, Tree};
use super::options::Problems;

/// Reads a JSON text; `None` when it has a problem.
pub(super) fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Node> {
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
            let Some(value) = parsed.value else {
                let text = "there is nothing in it; an empty configuration is {}";
                problems.error(&source.place(0), text);
                return None;
            };
            let node = node(&value, source, problems, 1);
            (problems.errors.len() == before).then_some(node)
        }
        // The parser has a bound of its own, because it goes down with the brackets.
        Err(error) if matches!(error.kind(), ParseErrorKind::NestingDepthExceeded) => {
            too_deep(&source.place(error.range().start), problems);
            None
        }
        Err(error) => {
            let place = source.place(error.range().start);
            problems.error(&place, format!("this is no JSON: {}", error.kind()));
            None
        }
    }
}

fn too_deep(place: &Place, problems: &mut Problems) {
    let text = format!("more than {MAX_DEPTH} lists and maps in one another");
    problems.error(place, text);
}

fn node(value: &Value<'_>, source: &Source<'_>, problems: &mut Problems, depth: usize) -> Node {
    let tree = match value {
        Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => {
            too_deep(&source.place(value.start()), problems);
            Tree::Null
        }
        Value::StringLit(text) => Tree::Text(text.value.to_string()),
        Value::NumberLit(number) => number_of(number.value),
        Value::BooleanLit(truth) => Tree::Bool(truth.value),
        Value::NullKeyword(_) => Tree::Null,
        Value::Array(array) => {
            let items = array.elements.iter();
            Tree::List(
                items
                    .map(|item| node(item, source, problems, depth + 1))
                    .collect(),
            )
        }
        Value::Object(object) => {
            let mut entries = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                entry(property, &mut entries, source, problems, depth);
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
    depth: usize,
) {
    let key = property.name.as_str().to_owned();
    let place = source.place(property.range.start);
    if let Some(first) = entries.iter().find(|entry: &&Entry| entry.key == key) {
        let text = format!("{key:?} stands here a second time, after {}", first.place);
        problems.error(&place, text);
        return;
    }
    let value = node(&property.value, source, problems, depth + 1);
    entries.push(Entry { key, place, value });
}

fn number_of(text: &str) -> Tree {
    match text.parse() {
        Ok(number) => Tree::Int(number),
        Err(_) => Tree::Float(text.parse().unwrap_or(f64::NAN)),
    }
}
