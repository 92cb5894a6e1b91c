//! What configurations may hold, as a JSON Schema and as a page for people.
//!
//! Both are made from the tables that configurations are read with, so they say what is true. They
//! lie in `schemas/config.schema.json` and `docs/handlers.md`; the example `config_reference`
//! writes them, and a test holds them against the tables.

use std::fmt::Write;

use serde_json::{Value, json};

use super::options::{Form, Kind, Parameter};
use super::settings::SETTINGS;
use crate::filter::FILTERS;
use crate::format::FORMATTERS;
use crate::handler::HANDLERS;

/// The JSON Schema (draft 2020-12) of a configuration in YAML, JSON or TOML.
pub fn schema() -> Value {
    let named = |part: Value| json!({"type": "object", "additionalProperties": part});
    let logger = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "level": level(),
            "handlers": names("handlers, by name"),
            "filters": names("filters, by name"),
            "propagate": truth("whether the loggers above get the records, too; true"),
            "disabled": truth("whether records of this very logger go nowhere; false"),
            "qualname": {"type": "string"},
        },
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "logsub configuration",
        "description": "The shape of Python's logging.config.dictConfig, version 1, and a part logsub.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "version": {"const": 1},
            "disable_existing_loggers": truth("accepted: before a configuration there are no loggers"),
            "incremental": truth("change levels of the files before this one, and nothing else; false"),
            "formatters": named(part("logging.Formatter", forms(FORMATTERS.iter().flat_map(|row| row.forms)), json!({}))),
            "filters": named(part("logging.Filter", forms(FILTERS.iter().flat_map(|row| row.forms)), json!({}))),
            "handlers": named(part("", forms(HANDLERS.iter().flat_map(|row| row.forms)), json!({
                "level": level(),
                "formatter": {"type": ["string", "null"], "description": "a formatter's name, or json, clef, logfmt, gelf"},
                "filters": names("filters, by name"),
                "queue_records": {"type": "integer", "minimum": 1, "description": "records that may wait for this handler; 65536"},
                "overflow": {"enum": ["discard-newest", "discard-oldest"], "description": "what goes when more come; discard-newest"},
            }))),
            "loggers": named(logger.clone()),
            "root": logger,
            "logsub": {
                "type": "object",
                "additionalProperties": false,
                "properties": properties(SETTINGS),
            },
        },
    })
}

/// A form without its type.
type Described = (&'static str, &'static [Parameter]);

fn forms<T: 'static>(forms: impl Iterator<Item = &'static Form<T>>) -> Vec<Described> {
    forms.map(|form| (form.class, form.parameters)).collect()
}

