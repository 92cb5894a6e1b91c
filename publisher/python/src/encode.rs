//! Python objects as bytes: one walk, straight into a codec's writer.
//!
//! `None`, `bool`, `int`, `float`, `str`, `bytes`, `list`, `tuple` and `dict` (and what is derived
//! from them) are written as what they are. Anything else is first shown to the handler's
//! `default`, where there is one, and then goes by the table in the package's README: sets are
//! lists, enums their values, dataclasses dicts, dates ISO 8601, numpy scalars numbers, the rest
//! `str()`. No value makes this fail: one whose own code raises becomes a text that says so.
//! Cycles end in `[...]` and `{...}`.

use logbus_schemas::codec::MAX_DEPTH;
use logbus_schemas::codec::sink::{DEEPER_LIST, DEEPER_MAP, Sink};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMapping,
    PyMemoryView, PySet, PyString, PyTuple,
};
use smallvec::SmallVec;

use crate::names::names;
use crate::text;

/// Writes objects into `sink`.
pub(crate) struct Encoder<'a, 'py, S> {
    pub(crate) sink: S,
    /// Asked for what stands for an object of no natural type; raises `TypeError` to pass.
    default: Option<&'a Bound<'py, PyAny>>,
    /// Once so many bytes are written, objects are left out: the record is too large already, and
    /// few objects can refer to one another in so many ways that writing them would never end.
    limit: usize,
    written: usize,
    /// The lists and dicts that are being written, by address.
    open: SmallVec<[usize; 8]>,
}

impl<'a, 'py, S: Sink> Encoder<'a, 'py, S> {
    pub(crate) fn new(sink: S, default: Option<&'a Bound<'py, PyAny>>, limit: usize) -> Self {
        Self {
            sink,
            default,
            limit,
            written: 0,
            open: SmallVec::new(),
        }
    }

    /// Writes any object.
    pub(crate) fn value(&mut self, value: &Bound<'py, PyAny>) {
        self.written += 1;
        if self.written > self.limit {
            return self.sink.null();
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text);
        } else if value.is_none() {
            self.sink.null();
        } else if let Ok(int) = value.cast_exact::<PyInt>() {
            self.int(int);
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.sink.float(float.value());
        } else if let Ok(bool) = value.cast_exact::<PyBool>() {
            self.sink.bool(bool.is_true());
        } else {
            self.compound(value);
        }
    }

    pub(crate) fn text(&mut self, text: &Bound<'py, PyString>) {
        match text::utf8(text) {
            Some(text) => self.str(text),
            None => self.str(&text::without_surrogates(text).unwrap_or_default()),
        }
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.written += text.len();
        self.sink.text(text);
    }

    pub(crate) fn key(&mut self, key: &Bound<'py, PyAny>) {
        if let Ok(text) = key.cast::<PyString>() {
            match text::utf8(text) {
                Some(text) => self.sink.key(text),
                None => self
                    .sink
                    .key(&text::without_surrogates(text).unwrap_or_default()),
            }
        } else {
            self.sink.key(&key_text(key));
        }
    }

    fn int(&mut self, int: &Bound<'py, PyInt>) {
        if let Ok(small) = int.extract::<i64>() {
            self.sink.int(small);
        } else if let Ok(large) = int.extract::<u64>() {
            self.sink.uint(large);
        } else {
            self.big_int(int);
        }
    }

    /// Beyond 64 bits. Python refuses to print numbers of more than 4300 digits; in hexadecimal it
    /// prints them all.
    fn big_int(&mut self, int: &Bound<'py, PyInt>) {
        let decimal = int.call_method0("__repr__").and_then(|text| text.extract());
        match decimal {
            Ok(digits) => {
                let digits: String = digits;
                self.written += digits.len();
                self.sink.big_int(&digits);
            }
            Err(_) => self.str(&hexadecimal(int)),
        }
    }

    /// Writes what is no exact scalar: natural types and their subclasses, then everything else.
    fn compound(&mut self, value: &Bound<'py, PyAny>) {
        if let Ok(map) = value.cast::<PyDict>() {
            self.dict(value, map);
        } else if let Ok(list) = value.cast::<PyList>() {
            // A copy: writing an item may run code that changes the list.
            let items = list.to_tuple();
            self.items(value, &items);
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.items(value, tuple);
        } else if let Ok(text) = value.cast::<PyString>() {
            self.text(text);
        } else if let Ok(int) = value.cast::<PyInt>() {
            self.int(int);
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.sink.float(float.value());
        } else if let Some(bytes) = bytes_of(value) {
            self.written += bytes.len();
            self.sink.bytes(&bytes);
        } else {
            self.foreign(value);
        }
    }

    fn dict(&mut self, value: &Bound<'py, PyAny>, map: &Bound<'py, PyDict>) {
        let Some(()) = self.enter(value, DEEPER_MAP) else {
            return;
        };
        // A copy: writing a value may run code that changes the dict.
        let items = map.items();
        self.sink.begin_map(items.len());
        for item in items.iter() {
            let entry: PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = item.extract();
            if let Ok((key, value)) = entry {
                self.key(&key);
                self.value(&value);
            }
        }
        self.sink.end_map();
        self.open.pop();
    }

    fn items(&mut self, value: &Bound<'py, PyAny>, items: &Bound<'py, PyTuple>) {
        let Some(()) = self.enter(value, DEEPER_LIST) else {
            return;
        };
        self.sink.begin_list(items.len());
        for item in items.iter() {
            self.value(&item);
        }
        self.sink.end_list();
        self.open.pop();
    }

    /// Goes into a list or dict; `None`, and a text in its place, when that is being written
    /// already or lies too deep.
    fn enter(&mut self, value: &Bound<'py, PyAny>, otherwise: &str) -> Option<()> {
        let address = value.as_ptr() as usize;
        // One level is the record itself.
        if self.open.len() + 1 >= MAX_DEPTH || self.open.contains(&address) {
            self.str(otherwise);
            return None;
        }
        self.open.push(address);
        Some(())
    }

    /// Writes what stands for an object of no natural type.
    fn foreign(&mut self, value: &Bound<'py, PyAny>) {
        let Some(()) = self.enter(value, DEEPER_MAP) else {
            return;
        };
        let default = self.default.map(|default| default.call1((value,)));
        match default {
            Some(Ok(substitute)) => self.value(&substitute),
            Some(Err(error)) if !is_type_error(&error, value.py()) => {
                self.str(&raised("default", &error, value.py()));
            }
            Some(Err(_)) | None => self.by_table(value),
        }
        self.open.pop();
    }

    fn by_table(&mut self, value: &Bound<'py, PyAny>) {
        match substitute(value) {
            Ok(Some(substitute)) => self.value(&substitute),
            Ok(None) => match value.str() {
                Ok(text) => self.text(&text),
                Err(error) => self.str(&raised("str()", &error, value.py())),
            },
            Err(error) => self.str(&raised("reading it", &error, value.py())),
        }
    }
}

