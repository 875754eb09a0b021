//! What a terminal may be asked for, decided from the surroundings alone: no query, so nothing waits on a slow line.
//!
//! A wrong "yes" costs garbage on the screen, a wrong "no" a convenience, so each sequence goes only to terminals that
//! support it or are known to swallow it:
//!
//! - OSC 8 links: the terminals that show them, and everything that calls itself xterm (over SSH most do), which swallows
//!   OSC it does not know. Not the Linux console, GNU `screen`, Terminal.app, or VTE before 0.50, whose early version crashed.
//! - Synchronized updates are a private mode (2026): whoever lacks it ignores it. Not asked of hardware terminals, the
//!   Linux console and `screen`, where it is only bytes.
//! - Kitty's keyboard protocol only where named: some others read its `CSI > 1 u` as "restore the cursor".

/// The terminal program between us and the screen, which has its own rules for the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Multiplexer {
    #[default]
    None,
    Tmux,
    /// GNU screen.
    Screen,
}

/// What the terminal may be asked for. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Clicks, drags and the wheel are reported (modes 1002 and 1006).
    pub mouse: bool,
    /// OSC 8.
    pub hyperlinks: bool,
    /// A frame is shown at once (mode 2026).
    pub synchronized: bool,
    /// The window's title can be set, and comes back (OSC 2, `CSI 22 t`).
    pub title: bool,
    /// Kitty's keyboard protocol, level 1: Shift+Enter and the like are told apart.
    pub keyboard: bool,
    /// OSC 52.
    pub clipboard: bool,
    /// The cursor becomes a bar (`CSI 6 SP q`).
    pub cursor_shape: bool,
    /// There is a second screen (mode 1049); without one, leaving clears the only screen.
    pub alternate: bool,
    pub multiplexer: Multiplexer,
    /// Why this terminal cannot show a screen at all; [`super::Terminal::enter`] fails with it.
    pub refusal: Option<String>,
}

/// What the terminal that `get` describes may be asked for. `get` looks an environment variable up: `TERM`, `TERM_PROGRAM`,
/// `TERM_PROGRAM_VERSION`, `VTE_VERSION`, `KONSOLE_VERSION`, `KITTY_WINDOW_ID`, `WT_SESSION`, `TMUX` and `STY`.
pub fn abilities(get: &dyn Fn(&str) -> Option<String>) -> Options {
    let is_set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let term = get("TERM").unwrap_or_default();
    let windows = cfg!(windows) && term.is_empty();
    if !windows && matches!(term.as_str(), "" | "dumb" | "unknown") {
        let refusal = match term.as_str() {
            "" => "TERM is not set, so nothing is known of this terminal".to_owned(),
            term => format!("a terminal of the type TERM={term} cannot place its cursor"),
        };
        return Options { refusal: Some(refusal), ..Options::default() };
    }
    const SIMPLE: [&str; 8] = ["linux", "ansi", "cygwin", "cons25", "sun", "wsvt25", "vt52", "hurd"];
    let hardware = term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if hardware || SIMPLE.contains(&term.split('-').next().unwrap_or_default()) {
        return Options::default();
    }

    let everything = Options {
        mouse: true,
        hyperlinks: true,
        synchronized: true,
        title: true,
        keyboard: true,
        clipboard: true,
        cursor_shape: true,
        alternate: true,
        multiplexer: Multiplexer::None,
        refusal: None,
    };
    if is_set("TMUX") || term.starts_with("tmux") {
        // tmux passes OSC 8 on since 3.4, and says its version since 3.2.
        let version = get("TERM_PROGRAM_VERSION").filter(|_| get("TERM_PROGRAM").as_deref() == Some("tmux"));
        let hyperlinks = version.is_some_and(|version| at_least(&version, 3, 4));
        return Options { hyperlinks, keyboard: false, multiplexer: Multiplexer::Tmux, ..everything };
    }
    if is_set("STY") || term.starts_with("screen") {
        // Without STY this may be either multiplexer at the other end of an SSH session: nothing that one of them garbles.
        let multiplexer = if is_set("STY") { Multiplexer::Screen } else { Multiplexer::None };
        return Options { mouse: true, clipboard: true, alternate: true, multiplexer, ..Options::default() };
    }

    let program = get("TERM_PROGRAM").unwrap_or_default();
    let number = |name: &str| get(name).and_then(|value| value.parse::<u32>().ok());
    let named = |names: &[&str]| {
        names.iter().any(|name| term.contains(name) || program.eq_ignore_ascii_case(name)) || is_set("KITTY_WINDOW_ID")
    };
    let old_vte = number("VTE_VERSION").is_some_and(|version| version < 5000);
    let apple = program == "Apple_Terminal";
    let shows_links = named(&["kitty", "foot", "wezterm", "ghostty", "alacritty", "contour", "rio", "xterm"])
        || matches!(program.as_str(), "iTerm.app" | "vscode" | "Hyper" | "mintty" | "Tabby" | "WarpTerminal")
        || is_set("VTE_VERSION")
        || number("KONSOLE_VERSION").is_some_and(|version| version >= 201_200)
        || is_set("WT_SESSION");
    Options {
        hyperlinks: shows_links && !old_vte && !apple,
        synchronized: !apple,
        keyboard: named(&["kitty", "foot", "wezterm", "ghostty"]),
        ..everything
    }
}

