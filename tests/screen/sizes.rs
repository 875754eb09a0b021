//! All sizes, and one after the other.

use super::texts::SAMPLE;
use super::*;

#[test]
fn a_wide_screen_has_the_monitor_beside_the_conversation() {
    let home = Home::new();
    let mut terminal = loaded(&home, SAMPLE, &Setup { columns: 200, rows: 60, environment: &[] });
    for words in ["Reading a file", "model  ", "cpu ", "this oai"] {
        terminal.wait_for(words);
    }
    terminal.wait_until("a rule from top to foot", |screen| {
        (0..59).all(|row| screen.cell(row, 168).is_some_and(|cell| cell.contents() == "│"))
    });
    terminal.send("\x1b[17~");
    terminal.wait_without("this oai");
    check(&mut terminal, "large");
}

#[test]
fn a_narrow_screen_has_the_monitor_in_one_line() {
    let home = Home::new();
    let mut terminal = loaded(&home, SAMPLE, &Setup::default());
    terminal.wait_until("the strip", |screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        rows.len() == 24 && rows[22].starts_with("cpu ")
    });
}

#[test]
fn a_small_screen_shows_what_it_can() {
    let home = Home::new();
    let mut terminal = loaded(&home, SAMPLE, &Setup { columns: 40, rows: 12, environment: QUIET });
    check(&mut terminal, "small");
    terminal.send(F1);
    terminal.wait_for("Help");
    check(&mut terminal, "small-help");
}

#[test]
fn a_screen_that_is_too_small_says_so_and_recovers() {
    let home = Home::new();
    let talk = write_talk(&home, SAMPLE);
    let setup = Setup { columns: 20, rows: 5, environment: QUIET };
    let mut terminal = Terminal::start_with(&home, &["chat", "guide", "--load", &talk], &setup);
    terminal.wait_for("too small");
    check(&mut terminal, "too-small");
    terminal.resize(80, 36);
    check(&mut terminal, "markdown");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_storm_of_sizes_ends_in_the_right_picture() {
    let home = Home::new();
    let mut terminal = loaded(&home, SAMPLE, &Setup { rows: 36, environment: QUIET, ..Setup::default() });
    check(&mut terminal, "markdown");
    for round in 0..200u16 {
        terminal.resize(1 + (round * 37) % 220, 1 + (round * 23) % 70);
        terminal.take_in(Duration::from_millis(1));
    }
    terminal.resize(80, 36);
    check(&mut terminal, "markdown");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
}
