//! Names and types of Python's that every record needs, made when the module is imported.
//!
//! They are not made when they are first used: that takes a lock which Python's fork does not know.
//! A process that forked just while another of its threads made one would leave its children
//! waiting for ever, for a thread that they do not have. `cargo xtask tidy` keeps other lazily made
//! things out of this crate.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyList, PyMapping, PyString, PyType};

static NAMES: OnceLock<Names> = OnceLock::new();

macro_rules! names {
    ($($field:ident = $name:literal,)*) => {
        /// The names, each by what it is called or nearly so, and the type of enumerations.
        pub(crate) struct Names {
            $(pub(crate) $field: Name,)*
            pub(crate) enumeration: Py<PyType>,
        }

        impl Names {
            fn new(py: Python<'_>) -> PyResult<Self> {
                Ok(Self {
                    $($field: Name(PyString::intern(py, $name).unbind()),)*
                    enumeration: py.import("enum")?.getattr("Enum")?.cast_into::<PyType>()?.unbind(),
                })
            }
        }
    };
}

names! {
    args = "args",
    asctime = "asctime",
    dataclass_fields = "__dataclass_fields__",
    dict = "__dict__",
    dtype = "dtype",
    exc_info = "exc_info",
    failed = "_failed",
    filter = "filter",
    filters = "filters",
    format_exception = "formatException",
    formatter = "formatter",
    get_message = "getMessage",
    isoformat = "isoformat",
    item = "item",
    levelno = "levelno",
    message = "message",
    module = "__module__",
    msg = "msg",
    name = "name",
    ndim = "ndim",
    qualname = "__qualname__",
    value = "value",
}

/// A name.
pub(crate) struct Name(Py<PyString>);

impl Name {
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.0.bind(py)
    }
}

/// Makes everything, while the module is imported.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    // What a mapping is, PyO3 finds out when it is asked for the first time.
    drop(PyList::empty(py).into_any().cast_into::<PyMapping>());
    let names = Names::new(py)?;
    // A second import finds them made.
    drop(NAMES.set(names));
    Ok(())
}

/// The names.
pub(crate) fn names() -> &'static Names {
    #[expect(
        clippy::expect_used,
        reason = "nothing of this module runs before its import"
    )]
    NAMES.get().expect("the module was imported")
}
