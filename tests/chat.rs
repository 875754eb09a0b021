//! The conversation, piped and on a real terminal.

mod common;

use common::terminal::{Setup, Terminal};
use common::{Home, assert_error, finish};

#[test]
fn commands_work_in_a_pipe() {
    let home = Home::new();
    let saved = home.path().join("talk.json");
    let script = format!(
        "how do I pull a model\nhow do I list models\n/undo\n/save {0}\n/clear\n/load {0}\n/nonsense\n\"\"\"\nhow do I \\\ndelete a model\n\"\"\"\n/exit\nnever read\n",
        saved.display()
    );
    let (code, stdout, stderr) = finish(home.oai(&["chat", "guide"]).write_stdin(script));
    assert_eq!(code, 0, "{stderr}");
    let answers: Vec<&str> = stdout.lines().collect();
    assert_eq!(answers.len(), 3, "{stdout}");
    assert!(
        answers[0].contains("oai pull") && answers[1].contains("oai list") && answers[2].contains("oai rm"),
        "{stdout}"
    );

    assert!(
        stderr.contains("took back: how do I list models") && stderr.contains("/nonsense is not a command"),
        "{stderr}"
    );

    let talk: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!((&talk["model"], talk["messages"].as_array().unwrap().len()), (&"guide".into(), 2));
}

#[test]
fn a_follow_up_computes_only_what_is_new() {
    let home = Home::new();
    let model = home.path().join("model.gguf");
    common::write_model_with_memory(&model);
    let script = "how do I pull a model\nand how do I list models\nlist\n";
    let (code, _, stderr) =
        finish(home.oai(&["chat", "--stats", "-n", "12", model.to_str().unwrap()]).write_stdin(script));
    assert_eq!(code, 0, "{stderr}");
    let stats: Vec<(usize, usize)> = stderr.lines().filter(|l| l.starts_with("prefill")).map(counts).collect();
    assert_eq!((stats.len(), stats[0].1), (3, 0), "{stderr}");
    // Each turn finds at least the question before it in the cache, and computes less than the whole.
    assert!(stats[1].1 > stats[0].0 && stats[2].1 > stats[1].0 + stats[1].1, "{stats:?}");
    assert!(stats[2].0 < stats[0].0 + stats[1].1, "{stats:?}");
}

/// Computed and reused tokens of a line of `--stats`.
fn counts(line: &str) -> (usize, usize) {
    let numbers: Vec<usize> = line.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_saved_conversation_that_is_none_is_an_error() {
    let home = Home::new();
    let file = home.path().join("bad.json");
    std::fs::write(&file, "no").unwrap();
    assert_error(home.run(&["chat", "--load", file.to_str().unwrap()]), 7, &["bad.json"]);
}

/// A chat line by line, on a terminal.
fn plain_chat(home: &Home) -> Terminal {
    let setup = Setup { columns: 100, rows: 30, environment: &[] };
    let mut terminal = Terminal::start_with(home, &["chat", "--plain", "guide"], &setup);
    wait_for_prompt(&mut terminal, "Ctrl-D leaves");
    terminal
}

/// Waits until the screen shows `text` and, below it, an empty prompt.
#[track_caller]
fn wait_for_prompt(terminal: &mut Terminal, text: &str) {
    terminal.wait_until(text, |screen| {
        let shown = screen.contents();
        shown.contains(text) && shown.trim_end().ends_with("\n>")
    });
}

#[test]
fn a_person_talks_interrupts_and_leaves() {
    let home = Home::new();
    let mut terminal = plain_chat(&home);
    terminal.send("how do I pull a model\r");
    wait_for_prompt(&mut terminal, "`oai pull NAME`");
    terminal.send("/help\r");
    wait_for_prompt(&mut terminal, "/undo           take back");
    // Ctrl-C at the prompt clears the line and does not leave.
    terminal.send("half a question\x03");
    wait_for_prompt(&mut terminal, "half a question");
    terminal.send("how do I list my models\r");
    wait_for_prompt(&mut terminal, "(or `oai ls`)");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let (code, listed, _) = home.run(&["history"]);
    assert!(code == 0 && listed.contains("how do I pull a model"), "{listed}");
    let history = std::fs::read_to_string(home.path().join(".local/share/oai/chat_history")).unwrap();
    assert!(history.contains("how do I list my models") && !history.contains("half"), "{history}");
}

#[test]
fn what_is_typed_ahead_is_not_lost_and_a_begun_text_can_be_dropped() {
    let home = Home::new();
    let mut terminal = plain_chat(&home);
    terminal.send("/system first\r/system\r/system second\\\rline\r/system\r");
    wait_for_prompt(&mut terminal, "second\nline");
    let shown = terminal.text();
    assert!(shown.contains("> /system\nfirst\n"), "{shown}");
    terminal.send("\"\"\"\rnever mind\r\x03");
    wait_for_prompt(&mut terminal, "never mind");
    terminal.send("/undo\r");
    wait_for_prompt(&mut terminal, "nothing to take back");
}
