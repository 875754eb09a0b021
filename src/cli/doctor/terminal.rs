//! What the terminal is able to.

use std::io::IsTerminal;

use serde_json::json;

use super::Report;
use crate::config::Settings;

pub fn check(report: &mut Report, settings: &Settings) {
    let value = |name: &str| settings.surrounding(&[name]).map(|(_, value)| value);
    let is_terminal = std::io::stdout().is_terminal();
    let size = terminal_size::terminal_size().filter(|_| is_terminal).map(|(w, h)| (w.0, h.0));
    let term = value("TERM");
    let colors = colors(term, value("COLORTERM"), settings.no_color);
    // The first that is set counts.
    let locale = settings.surrounding(&["LC_ALL", "LC_CTYPE", "LANG"]);
    let utf8 = locale.map_or(cfg!(any(windows, target_os = "macos")), |(_, locale)| is_utf8(locale));
    let inside = ["TMUX", "STY", "ZELLIJ"].into_iter().find(|name| value(name).is_some()).map(|name| match name {
        "STY" => "screen",
        "TMUX" => "tmux",
        _ => "zellij",
    });
    let ssh = settings.surrounding(&["SSH_CONNECTION", "SSH_TTY"]).is_some();
    let mut words = vec![match size {
        Some((columns, rows)) => format!("{columns} x {rows}"),
        None if is_terminal => "of unknown size".to_owned(),
        None => "output is no terminal".to_owned(),
    }];
    words.extend(term.map(|term| format!("TERM {term}")));
    words.push(match colors {
        0 => "no colours".to_owned(),
        1..=256 => format!("{colors} colours"),
        _ => "all colours".to_owned(),
    });
    words.push(if utf8 { "UTF-8" } else { "no UTF-8" }.to_owned());
    words.extend(inside.map(|name| format!("in {name}")));
    words.extend(ssh.then(|| "over ssh".to_owned()));
    report.part(
        "terminal",
        json!({
            "is_terminal": is_terminal,
            "columns": size.map(|(columns, _)| columns),
            "rows": size.map(|(_, rows)| rows),
            "term": term,
            "colors": colors,
            "utf8": utf8,
            "multiplexer": inside,
            "ssh": ssh,
        }),
        [("terminal", words.join(", "))],
    );
    if is_terminal && !utf8 {
        report.problem("the locale is not UTF-8, so that letters may come out wrong: set LANG=C.UTF-8");
    }
}

/// How many colours there are: none, 16, 256, or 16.7 million.
fn colors(term: Option<&str>, color_term: Option<&str>, no_color: bool) -> u32 {
    match (term, color_term) {
        _ if no_color => 0,
        (None | Some("dumb"), _) => 0,
        (_, Some("truecolor" | "24bit")) => 1 << 24,
        (Some(term), _) if term.contains("direct") => 1 << 24,
        (Some(term), _) if term.contains("256color") => 256,
        _ => 16,
    }
}

/// `de_DE.UTF-8`, `C.utf8`.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8") || locale.contains("utf-8@") || locale.contains("utf8@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_letters_are_read_from_the_surroundings() {
        assert_eq!(colors(Some("xterm-256color"), None, false), 256);
        assert_eq!(colors(Some("xterm-256color"), Some("truecolor"), false), 1 << 24);
        assert_eq!(colors(Some("xterm"), None, false), 16);
        assert_eq!(colors(Some("xterm"), Some("truecolor"), true), 0);
        assert_eq!((colors(Some("dumb"), None, false), colors(None, None, false)), (0, 0));
        assert!(is_utf8("de_DE.UTF-8") && is_utf8("C.utf8") && is_utf8("de_DE.UTF-8@euro"));
        assert!(!is_utf8("C") && !is_utf8("POSIX") && !is_utf8("de_DE.ISO-8859-1"));
    }
}
