//! Adds fields to every record that passes: `{env: prod, region: eu}`.

use std::sync::Arc;

use logbus_schemas::Map;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::item::{Delivered, Notice};

pub(super) const ROW: Row = Row {
    name: "add-fields",
    summary: "adds fields to every record",
    forms: &[Form {
        class: "add-fields",
        parameters: &[
            parameter("fields", Kind::Map, "the fields, as {env: prod}"),
            parameter(
                "overwrite",
                Kind::Bool,
                "also where the record has a field of that name; false",
            ),
        ],
        read: |options| {
            if !options.has("fields") {
                options.missing("fields");
            }
            Some(Box::new(Fields {
                fields: options.values("fields").unwrap_or_default(),
                overwrite: options.bool("overwrite").unwrap_or(false),
            }))
        },
    }],
};

#[derive(Debug, Clone)]
struct Fields {
    fields: Map,
    overwrite: bool,
}

impl Filter for Fields {
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        // A copy where other handlers have the record, too.
        let record = &mut Arc::make_mut(delivered).record;
        for (name, value) in self.fields.iter() {
            if self.overwrite || record.get(name).is_none() {
                record.set(name, value.clone());
            }
        }
        true
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
