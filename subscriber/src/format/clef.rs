//! CLEF, the compact log event format of Seq and Serilog: one JSON object a line.
//!
//! The same events as the Seq handler sends (`handler/seq/event.rs`), for files that are read by
//! `seqcli` or shipped later.

use logbus_process as process;
use logbus_schemas::{Map, Record};

use super::{Formatter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::handler::seq::event::event;
use crate::item::Notice;

pub(super) const ROW: Row = Row {
    name: "clef",
    summary: "compact log events as Seq takes them, one JSON object a line",
    forms: &[Form {
        class: "clef",
        parameters: &[parameter(
            "properties",
            Kind::Map,
            "properties of every event, as {Environment: prod}",
        )],
        read: |options| {
            Some(Box::new(Clef {
                properties: options.values("properties").unwrap_or_default(),
            }))
        },
    }],
};

#[derive(Debug, Clone)]
struct Clef {
    properties: Map,
}

impl Formatter for Clef {
    fn format(&mut self, record: &Record, out: &mut String) {
        out.push_str(&event(record, None, process::now(), &self.properties));
    }

    fn notice(&mut self, notice: &Notice, out: &mut String) {
        self.format(&notice.to_record(process::now()), out);
    }

    fn again(&self) -> Box<dyn Formatter> {
        Box::new(self.clone())
    }
}
