//! Output by a template of the user's own, in the language of Jinja (minijinja).
//!
//! ```text
//! {{ time }} {{ tag }} {{ sender }}: {{ message }}{% if user %} of {{ user }}{% endif %}
//! ```
//!
//! Every field of the record is there by its name, and besides `time`, `tag` (the level as three
//! letters), `level`, `sender`, `host`, `topic`, `logger`, `message` (rendered) and `is_late`.
//! The filter `color("red")` colours a value where there are colours. On a terminal what a sender wrote is
//! escaped; the template's own text is the user's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use logbus_schemas::Value as Field;
use logbus_schemas::python::str_of;
use minijinja::value::{Object, Value};
use minijinja::{Environment, UndefinedBehavior};

use super::line::level_tag;
use super::style::{Style, color_named};
use crate::format::visible;
use crate::item::Delivered;

/// Instructions that one record may cost, so that no template goes on for ever.
const FUEL: u64 = 1_000_000;
const NAME: &str = "record";

/// A compiled template.
pub struct Template {
    environment: Environment<'static>,
    escapes: bool,
}

/// What a template is given besides the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// The time as it is shown.
    pub time: String,
    /// The sender's badge.
    pub sender: String,
    /// Whether the record came too late for its place.
    pub is_late: bool,
}

impl Template {
    /// Compiles a template. An error says the line and what is wrong there.
    pub fn parse(source: String, has_colors: bool, escapes: bool) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("color", move |text: String, name: String| {
            colored(&text, &name, has_colors)
        });
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| said(&error))?;
        let template = Self {
            environment,
            escapes,
        };
        match template.render(Value::UNDEFINED) {
            Err(error) if is_no_records_fault(&error) => Err(said(&error)),
            _ => Ok(template),
        }
    }

    fn render(&self, context: Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(NAME)?.render(context)
    }

    /// Adds what the template makes of a record. Where it fails, the record's message is shown with
    /// what went wrong.
    pub fn write(&self, delivered: &Arc<Delivered>, around: Around, out: &mut String) {
        let context = Value::from_object(Context {
            delivered: delivered.clone(),
            around,
            escapes: self.escapes,
        });
        match self.render(context) {
            Ok(text) => out.push_str(&text),
            Err(error) => {
                let message = delivered.record.get_message();
                visible::on_one_line(&format!("{message} [template: {}]", said(&error)), out);
            }
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

fn said(error: &minijinja::Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// Whether a template goes wrong with every record: it calls what there is not.
fn is_no_records_fault(error: &minijinja::Error) -> bool {
    use minijinja::ErrorKind::{UnknownFilter, UnknownFunction, UnknownTest};
    matches!(error.kind(), UnknownFilter | UnknownFunction | UnknownTest)
}

fn colored(text: &str, name: &str, has_colors: bool) -> Result<String, minijinja::Error> {
    let Some(color) = color_named(name) else {
        let problem =
            format!("{name:?} is no colour; write red, bright-blue or a number below 256");
        return Err(minijinja::Error::new(
            minijinja::ErrorKind::InvalidOperation,
            problem,
        ));
    };
    if !has_colors {
        return Ok(text.to_owned());
    }
    let (style, mut out) = (Style::of(color), String::new());
    style.begin(&mut out);
    out.push_str(text);
    style.end(&mut out);
    Ok(out)
}

/// A record as templates see it.
#[derive(Debug)]
struct Context {
    delivered: Arc<Delivered>,
    around: Around,
    escapes: bool,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (record, around) = (&self.delivered.record, &self.around);
        let text = |text: &str| Some(Value::from(self.seen(text)));
        match key.as_str()? {
            "message" => text(&record.get_message()),
            // These are escaped already.
            "time" => Some(Value::from(around.time.as_str())),
            "sender" => Some(Value::from(around.sender.as_str())),
            "is_late" => Some(Value::from(around.is_late)),
            "tag" => text(&level_tag(record)),
            "level" => text(&record.level_name()?),
            "logger" => text(record.name()?),
            "topic" => text(self.delivered.topic.as_str()),
            name => match (record.get(name), name) {
                (Some(field), _) => Some(self.value_of(field)),
                (None, "host") => text(self.delivered.host()?),
                (None, _) => None,
            },
        }
    }
}

impl Context {
    fn seen(&self, text: &str) -> String {
        if !self.escapes {
            return text.to_owned();
        }
        let mut out = String::new();
        visible::on_lines(text, &mut out);
        out
    }

    fn value_of(&self, field: &Field) -> Value {
        match field {
            Field::Null => Value::from(()),
            Field::Bool(truth) => Value::from(*truth),
            Field::Int(number) => Value::from(*number),
            Field::UInt(number) => Value::from(*number),
            Field::Float(number) => Value::from(*number),
            Field::Str(text) => Value::from(self.seen(text)),
            Field::List(items) => items.iter().map(|item| self.value_of(item)).collect(),
            Field::Map(map) => {
                let entries = map
                    .iter()
                    .map(|(key, value)| (self.seen(key), self.value_of(value)));
                Value::from(entries.collect::<BTreeMap<String, Value>>())
            }
            Field::BigInt(_) | Field::Bytes(_) | Field::Ext(..) => {
                let mut text = String::new();
                str_of(field, &mut text);
                Value::from(self.seen(&text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Map, Record, Topic};

    use super::*;

    fn shown(source: &str, escapes: bool) -> String {
        let mut record = Record::new("shop", 40, "order %d\x1b[2J");
        record.set("args", vec![Field::from(7)]);
        record.set("user", Map::from_iter([("name", "fred")]));
        let delivered = Arc::new(Delivered {
            record,
            topic: Topic::for_name("shop"),
            origin: None,
            sender: None,
            received: 1,
            offset: None,
        });
        let around = Around {
            time: "10:00".into(),
            sender: "web:1".into(),
            is_late: false,
        };
        let mut out = String::new();
        Template::parse(source.into(), true, escapes)
            .unwrap()
            .write(&delivered, around, &mut out);
        out
    }

    #[test]
    fn a_template_has_every_field_of_the_record_and_what_is_known_around_it() {
        let source = "{{ time }} {{ tag }} {{ level|lower }} {{ sender }} {{ user.name|color('red') }} \
                      {{ nothing.at.all }}{{ levelno + 1 }} {{ message }}";
        let expected = "10:00 ERR error web:1 \x1b[31mfred\x1b[0m 41 order 7\\x1b[2J";
        assert_eq!(shown(source, true), expected);
        assert!(shown(source, false).ends_with("order 7\x1b[2J"));
    }

    #[test]
    fn a_template_that_cannot_be_used_says_where_and_one_that_fails_loses_no_record() {
        let error = Template::parse("a\n{{ b".into(), false, true).unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
        let failed = shown("{{ message|color('pink') }}", true);
        assert!(
            failed.starts_with("order 7") && failed.contains("no colour"),
            "{failed}"
        );
        let endless = shown(
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            true,
        );
        assert!(endless.contains("[template: "), "{endless}");
    }
}
