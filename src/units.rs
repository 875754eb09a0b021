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

#[cfg(test)]
mod tests {
    use super::*;

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
