//! Records that a query asks for: `level >= warn and (status >= 500 or not exists(user.id))`.
//!
//! The language is in `query/`, and in `docs/query.md` for users.

use std::sync::Arc;

use super::{Filter, Row};
use crate::config::options::{Form, Kind, parameter};
use crate::item::{Delivered, Notice};
use crate::query::Query;

pub(super) const ROW: Row = Row {
    name: "expression",
    summary: "lets the records through that a query asks for",
    forms: &[Form {
        class: "expression",
        parameters: &[parameter(
            "where",
            Kind::Text,
            "the query, as level >= warn and status >= 500",
        )],
        read: |options| {
            let text = options.required_text("where")?;
            match Query::parse(&text) {
                Ok(query) => Some(Box::new(Expression(query))),
                Err(error) => {
                    options.wrong("where", error);
                    None
                }
            }
        },
    }],
};

#[derive(Debug, Clone)]
struct Expression(Query);

impl Filter for Expression {
    fn pass(&mut self, delivered: &mut Arc<Delivered>, _: u64, _: &mut Vec<Notice>) -> bool {
        self.0.matches(delivered)
    }

    fn again(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
