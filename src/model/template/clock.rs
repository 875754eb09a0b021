//! Python's `strftime`, as `strftime_now` calls it.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment taken apart, in UTC.
struct Moment {
    year: u64,
    /// From 1.
    month: u64,
    day: u64,
    /// From 1.
    day_of_year: u64,
    /// From Sunday, 0.
    weekday: u64,
    second_of_day: u64,
    seconds: u64,
}

/// Writes `now`, in seconds since 1970 (UTC), by the directives of C's `strftime` in the C locale, with glibc's `-`
/// (no padding). `%Z` and `%z` are empty, as they are for a time without a zone.
pub fn strftime(format: &str, now: u64) -> String {
    let days = now / 86_400;
    let (year, month, day) = civil_date(days);
    let (day_of_year, weekday) = (days - days_before(year) + 1, (days + 4) % 7);
    let moment = Moment { year, month, day, day_of_year, weekday, second_of_day: now % 86_400, seconds: now };
    let mut out = String::new();
    moment.write(format, &mut out);
    out
}

impl Moment {
    fn write(&self, format: &str, out: &mut String) {
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let unpadded = rest.starts_with('-');
            let mut chars = rest[usize::from(unpadded)..].chars();
            let Some(directive) = chars.next() else { break };
            match (self.number(directive), self.composed(directive)) {
                (Some((n, _, _)), _) if unpadded => out.push_str(&n.to_string()),
                (Some((n, width, ' ')), _) => out.push_str(&format!("{n:>width$}")),
                (Some((n, width, _)), _) => out.push_str(&format!("{n:0>width$}")),
                (None, Some(format)) => self.write(format, out),
                (None, None) => self.name(directive, out),
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
    }

    /// A directive's number, its width and what fills that.
    fn number(&self, directive: char) -> Option<(u64, usize, char)> {
        let (hour, minute) = (self.second_of_day / 3600, self.second_of_day / 60 % 60);
        let hour_of_12 = (hour + 11) % 12 + 1;
        let iso = self.iso_week();
        Some(match directive {
            'Y' => (self.year, 1, '0'),
            'y' => (self.year % 100, 2, '0'),
            'C' => (self.year / 100, 2, '0'),
            'm' => (self.month, 2, '0'),
            'd' => (self.day, 2, '0'),
            'e' => (self.day, 2, ' '),
            'j' => (self.day_of_year, 3, '0'),
            'H' => (hour, 2, '0'),
            'I' => (hour_of_12, 2, '0'),
            'k' => (hour, 2, ' '),
            'l' => (hour_of_12, 2, ' '),
            'M' => (minute, 2, '0'),
            'S' => (self.second_of_day % 60, 2, '0'),
            'f' => (0, 6, '0'),
            's' => (self.seconds, 1, '0'),
            'w' => (self.weekday, 1, '0'),
            'u' => ((self.weekday + 6) % 7 + 1, 1, '0'),
            // Weeks that begin on Sunday, and on Monday; days before the first are in week 0.
            'U' => ((self.day_of_year + 6 - self.weekday) / 7, 2, '0'),
            'W' => ((self.day_of_year + 6 - (self.weekday + 6) % 7) / 7, 2, '0'),
            'V' => (iso.1, 2, '0'),
            'G' => (iso.0, 1, '0'),
            'g' => (iso.0 % 100, 2, '0'),
            _ => return None,
        })
    }

    fn composed(&self, directive: char) -> Option<&'static str> {
        Some(match directive {
            'F' => "%Y-%m-%d",
            'D' | 'x' => "%m/%d/%y",
            'T' | 'X' => "%H:%M:%S",
            'R' => "%H:%M",
            'r' => "%I:%M:%S %p",
            'c' => "%a %b %e %H:%M:%S %Y",
            _ => return None,
        })
    }

    fn name(&self, directive: char, out: &mut String) {
        let (month, day) = (MONTHS[self.month as usize - 1], DAYS[self.weekday as usize]);
        let afternoon = self.second_of_day >= 43_200;
        match directive {
            'B' => out.push_str(month),
            'b' | 'h' => out.push_str(&month[..3]),
            'A' => out.push_str(day),
            'a' => out.push_str(&day[..3]),
            'p' => out.push_str(if afternoon { "PM" } else { "AM" }),
            'P' => out.push_str(if afternoon { "pm" } else { "am" }),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            '%' => out.push('%'),
            'Z' | 'z' => {}
            other => out.extend(['%', other]),
        }
    }

    /// Year and week of ISO 8601: the week with the year's first Thursday is its first.
    fn iso_week(&self) -> (u64, u64) {
        let weekday = (self.weekday + 6) % 7 + 1; // Monday is 1
        match (self.day_of_year + 10 - weekday) / 7 {
            0 => (self.year - 1, weeks_of(self.year - 1)),
            week if week > weeks_of(self.year) => (self.year + 1, 1),
            week => (self.year, week),
        }
    }
}

/// ISO weeks of a year: 53 where its first or last day is a Thursday.
fn weeks_of(year: u64) -> u64 {
    let weekday = |days: u64| (days + 4) % 7;
    let thursday = |days: u64| weekday(days) == 4;
    if thursday(days_before(year)) || thursday(days_before(year + 1) - 1) { 53 } else { 52 }
}

/// Days from 1970-01-01 to the first of `year`.
fn days_before(year: u64) -> u64 {
    let y = year - 1;
    y * 365 + y / 4 - y / 100 + y / 400 - 719_162
}

/// Year, month and day of a number of days since 1970-01-01
/// (Howard Hinnant's algorithm, <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // March is 0
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |days: u64, format: &str| strftime(format, days * 86_400);
        assert_eq!(strftime("%d %b %Y|%A|%-d|%H:%M:%S", 1_767_323_045), "02 Jan 2026|Friday|2|03:04:05");
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        // 2021-01-03 is a Sunday in the last week of 2020, 2018-12-31 a Monday in the first of 2019.
        assert_eq!(at(18_630, "%F %G-%V %U %W %j %u%w"), "2021-01-03 2020-53 01 00 003 70");
        assert_eq!(at(17_896, "%F %G-%V %g"), "2018-12-31 2019-01 19");
    }
}
