//! How many colours the terminal shows.

/// From attributes alone to 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    None,
    Ansi16,
    Ansi256,
    True,
}

impl Depth {
    /// By the variables `TERM`, `COLORTERM` and `NO_COLOR` (<https://no-color.org>).
    pub fn detect(term: Option<&str>, color_term: Option<&str>, no_color: bool) -> Depth {
        match (term, color_term) {
            _ if no_color => Depth::None,
            (None | Some("dumb"), _) => Depth::None,
            (_, Some("truecolor" | "24bit")) => Depth::True,
            (Some(term), _) if term.contains("direct") => Depth::True,
            (Some(term), _) if term.contains("256color") => Depth::Ansi256,
            _ => Depth::Ansi16,
        }
    }

    /// The depth that the setting `color` names: `none`, `16`, `256` or `true`.
    pub fn of_name(name: &str) -> Option<Depth> {
        match name {
            "none" => Some(Depth::None),
            "16" => Some(Depth::Ansi16),
            "256" => Some(Depth::Ansi256),
            "true" => Some(Depth::True),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surroundings_say_how_many_colours_there_are() {
        assert_eq!(Depth::detect(Some("xterm-256color"), None, false), Depth::Ansi256);
        assert_eq!(Depth::detect(Some("xterm-256color"), Some("truecolor"), false), Depth::True);
        assert_eq!(Depth::detect(Some("xterm-direct"), None, false), Depth::True);
        assert_eq!(Depth::detect(Some("xterm"), None, false), Depth::Ansi16);
        assert_eq!(Depth::detect(Some("xterm"), Some("24bit"), true), Depth::None);
        assert_eq!(Depth::detect(Some("dumb"), Some("truecolor"), false), Depth::None);
        assert_eq!(Depth::detect(None, None, false), Depth::None);
        assert_eq!(Depth::of_name("256"), Some(Depth::Ansi256));
        assert_eq!(Depth::of_name("many"), None);
    }
}
