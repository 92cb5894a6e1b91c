//! A Python `LogRecord` as the bytes of a record.
//!
//! Its `__dict__` is written as it stands: attributes, what adapters and filters have added, and
//! extras. Three things are made here. `message` is the rendered message, beside `msg` and `args`.
//! `exc_info`, which cannot travel, becomes `exc_text` and the fields `exc_type`, `exc_module` and
//! `exc_value`. And what the handler's `extra` gives is put behind. No name comes twice: a field
//! that has the name of one of these goes under `extra_NAME`. The record itself is left as it is:
//! other handlers come after.

use logbus_schemas::codec::sink::Sink;
use logbus_schemas::codec::{self, Codec, json, msgpack};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};
use smallvec::SmallVec;

use crate::encode::{Encoder, raised};
use crate::names::names;
use crate::text;

/// What every record is written with.
pub(crate) struct Writing {
    pub(crate) codec: Codec,
    /// Bytes of the largest record.
    pub(crate) max_record: usize,
    /// Called for what stands for an object of no natural type.
    pub(crate) default: Option<Py<PyAny>>,
    /// Fields for every record: a dict, or a callable that gives one.
    pub(crate) extra: Option<Py<PyAny>>,
    /// `logging.LogRecord`, and its `getMessage` as Python has it.
    pub(crate) record_class: Py<PyType>,
    pub(crate) get_message: Py<PyAny>,
    /// Renders `exc_info` when the handler has no formatter that does.
    pub(crate) format_exception: Py<PyAny>,
}

/// What formatters leave behind in a record: whoever formats it makes it anew.
const LEFT_BEHIND: [&str; 2] = ["message", "asctime"];

/// What is made beside an exception, and beside a template that could not be rendered.
const MADE_OF_EXCEPTION: [&str; 3] = ["exc_type", "exc_module", "exc_value"];
const MADE_OF_FAULT: &str = "message_error";

type Entry<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

impl Writing {
    /// The record's bytes and its logger's name. Fails only when `record` is no `LogRecord` at all.
    pub(crate) fn encode<'py>(
        &self,
        record: &Bound<'py, PyAny>,
        handler: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<u8>)> {
        let mut bytes = Vec::with_capacity(512);
        let name = if self.codec == codec::JSON {
            self.write(json::Writer::new(&mut bytes), record, handler)
        } else {
            self.write(msgpack::Writer::new(&mut bytes), record, handler)
        }?;
        Ok((name, bytes))
    }

    fn write<'py>(
        &self,
        sink: impl Sink,
        record: &Bound<'py, PyAny>,
        handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = record.py();
        let dict = record
            .getattr(names().dict.get(py))?
            .cast_into::<PyDict>()?;
        let name = dict
            .get_item(names().name.get(py))?
            .unwrap_or_else(|| PyString::new(py, "").into_any());
        // Taken out first: writing a value may run code that changes the record.
        let entries: SmallVec<[Entry<'py>; 32]> = dict.iter().collect();
        let mut left_behind = 0;
        for name in [names().message.get(py), names().asctime.get(py)] {
            left_behind += usize::from(dict.contains(name)?);
        }
        let exception = Exception::of(&dict)?;
        let message = self.message(record, &dict)?;
        let made = Made {
            of_exception: exception.is_some(),
            of_fault: message.fault.is_some(),
        };
        let extra = self.extra(&dict, &made);

        let default = self.default.as_ref().map(|default| default.bind(py));
        let mut out = Encoder::new(sink, default, self.max_record);
        out.sink
            .begin_map(entries.len() - left_behind + made.len() + extra.len());
        for (key, value) in &entries {
            let Some(name) = key_of(key) else {
                out.key(key);
                out.value(value);
                continue;
            };
            if LEFT_BEHIND.contains(&name) {
                continue;
            }
            if made.has(name) {
                out.sink.key(&format!("extra_{name}"));
            } else {
                out.sink.key(name);
            }
            match (name, &exception) {
                ("exc_info", Some(_)) => out.sink.null(),
                ("exc_text", Some(exception)) if !value.is_truthy().unwrap_or(false) => {
                    out.str(&exception.text(handler, self.format_exception.bind(py)));
                }
                ("msg", _) if !value.is_exact_instance_of::<PyString>() => {
                    message.template(value, &mut out);
                }
                _ => out.value(value),
            }
        }
        out.sink.key("message");
        out.value(&message.text);
        if let Some(fault) = &message.fault {
            out.sink.key(MADE_OF_FAULT);
            out.str(fault);
        }
        if let Some(exception) = exception {
            exception.write_fields(&mut out);
        }
        for (key, value) in &extra {
            out.sink.key(key);
            out.value(value);
        }
        out.sink.end_map();
        out.sink.end_record();
        Ok(name)
    }

    /// What `getMessage()` gives, without calling it where it is Python's own and the template a
    /// text.
    fn message<'py>(
        &self,
        record: &Bound<'py, PyAny>,
        dict: &Bound<'py, PyDict>,
    ) -> PyResult<Message<'py>> {
        let py = record.py();
        let class = self.record_class.bind(py);
        let msg = dict.get_item(names().msg.get(py))?;
        let args = dict.get_item(names().args.get(py))?;
        let is_plain = record.get_type().is(class)
            && class
                .getattr(names().get_message.get(py))?
                .is(&self.get_message);
        let rendered = match (&msg, args) {
            (Some(msg), Some(args)) if is_plain && msg.is_exact_instance_of::<PyString>() => {
                // As Python's own does: no arguments, no rendering.
                if args.is_truthy().unwrap_or(true) {
                    msg.rem(args)
                } else {
                    Ok(msg.clone())
                }
            }
            _ => record.call_method0(names().get_message.get(py)),
        };
        Ok(match rendered {
            Ok(text) => Message { text, fault: None },
            // Arguments that do not fit the template cost the rendering, not the record.
            Err(error) => Message {
                text: msg.unwrap_or_else(|| py.None().into_bound(py)),
                fault: Some(error.to_string()),
            },
        })
    }

    /// The handler's own fields. When their callable raises, that is told in their place.
    fn extra<'py>(
        &self,
        dict: &Bound<'py, PyDict>,
        made: &Made,
    ) -> Vec<(String, Bound<'py, PyAny>)> {
        let py = dict.py();
        let Some(extra) = &self.extra else {
            return Vec::new();
        };
        let extra = extra.bind(py);
        let fields = if extra.is_callable() {
            extra.call0()
        } else {
            Ok(extra.clone())
        };
        fields
            .and_then(|fields| fields_of(&fields, dict, made))
            .unwrap_or_else(|error| {
                let told = raised("extra", &error, py);
                vec![(
                    "extra_error".to_owned(),
                    PyString::new(py, &told).into_any(),
                )]
            })
    }
}

