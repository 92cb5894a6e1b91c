//! What travels on the bus: log records, levels, topics, codecs and the wire format.
//!
//! Everything here is a pure function or a state machine: values in, values out. There are no
//! sockets, threads, files or clocks; where time matters, it comes in as an argument. The modules
//! below stand in reading order, from a value to a whole message and to the account of what was
//! lost.
//!
//! ```
//! use logbus_schemas::{codec, Record, Value};
//!
//! let mut record = Record::new("myapp.db", 30, "pool is %d%% full");
//! record.set("args", Value::from(vec![Value::from(91)]));
//! record.set("pool", Value::from("replica-2"));
//!
//! let mut bytes = Vec::new();
//! codec::MSGPACK.encode(&record, &mut bytes);
//! let back = codec::MSGPACK.decode(&bytes).expect("what one codec wrote, it reads");
//! assert_eq!(back, record);
//! assert_eq!(back.get_message(), "pool is 91% full");
//! ```
#![forbid(unsafe_code)]

pub mod value;
pub mod level;
mod attributes;
pub mod record;
mod outline;
pub mod python;
pub mod message;
pub mod topic;
pub mod codec;
pub mod wire;
pub mod dialect;
pub mod reject;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use level::Level;
pub use record::Record;
pub use topic::{Topic, TopicFilter};
pub use value::{Map, Value, ValueRef};
