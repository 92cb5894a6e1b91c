//! The handler's hot path: from `Logger.callHandlers` into the publisher's queue.
//!
//! `handle` takes no lock of Python's: the publisher is shared between threads as it is, and no
//! Python code runs while the queue is locked. So a record that is logged from a signal handler,
//! from `__del__` or in the middle of another one being read goes its way like any other. In a
//! forked child the publisher begins anew by itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logbus_publisher::{Adopted, Config, Overflow, Publisher, Reason};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::names::names;
use crate::options::{Options, seconds};
use crate::record::Writing;
use crate::text;

/// Set once the interpreter has begun to exit.
static IS_EXITING: AtomicBool = AtomicBool::new(false);

/// Says that the interpreter has begun to exit: from now on flushing and closing a handler share
/// one linger.
#[pyfunction]
pub(crate) fn exiting() {
    IS_EXITING.store(true, Ordering::Relaxed);
}

/// What `logbus.Handler` is built on.
#[pyclass(subclass, frozen, module = "logbus._logbus")]
pub(crate) struct Core {
    open: OnceLock<Open>,
}

struct Open {
    publisher: Publisher,
    writing: Writing,
    linger: Duration,
    /// Whether a full queue makes the caller wait: then other threads must run meanwhile.
    blocks: bool,
    /// Until when what is left at exit is waited for.
    exit_by: OnceLock<Instant>,
}

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            open: OnceLock::new(),
        }
    }

    /// Starts the publisher. Once only.
    fn open(
        &self,
        py: Python<'_>,
        options: Options,
        default: Option<Py<PyAny>>,
        extra: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let config = options.resolve()?;
        let open = Open {
            writing: writing(py, &config, default, extra)?,
            linger: config.linger,
            blocks: matches!(config.overflow, Overflow::Block(_)),
            exit_by: OnceLock::new(),
            publisher: Publisher::new(config)
                .map_err(|error| PyOSError::new_err(error.to_string()))?,
        };
        self.open
            .set(open)
            .map_err(|_| PyRuntimeError::new_err("this handler is open already"))
    }

    /// Conditionally publishes a record: what `logging.Handler.handle` does, without its lock.
    fn handle<'py>(
        slf: &Bound<'py, Self>,
        record: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let mut record = record;
        if slf.getattr(names().filters.get(py))?.is_truthy()? {
            let verdict = slf.call_method1(names().filter.get(py), (&record,))?;
            if !verdict.is_truthy()? {
                return Ok(verdict);
            }
            // Since Python 3.12 a filter may put another record in place of this one.
            if verdict.hasattr(names().levelno.get(py))? {
                record = verdict;
            }
        }
        Self::emit(slf, &record)?;
        Ok(record)
    }

    /// Publishes a record. What cannot be read as one goes to `handleError`.
    fn emit(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Err(error) = Self::publish(slf, record) {
            let py = slf.py();
            slf.call_method1(names().failed.get(py), (record, error.into_value(py)))?;
        }
        Ok(())
    }

    /// Waits until everything logged so far has been sent (with durable delivery: acknowledged) or
    /// discarded; `False` when the time is up first. Without `timeout` (in seconds) the time is the
    /// handler's linger.
    #[pyo3(signature = (timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let Some(open) = self.open.get() else {
            return Ok(true);
        };
        let longest = open.longest(timeout)?;
        Ok(py.detach(|| open.publisher.flush(longest)))
    }

    /// Sends what waits and says goodbye, within `timeout` or the linger; says what became of all
    /// records: a dict like that of `stats`, with `left`, what was still queued or not acknowledged,
    /// and `kept`, what was not acknowledged and is in the spool. A record that comes later begins anew, unless the interpreter is exiting: `dictConfig` closes handlers that
    /// others go on using.
    #[pyo3(signature = (timeout=None))]
    fn shutdown<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyDict>> {
        let result = PyDict::new(py);
        let Some(open) = self.open.get() else {
            return Ok(result);
        };
        let longest = open.longest(timeout)?;
        let report = py.detach(|| {
            if IS_EXITING.load(Ordering::Relaxed) {
                open.publisher.shutdown(longest)
            } else {
                open.publisher.close_for_now(longest)
            }
        });
        result.set_item("sent", report.sent)?;
        result.set_item("discarded", by_reason(py, &report.discarded)?)?;
        result.set_item("acknowledged", report.acknowledged)?;
        result.set_item("left", report.left)?;
        result.set_item("kept", report.kept)?;
        result.set_item("unconfirmed", report.unconfirmed)?;
        Ok(result)
    }

    /// What was done so far in this process: `published`, `sent`, `acknowledged`, `messages`, `queued`,
    /// `discarded`, a dict of reasons, and `adopted`, a dict of what was found in the spools of
    /// publishers that are dead.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self
            .open
            .get()
            .map(|open| open.publisher.stats())
            .unwrap_or_default();
        let result = PyDict::new(py);
        result.set_item("published", stats.published)?;
        result.set_item("sent", stats.sent)?;
        result.set_item("acknowledged", stats.acknowledged)?;
        result.set_item("messages", stats.messages)?;
        result.set_item("queued", stats.queued)?;
        result.set_item("discarded", by_reason(py, &stats.discarded)?)?;
        result.set_item("adopted", adopted(py, stats.adopted)?)?;
        Ok(result)
    }
}

fn adopted(py: Python<'_>, adopted: Adopted) -> PyResult<Bound<'_, PyDict>> {
    let result = PyDict::new(py);
    result.set_item("records", adopted.records)?;
    result.set_item("acknowledged", adopted.acknowledged)?;
    result.set_item("refused", adopted.refused)?;
    result.set_item("damages", adopted.damages)?;
    Ok(result)
}

impl Core {
    fn publish(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let Some(open) = slf.get().open.get() else {
            return Err(PyRuntimeError::new_err("this handler was never opened"));
        };
        let (name, bytes) = open.writing.encode(record, slf)?;
        let name = name.str()?;
        match text::utf8(&name) {
            Some(name) if open.blocks => py.detach(|| open.publisher.publish_encoded(name, &bytes)),
            Some(name) => open.publisher.publish_encoded(name, &bytes),
            None => open
                .publisher
                .publish_encoded(&text::without_surrogates(&name)?, &bytes),
        }
        Ok(())
    }
}

impl Open {
    fn longest(&self, timeout: Option<f64>) -> PyResult<Duration> {
        if let Some(timeout) = timeout {
            return seconds("timeout", timeout);
        }
        if !IS_EXITING.load(Ordering::Relaxed) {
            return Ok(self.linger);
        }
        let by = self.exit_by.get_or_init(|| Instant::now() + self.linger);
        Ok(by.saturating_duration_since(Instant::now()))
    }
}

fn writing(
    py: Python<'_>,
    config: &Config,
    default: Option<Py<PyAny>>,
    extra: Option<Py<PyAny>>,
) -> PyResult<Writing> {
    let logging = py.import("logging")?;
    let record_class = logging.getattr("LogRecord")?.cast_into::<PyType>()?;
    Ok(Writing {
        codec: config.codec,
        max_record: config.max_record,
        default,
        extra,
        get_message: record_class.getattr("getMessage")?.unbind(),
        record_class: record_class.unbind(),
        format_exception: logging
            .getattr("Formatter")?
            .call0()?
            .getattr("formatException")?
            .unbind(),
    })
}

fn by_reason<'py>(
    py: Python<'py>,
    counts: &std::collections::BTreeMap<Reason, u64>,
) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    for (reason, count) in counts {
        result.set_item(PyString::new(py, reason.name()), count)?;
    }
    Ok(result)
}
