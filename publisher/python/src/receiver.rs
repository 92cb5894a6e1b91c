//! Receiving records in Python: what `logbus.Listener` is built on.
//!
//! The receiving and decoding stages are those of `logsub`, with its account of losses. What comes
//! out are dicts, a batch at a time, and notices of what was lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use logbus_broker::{Entrance, Inbound, Taker, tap};
use logbus_process as process;
use logbus_schemas::codec::sink;
use logbus_schemas::{Record, TopicFilter, Value};
use logbus_subscriber::config::Entrances;
use logbus_subscriber::decode::{Config, Decoder};
use logbus_subscriber::item::Item;
use logbus_subscriber::levels::Levels;
use logbus_subscriber::receive::Receiving;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString};

use crate::options::{refused, seconds};

/// Items in one batch at most.
const BATCH: usize = 1024;
/// How often the account of losses is asked what only time shows.
const TICK: Duration = Duration::from_secs(1);

/// A subscription to the bus.
#[pyclass(frozen, module = "logbus._logbus")]
pub(crate) struct Receiver {
    receiving: Mutex<Option<Receiving>>,
    stage: Mutex<Stage>,
}

struct Stage {
    taker: Taker,
    decoder: Decoder,
    next_tick: Instant,
    is_over: bool,
}

#[pymethods]
impl Receiver {
    /// Subscribes to `topics` (none: all) at `endpoints`; without an endpoint it joins the bus of
    /// this machine, or is it.
    #[new]
    fn new(endpoints: Vec<String>, topics: Vec<String>, max_message: usize) -> PyResult<Self> {
        let topics: Vec<TopicFilter> = topics
            .iter()
            .map(|text| TopicFilter::parse(text))
            .collect::<Result<_, _>>()
            .map_err(|error| refused("topics", error))?;
        let own: Vec<Entrance> = endpoints
            .iter()
            .map(|text| Entrance::connect(text))
            .collect::<Result<_, _>>()
            .map_err(|error| refused("endpoint", error))?;
        let entrances = Entrances {
            own,
            ..Entrances::default()
        };
        let (tap, taker) = tap(&topics);
        let receiving = Receiving::start(&entrances, tap, |_: &str| {})
            .map_err(|error| PyOSError::new_err(format!("{error:#}")))?;
        let config = Config {
            topics,
            levels: Levels::default(),
            max_message,
            rejects: None,
        };
        Ok(Self {
            receiving: Mutex::new(Some(receiving)),
            stage: Mutex::new(Stage {
                taker,
                decoder: Decoder::new(config, process::now()),
                next_tick: Instant::now() + TICK,
                is_over: false,
            }),
        })
    }

    /// The next records as dicts and notices as texts, oldest first, waiting for the first one up
    /// to `timeout` seconds; an empty list when none came, `None` when there will be no more.
    fn receive<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Option<Bound<'py, PyList>>> {
        let longest = seconds("timeout", timeout)?;
        let (items, is_over) = py.detach(|| {
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            (stage.fill(longest), stage.is_over)
        });
        if items.is_empty() && is_over {
            return Ok(None);
        }
        let batch = PyList::empty(py);
        for item in items {
            match item {
                Item::Record(delivered) => batch.append(dict_of(py, &delivered.record)?)?,
                Item::Notice(notice) if notice.is_routine() => {}
                Item::Notice(notice) => batch.append(notice.to_string())?,
            }
        }
        Ok(Some(batch))
    }

    /// Takes what has come in and closes the sockets; what was taken can still be received.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let receiving = self
                .receiving
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(receiving) = receiving {
                receiving.stop();
            }
        });
    }

    /// What came so far: `received`, `lost`, `discarded` (at the source), `foreign`, `malformed`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let summary = py.detach(|| {
            let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            stage.decoder.summary()
        });
        let result = PyDict::new(py);
        result.set_item("received", summary.totals.received + summary.foreign)?;
        result.set_item("lost", summary.totals.lost)?;
        result.set_item("discarded", summary.totals.discarded)?;
        result.set_item("foreign", summary.foreign)?;
        result.set_item("malformed", summary.malformed.values().sum::<u64>())?;
        Ok(result)
    }
}

impl Stage {
    fn fill(&mut self, longest: Duration) -> Vec<Item> {
        let mut items = Vec::new();
        let deadline = Instant::now() + longest;
        while items.len() < BATCH && !self.is_over {
            // Once there is something to hand over, nothing more is waited for.
            let until = if items.is_empty() {
                deadline.min(self.next_tick)
            } else {
                Instant::now()
            };
            match self.take(until) {
                Some(inbound) => self.decoder.message(&inbound, process::now(), &mut items),
                None if !items.is_empty() || Instant::now() >= deadline => break,
                None => {}
            }
            if Instant::now() >= self.next_tick || self.is_over {
                self.decoder.tick(process::now(), &mut items);
                self.next_tick = Instant::now() + TICK;
            }
        }
        let overflow = self.taker.overflow();
        if overflow > 0 {
            self.decoder.overflow(overflow, &mut items);
        }
        items
    }

    fn take(&mut self, until: Instant) -> Option<Inbound> {
        let longest = until.saturating_duration_since(Instant::now());
        let taken = self.taker.take(longest);
        self.is_over = matches!(&taken, Err(error) if error.is_disconnected());
        taken.ok()
    }
}

fn dict_of<'py>(py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in record.fields().iter() {
        dict.set_item(key, object(py, value)?)?;
    }
    Ok(dict)
}

fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Int(n) => n.into_bound_py_any(py),
        Value::UInt(n) => n.into_bound_py_any(py),
        Value::BigInt(digits) => py
            .get_type::<PyInt>()
            .call1((&**digits,))
            .or_else(|_| (&**digits).into_bound_py_any(py)),
        Value::Float(x) => x.into_bound_py_any(py),
        Value::Str(text) => Ok(PyString::new(py, text).into_any()),
        Value::Bytes(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        // Python has no such thing: it becomes the text that JSON would have.
        Value::Ext(..) => {
            let mut text = Vec::new();
            sink::put(
                value,
                0,
                &mut logbus_schemas::codec::json::Writer::new(&mut text),
            );
            let text = String::from_utf8_lossy(&text);
            text.trim_matches('"').into_bound_py_any(py)
        }
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(object(py, item)?)?;
            }
            Ok(list.into_any())
        }
        Value::Map(map) => {
            let dict = PyDict::new(py);
            for (key, value) in map.iter() {
                dict.set_item(key, object(py, value)?)?;
            }
            Ok(dict.into_any())
        }
    }
}
