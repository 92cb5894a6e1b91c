//! Whether a condition holds for a record.
//!
//! Values are borrowed from the record as far as they can be.

use std::borrow::Cow;
use std::cmp::Ordering;

use logbus_schemas::python::str_of;
use logbus_schemas::{Record, Value};

use super::parser::{Comparison, Condition, Field, Operand, TextTest};
use crate::item::Delivered;

pub(super) fn holds(condition: &Condition, delivered: &Delivered) -> bool {
    match condition {
        Condition::Any(conditions) => conditions.iter().any(|one| holds(one, delivered)),
        Condition::All(conditions) => conditions.iter().all(|one| holds(one, delivered)),
        Condition::Not(condition) => !holds(condition, delivered),
        Condition::Exists(field) => !value_of(field, delivered).is_null(),
        Condition::Truth(operand) => is_true(&operand_of(operand, delivered)),
        Condition::Compare(left, how, right) => compare(
            &operand_of(left, delivered),
            *how,
            &operand_of(right, delivered),
        ),
        Condition::Text(left, test, right) => {
            let (left, right) = (operand_of(left, delivered), operand_of(right, delivered));
            text_test(&left, *test, &right)
        }
        Condition::Matches(operand, regex) => {
            let value = operand_of(operand, delivered);
            !value.is_null() && regex.is_match(&text_of(&value))
        }
        Condition::Like(Operand::Field(Field::Sender), glob) => {
            let names = delivered.sender_names();
            names.iter().any(|name| glob.fits(name))
        }
        Condition::Like(operand, glob) => {
            let value = operand_of(operand, delivered);
            !value.is_null() && glob.fits(&text_of(&value))
        }
        Condition::OneOf(operand, values) => {
            let value = operand_of(operand, delivered);
            values.iter().any(|one| are_equal(&value, one))
        }
    }
}

fn operand_of<'a>(operand: &'a Operand, delivered: &'a Delivered) -> Cow<'a, Value> {
    match operand {
        Operand::Field(field) => value_of(field, delivered),
        Operand::Value(value) => Cow::Borrowed(value),
        Operand::Lower(inner) => match operand_of(inner, delivered).as_str() {
            Some(text) => Cow::Owned(Value::from(text.to_lowercase().as_str())),
            None => Cow::Owned(Value::Null),
        },
        Operand::Length(inner) => Cow::Owned(match &*operand_of(inner, delivered) {
            Value::Str(text) => Value::from(text.chars().count() as i64),
            Value::List(items) => Value::from(items.len() as i64),
            Value::Map(map) => Value::from(map.len() as i64),
            Value::Bytes(bytes) => Value::from(bytes.len() as i64),
            _ => Value::Null,
        }),
    }
}

/// What a record has there; `Null` where it has nothing.
fn value_of<'a>(field: &Field, delivered: &'a Delivered) -> Cow<'a, Value> {
    let record = &delivered.record;
    match field {
        Field::Level => Cow::Owned(record.level().map_or(Value::Null, |level| level.0.into())),
        Field::Message => Cow::Owned(Value::from(&*record.get_message())),
        Field::Topic => Cow::Owned(Value::from(delivered.topic.as_str())),
        Field::Sender => match delivered.sender_name() {
            name if name.is_empty() => Cow::Owned(Value::Null),
            name => Cow::Owned(Value::from(&*name)),
        },
        Field::Host => Cow::Owned(delivered.host().map_or(Value::Null, Value::from)),
        Field::Pid => Cow::Owned(delivered.pid().map_or(Value::Null, Value::from)),
        Field::Text => Cow::Owned(Value::from(delivered.text())),
        Field::Named(name) => match record.look(name) {
            Some(value) => value.to_value(),
            None => within(record, name).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
        },
    }
}

/// A key within the value of one whose name is shorter.
fn within<'a>(record: &'a Record, name: &str) -> Option<&'a Value> {
    let (mut first, mut rest) = name.split_once('.')?;
    let mut value = record.get(first)?;
    loop {
        let Value::Map(map) = value else {
            return None;
        };
        if let Some(found) = map.get(rest) {
            return Some(found);
        }
        (first, rest) = rest.split_once('.')?;
        value = map.get(first)?;
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Str(text) => !text.is_empty(),
        other => other.as_f64() != Some(0.0),
    }
}

fn compare(left: &Value, how: Comparison, right: &Value) -> bool {
    let ordering = || order(left, right);
    match how {
        Comparison::Equal => are_equal(left, right),
        Comparison::Unequal => !are_equal(left, right),
        Comparison::Below => ordering() == Some(Ordering::Less),
        Comparison::Above => ordering() == Some(Ordering::Greater),
        Comparison::AtMost => ordering().is_some_and(Ordering::is_le),
        Comparison::AtLeast => ordering().is_some_and(Ordering::is_ge),
    }
}

fn are_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::List(_) | Value::Map(_) | Value::Bytes(_), _) => left == right,
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

/// Numbers by size, texts by their characters; a text that is a number is one where it is held
/// against a number.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => number_of(left)?.partial_cmp(&number_of(right)?),
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

fn text_test(left: &Value, test: TextTest, right: &Value) -> bool {
    // A list contains what is one of its items.
    if let (Value::List(items), TextTest::Contains) = (left, test) {
        return items.iter().any(|item| are_equal(item, right));
    }
    if left.is_null() || right.is_null() {
        return false;
    }
    let (left, right) = (text_of(left), text_of(right));
    match test {
        TextTest::Contains => left.contains(&*right),
        TextTest::StartsWith => left.starts_with(&*right),
        TextTest::EndsWith => left.ends_with(&*right),
    }
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(text) => Cow::Borrowed(text),
        other => {
            let mut text = String::new();
            str_of(other, &mut text);
            Cow::Owned(text)
        }
    }
}
