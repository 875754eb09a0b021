//! Where the terminal's cursor is, and the shortest way to where it should be.

/// The cursor's place, as far as it is known. After the last column of a row and after glyphs of uncertain width the
/// column is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) column: Option<u16>,
    pub(super) row: Option<u16>,
}

/// In raw mode of Unix a line feed only goes down; Windows may return the carriage too.
const LINE_FEED_KEEPS_COLUMN: bool = cfg!(unix);

impl Place {
    pub(super) fn at(column: u16, row: u16) -> Place {
        Place { column: Some(column), row: Some(row) }
    }

    /// Writes the shortest sequence that leads to `column` and `row`, nothing if that is here.
    pub(super) fn go(&mut self, column: u16, row: u16, out: &mut Vec<u8>) {
        if *self == Place::at(column, row) {
            return;
        }
        let mut best = absolute(column, row);
        let mut consider = |way: Vec<u8>| {
            if way.len() < best.len() {
                best = way;
            }
        };
        if let Some(here) = self.row {
            for down in vertical(here, row) {
                if let Some(from) = self.column {
                    consider([down.clone(), horizontal(from, column)].concat());
                }
                consider([b"\r".to_vec(), down.clone(), horizontal(0, column)].concat());
                consider([down, numbered(column + 1, b'G')].concat());
            }
        }
        out.extend_from_slice(&best);
        *self = Place::at(column, row);
    }
}

/// CUP, 1-based, without the numbers that are 1.
fn absolute(column: u16, row: u16) -> Vec<u8> {
    match (column, row) {
        (0, 0) => b"\x1b[H".to_vec(),
        (0, row) => numbered(row + 1, b'H'),
        (column, 0) => format!("\x1b[;{}H", column + 1).into_bytes(),
        (column, row) => format!("\x1b[{};{}H", row + 1, column + 1).into_bytes(),
    }
}

/// The ways from one row to another in the same column.
fn vertical(from: u16, to: u16) -> Vec<Vec<u8>> {
    if to < from {
        return vec![numbered(from - to, b'A')];
    }
    let by = to - from;
    let mut ways = Vec::new();
    if by == 0 {
        ways.push(Vec::new());
    } else {
        ways.push(numbered(by, b'B'));
        if LINE_FEED_KEEPS_COLUMN && by < 6 {
            ways.push(vec![b'\n'; usize::from(by)]);
        }
    }
    ways
}

/// The shortest way along a row by relative moves.
fn horizontal(from: u16, to: u16) -> Vec<u8> {
    if to >= from {
        return if to == from { Vec::new() } else { numbered(to - from, b'C') };
    }
    let by = from - to;
    if by < 4 { vec![8; usize::from(by)] } else { numbered(by, b'D') }
}

/// A control sequence with one number, which is left out when it is 1.
pub(super) fn numbered(number: u16, last: u8) -> Vec<u8> {
    let mut sequence = b"\x1b[".to_vec();
    if number != 1 {
        sequence.extend_from_slice(number.to_string().as_bytes());
    }
    sequence.push(last);
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(mut from: Place, column: u16, row: u16) -> String {
        let mut out = Vec::new();
        from.go(column, row, &mut out);
        assert_eq!(from, Place::at(column, row));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn near_places_are_reached_by_short_steps() {
        assert_eq!(way(Place::at(7, 3), 7, 3), "");
        assert_eq!(way(Place::at(7, 3), 8, 3), "\x1b[C");
        assert_eq!(way(Place::at(7, 3), 5, 3), "\x08\x08");
        assert_eq!(way(Place::at(7, 3), 0, 3), "\r");
        assert_eq!(way(Place::at(7, 3), 7, 2), "\x1b[A");
        assert_eq!(way(Place::at(50, 3), 30, 3), "\x1b[20D");
        if LINE_FEED_KEEPS_COLUMN {
            assert_eq!(way(Place::at(7, 3), 7, 4), "\n");
            assert_eq!(way(Place::at(7, 3), 0, 5), "\r\n\n");
        }
    }

    #[test]
    fn an_unknown_place_is_left_by_an_absolute_move() {
        assert_eq!(way(Place::default(), 0, 0), "\x1b[H");
        assert_eq!(way(Place::default(), 0, 9), "\x1b[10H");
        assert_eq!(way(Place::default(), 9, 0), "\x1b[;10H");
        assert_eq!(way(Place::default(), 79, 23), "\x1b[24;80H");
        assert_eq!(way(Place { column: None, row: Some(4) }, 79, 4), "\x1b[80G");
        assert_eq!(way(Place { column: None, row: Some(4) }, 0, 4), "\r");
    }
}