fn fields_of<'py>(
    fields: &Bound<'py, PyAny>,
    dict: &Bound<'py, PyDict>,
    made: &Made,
) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    if fields.is_none() {
        return Ok(Vec::new());
    }
    let items = fields.cast::<PyMapping>()?.items()?;
    let mut named = Vec::with_capacity(items.len());
    for item in items.iter() {
        let (key, value): Entry<'py> = item.extract()?;
        let key = key.str()?;
        let name = key.to_string_lossy();
        let is_taken = dict.contains(&key)? || LEFT_BEHIND.contains(&&*name) || made.has(&name);
        let prefix = if is_taken { "extra_" } else { "" };
        named.push((format!("{prefix}{name}"), value));
    }
    Ok(named)
}

/// Which fields are made here for a record, beside `message`.
struct Made {
    of_exception: bool,
    of_fault: bool,
}

impl Made {
    fn has(&self, name: &str) -> bool {
        self.of_exception && MADE_OF_EXCEPTION.contains(&name)
            || self.of_fault && name == MADE_OF_FAULT
    }

    /// With `message`.
    fn len(&self) -> usize {
        1 + MADE_OF_EXCEPTION.len() * usize::from(self.of_exception) + usize::from(self.of_fault)
    }
}

/// The rendered message, and why it could not be rendered.
struct Message<'py> {
    text: Bound<'py, PyAny>,
    fault: Option<String>,
}

impl<'py> Message<'py> {
    /// Writes a template that is no text. An object that renders itself (the Logging Cookbook's
    /// `BraceMessage`) has been asked for its text already: that was the message.
    fn template<S: Sink>(&self, msg: &Bound<'py, PyAny>, out: &mut Encoder<'_, 'py, S>) {
        let is_object = !(msg.is_instance_of::<PyDict>()
            || msg.is_instance_of::<PyList>()
            || msg.is_instance_of::<PyTuple>()
            || msg.is_none()
            || msg.is_instance_of::<PyInt>()
            || msg.is_instance_of::<PyFloat>());
        out.value(if is_object && self.fault.is_none() {
            &self.text
        } else {
            msg
        });
    }
}

/// An exception that a record carries.
struct Exception<'py> {
    info: Bound<'py, PyTuple>,
}

impl<'py> Exception<'py> {
    fn of(dict: &Bound<'py, PyDict>) -> PyResult<Option<Self>> {
        let info = dict.get_item(names().exc_info.get(dict.py()))?;
        // Anything else that stands there is an ordinary value.
        Ok(info
            .and_then(|info| info.cast_into::<PyTuple>().ok())
            .filter(|info| info.len() == 3)
            .map(|info| Self { info }))
    }

    /// The traceback, as the handler's formatter writes it, or as Python's own does.
    fn text(&self, handler: &Bound<'py, PyAny>, format_exception: &Bound<'py, PyAny>) -> String {
        let py = self.info.py();
        let by_formatter = handler
            .getattr(names().formatter.get(py))
            .and_then(|own| own.call_method1(names().format_exception.get(py), (&self.info,)));
        let text = by_formatter.or_else(|_| format_exception.call1((&self.info,)));
        match text.and_then(|text| text.str()) {
            Ok(text) => text::utf8(&text)
                .map(str::to_owned)
                .or_else(|| text::without_surrogates(&text).ok())
                .unwrap_or_default(),
            Err(error) => raised("the traceback", &error, self.info.py()),
        }
    }

    fn write_fields<S: Sink>(&self, out: &mut Encoder<'_, 'py, S>) {
        let py = self.info.py();
        let kind = self.info.get_item(0).ok();
        let of_kind = |name| kind.as_ref().and_then(|kind| kind.getattr(name).ok());
        let [kind_key, module_key, value_key] = MADE_OF_EXCEPTION;
        for (key, value) in [
            (kind_key, of_kind(names().qualname.get(py))),
            (module_key, of_kind(names().module.get(py))),
        ] {
            out.sink.key(key);
            match value {
                Some(value) => out.value(&value),
                None => out.sink.null(),
            }
        }
        out.sink.key(value_key);
        match self.info.get_item(1).and_then(|value| value.str()) {
            Ok(text) => out.text(&text),
            Err(error) => out.str(&raised("str()", &error, py)),
        }
    }
}

fn key_of<'a>(key: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    text::utf8(key.cast::<PyString>().ok()?)
}