/// A formatter, filter or handler: its class says which options there are.
fn part(usual: &str, forms: Vec<Described>, common: Value) -> Value {
    let classes: Vec<&str> = forms.iter().map(|(class, _)| *class).collect();
    let branches = forms.iter().map(|(class, parameters)| {
        let mut of_class = properties(parameters);
        for common in [
            &common,
            &json!({"class": true, "type": true, "()": true, "args": true, "kwargs": true, ".": true}),
        ] {
            if let (Some(of_class), Some(common)) = (of_class.as_object_mut(), common.as_object()) {
                of_class.extend(common.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        let mut named: Vec<Value> = ["class", "type", "()"]
            .iter()
            .map(|key| json!({"required": [key], "properties": {*key: {"const": class}}}))
            .collect();
        if *class == usual {
            named.push(json!({"not": {"anyOf": [
                {"required": ["class"]}, {"required": ["type"]}, {"required": ["()"]}
            ]}}));
        }
        json!({
            "if": {"anyOf": named},
            "then": {"properties": of_class, "additionalProperties": false},
        })
    });
    let branches: Vec<Value> = branches.collect();
    let class = json!({"enum": classes});
    json!({
        "type": "object",
        "properties": {"class": class, "type": class, "()": class},
        "allOf": branches,
    })
}

fn properties(parameters: &[Parameter]) -> Value {
    let entries = parameters
        .iter()
        .map(|parameter| (parameter.name.to_owned(), property(parameter)));
    Value::Object(entries.collect())
}

fn property(parameter: &Parameter) -> Value {
    let mut property = match parameter.kind {
        Kind::Text | Kind::Secret | Kind::Handler => json!({"type": ["string", "number", "null"]}),
        Kind::OneOf(choices) => json!({"enum": choices}),
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        Kind::Count => json!({"type": ["integer", "null"], "minimum": 0}),
        Kind::Number => json!({"type": ["number", "null"]}),
        Kind::Bytes => json!({"type": ["integer", "string", "null"]}),
        Kind::Seconds => json!({"type": ["number", "string", "null"]}),
        Kind::Level => level(),
        Kind::Texts => {
            json!({"type": ["array", "string", "number", "null"], "items": {"type": ["string", "number"]}})
        }
        Kind::Map => json!({"type": ["object", "null"]}),
        Kind::Any => json!({}),
    };
    // Credentials may be a pair.
    if parameter.kind == Kind::Secret {
        property = json!({"type": ["string", "array", "null"]});
    }
    if let Some(property) = property.as_object_mut() {
        property.insert("description".to_owned(), parameter.help.into());
    }
    property
}

fn level() -> Value {
    json!({"type": ["string", "integer", "null"], "description": "a level's name or number"})
}

fn names(what: &str) -> Value {
    json!({"type": ["array", "null"], "items": {"type": "string"}, "description": what})
}

fn truth(what: &str) -> Value {
    json!({"type": ["boolean", "integer", "null"], "description": what})
}

/// Every handler, formatter and filter with its options, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Handlers, formatters and filters\n\n\
         What a configuration may name, by `class` or `type`. A handler has besides: `level`, \
         `formatter` (a\nname of the configuration's, or `json`, `clef`, `logfmt`, `gelf`), \
         `filters`, `queue_records` (how many\nrecords may wait for it, 65536) and `overflow` \
         (`discard-newest` or `discard-oldest`). Sizes may have\nunits, as `10MiB`, and so may \
         times, as `500ms`, `5min`, `7d`. This page is made from the tables that\nconfigurations \
         are read with.\n",
    );
    section(
        "Handlers",
        HANDLERS
            .iter()
            .map(|row| (row.name, row.summary, forms(row.forms.iter()))),
        &mut out,
    );
    section(
        "Formatters",
        FORMATTERS
            .iter()
            .map(|row| (row.name, row.summary, forms(row.forms.iter()))),
        &mut out,
    );
    section(
        "Filters",
        FILTERS
            .iter()
            .map(|row| (row.name, row.summary, forms(row.forms.iter()))),
        &mut out,
    );
    section(
        "Settings",
        [(
            "logsub",
            "the bus and the program itself",
            vec![("logsub", SETTINGS)],
        )]
        .into_iter(),
        &mut out,
    );
    out
}

fn section(
    title: &str,
    rows: impl Iterator<Item = (&'static str, &'static str, Vec<Described>)>,
    out: &mut String,
) {
    // Writing to a String does not fail.
    let _written = write!(out, "\n## {title}\n");
    for (name, summary, forms) in rows {
        let _written = write!(out, "\n### {name}\n\n{}.\n", sentence(summary));
        for (class, parameters) in forms {
            if parameters.is_empty() {
                let _written = write!(out, "\n`{class}` has no options.\n");
                continue;
            }
            let _written = write!(out, "\n| `{class}` | |\n|---|---|\n");
            for parameter in parameters {
                let help = parameter.help.replace('|', "\\|").replace('<', "&lt;");
                let help = match parameter.kind {
                    Kind::OneOf(choices) => format!("{help} ({})", choices.join(", ")),
                    _ => help,
                };
                let _written = writeln!(out, "| `{}` | {} |", parameter.name, escaped(&help));
            }
        }
    }
}

/// Braces and stars mean themselves.
fn escaped(text: &str) -> String {
    text.replace('*', "\\*")
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        std::fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn the_files_in_the_repository_are_what_the_tables_say() {
        let renew = "run: cargo run -p logbus-subscriber --example config_reference";
        let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        assert!(file("schemas/config.schema.json") == schema, "{renew}");
        assert!(file("docs/handlers.md") == reference(), "{renew}");
    }

    #[test]
    fn the_schema_takes_what_is_taken_and_refuses_what_is_refused() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        for name in ["shop.json", "flask.json", "gunicorn.json", "seqlog.json"] {
            let config: Value =
                serde_json::from_str(&file(&format!("tests/configs/{name}"))).unwrap();
            let problems: Vec<String> = schema
                .iter_errors(&config)
                .map(|error| error.to_string())
                .collect();
            assert!(problems.is_empty(), "{problems:?}");
        }
        for bad in [
            json!({"handlers": {"a": {"class": "logging.FileHandler", "filname": "x"}}}),
            json!({"handlers": {"a": {"class": "myapp.Handler"}}}),
            json!({"formatters": {"a": {"fromat": "x"}}}),
            json!({"root": {"handler": ["a"]}}),
            json!({"version": 2}),
        ] {
            assert!(!schema.is_valid(&bad), "{bad}");
        }
    }
}
