//! Records by the value of one field.

use std::sync::Arc;

use logbus_schemas::Value;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::item::{Delivered, Notice};

pub(super) const ROW: Row = Row {
    name: "field",
    summary: "lets records through by the value of a field",
    forms: &[Form {
        class: "field",
        parameters: &[
            parameter("field", Kind::Text, "the field"),
            parameter("equals", Kind::Any, "it must have this value"),
            parameter(
                "one_of",
                Kind::Any,
                "it must have one of these values, a list",
            ),
            parameter("exists", Kind::Bool, "it must be there, or must not"),
            parameter("above", Kind::Number, "it must be a number above this"),
            parameter("below", Kind::Number, "it must be a number below this"),
        ],
        read: |options| Some(Box::new(Field::read(options)?)),
    }],
};

/// Every condition that is given must hold.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    one_of: Option<Vec<Value>>,
    exists: Option<bool>,
    above: Option<f64>,
    below: Option<f64>,
}

impl Field {
    fn read(options: &mut Options<'_>) -> Option<Self> {
        let name = options.required_text("field");
        let one_of = match options.value("one_of") {
            Some(Value::List(values)) => Some(values),
            Some(_) => {
                options.wrong(
                    "one_of",
                    "this is not a list; write for example [GET, HEAD]",
                );
                None
            }
            None => options.value("equals").map(|value| vec![value]),
        };
        let field = Self {
            name: name?,
            one_of,
            exists: options.bool("exists"),
            above: options.number("above"),
            below: options.number("below"),
        };
        let has_condition = field.one_of.is_some()
            || field.exists.is_some()
            || field.above.is_some()
            || field.below.is_some();
        if !has_condition {
            options.missing("equals, one_of, exists, above or below");
        }
        Some(field)
    }
}

impl Filter for Field {
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        let value = delivered
            .record
            .get(&self.name)
            .filter(|value| !value.is_null());
        let number = value.and_then(Value::as_f64);
        let is_one =
            |values: &Vec<Value>| value.is_some_and(|value| values.iter().any(|one| one == value));
        self.one_of.as_ref().is_none_or(is_one)
            && self.exists.is_none_or(|exists| exists == value.is_some())
            && self
                .above
                .is_none_or(|least| number.is_some_and(|number| number > least))
            && self
                .below
                .is_none_or(|most| number.is_some_and(|number| number < most))
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
