//! Objects of Python's library whose value is plain to see.
//!
//! A row says how a class's arguments give a value: the text that Python's `str` shows, a list or
//! a dict. Arguments that are not as that class writes them give nothing, and the object is then
//! described like any other. There are few rows on purpose: what a log call is likely to be given.

use super::build::{Builder, TooLarge};
use super::machine::Object;
use crate::value::Value;

/// How one class is read.
struct Known {
    class: &'static str,
    read: fn(&mut Builder<'_>, &Object) -> Read,
}

/// `None` says that this is not how that class is written.
type Read = Result<Option<Value>, TooLarge>;

const KNOWN: &[Known] = &[
    Known {
        class: "_codecs.encode",
        read: latin1,
    },
    Known {
        class: "builtins.bytes",
        read: latin1,
    },
    Known {
        class: "builtins.bytearray",
        read: latin1,
    },
    Known {
        class: "builtins.set",
        read: first_argument,
    },
    Known {
        class: "builtins.frozenset",
        read: first_argument,
    },
    Known {
        class: "collections.OrderedDict",
        read: items,
    },
    Known {
        class: "collections.defaultdict",
        read: items,
    },
    Known {
        class: "collections.Counter",
        read: items_or_argument,
    },
    Known {
        class: "decimal.Decimal",
        read: first_argument,
    },
    Known {
        class: "pathlib.PosixPath",
        read: path,
    },
    Known {
        class: "pathlib.PurePosixPath",
        read: path,
    },
    Known {
        class: "uuid.UUID",
        read: uuid,
    },
    Known {
        class: "datetime.date",
        read: date,
    },
    Known {
        class: "datetime.datetime",
        read: datetime,
    },
    Known {
        class: "datetime.timedelta",
        read: timedelta,
    },
    Known {
        class: "datetime.timezone",
        read: timezone,
    },
];

/// The value of an object of the class with this name.
pub(super) fn value(builder: &mut Builder<'_>, class: &str, object: &Object) -> Read {
    match KNOWN.iter().find(|known| known.class == class) {
        Some(known) => (known.read)(builder, object),
        None => Ok(None),
    }
}

fn first_argument(builder: &mut Builder<'_>, object: &Object) -> Read {
    let first = builder.arguments_of(object).first();
    first.map(|id| builder.value(*id)).transpose()
}

/// Protocols before 3 have no bytes: they hold Latin-1 text and how to encode it.
fn latin1(builder: &mut Builder<'_>, object: &Object) -> Read {
    let bytes: Option<Vec<u8>> = match first_argument(builder, object)? {
        None => Some(Vec::new()),
        Some(Value::Bytes(bytes)) => Some(bytes.into()),
        Some(Value::Str(text)) => text.chars().map(|c| u8::try_from(c).ok()).collect(),
        Some(_) => None,
    };
    Ok(bytes.map(|bytes| Value::Bytes(bytes.into())))
}

fn items(builder: &mut Builder<'_>, object: &Object) -> Read {
    builder.map(&object.pairs).map(Some)
}

fn items_or_argument(builder: &mut Builder<'_>, object: &Object) -> Read {
    match first_argument(builder, object)? {
        Some(map @ Value::Map(_)) => Ok(Some(map)),
        _ => items(builder, object),
    }
}

fn path(builder: &mut Builder<'_>, object: &Object) -> Read {
    let parts = builder.list(builder.arguments_of(object))?;
    Ok(path_of(&parts).map(Value::from))
}

fn path_of(parts: &Value) -> Option<String> {
    let Value::List(parts) = parts else {
        return None;
    };
    let parts: Vec<&str> = parts.iter().map(Value::as_str).collect::<Option<_>>()?;
    Some(match parts.split_first() {
        Some((&"/", rest)) => format!("/{}", rest.join("/")),
        _ => parts.join("/"),
    })
}

fn uuid(builder: &mut Builder<'_>, object: &Object) -> Read {
    let Some(state) = object.state else {
        return Ok(None);
    };
    let state = builder.value(state)?;
    Ok(uuid_of(&state).map(Value::from))
}

fn uuid_of(state: &Value) -> Option<String> {
    let Value::Map(state) = state else {
        return None;
    };
    let number: u128 = match state.get("int")? {
        Value::Int(n) => u128::try_from(*n).ok()?,
        Value::UInt(n) => u128::from(*n),
        Value::BigInt(digits) => digits.parse().ok()?,
        _ => return None,
    };
    let digits = format!("{number:032x}");
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Some(parts.join("-"))
}

fn date(builder: &mut Builder<'_>, object: &Object) -> Read {
    let Some(Value::Bytes(packed)) = first_argument(builder, object)? else {
        return Ok(None);
    };
    Ok(date_of(&packed).map(Value::from))
}

/// As `str` shows it, but for zones of other libraries, which stand behind the time as they are.
fn datetime(builder: &mut Builder<'_>, object: &Object) -> Read {
    let Some(Value::Bytes(packed)) = first_argument(builder, object)? else {
        return Ok(None);
    };
    let Some(time) = datetime_of(&packed) else {
        return Ok(None);
    };
    let zone = builder.arguments_of(object).get(1);
    let zone = zone.map(|id| builder.value(*id)).transpose()?;
    let zone = zone.as_ref().and_then(Value::as_str);
    Ok(Some(Value::from(match zone {
        None => time,
        Some("UTC") => format!("{time}+00:00"),
        Some(zone) => match zone.strip_prefix("UTC") {
            Some(offset) => format!("{time}{offset}"),
            None => format!("{time} {zone}"),
        },
    })))
}

/// `UTC`, or `UTC+01:00`; its own name where it has one.
fn timezone(builder: &mut Builder<'_>, object: &Object) -> Read {
    let arguments = builder.arguments_of(object);
    if let Some(name) = arguments.get(1) {
        return builder.value(*name).map(Some);
    }
    let Some(offset) = arguments.first().and_then(|id| builder.object_at(*id)) else {
        return Ok(None);
    };
    let offset = builder.list(builder.arguments_of(offset))?;
    Ok(timedelta_of(&offset).map(|(days, seconds, _)| {
        let minutes = (days * 86_400 + seconds) / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        Value::from(match minutes {
            0 => "UTC".to_owned(),
            _ => format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60),
        })
    }))
}

