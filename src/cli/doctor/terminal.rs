//! What the terminal is able to.

use std::io::IsTerminal;

use serde_json::json;

use super::Report;
use crate::config::Settings;
use crate::tui::theme::Depth;

pub fn check(report: &mut Report, settings: &Settings) {
    let value = |name: &str| settings.surrounding(&[name]).map(|(_, value)| value);
    let is_terminal = std::io::stdout().is_terminal();
    let size = terminal_size::terminal_size().filter(|_| is_terminal).map(|(w, h)| (w.0, h.0));
    let term = value("TERM");
    let colors = colors(Depth::detect(term, value("COLORTERM"), settings.no_color));
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
fn colors(depth: Depth) -> u32 {
    match depth {
        Depth::None => 0,
        Depth::Ansi16 => 16,
        Depth::Ansi256 => 256,
        Depth::True => 1 << 24,
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
    fn letters_are_read_from_the_locale() {
        assert!(is_utf8("de_DE.UTF-8") && is_utf8("C.utf8") && is_utf8("de_DE.UTF-8@euro"));
        assert!(!is_utf8("C") && !is_utf8("POSIX") && !is_utf8("de_DE.ISO-8859-1"));
    }
}
