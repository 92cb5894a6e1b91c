//! Message templates: the text of an event, with holes for its properties.
//!
//! The grammar is that of messagetemplates.org, with the dotted names that Serilog takes today.
//! What looks like a hole and is none stands as it is written, and so does a hole whose property
//! is missing. A format behind the name is the business of the sender's language: where the event
//! brings the text that it makes ([`Fill::renderings`]), that text is used, else the plain value.
//! What comes out is bounded, because a short template can name a long property many times.

use std::collections::HashMap;

use crate::codec::json;
use crate::codec::sink::put;
use crate::value::Value;

/// A message is filled in up to about this many bytes; further holes stand as they are written.
pub(super) const MAX_RENDERED: usize = 256 << 10;

/// A piece of a template.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Hole(Hole<'a>),
}

#[derive(Debug, PartialEq)]
struct Hole<'a> {
    /// As it is written, braces and all.
    raw: &'a str,
    name: &'a str,
    /// The least width; to the left where it is negative.
    alignment: i32,
    is_formatted: bool,
}

/// What holes are filled with.
pub(super) struct Fill<'a> {
    properties: HashMap<&'a str, &'a Value>,
    /// For each formatted hole its text, in order; empty where the event brings none that fit.
    renderings: Vec<&'a str>,
}

/// How many holes of a template have a format.
pub(super) fn formatted_holes(template: &str) -> usize {
    let is_formatted = |piece: &Piece| matches!(piece, Piece::Hole(hole) if hole.is_formatted);
    pieces(template).filter(is_formatted).count()
}

impl<'a> Fill<'a> {
    pub(super) fn new(
        properties: impl Iterator<Item = (&'a str, &'a Value)>,
        renderings: Vec<&'a str>,
    ) -> Self {
        Self {
            properties: properties.collect(),
            renderings,
        }
    }

    /// The message.
    pub(super) fn render(&self, template: &str) -> String {
        let mut message = String::with_capacity(template.len());
        let mut renderings = self.renderings.iter();
        for piece in pieces(template) {
            match piece {
                Piece::Text(text) => message.push_str(text),
                Piece::Hole(hole) => {
                    let rendering = if hole.is_formatted {
                        renderings.next()
                    } else {
                        None
                    };
                    self.fill(&hole, rendering.copied(), &mut message);
                }
            }
        }
        message
    }

    fn fill(&self, hole: &Hole<'_>, rendering: Option<&str>, message: &mut String) {
        if message.len() > MAX_RENDERED {
            message.push_str(hole.raw);
            return;
        }
        let value = match (rendering, self.property(hole.name)) {
            (Some(text), _) => text.to_owned(),
            (None, Some(value)) => shown(value),
            (None, None) => {
                message.push_str(hole.raw);
                return;
            }
        };
        let width = hole.alignment.unsigned_abs() as usize;
        let padding = " ".repeat(width.saturating_sub(value.chars().count()));
        let (before, after) = if hole.alignment < 0 {
            ("", padding.as_str())
        } else {
            (padding.as_str(), "")
        };
        message.extend([before, &value, after]);
    }

    /// A property by its name, or by the names of the dicts in which it stands.
    fn property(&self, name: &str) -> Option<&'a Value> {
        if let Some(value) = self.properties.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.')
            .try_fold(*self.properties.get(first)?, |value, key| match value {
                Value::Map(map) => map.get(key),
                _ => None,
            })
    }
}

/// Text as it is, and everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        value => {
            let mut text = Vec::new();
            put(value, 0, &mut json::Writer::new(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

/// The pieces of a template, from left to right.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let (piece, behind) = first_piece(rest)?;
        rest = behind;
        Some(piece)
    })
}

fn first_piece(rest: &str) -> Option<(Piece<'_>, &str)> {
    if let Some(hole) = hole(rest) {
        let behind = &rest[hole.raw.len()..];
        return Some((Piece::Hole(hole), behind));
    }
    let first = rest.chars().next()?;
    if rest.starts_with("{{") || rest.starts_with("}}") {
        return Some((Piece::Text(&rest[..1]), &rest[2..]));
    }
    let length = first.len_utf8();
    let end = rest[length..]
        .find(['{', '}'])
        .map_or(rest.len(), |at| length + at);
    Some((Piece::Text(&rest[..end]), &rest[end..]))
}

