//! Formatters: how a record becomes a line of text.
//!
//! There is one style so far, Python's `%`; others will stand beside it, a file each.

mod asctime;
mod percent;

pub use percent::{FormatError, PercentFormat};

/// The format of console and file when nothing else is said.
pub const DEFAULT_FORMAT: &str = "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s";
