//! Python's `string.Template`: `$name`, `${name}` and `$$`.
//!
//! The rules are those of "Template strings"
//! (docs.python.org/3/library/string.html#template-strings): names are of ASCII letters, digits and
//! underscores.

use super::percent::TemplateError;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// The name of a value, shown as `str()` shows it.
    Name(String),
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            let here = text.len() - rest.len() + at;
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let inner = rest.strip_prefix('{').unwrap_or(rest);
            let end = inner
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(inner.len());
            let name = &inner[..end];
            let is_name = name.starts_with(|c: char| !c.is_ascii_digit());
            let after = match rest.starts_with('{') {
                true => inner[end..].strip_prefix('}'),
                false => Some(&inner[end..]),
            };
            let (true, Some(after)) = (is_name, after) else {
                return Err(TemplateError {
                    problem: "\"$\" without a name",
                    at: here,
                });
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_with_and_without_braces_and_two_signs_are_one() {
        let parts = Template::parse("$a_1-${b}c $$x").unwrap().parts;
        let literal = |text: &str| Part::Literal(text.to_owned());
        let name = |text: &str| Part::Name(text.to_owned());
        assert_eq!(
            parts,
            [name("a_1"), literal("-"), name("b"), literal("c $x")]
        );
    }

    #[test]
    fn a_sign_without_a_name_is_refused() {
        for text in ["$", "$1", "${", "${}", "${a", "a $ b", "${a b}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
