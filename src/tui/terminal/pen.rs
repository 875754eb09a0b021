//! The look of a cell, and the shortest SGR sequence from one look to another (ECMA-48, 8.3.117).

use ratatui::style::{Color, Modifier};

/// Colours and attributes that the terminal writes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pen {
    pub(super) foreground: Color,
    pub(super) background: Color,
    pub(super) attributes: Modifier,
}

/// Each attribute with the code that sets it and the one that clears it. 22 clears bold and dim at once, 25 both blinks.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Pen {
    pub(super) const DEFAULT: Pen =
        Pen { foreground: Color::Reset, background: Color::Reset, attributes: Modifier::empty() };

    /// This look as far as a blank cell shows it: without ink, neither colour nor weight of the ink matters.
    pub(super) fn of_blank(self) -> Pen {
        let inked = Modifier::UNDERLINED | Modifier::REVERSED | Modifier::CROSSED_OUT;
        if self.attributes.intersects(inked) {
            return self;
        }
        Pen { foreground: Color::Reset, attributes: Modifier::empty(), ..self }
    }

    /// Writes what turns this look into `next`: the changes alone, or a reset and all of `next` where that is shorter.
    pub(super) fn change(self, next: Pen, out: &mut Vec<u8>) {
        if self == next {
            return;
        }
        let mut changes = Codes::default();
        let gone = self.attributes.difference(next.attributes);
        let mut kept = self.attributes.intersection(next.attributes);
        for (attribute, _, clear) in ATTRIBUTES {
            if gone.contains(attribute) && changes.push_once(clear) {
                let cleared = ATTRIBUTES.iter().filter(|(_, _, code)| *code == clear);
                kept = cleared.fold(kept, |kept, (also, _, _)| kept.difference(*also));
            }
        }
        changes.push_attributes(next.attributes.difference(kept));
        if self.foreground != next.foreground {
            changes.push_color(next.foreground, 30);
        }
        if self.background != next.background {
            changes.push_color(next.background, 40);
        }

        let mut anew = Codes::default();
        if next != Pen::DEFAULT {
            anew.push(0);
            anew.push_attributes(next.attributes);
            if next.foreground != Color::Reset {
                anew.push_color(next.foreground, 30);
            }
            if next.background != Color::Reset {
                anew.push_color(next.background, 40);
            }
        }
        let shorter = if anew.0.len() < changes.0.len() { anew } else { changes };
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(shorter.0.as_bytes());
        out.push(b'm');
    }
}

/// The numbers of one SGR sequence, with semicolons between them.
#[derive(Default)]
struct Codes(String);

impl Codes {
    fn push(&mut self, code: u8) {
        self.push_text(&code.to_string());
    }

    fn push_text(&mut self, code: &str) {
        if !self.0.is_empty() {
            self.0.push(';');
        }
        self.0.push_str(code);
    }

    /// Whether `code` is new here.
    fn push_once(&mut self, code: u8) -> bool {
        let text = code.to_string();
        let new = !self.0.split(';').any(|known| known == text);
        if new {
            self.push_text(&text);
        }
        new
    }

    fn push_attributes(&mut self, attributes: Modifier) {
        for (attribute, set, _) in ATTRIBUTES {
            if attributes.contains(attribute) {
                self.push(set);
            }
        }
    }

    /// `base` is 30 for the foreground and 40 for the background.
    fn push_color(&mut self, color: Color, base: u8) {
        match color {
            Color::Reset => self.push(base + 9),
            Color::Black => self.push(base),
            Color::Red => self.push(base + 1),
            Color::Green => self.push(base + 2),
            Color::Yellow => self.push(base + 3),
            Color::Blue => self.push(base + 4),
            Color::Magenta => self.push(base + 5),
            Color::Cyan => self.push(base + 6),
            Color::Gray => self.push(base + 7),
            Color::DarkGray => self.push(base + 60),
            Color::LightRed => self.push(base + 61),
            Color::LightGreen => self.push(base + 62),
            Color::LightYellow => self.push(base + 63),
            Color::LightBlue => self.push(base + 64),
            Color::LightMagenta => self.push(base + 65),
            Color::LightCyan => self.push(base + 66),
            Color::White => self.push(base + 67),
            Color::Indexed(index) => self.push_text(&format!("{};5;{index}", base + 8)),
            Color::Rgb(red, green, blue) => self.push_text(&format!("{};2;{red};{green};{blue}", base + 8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen(foreground: Color, background: Color, attributes: Modifier) -> Pen {
        Pen { foreground, background, attributes }
    }

    fn change(from: Pen, to: Pen) -> String {
        let mut out = Vec::new();
        from.change(to, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_changes_is_said() {
        let red = pen(Color::Red, Color::Indexed(236), Modifier::ITALIC);
        assert_eq!(change(red, red), "");
        assert_eq!(change(red, Pen { foreground: Color::LightBlue, ..red }), "\x1b[94m");
        assert_eq!(
            change(Pen::DEFAULT, Pen { foreground: Color::Rgb(1, 22, 255), ..Pen::DEFAULT }),
            "\x1b[38;2;1;22;255m"
        );
        assert_eq!(change(Pen::DEFAULT, red), "\x1b[3;31;48;5;236m");
    }

    #[test]
    fn a_reset_is_taken_where_it_is_shorter() {
        let rich = pen(Color::Red, Color::Blue, Modifier::BOLD | Modifier::ITALIC);
        assert_eq!(change(rich, Pen::DEFAULT), "\x1b[m");
        assert_eq!(change(rich, pen(Color::Green, Color::Reset, Modifier::empty())), "\x1b[0;32m");
    }

    #[test]
    fn dim_survives_the_end_of_bold_though_one_code_clears_both() {
        let both = pen(Color::Rgb(1, 2, 3), Color::Rgb(4, 5, 6), Modifier::BOLD | Modifier::DIM);
        assert_eq!(change(both, Pen { attributes: Modifier::DIM, ..both }), "\x1b[22;2m");
    }

    #[test]
    fn ink_does_not_matter_to_a_blank_unless_it_shows() {
        let inky = pen(Color::Red, Color::Blue, Modifier::BOLD);
        assert_eq!(inky.of_blank(), pen(Color::Reset, Color::Blue, Modifier::empty()));
        let underlined = pen(Color::Red, Color::Blue, Modifier::UNDERLINED);
        assert_eq!(underlined.of_blank(), underlined);
    }
}