/// As `timedelta.__str__`: `1 day, 2:03:04.000005`.
fn timedelta(builder: &mut Builder<'_>, object: &Object) -> Read {
    let parts = builder.list(builder.arguments_of(object))?;
    Ok(timedelta_of(&parts).map(|(days, seconds, micros)| {
        let days = match days {
            0 => String::new(),
            1 | -1 => format!("{days} day, "),
            _ => format!("{days} days, "),
        };
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let time = format!("{days}{hours}:{minutes:02}:{seconds:02}");
        Value::from(with_micros(time, micros))
    }))
}

/// Days, seconds of a day and microseconds, within what Python has of them.
fn timedelta_of(parts: &Value) -> Option<(i64, i64, i64)> {
    let Value::List(parts) = parts else {
        return None;
    };
    let [days, seconds, micros] = parts.as_slice() else {
        return None;
    };
    let (days, seconds, micros) = (days.as_i64()?, seconds.as_i64()?, micros.as_i64()?);
    let is_sound = (-999_999_999..=999_999_999).contains(&days)
        && (0..86_400).contains(&seconds)
        && (0..1_000_000).contains(&micros);
    is_sound.then_some((days, seconds, micros))
}

fn date_of(bytes: &[u8]) -> Option<String> {
    let [high, low, month, day, ..] = *bytes else {
        return None;
    };
    let year = u16::from_be_bytes([high, low]);
    // The topmost bit of the month says which of two equal times this is.
    Some(format!("{year:04}-{:02}-{day:02}", month & 0x7F))
}

/// As `datetime.__str__`: with a space, and a fraction where there is one.
fn datetime_of(bytes: &[u8]) -> Option<String> {
    let date = date_of(bytes)?;
    let [_, _, _, _, hour, minute, second, high, middle, low] = *bytes else {
        return None;
    };
    let micros = u32::from_be_bytes([0, high, middle, low]);
    let time = format!("{date} {hour:02}:{minute:02}:{second:02}");
    Some(with_micros(time, micros.into()))
}

fn with_micros(time: String, micros: i64) -> String {
    if micros == 0 {
        time
    } else {
        format!("{time}.{micros:06}")
    }
}
