//! Publishing what the `tracing` macros say: a layer for a `tracing-subscriber` registry.
//!
//! The target is the record's name (`a::b` is `a.b`), the field `message` its `msg`, and file,
//! line and module have Python's names. An event's other fields are extras, and so are the fields
//! of the spans around it: the inner one's win, the event's own win over all. `spans` lists the
//! spans' names from the root. An error is `exc_text` as well.

use std::fmt::{self, Debug};
use std::sync::Arc;

use logbus_schemas::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Call, is_senders_own, set_error, set_extra};
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
struct SpanFields(Map);

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = SpanFields(Map::default());
            attributes.record(&mut Fields {
                extras: &mut fields.0,
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
                extras: &mut fields.0,
                message: None,
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_senders_own() {
            return;
        }
        let mut own = Map::default();
        let mut fields = Fields {
            extras: &mut own,
            message: None,
        };
        event.record(&mut fields);
        let message = fields.message.take().unwrap_or_default();
        let extras = with_spans(own, event, &context);
        call_of(event.metadata(), format_args!("{message}"), extras).publish(&self.publisher);
    }
}

/// The event's own fields behind those of the spans around it.
fn with_spans<S>(own: Map, event: &Event<'_>, context: &Context<'_, S>) -> Map
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut extras = Map::default();
    let mut names = Vec::new();
    let scope = context.event_scope(event).into_iter();
    for span in scope.flat_map(|scope| scope.from_root()) {
        names.push(Value::from(span.name()));
        if let Some(SpanFields(fields)) = span.extensions().get::<SpanFields>() {
            add_all(&mut extras, fields);
        }
    }
    if names.is_empty() {
        return own;
    }
    set_extra(&mut extras, "spans", names);
    add_all(&mut extras, &own);
    extras
}

fn add_all(extras: &mut Map, fields: &Map) {
    for (key, value) in fields.iter() {
        extras.set(key, value.clone());
    }
}

fn call_of<'a>(metadata: &Metadata<'a>, message: fmt::Arguments<'a>, extras: Map) -> Call<'a> {
    Call {
        target: metadata.target(),
        level: match *metadata.level() {
            Level::ERROR => (40, "ERROR"),
            Level::WARN => (30, "WARNING"),
            Level::INFO => (20, "INFO"),
            Level::DEBUG => (10, "DEBUG"),
            Level::TRACE => (5, "TRACE"),
        },
        module: metadata.module_path(),
        file: metadata.file(),
        line: metadata.line(),
        message,
        extras,
    }
}

/// Puts fields among the extras, the message apart.
struct Fields<'a> {
    extras: &'a mut Map,
    message: Option<String>,
}

impl Fields<'_> {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        set_extra(self.extras, field.name(), value);
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
        set_error(self.extras, field.name(), value);
    }
}
