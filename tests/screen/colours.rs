//! Themes, and terminals with few colours or none.

use std::collections::{BTreeMap, BTreeSet};

use super::texts::SAMPLE;
use super::*;

/// The parameters of all SGR sequences that came.
fn colours(terminal: &Terminal) -> BTreeSet<String> {
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    let sequences = raw.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !";:".contains(c))?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.collect()
}

fn is_rgb(sgr: &str) -> bool {
    ["38;2;", "48;2;", "38:2:", "48:2:"].iter().any(|part| sgr.contains(part))
}

fn is_indexed(sgr: &str) -> bool {
    ["38;5;", "48;5;", "38:5:", "48:5:"].iter().any(|part| sgr.contains(part))
}

/// Whether a parameter sets one of the 16 colours, or any.
fn is_colour(sgr: &str) -> bool {
    let mut numbers = sgr.split([';', ':']).filter_map(|number| number.parse::<u32>().ok());
    numbers
        .any(|n| (30..=38).contains(&n) || (40..=48).contains(&n) || (90..=97).contains(&n) || (100..=107).contains(&n))
}

fn sample(home: &Home, environment: &[(&str, &str)]) -> Terminal {
    loaded(home, SAMPLE, &Setup { rows: 36, environment, ..Setup::default() })
}

#[test]
fn without_colours_there_are_none() {
    let home = Home::new();
    for name in [("NO_COLOR", "1"), ("OAI_COLOR", "none")] {
        let mut terminal = sample(&home, &[QUIET[0], ("COLORTERM", "truecolor"), name]);
        check(&mut terminal, "markdown");
        terminal.send(F1);
        terminal.wait_for("Help");
        let seen = colours(&terminal);
        assert!(!seen.iter().any(|sgr| is_colour(sgr)), "{name:?}: {seen:?}");
        assert!(seen.iter().any(|sgr| sgr.split(';').any(|n| n == "1")), "{name:?}: headings are bold: {seen:?}");
    }
}

#[test]
fn a_terminal_of_few_colours_gets_no_others() {
    let home = Home::new();
    let fjord = ("OAI_THEME", "fjord");
    let mut terminal = sample(&home, &[QUIET[0], fjord, ("COLORTERM", "truecolor"), ("OAI_COLOR", "16")]);
    check(&mut terminal, "markdown");
    let seen = colours(&terminal);
    assert!(seen.iter().any(|sgr| is_colour(sgr)) && !seen.iter().any(|s| is_rgb(s) || is_indexed(s)), "{seen:?}");
    // What the terminal says of itself.
    let terminal = sample(&home, &[QUIET[0], fjord]);
    let seen = colours(&terminal);
    assert!(seen.iter().any(|sgr| is_indexed(sgr)) && !seen.iter().any(|sgr| is_rgb(sgr)), "{seen:?}");
    // What the configuration says.
    let folder = home.path().join(".config/oai");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "color = \"16\"\n").unwrap();
    let terminal = sample(&home, &[QUIET[0], fjord, ("COLORTERM", "truecolor")]);
    let seen = colours(&terminal);
    assert!(seen.iter().any(|sgr| is_colour(sgr)) && !seen.iter().any(|s| is_rgb(s) || is_indexed(s)), "{seen:?}");
}

#[test]
fn every_theme_shows_the_same_text_in_its_own_colours() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    let home = Home::new();
    let mut looks = BTreeMap::new();
    for name in &names {
        let talk = write_talk(&home, SAMPLE);
        let environment = &[QUIET[0], ("COLORTERM", "truecolor")];
        let setup = Setup { rows: 36, environment, ..Setup::default() };
        let mut terminal = Terminal::start_with(&home, &["chat", "guide", "--load", &talk, "--theme", name], &setup);
        check(&mut terminal, "markdown");
        let formatted = terminal.screen.screen().contents_formatted();
        if let Some(other) = looks.insert(formatted, name) {
            panic!("{name} looks like {other}");
        }
    }
}

#[test]
fn a_theme_is_previewed_chosen_and_kept() {
    let home = Home::new();
    let environment = &[QUIET[0], ("COLORTERM", "truecolor")];
    let mut terminal = sample(&home, environment);
    check(&mut terminal, "markdown");
    let before = terminal.screen.screen().contents_formatted();
    terminal.send(F4);
    terminal.wait_for("Themes");
    terminal.send("porce");
    terminal.wait_for("porcelain");
    terminal.send(ESC);
    terminal.wait_without("Themes");
    terminal.wait_until("the colours from before", |screen| screen.contents_formatted() == before);
    terminal.send("/theme porcelain\r");
    terminal.wait_for("porcelain is your theme");
    let kept = std::fs::read_to_string(home.path().join(".config/oai/config.toml")).unwrap();
    assert!(kept.contains("porcelain"), "{kept}");
    terminal.send("/theme nonsense\r");
    terminal.wait_for("nonsense");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let kept = std::fs::read_to_string(home.path().join(".config/oai/config.toml")).unwrap();
    assert!(kept.contains("porcelain") && !kept.contains("nonsense"), "a theme that is none is not kept: {kept}");
}

#[test]
fn what_is_listed_is_not_as_pale_as_the_frame() {
    let home = Home::new();
    let mut terminal = sample(&home, &[QUIET[0], ("COLORTERM", "truecolor"), ("OAI_THEME", "fjord")]);
    terminal.send("\x0f");
    terminal.wait_for("Commands");
    terminal.wait_for("every key and command");
    terminal.wait_until("a row that is not chosen", |screen| {
        let row = (0..36).find(|row| screen.rows(0, 80).nth(*row).is_some_and(|text| text.contains("model  choose")));
        let Some(row) = row else { return false };
        let (edge, letter) = (screen.cell(row as u16, 0).unwrap(), screen.cell(row as u16, 4).unwrap());
        edge.contents() == "│" && letter.contents() == "o" && letter.fgcolor() != edge.fgcolor()
    });
}

#[test]
fn an_unknown_theme_is_an_error_before_the_screen_is_taken() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["chat", "guide", "--theme", "nonsense"]);
    assert_eq!(terminal.end(), 8);
    assert!(terminal.text().contains("nonsense"), "{}", terminal.text());
    assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"));
}