/// Whether a version such as `3.4`, `3.5a` or `next-3.6` is at least `major.minor`.
fn at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    found >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(surroundings: &[(&str, &str)]) -> Options {
        abilities(&|name| surroundings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_terminal_without_a_cursor_is_refused_with_its_reason() {
        assert!(of(&[("TERM", "dumb")]).refusal.is_some_and(|reason| reason.contains("TERM=dumb")));
        if cfg!(unix) {
            assert!(of(&[]).refusal.is_some_and(|reason| reason.contains("not set")));
        }
        for term in ["linux", "xterm", "screen", "tmux", "vt220"] {
            assert_eq!(of(&[("TERM", term)]).refusal, None, "{term}");
        }
    }

    #[test]
    fn the_linux_console_and_old_hardware_get_nothing_that_they_would_print() {
        for term in ["linux", "linux-16color", "vt100", "vt220", "ansi"] {
            assert_eq!(of(&[("TERM", term)]), Options::default(), "{term}");
        }
    }

    #[test]
    fn a_multiplexer_counts_before_what_leaks_in_from_outside_it() {
        let tmux = of(&[
            ("TERM", "tmux-256color"),
            ("TMUX", "/tmp/tmux-0/default,1,0"),
            ("TERM_PROGRAM", "tmux"),
            ("TERM_PROGRAM_VERSION", "3.5a"),
            ("KITTY_WINDOW_ID", "1"),
        ]);
        assert_eq!((tmux.multiplexer, tmux.keyboard, tmux.hyperlinks), (Multiplexer::Tmux, false, true));
        let older = of(&[("TERM", "screen-256color"), ("TMUX", "x"), ("VTE_VERSION", "7000")]);
        assert_eq!((older.multiplexer, older.hyperlinks, older.synchronized), (Multiplexer::Tmux, false, true));
        let screen = of(&[("TERM", "screen.xterm-256color"), ("STY", "1.pts-0.host"), ("VTE_VERSION", "7000")]);
        assert_eq!((screen.multiplexer, screen.hyperlinks, screen.title), (Multiplexer::Screen, false, false));
        assert_eq!(of(&[("TERM", "screen-256color")]).multiplexer, Multiplexer::None);
    }

    #[test]
    fn the_keyboard_protocol_goes_only_to_those_that_have_it() {
        for (name, value) in [("TERM", "xterm-kitty"), ("TERM", "foot"), ("TERM", "xterm-ghostty")] {
            assert!(of(&[(name, value)]).keyboard, "{value}");
        }
        assert!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]).keyboard);
        assert!(!of(&[("TERM", "xterm-256color")]).keyboard);
        assert!(!of(&[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")]).keyboard);
    }

    #[test]
    fn links_go_where_they_are_shown_or_swallowed() {
        let links = |surroundings: &[(&str, &str)]| of(surroundings).hyperlinks;
        assert!(links(&[("TERM", "xterm-256color")]));
        assert!(links(&[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")]));
        assert!(!links(&[("TERM", "xterm-256color"), ("VTE_VERSION", "4800")]));
        assert!(!links(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")]));
        assert!(!links(&[("TERM", "rxvt-unicode-256color")]));
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(at_least("3.4", 3, 4) && at_least("3.10", 3, 4) && at_least("next-3.6", 3, 4) && at_least("4", 3, 4));
        assert!(!at_least("3.3a", 3, 4) && !at_least("2.9", 3, 4) && !at_least("", 3, 4));
    }
}
