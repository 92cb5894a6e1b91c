//! How a publisher delivers durably: where to, how much may be without an answer, and whether what
//! is not acknowledged is kept on disk.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use logbus_transport::{Endpoint, EndpointError};

pub use crate::spool::Fsync;

/// Where durable publishers connect to when nothing else is said: the durable endpoint of a broker
/// on this machine.
pub const DEFAULT_DURABLE_ENDPOINT: &str = "tcp://127.0.0.1:5558";

/// What is promised of a record that was sent.
#[derive(Debug, Clone, Default)]
pub enum Delivery {
    /// It goes to whoever listens; what is lost on the way is counted by the reader.
    #[default]
    BestEffort,
    /// It is sent again until a broker has it on disk.
    Durable(DurableConfig),
}

/// The settings of durable delivery.
#[derive(Debug, Clone)]
pub struct DurableConfig {
    /// A broker's durable endpoint. None: what the environment variable `LOGBUS_DURABLE_ENDPOINT`
    /// says, else [`DEFAULT_DURABLE_ENDPOINT`].
    pub endpoint: Option<Endpoint>,
    /// Messages that may be sent and not acknowledged; the broker's credit may be less.
    pub window_messages: usize,
    /// Bytes of them, about.
    pub window_bytes: usize,
    /// The folder of spools. With it, what is not acknowledged is on disk and outlives this process;
    /// the next one of the same program sends it.
    pub spool: Option<PathBuf>,
    /// Bytes that this publisher's spool may have on disk, about.
    pub spool_bytes: u64,
    /// When the spool is synced to the disk.
    pub fsync: Fsync,
    /// Who is told what people should know: refusals, a spool that cannot be written.
    pub tell: Tell,
}

impl Default for DurableConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            window_messages: 1_000,
            window_bytes: 16 << 20,
            spool: None,
            spool_bytes: 256 << 20,
            fsync: Fsync::default(),
            tell: Tell::stderr(),
        }
    }
}

impl DurableConfig {
    /// The endpoint to connect to: the one given, else the environment's, else the default.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        let said = std::env::var("LOGBUS_DURABLE_ENDPOINT").unwrap_or_default();
        match said.trim() {
            "" => DEFAULT_DURABLE_ENDPOINT.parse(),
            said => said.parse(),
        }
    }
}

/// Where a line for people goes. It is called from the sender's thread, each kind of line once; and in a
/// forked child that can make no spool from the thread that publishes first, where locks that other
/// threads had may be held for ever.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(&str) + Send + Sync>);

impl Tell {
    /// To a function.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// To standard error, with `logbus: ` before it.
    pub fn stderr() -> Self {
        Self::new(|line| logbus_process::say(&format!("logbus: {line}")))
    }

    /// To nobody.
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn say(&self, line: &str) {
        (self.0)(line);
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}
