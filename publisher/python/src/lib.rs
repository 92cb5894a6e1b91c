//! The part of the Python package that is Rust: `logbus._logbus`.
//!
//! A record's way through here: `core.rs` is the handler's hot path, `record.rs` reads a
//! `LogRecord`, `encode.rs` writes Python objects as bytes, and `logbus-publisher` takes those over. The
//! way back is `receiver.rs`, over the decoding stage of `logbus-subscriber`. What Python does
//! better stands in `logbus/*.py`.

use pyo3::prelude::*;

mod core;
mod names;
mod record;
mod encode;
mod text;
mod options;
mod receiver;

/// What the Python files of the package are built on; not for others.
#[pymodule]
mod _logbus {
    #[pymodule_export]
    use crate::core::{Core, exiting};
    #[pymodule_export]
    use crate::receiver::Receiver;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::names::make(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
