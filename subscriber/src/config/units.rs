//! Sizes and times with units.

use std::time::Duration;

/// Reads `500`, `500KiB`, `16MiB`, `1GiB`, also with decimal `kB`, `MB`, `GB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = split(text);
    let unit = match unit {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads `2.5`, `500ms`, `2s`, `5min`, `1h`, `7d`; without a unit it is seconds.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let (digits, unit) = split(text);
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * unit).ok()
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("16MiB"), Some(16 << 20));
        assert_eq!(bytes("5 kB"), Some(5000));
        assert_eq!(bytes("12"), Some(12));
        for none in ["lots", "1.5MiB", "-1", "", "99999999999GiB"] {
            assert_eq!(bytes(none), None, "{none}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(time("2.5"), Some(Duration::from_millis(2500)));
        assert_eq!(time("7d"), Some(Duration::from_secs(604_800)));
        for none in ["soon", "1 year", "-1s", ""] {
            assert_eq!(time(none), None, "{none}");
        }
    }
}
