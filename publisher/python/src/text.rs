//! A Python `str` as UTF-8, without copying it.
#![allow(
    unsafe_code,
    reason = "the one call that shows a str's UTF-8 bytes in place is not in the limited API of 3.9"
)]

use std::ffi::c_char;

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{exceptions, ffi};

unsafe extern "C" {
    /// The UTF-8 of a `str`, kept by the `str` itself; null with an exception set when it holds a
    /// lone surrogate. Every CPython since 3.3 exports it; since 3.10 it is in the stable ABI
    /// (docs.python.org/3/c-api/unicode.html), in this shape.
    fn PyUnicode_AsUTF8AndSize(
        unicode: *mut ffi::PyObject,
        size: *mut ffi::Py_ssize_t,
    ) -> *const c_char;
}

/// The bytes of `text`, where it can be UTF-8.
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    let mut size = 0;
    // SAFETY: `text` is a str, and this thread is attached to the interpreter.
    let bytes = unsafe { PyUnicode_AsUTF8AndSize(text.as_ptr(), &mut size) };
    if bytes.is_null() {
        drop(PyErr::take(text.py()));
        return None;
    }
    // SAFETY: the bytes are `size` of UTF-8, and belong to the str, which `text` keeps alive.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast(), size as usize) };
    // SAFETY: Python has just encoded them as UTF-8, strictly.
    Some(unsafe { std::str::from_utf8_unchecked(bytes) })
}

/// The text with each lone surrogate as the six characters `\ud800`, as the wire has them.
pub(crate) fn without_surrogates(text: &Bound<'_, PyString>) -> PyResult<String> {
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    String::from_utf8(bytes.extract()?)
        .map_err(|error| exceptions::PyUnicodeError::new_err(error.to_string()))
}
