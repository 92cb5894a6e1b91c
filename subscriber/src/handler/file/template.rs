//! File names with a record's fields in them: `logs/{name}/{levelname}.log`.
//!
//! A field is a sender's text, so none of it leads anywhere: slashes and control characters become
//! `_`, as do names of nothing but dots, and what is too long is cut. So the file is always below
//! the folder that the template begins with.

use std::path::PathBuf;

use logbus_schemas::Record;
use logbus_schemas::python::brace::{Part, Template};
use logbus_schemas::python::str_of;

/// Bytes of one field; file names have 255 at most.
const MAX_FIELD: usize = 100;

/// A path that may have fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PathTemplate {
    parts: Vec<Part>,
}

impl PathTemplate {
    /// Reads a path; one without braces stands for itself.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let template = Template::parse(text).map_err(|error| {
            format!(
                "{} at character {} of {text:?}; write a field as {{name}} and a brace as {{{{",
                error.problem, error.at
            )
        })?;
        Ok(Self {
            parts: template.parts,
        })
    }

    /// The one path, where there are no fields.
    pub(super) fn fixed(&self) -> Option<PathBuf> {
        match &self.parts[..] {
            [] => Some(PathBuf::new()),
            [Part::Literal(path)] => Some(PathBuf::from(path)),
            _ => None,
        }
    }

    /// The path for a record, into `out`.
    pub(super) fn fill(&self, record: &Record, out: &mut String) {
        out.clear();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field(field) => {
                    let mut text = String::new();
                    match (record.get(&field.name), field.name.as_str()) {
                        (Some(value), _) => {
                            if let Some(value) = field.find(value) {
                                str_of(&value, &mut text);
                            }
                        }
                        (None, "levelname") => {
                            text.push_str(&record.level_name().unwrap_or_default());
                        }
                        (None, _) => {}
                    }
                    out.push_str(&harmless(&text));
                }
            }
        }
    }
}

fn harmless(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(MAX_FIELD));
    for c in text.chars() {
        let c = if c == '/' || c.is_control() { '_' } else { c };
        if name.len() + c.len_utf8() > MAX_FIELD {
            break;
        }
        name.push(c);
    }
    if name.chars().all(|c| c == '.') {
        return "_".to_owned();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(template: &str, record: &Record) -> String {
        let mut path = String::new();
        PathTemplate::parse(template)
            .unwrap()
            .fill(record, &mut path);
        path
    }

    #[test]
    fn fields_have_their_places_and_lead_nowhere() {
        let mut record = Record::new("../../etc/passwd", 40, "m");
        record.set("tenant", "..");
        record.set("long", "x".repeat(300).as_str());
        assert_eq!(
            filled("logs/{tenant}/{name}-{levelname}.log", &record),
            "logs/_/.._.._etc_passwd-ERROR.log"
        );
        assert_eq!(filled("{none}.log", &record), "_.log");
        assert_eq!(filled("a/{long}", &record).len(), 2 + MAX_FIELD);
        assert_eq!(
            PathTemplate::parse("app.log").unwrap().fixed(),
            Some("app.log".into())
        );
        assert!(PathTemplate::parse("{").is_err());
    }

    proptest! {
        #[test]
        fn every_file_is_below_the_folder(name in any::<String>()) {
            let path = filled("logs/{name}", &Record::new(&name, 20, "m"));
            let parts: Vec<_> = std::path::Path::new(&path).components().collect();
            prop_assert_eq!(parts.len(), 2, "{}", path);
            prop_assert!(!path.contains('\0') && path.starts_with("logs/"));
        }
    }
}
