//! The native dialect: topic, header, payload (see [`crate::wire`]).

use super::{Dialect, Malformed, Reading};
use crate::wire::Native;

pub(super) const DIALECT: Dialect = Dialect {
    name: "native",
    summary: "logbus publishers and brokers",
    prefixes: &[],
    recognise: |frames| Native::split(frames).is_some(),
    read,
};

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let Some(native) = Native::split(frames) else {
        return Err(Malformed::new(
            super::MalformedKind::Unrecognised,
            "not a native message",
        ));
    };
    let (topic, header) = native.parse()?;
    Ok(Reading::Native {
        topic,
        header,
        payload: native.payload,
    })
}
