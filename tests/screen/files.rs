//! What goes in and out: pastes, pipes, files, the clipboard, another editor.

use super::*;

const CODE: &[&str] = &["code?", "Two:\n\n```sh\nls -l\n```\n\nand\n\n```python\nprint(1)\n```\n"];

#[test]
fn a_long_paste_is_one_chip_and_is_sent_whole() {
    let home = Home::new();
    let mut terminal = guide(&home);
    let lines: String = (0..3_000).map(|n| format!("line {n}\r")).collect();
    terminal.send(&format!("\x1b[200~{lines}\x1b[201~"));
    terminal.wait_for("[pasted 3,000 lines]");
    check(&mut terminal, "paste");
    // It is more than the model reads: nothing is lost, it waits to be changed.
    terminal.send("what is this?\r");
    terminal.wait_for("the prompt is");
    terminal.wait_for("[pasted 3,001 lines]");
    terminal.send("\x03");
    let lines: String = (0..60).map(|n| format!("line {n}\r")).collect();
    terminal.send(&format!("\x1b[200~{lines}\x1b[201~"));
    terminal.wait_for("[pasted 60 lines]");
    terminal.send("what is this?\r");
    terminal.wait_for("tokens/s");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let talk = last_conversation(&home);
    assert!(talk.contains("line 0\nline 1\n") && talk.contains("line 59"), "{} bytes", talk.len());
}

#[test]
fn piped_text_goes_with_the_first_question() {
    let home = Home::new();
    let setup = Setup { environment: QUIET, ..Setup::default() };
    let mut terminal = Terminal::shell(&home, "echo how do I list models | oai chat guide", &setup);
    terminal.wait_for("standard input");
    terminal.wait_until("a ready chat", is_ready);
    check(&mut terminal, "piped");
    terminal.send("read it\r");
    terminal.wait_until("an answer", |screen| screen.contents().contains("read it") && is_ready(screen));
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let talk = last_conversation(&home);
    assert!(talk.contains("read it") && talk.contains("how do I list models"), "{talk}");
}

#[test]
fn a_file_is_named_completed_and_attached() {
    let home = Home::new();
    std::fs::write(home.path().join("notes.txt"), "remember\n").unwrap();
    let mut terminal = guide(&home);
    terminal.send("@no");
    terminal.wait_for("notes.txt");
    terminal.send("\t");
    terminal.wait_for("notes.txt goes with the next question");
    terminal.wait_for("[notes.txt 9 B]");
    terminal.send("/attach nowhere.txt\r");
    terminal.wait_for("nowhere.txt");
}

#[test]
fn a_conversation_is_exported_and_nothing_is_overwritten() {
    let home = Home::new();
    let mut terminal = loaded(&home, CODE, &Setup { environment: QUIET, ..Setup::default() });
    for (name, words) in [("talk.md", "print(1)"), ("out.json", "\"nodes\""), ("talk.html", "<html")] {
        terminal.send(&format!("/export {name}\r"));
        terminal.wait_for(&format!("wrote {name}"));
        let text = std::fs::read_to_string(home.path().join(name)).unwrap();
        assert!(text.contains(words), "{text}");
    }
    terminal.send("/export talk.md\r");
    terminal.wait_for("talk.md is there already");
    terminal.send("/export talk.doc\r");
    terminal.wait_for("neither in .md");
}

#[test]
fn code_is_saved_and_copied() {
    let home = Home::new();
    let mut terminal = loaded(&home, CODE, &Setup { environment: QUIET, ..Setup::default() });
    terminal.send("/save 1 list.sh\r");
    terminal.wait_for("wrote list.sh");
    assert_eq!(std::fs::read_to_string(home.path().join("list.sh")).unwrap(), "ls -l\n");
    terminal.send("/save print.py\r");
    terminal.wait_for("wrote print.py");
    assert_eq!(std::fs::read_to_string(home.path().join("print.py")).unwrap(), "print(1)\n");
    terminal.send("/code 1\r");
    terminal.wait_for("copied code block 1");
    // "ls -l", with the line break or without.
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(raw.contains("\x1b]52;c;bHMgLWwK\x07") || raw.contains("\x1b]52;c;bHMgLWw=\x07"), "no OSC 52");
    terminal.send("/copy\r");
    terminal.wait_for("copied the message");
    terminal.wait_for_bytes("\x1b]52;c;VHdvOgoK");
}

#[test]
fn a_question_is_written_in_an_editor() {
    let home = Home::new();
    let editor = home.path().join("editor");
    let script = "#!/bin/sh\ncat \"$1\" > seen\nstty -a > stty-inside\nprintf 'how do I\\nlist models' > \"$1\"\n";
    std::fs::write(&editor, script).unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let environment = &[("OAI_MONITOR", "false"), ("EDITOR", editor.to_str().unwrap())];
    let mut terminal = Terminal::start_with(&home, &["chat", "guide"], &Setup { environment, ..Setup::default() });
    terminal.wait_until("a ready chat", is_ready);
    terminal.send("begun");
    terminal.wait_for("begun");
    terminal.send("\x18");
    terminal.wait_for("list models");
    assert_eq!(std::fs::read_to_string(home.path().join("seen")).unwrap(), "begun");
    let inside = std::fs::read_to_string(home.path().join("stty-inside")).unwrap();
    assert!(inside.contains(" icanon") && inside.contains(" echo "), "{inside}");
    assert!(terminal.is_taken());
    ask(&mut terminal, "", "oai list");
    assert_eq!(
        std::fs::read_dir(home.path().join(".local/share/oai"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("question"))
            .count(),
        0
    );
}
