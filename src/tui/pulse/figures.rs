//! Numbers as text of a width that does not change with them.

/// `1,234`.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Tokens per second in five places: ` 23.4`, `  812`, ` 0.35`.
pub fn rate(tokens_per_s: f64) -> String {
    match tokens_per_s {
        slow if slow < 0.995 => format!("{:>5.2}", slow.max(0.0)),
        middling if middling < 99.95 => format!("{middling:>5.1}"),
        fast if fast < 99_999.5 => format!("{fast:>5.0}"),
        faster => format!("{:>4.0}k", (faster / 1e3).min(9999.0)),
    }
}

/// ` 38 %` of a share of 0.38, in five places.
pub fn percent(share: f64) -> String {
    format!("{:>3.0} %", (share * 100.0).clamp(0.0, 100.0))
}

/// `12.1 of 33.6 GB`, in the unit of the total and always as wide as the total would need.
pub fn used_of(used_bytes: u64, total_bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let (unit, factor) = units.into_iter().find(|(_, factor)| total_bytes as f64 >= *factor).unwrap_or(("B", 1.0));
    let places = if factor > 1.0 { 1 } else { 0 };
    let total = format!("{:.places$}", total_bytes as f64 / factor);
    let used = format!("{:.places$}", used_bytes as f64 / factor);
    format!("{used:>width$} of {total} {unit}", width = total.len())
}

/// ` 0.41 s`, ` 12.3 s`, `  123 s`.
pub fn seconds(ms: f64) -> String {
    match ms / 1e3 {
        short if short < 9.995 => format!("{:>5.2} s", short.max(0.0)),
        middling if middling < 99.95 => format!("{middling:>5.1} s"),
        long => format!("{:>5.0} s", long.min(99_999.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_width() {
        let rates = [0.0, 0.351, 0.997, 9.96, 23.44, 99.96, 812.3, 99_999.0, 123_456.0, f64::MAX].map(rate);
        let read = [" 0.00", " 0.35", "  1.0", " 10.0", " 23.4", "  100", "  812", "99999", " 123k", "9999k"];
        assert_eq!(rates, read);
        assert_eq!([0.0, 0.384, 1.0, 7.0].map(percent), ["  0 %", " 38 %", "100 %", "100 %"]);
        assert_eq!([412.0, 12_345.0, 123_456.0].map(seconds), [" 0.41 s", " 12.3 s", "  123 s"]);
        assert_eq!([0, 12, 1234, 131_072, 1_000_000].map(grouped), ["0", "12", "1,234", "131,072", "1,000,000"]);
    }

    #[test]
    fn a_part_is_told_in_the_unit_of_the_whole() {
        assert_eq!(used_of(1_210_000_000, 33_600_000_000), " 1.2 of 33.6 GB");
        assert_eq!(used_of(12_100_000_000, 33_600_000_000), "12.1 of 33.6 GB");
        assert_eq!(used_of(7, 512), "  7 of 512 B");
        assert_eq!(used_of(0, 0), "0 of 0 B");
    }
}
