//! Quantities as people read them.

/// `1.3 GB`: decimal units, as disks and downloads are sold.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `950`, `12.3k`, `1.2M`, `7.6B`: counts in three digits or so.
pub fn count(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["", "k", "M"] {
        // What would be rounded up to 1000 goes on to the next unit.
        if value < 999.5 {
            return if unit.is_empty() || value >= 99.95 {
                format!("{value:.0}{unit}")
            } else {
                format!("{value:.1}{unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1}B")
}

/// `8G`, `7.5GiB`, `800MB`, `1000` as a number of bytes: as memory is sold and dd, docker and systemd have it, `8G` and
/// `8GiB` are powers of 1024, and `8GB` is of 1000. `None` of what is no size, or none of at least a byte.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let power = |unit: char| "kmgtp".find(unit).map(|at| at as i32 + 1);
    let unit: Vec<char> = text[digits.len()..].trim().chars().collect();
    let factor = match unit[..] {
        [] | ['b'] => 1.0,
        [unit] | [unit, 'i', 'b'] => 1024_f64.powi(power(unit)?),
        [unit, 'b'] => 1000_f64.powi(power(unit)?),
        _ => return None,
    };
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let bytes = digits.parse::<f64>().ok().filter(|_| plain)? * factor;
    (1.0..1e18).contains(&bytes).then_some(bytes as u64)
}

/// `3 days ago`, of so many seconds.
pub fn age(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("8G", 8 << 30),
            ("8g", 8 << 30),
            ("7.5GiB", (7 << 30) + (1 << 29)),
            ("8GB", 8_000_000_000),
            ("800M", 800 << 20),
            ("800 MB", 800_000_000),
            ("1T", 1 << 40),
            ("1000", 1000),
            ("1000B", 1000),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "G", "8X", "-8G", "8GG", "1e9", "inf", "0", "nan", "8Gi B?", "99999999P", "8.8.8G", "äG"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!((bytes(999), bytes(1_300_000_000)), ("999 B".to_owned(), "1.3 GB".to_owned()));
    }

    #[test]
    fn counts_read_well() {
        let read = [0, 950, 1000, 12_345, 99_960, 999_600, 1_234_567, 7_615_616_512].map(count);
        assert_eq!(read, ["0", "950", "1.0k", "12.3k", "100k", "1.0M", "1.2M", "7.6B"]);
    }
}
