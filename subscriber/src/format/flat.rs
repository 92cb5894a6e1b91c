//! Values as text: maps become keys with dots, everything else is as people write it.

use logbus_schemas::Value;
use logbus_schemas::python::str_of;

/// Maps in one another that become keys with dots; deeper ones are values.
const MAX_DEPTH: usize = 8;

/// Calls `add` with each key and text that a field comes to: with several where it is a map.
pub(crate) fn each(key: &str, value: &Value, add: &mut dyn FnMut(&str, &str)) {
    within(key, value, 0, add);
}

fn within(key: &str, value: &Value, depth: usize, add: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Map(map) if depth < MAX_DEPTH && !map.is_empty() => {
            for (inner, value) in map.iter() {
                within(&format!("{key}.{inner}"), value, depth + 1, add);
            }
        }
        Value::Str(text) => add(key, text),
        Value::Null => add(key, "null"),
        Value::Bool(truth) => add(key, if *truth { "true" } else { "false" }),
        other => {
            let mut text = String::new();
            str_of(other, &mut text);
            add(key, &text);
        }
    }
}
