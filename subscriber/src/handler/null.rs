//! The null handler: records end here, on purpose.

use super::{Fault, Handler, Opener, Row, Setting};
use crate::config::options::Form;
use crate::item::Item;

pub(super) const ROW: Row = Row {
    name: "null",
    summary: "nowhere: for loggers whose records nobody wants",
    forms: &[
        Form {
            class: "null",
            parameters: &[],
            read: |_| Some(opener()),
        },
        Form {
            class: "logging.NullHandler",
            parameters: &[],
            read: |_| Some(opener()),
        },
    ],
};

fn opener() -> Opener {
    Box::new(|setting: Setting| Ok(Box::new(Null(setting.name)) as Box<dyn Handler>))
}

struct Null(String);

impl Handler for Null {
    fn name(&self) -> &str {
        &self.0
    }

    fn emit(&mut self, _batch: &[Item]) -> Result<(), Fault> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