/// What is written in place of an object, when it is one of the kinds in the table; the first row
/// that fits counts.
fn substitute<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return sorted(value).map(Some);
    }
    if value.is_instance(names().enumeration.bind(py))? {
        return value.getattr(names().value.get(py)).map(Some);
    }
    // Asked of the type: objects that invent attributes (mocks, proxies) have them all.
    let kind = value.get_type();
    if let Some(fields) = kind.getattr_opt(names().dataclass_fields.get(py))? {
        return dataclass(value, &fields).map(Some);
    }
    if kind.hasattr(names().isoformat.get(py))? {
        return value.call_method0(names().isoformat.get(py)).map(Some);
    }
    let has = |name| kind.hasattr(name);
    if has(names().dtype.get(py))?
        && has(names().item.get(py))?
        && has(names().ndim.get(py))?
        && value.getattr(names().ndim.get(py))?.eq(0)?
    {
        return value.call_method0(names().item.get(py)).map(Some);
    }
    if value.cast::<PyMapping>().is_ok() {
        let map = PyDict::new(py);
        map.update(value.cast::<PyMapping>()?)?;
        return Ok(Some(map.into_any()));
    }
    Ok(None)
}

/// A set's members in order where they have one, so that equal sets are written alike.
fn sorted<'py>(set: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let members = PyList::empty(set.py());
    for member in set.try_iter()? {
        members.append(member?)?;
    }
    // Members that cannot be compared stay as they came.
    drop(members.sort());
    Ok(members.into_any())
}

fn dataclass<'py>(
    value: &Bound<'py, PyAny>,
    fields: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let map = PyDict::new(value.py());
    for name in fields.try_iter()? {
        let name = name?.cast_into::<PyString>()?;
        // A field that was deleted, or is only declared, has no value to show.
        if let Some(field) = value.getattr_opt(&name)? {
            map.set_item(name, field)?;
        }
    }
    Ok(map.into_any())
}

fn bytes_of(value: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        Some(bytes.as_bytes().to_vec())
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        Some(bytes.to_vec())
    } else if value.is_instance_of::<PyMemoryView>() {
        value.call_method0("tobytes").ok()?.extract().ok()
    } else {
        None
    }
}

/// The text that Python's `json` module makes of a key, and `str()` of what it refuses.
fn key_text(key: &Bound<'_, PyAny>) -> String {
    if key.is_none() {
        return "null".to_owned();
    }
    if let Ok(bool) = key.cast::<PyBool>() {
        return if bool.is_true() { "true" } else { "false" }.to_owned();
    }
    match key.str().map(|text| text.to_string_lossy().into_owned()) {
        Ok(text) => text,
        Err(error) => raised("str()", &error, key.py()),
    }
}

fn hexadecimal(int: &Bound<'_, PyInt>) -> String {
    match int.call_method1("__format__", ("#x",)) {
        Ok(text) => text.to_string(),
        Err(error) => raised("format()", &error, int.py()),
    }
}

/// What stands for a value whose own code raised. Python's `traceback` module shows such values in
/// this way.
pub(crate) fn raised(what: &str, error: &PyErr, py: Python<'_>) -> String {
    let kind = error.get_type(py);
    let name = kind.name().map(|name| name.to_string());
    format!(
        "<{what} raised {}>",
        name.as_deref().unwrap_or("an exception")
    )
}

fn is_type_error(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<pyo3::exceptions::PyTypeError>(py)
}
