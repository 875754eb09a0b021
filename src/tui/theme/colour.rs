//! Colours: how theme files write them, and what is nearest among those that a terminal has.

use ratatui::style::Color;

use super::depth::Depth;

/// A colour as a theme says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// The terminal's own foreground or ground.
    Default,
    /// One of the 16 that a terminal's user may choose: 0 to 7, and 8 to 15 for the bright ones.
    Ansi(u8),
    /// 16 to 255: of the cube or a grey.
    Indexed(u8),
    Rgb([u8; 3]),
}

/// The 16 by name and as xterm has them by default; a terminal's user may have chosen others.
const ANSI: [(&str, [u8; 3], Color); 16] = [
    ("black", [0, 0, 0], Color::Black),
    ("red", [205, 0, 0], Color::Red),
    ("green", [0, 205, 0], Color::Green),
    ("yellow", [205, 205, 0], Color::Yellow),
    ("blue", [0, 0, 238], Color::Blue),
    ("magenta", [205, 0, 205], Color::Magenta),
    ("cyan", [0, 205, 205], Color::Cyan),
    ("white", [229, 229, 229], Color::Gray),
    ("bright-black", [127, 127, 127], Color::DarkGray),
    ("bright-red", [255, 0, 0], Color::LightRed),
    ("bright-green", [0, 255, 0], Color::LightGreen),
    ("bright-yellow", [255, 255, 0], Color::LightYellow),
    ("bright-blue", [92, 92, 255], Color::LightBlue),
    ("bright-magenta", [255, 0, 255], Color::LightMagenta),
    ("bright-cyan", [0, 255, 255], Color::LightCyan),
    ("bright-white", [255, 255, 255], Color::White),
];

/// The steps of the 6x6x6 cube that is colours 16 to 231
/// (<https://invisible-island.net/xterm/xterm.faq.html>).
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Colour {
    /// `#rrggbb`, one of the 16 names, or `default`.
    pub fn of_text(text: &str) -> Option<Colour> {
        if let Some(digits) = text.strip_prefix('#') {
            let well = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let [_, r, g, b] = u32::from_str_radix(digits, 16).ok().filter(|_| well)?.to_be_bytes();
            return Some(Colour::Rgb([r, g, b]));
        }
        if text == "default" {
            return Some(Colour::Default);
        }
        ANSI.iter().position(|(name, ..)| *name == text).map(|number| Colour::Ansi(number as u8))
    }

    /// One of the 256 by its number.
    pub fn of_number(number: i64) -> Option<Colour> {
        let number = u8::try_from(number).ok()?;
        Some(if number < 16 { Colour::Ansi(number) } else { Colour::Indexed(number) })
    }

    /// The nearest that a terminal of `depth` shows; `None` for the default, which needs no saying.
    pub fn shown(self, depth: Depth) -> Option<Color> {
        match (self, depth) {
            (Colour::Default, _) | (_, Depth::None) => None,
            (Colour::Ansi(number), _) => ANSI.get(usize::from(number)).map(|(_, _, color)| *color),
            (Colour::Indexed(number), Depth::Ansi16) => Some(nearest_of_16(indexed(number))),
            (Colour::Indexed(number), _) => Some(Color::Indexed(number)),
            (Colour::Rgb(rgb), Depth::Ansi16) => Some(nearest_of_16(rgb)),
            (Colour::Rgb(rgb), Depth::Ansi256) => Some(Color::Indexed(nearest_of_240(rgb))),
            (Colour::Rgb([r, g, b]), Depth::True) => Some(Color::Rgb(r, g, b)),
        }
    }
}

/// What colour `number` of 16 to 255 is.
pub fn indexed(number: u8) -> [u8; 3] {
    let number = number.max(16);
    if number >= 232 {
        return [8 + 10 * (number - 232); 3];
    }
    let cell = number - 16;
    [cell / 36, cell / 6 % 6, cell % 6].map(|step| STEPS.get(usize::from(step)).copied().unwrap_or(0))
}

fn nearest_of_16(rgb: [u8; 3]) -> Color {
    let nearest = ANSI.iter().min_by(|a, b| distance(rgb, a.1).total_cmp(&distance(rgb, b.1)));
    nearest.map_or(Color::Reset, |(_, _, color)| *color)
}

/// Among the cube and the greys only: nobody knows what the first 16 are.
fn nearest_of_240(rgb: [u8; 3]) -> u8 {
    let near = |a: &u8, b: &u8| distance(rgb, indexed(*a)).total_cmp(&distance(rgb, indexed(*b)));
    (16..=255).min_by(near).unwrap_or(16)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> f64 {
    distance_seen(oklab(a.map(linear)), oklab(b.map(linear)))
}

/// How different two colours look, both in Oklab; about 0.02 is just seen.
pub fn distance_seen(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// The light of a channel from 0 to 1, as IEC 61966-2-1 (sRGB) decodes it.
pub fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Linear sRGB in Oklab, whose distances are about those that are seen
/// (Ottosson 2020, <https://bottosson.github.io/posts/oklab/>).
pub fn oklab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
    let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
    let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
    [
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_files_write_them() {
        assert_eq!(Colour::of_text("#0aF1c3"), Some(Colour::Rgb([0x0a, 0xf1, 0xc3])));
        assert_eq!(Colour::of_text("bright-blue"), Some(Colour::Ansi(12)));
        assert_eq!(Colour::of_text("default"), Some(Colour::Default));
        for wrong in ["#12345", "#1234567", "#+12345", "#12é45", "Red", "", "gray", "#"] {
            assert_eq!(Colour::of_text(wrong), None, "{wrong}");
        }
        assert_eq!((Colour::of_number(7), Colour::of_number(255)), (Some(Colour::Ansi(7)), Some(Colour::Indexed(255))));
        assert_eq!((Colour::of_number(-1), Colour::of_number(256)), (None, None));
    }

    #[test]
    fn the_cube_and_the_greys_stand_for_themselves() {
        assert_eq!((indexed(16), indexed(231), indexed(232), indexed(255)), ([0; 3], [255; 3], [8; 3], [238; 3]));
        assert_eq!(indexed(16 + 36 + 2 * 6 + 5), [95, 135, 255]);
        for number in 16..=255 {
            // Only the greys of the cube have a twin.
            assert_eq!(indexed(nearest_of_240(indexed(number))), indexed(number));
        }
    }

    #[test]
    fn the_nearest_of_few_colours_has_the_same_hue() {
        let of_16 = |text: &str| Colour::of_text(text).unwrap().shown(Depth::Ansi16).unwrap();
        assert_eq!(of_16("#101010"), Color::Black);
        assert_eq!(of_16("#7a7a80"), Color::DarkGray);
        assert_eq!(of_16("#c81414"), Color::Red);
        assert_eq!(of_16("#20c020"), Color::Green);
        assert_eq!(of_16("#10c8c8"), Color::Cyan);
        assert_eq!(of_16("#6464f0"), Color::LightBlue);
        assert_eq!(of_16("#fffff0"), Color::White);
        assert_eq!(Colour::Indexed(196).shown(Depth::Ansi16), Some(Color::LightRed));
        assert_eq!(Colour::Ansi(7).shown(Depth::True), Some(Color::Gray));
        assert_eq!(Colour::Rgb([1, 2, 3]).shown(Depth::None), None);
        assert_eq!(Colour::Default.shown(Depth::True), None);
    }
}
