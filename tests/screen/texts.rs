//! What answers may hold: Markdown, all scripts, and what would command a terminal.

use super::*;

pub const SAMPLE: &[&str] = &[
    "Show me everything.",
    "# Reading a file\n\nUse **`fs::read`**, or *line by line*:\n\n```rust\nfn main() -> std::io::Result<()> {\n    \
     let text = std::fs::read_to_string(\"talk.md\")?; // all of it\n    println!(\"{} lines\", text.lines().count());\n    \
     Ok(())\n}\n```\n\n| Way | Memory | Speed |\n|:----|-------:|:-----:|\n| whole | 2 GB | fast |\n| lines | 4 kB | fair |\n\n\
     1. first\n2. second\n   - inside\n\n> said [elsewhere](https://example.org/page)\n",
];

#[test]
fn markdown_is_laid_out() {
    let home = Home::new();
    let setup = Setup { rows: 36, environment: QUIET, ..Setup::default() };
    let mut terminal = loaded(&home, SAMPLE, &setup);
    check(&mut terminal, "markdown");
    terminal.wait_for_bytes("\x1b]8;");
    assert!(String::from_utf8_lossy(&terminal.raw).contains("https://example.org/page"), "the link is one");
}

#[test]
fn wide_characters_take_two_cells() {
    let home = Home::new();
    let talk = [
        "漢字と絵文字?",
        "日本語の文章は、空白がなくても行の終わりで折り返されなければならない。全角文字は二つの升を取る。\n\n\
         中文、한국어, ไทย, العربية, עברית.\n\nFaces 🙂 👍🏽 👨‍👩‍👧 and flags 🇩🇪 🇯🇵; é composed, e\u{301} not.\n\n\
         | 言葉 | word |\n|---|---|\n| 猫 | cat |\n| 🐈 | cat |\n",
    ];
    let mut terminal = loaded(&home, &talk, &Setup { columns: 60, environment: QUIET, ..Setup::default() });
    check(&mut terminal, "wide");
    // Whatever lies over it and goes again leaves nothing behind.
    let before = picture(&terminal);
    terminal.send(F1);
    terminal.wait_for("Help");
    terminal.send(ESC);
    terminal.wait_without("Help");
    assert_eq!(picture(&terminal), before);
}

#[test]
fn what_would_command_the_terminal_is_shown_and_not_obeyed() {
    let home = Home::new();
    let talk = [
        "\x1b[2Jquestion\x07",
        "red \x1b[31mnot\x1b[0m, title \x1b]0;owned\x07, clipboard \x1b]52;c;AAAA\x07, bidi \u{202e}txt.exe\u{202c}, \
         c1 \u{9b}31m, link [x](javascript:alert(1)) \x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\\n\n\
         ```\n\x1b[?1049l\u{2066}code\n```\n\n| \x1b[1mcell | b |\n|---|---|\n| \x1b[5mc | d |\n",
    ];
    let mut terminal = loaded(&home, &talk, &Setup { columns: 100, environment: QUIET, ..Setup::default() });
    terminal.wait_for("␛[31mnot");
    check(&mut terminal, "commands");
    assert!(terminal.is_taken());
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    for sequence in
        ["\x1b[2Jq", "\x1b[31mnot", "\x1b]0;", "\x1b]52;", "\u{202e}", "\u{9b}", "\u{2066}", "\x1b]8;;https://evil"]
    {
        assert!(!raw.contains(sequence), "{sequence:?} was written");
    }
    assert!(!raw.contains("javascript:") || !raw.contains("\x1b]8;;javascript"), "a link that runs something");
    // Nor in a list of conversations, a title or a search.
    terminal.send("/name a\u{202e}b\r");
    terminal.send("\x06question");
    terminal.wait_for("1 of 1");
    terminal.send(ESC);
    terminal.wait_without("1 of 1");
    assert!(!String::from_utf8_lossy(&terminal.raw).contains('\u{202e}'));
}

#[test]
fn a_long_conversation_is_scrolled() {
    let home = Home::new();
    let turns: Vec<String> = (0..100).map(|n| format!("message {n}")).collect();
    let turns: Vec<&str> = turns.iter().map(String::as_str).collect();
    let mut terminal = loaded(&home, &turns, &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_for("message 99");
    terminal.send("\x1b[5~");
    terminal.wait_for("more below");
    terminal.wait_without("message 99");
    terminal.send(CTRL_HOME);
    terminal.wait_for("message 0");
    check(&mut terminal, "scrolled");
    terminal.send("\x1b[<65;3;4M");
    terminal.wait_without("message 0 \n");
    terminal.send("\x1b[1;5F");
    terminal.wait_for("message 99");
    terminal.wait_without("more below");
}