/// The hole at the start of a text.
fn hole(text: &str) -> Option<Hole<'_>> {
    let behind = text.strip_prefix('{')?;
    let end = behind.find(['{', '}'])?;
    let inside = behind[..end].trim_start_matches(['@', '$']);
    let (inside, format) = match inside.split_once(':') {
        Some((inside, format)) => (inside, Some(format)),
        None => (inside, None),
    };
    let (name, alignment) = match inside.split_once(',') {
        Some((name, alignment)) => (name, alignment_of(alignment)?),
        None => (inside, 0),
    };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let is_hole = behind[end..].starts_with('}') && !name.is_empty() && name.chars().all(is_name);
    is_hole.then(|| Hole {
        raw: &text[..end + 2],
        name,
        alignment,
        is_formatted: format.is_some_and(|format| !format.is_empty()),
    })
}

/// A width that a line of text can have; wider ones are nobody's wish.
fn alignment_of(text: &str) -> Option<i32> {
    let width: i32 = text.trim().parse().ok()?;
    (-1_000..=1_000).contains(&width).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;
    use proptest::prelude::*;

    fn properties() -> Map {
        let nested = Map::from_iter([("b", 1)]);
        Map::from_iter([
            ("name", Value::from("Ann")),
            ("n", 34.into()),
            ("list", vec![1.into(), "x".into()].into()),
            ("a", nested.into()),
            ("0", "first".into()),
            ("none", Value::Null),
        ])
    }

    fn render(template: &str) -> String {
        Fill::new(properties().iter(), Vec::new()).render(template)
    }

    #[test]
    fn holes_are_filled_with_properties() {
        assert_eq!(render("Hello, {name}!"), "Hello, Ann!");
        assert_eq!(
            render("{@list} {$n} {none} {a}"),
            r#"[1,"x"] 34 null {"b":1}"#
        );
        assert_eq!(render("{a.b} {0}"), "1 first");
        assert_eq!(
            render("[{n,5}] [{n,-5}] [{name,2}]"),
            "[   34] [34   ] [Ann]"
        );
        assert_eq!(render("{n:000} {n,4:0.0}"), "34   34");
        assert_eq!(render("żółw {name} 🐢"), "żółw Ann 🐢");
    }

    #[test]
    fn what_is_no_hole_or_has_no_property_stands_as_it_is() {
        for text in [
            "{missing} {a.c} {name.x}",
            "{} {0 space} {w@rld} {unclosed",
            "{n,x} {n,99999}",
            "}",
        ] {
            assert_eq!(render(text), text);
        }
        assert_eq!(render("{{ Hi! }"), "{ Hi! }");
        assert_eq!(render("{{name}} {name}}}!"), "{name} Ann}!");
        assert_eq!(render("{na{name}"), "{naAnn");
    }

    #[test]
    fn formatted_holes_take_the_renderings_in_order() {
        let properties = properties();
        let fill = Fill::new(properties.iter(), vec!["034", "XX"]);
        assert_eq!(formatted_holes("{n:000} {name} {x:y} {{z:w}}"), 2);
        assert_eq!(fill.render("{n:000} {name} {x:y}"), "034 Ann XX");
    }

    #[test]
    fn a_long_property_named_often_does_not_grow_without_bounds() {
        let long = Value::from("x".repeat(100_000));
        let fill = Fill::new([("a", &long)].into_iter(), Vec::new());
        assert!(fill.render(&"{a}".repeat(30_000)).len() < 2 * MAX_RENDERED);
    }

    proptest! {
        #[test]
        fn any_template_is_rendered(template in "[{}@$,:.na0-9é ]{0,40}|\\PC{0,40}") {
            let message = render(&template);
            if !template.contains(['{', '}']) {
                prop_assert_eq!(message, template);
            }
        }
    }
}
