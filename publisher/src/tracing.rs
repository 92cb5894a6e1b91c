//! Publishing what the `tracing` macros say: a layer for a `tracing-subscriber` registry.
//!
//! The target is the record's name (`a::b` is `a.b`), the field `message` its `msg`, and file,
//! line and module have Python's names. An event's other fields are extras, and so are the fields
//! of the spans around it: the inner one's win, the event's own win over all. `spans` lists the
//! spans' names from the root. An error is `exc_text` as well.

use std::fmt::Debug;
use std::sync::Arc;

use logbus_schemas::{Map, Record, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Place, is_senders_own, record, set_error, set_extra};
use crate::publisher::Publisher;

/// A layer that publishes events.
pub struct Layer {
    publisher: Arc<Publisher>,
}

impl Layer {
    /// A layer that publishes with this publisher.
    pub fn new(publisher: Arc<Publisher>) -> Self {
        Self { publisher }
    }
}

/// What is kept with a span: its fields so far.
struct SpanFields(Record);

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = SpanFields(Record::default());
            attributes.record(&mut Fields {
                record: &mut fields.0,
                message: None,
            });
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut Fields {
                record: &mut fields.0,
                message: None,
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_senders_own() {
            return;
        }
        let mut own = Record::default();
        let mut fields = Fields {
            record: &mut own,
            message: None,
        };
        event.record(&mut fields);
        let message = fields.message.take().unwrap_or_default();
        let mut record = record_of(event.metadata(), &message);
        let mut names = Vec::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            names.push(Value::from(span.name()));
            if let Some(SpanFields(fields)) = span.extensions().get::<SpanFields>() {
                add_all(&mut record, fields.fields());
            }
        }
        if !names.is_empty() {
            set_extra(&mut record, "spans", names);
        }
        add_all(&mut record, own.fields());
        self.publisher.publish(&record);
    }
}

fn add_all(record: &mut Record, fields: &Map) {
    for (key, value) in fields.iter() {
        record.set(key, value.clone());
    }
}

fn record_of(metadata: &Metadata<'_>, message: &str) -> Record {
    let place = Place {
        target: metadata.target(),
        module: metadata.module_path(),
        file: metadata.file(),
        line: metadata.line(),
    };
    let level = match *metadata.level() {
        Level::ERROR => (40, "ERROR"),
        Level::WARN => (30, "WARNING"),
        Level::INFO => (20, "INFO"),
        Level::DEBUG => (10, "DEBUG"),
        Level::TRACE => (5, "TRACE"),
    };
    record(&place, level, message)
}

/// Puts fields into a record, the message apart.
struct Fields<'a> {
    record: &'a mut Record,
    message: Option<String>,
}

impl Fields<'_> {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        set_extra(self.record, field.name(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = Some(format!("{value:?}"));
        } else {
            self.set(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.set(field, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        set_error(self.record, field.name(), value);
    }
}
