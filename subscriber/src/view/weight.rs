//! About how many bytes of memory a record takes: for windows and buffers that are bounded by bytes.

use logbus_schemas::Value;

use crate::item::Delivered;

/// What a value takes without what it points to.
const VALUE: usize = std::mem::size_of::<Value>();
/// Texts up to this length are within their value.
const INLINE: usize = 24;

/// About so many bytes.
pub fn of(delivered: &Delivered) -> usize {
    let fields = delivered.record.fields().iter();
    let fields = fields.map(|(key, value)| text(key.len()) + VALUE + beyond(value));
    std::mem::size_of::<Delivered>() + delivered.record.weight_as_read() + fields.sum::<usize>()
}

fn text(length: usize) -> usize {
    INLINE + if length > INLINE { length } else { 0 }
}

/// What a value points to.
fn beyond(value: &Value) -> usize {
    match value {
        Value::Str(value) => text(value.len()) - INLINE,
        Value::BigInt(digits) => digits.len(),
        Value::Bytes(bytes) | Value::Ext(_, bytes) => bytes.len(),
        Value::List(items) => items.iter().map(|item| VALUE + beyond(item)).sum(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| text(key.len()) + VALUE + beyond(value))
            .sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Record, Topic};

    use super::*;

    #[test]
    fn a_long_text_weighs_what_it_is_long() {
        let weigh = |message: &str| {
            of(&Delivered {
                record: Record::new("a", 20, message),
                topic: Topic::for_name("a"),
                origin: None,
                sender: None,
                received: 1,
                offset: None,
            })
        };
        assert_eq!(weigh(&"x".repeat(100_000)) - weigh("x"), 100_000);
    }
}
