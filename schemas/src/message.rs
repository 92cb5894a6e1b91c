//! The message of a record that its sender did not render: `msg % args`.
//!
//! The rules are those of `LogRecord.getMessage` in CPython's `Lib/logging/__init__.py`: without
//! arguments the template stands as it is, a dict gives them by name, and so does a dict that is
//! the only one of a list. A template and arguments that do not fit each other are shown beside
//! each other, because a record must not be lost for that.

use std::borrow::Cow;

use crate::python::percent::Template;
use crate::python::{repr_of, str_of};
use crate::value::Value;

/// The message of these two attributes.
pub fn render<'a>(msg: Option<&'a Value>, args: Option<&'a Value>) -> Cow<'a, str> {
    let template = match msg {
        Some(Value::Str(text)) => Cow::Borrowed(text.as_str()),
        Some(value) => {
            let mut text = String::new();
            str_of(value, &mut text);
            Cow::Owned(text)
        }
        None => Cow::Borrowed(""),
    };
    match args {
        None | Some(Value::Null) => template,
        Some(Value::List(list)) if list.is_empty() => template,
        Some(Value::Map(map)) if map.is_empty() => template,
        Some(args) => Cow::Owned(
            with_args(&template, args).unwrap_or_else(|| beside_each_other(&template, args)),
        ),
    }
}

fn with_args(template: &str, args: &Value) -> Option<String> {
    let template = Template::parse(template).ok()?;
    let rendered = match args {
        Value::Map(map) => template.render_map(map),
        Value::List(list) => match list.as_slice() {
            [Value::Map(map)] if !map.is_empty() => template.render_map(map),
            list => template.render_list(list),
        },
        value => template.render_list(std::slice::from_ref(value)),
    };
    rendered.ok()
}

/// The template and its arguments, as Python shows a tuple.
fn beside_each_other(template: &str, args: &Value) -> String {
    let mut text = format!("{template} ");
    match args {
        Value::List(list) => {
            text.push('(');
            for (at, value) in list.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                repr_of(value, &mut text);
            }
            text.push_str(if list.len() == 1 { ",)" } else { ")" });
        }
        other => repr_of(other, &mut text),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn message(msg: &str, args: impl Into<Value>) -> String {
        render(Some(&msg.into()), Some(&args.into())).into_owned()
    }

    #[test]
    fn arguments_stand_in_order_or_by_name() {
        let named = Map::from_iter([("a", Value::from(1)), ("b", 2.5.into())]);
        assert_eq!(
            message("%s took %.1f ms", vec!["GET".into(), 12.345.into()]),
            "GET took 12.3 ms"
        );
        assert_eq!(message("%(a)d and %(b)05.1f", named.clone()), "1 and 002.5");
        assert_eq!(message("%(a)d", vec![named.into()]), "1");
    }

    #[test]
    fn without_arguments_the_template_is_the_message() {
        assert_eq!(message("100%", Value::Null), "100%");
        assert_eq!(message("100% of %s", Vec::new()), "100% of %s");
        assert_eq!(render(None, None), "");
        assert_eq!(render(Some(&Value::from(42)), None), "42");
    }

    #[test]
    fn what_does_not_fit_is_shown_beside_each_other() {
        assert_eq!(message("%d items", vec!["a".into()]), "%d items ('a',)");
        assert_eq!(
            message("%s %s", vec![1.into(), 2.into(), 3.into()]),
            "%s %s (1, 2, 3)"
        );
        let map = Map::from_iter([("a", 1)]);
        assert_eq!(message("%(b)s", map), "%(b)s {'a': 1}");
    }
}
