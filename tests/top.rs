//! `oai top`: once, as JSON, and on the whole screen.
#![cfg(unix)]

mod common;

use common::Home;
use common::terminal::{Setup, Terminal};
use serde_json::Value;

/// A chat with the guide that waits for a question.
fn chat(home: &Home) -> Terminal {
    let mut chat = Terminal::start(home, &["chat", "guide"]);
    chat.wait_for("nothing you type leaves this machine");
    chat
}

fn running(home: &Home) -> Vec<Value> {
    let (code, stdout, stderr) = home.run(&["top", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let look: Value = serde_json::from_str(&stdout).unwrap();
    assert!(look["machine"]["memory"].is_object(), "{look}");
    look["running"].as_array().unwrap().clone()
}

#[test]
fn a_running_chat_is_listed_with_its_model_until_it_ends() {
    let home = Home::new();
    assert_eq!(running(&home), Vec::<Value>::new());
    let mut chat = chat(&home);
    chat.send("how do I pull a model\r");
    chat.wait_for("oai pull NAME");
    // The announcement follows the picture.
    let listed = (0..100).map(|_| running(&home)).find(|listed| listed.iter().any(|one| one["session"].is_string()));
    let listed = listed.expect("the chat is listed with its conversation");
    assert_eq!(listed.len(), 1);
    let one = &listed[0];
    assert_eq!((&one["command"], &one["model"]), (&"chat".into(), &"guide".into()), "{one}");
    assert_eq!((&one["session"], &one["pid"]), (&"how do I pull a model".into(), &chat.process_id().into()), "{one}");
    let (code, table, _) = home.run(&["top", "--once"]);
    assert!(code == 0 && table.contains("guide") && table.contains(&chat.process_id().to_string()), "{table}");
    assert!(table.starts_with("PID") || table.trim_start().starts_with("PID"), "{table}");
    chat.send("\x04");
    assert_eq!(chat.end(), 0);
    assert_eq!(running(&home), Vec::<Value>::new());
}

#[test]
fn in_a_pipe_one_table_is_printed() {
    let home = Home::new();
    let (code, stdout, _) = home.run(&["top"]);
    assert!(code == 0 && stdout.contains("COMMAND") && !stdout.contains('\x1b'), "{stdout}");
}

#[test]
fn the_screen_shows_what_runs_and_is_left_with_q() {
    let home = Home::new();
    let mut chat = chat(&home);
    let mut top = Terminal::start_with(&home, &["top"], &Setup { columns: 100, rows: 30, environment: &[] });
    for words in ["memory", "PID", "guide", "q leave"] {
        top.wait_for(words);
    }
    top.send("s");
    top.wait_for("sort: CPU");
    chat.send("\x04");
    assert_eq!(chat.end(), 0);
    top.wait_for("No oai is at work");
    top.send("q");
    assert_eq!(top.end(), 0);
    let screen = top.screen.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
}

#[test]
fn a_selected_chat_is_stopped_after_a_question_and_its_conversation_is_kept() {
    let home = Home::new();
    let mut chat = chat(&home);
    chat.send("how do I pull a model\r");
    chat.wait_for("oai pull NAME");
    let mut top = Terminal::start_with(&home, &["top"], &Setup { columns: 100, rows: 30, environment: &[] });
    top.wait_for("guide");
    top.send("k");
    top.wait_for("?");
    top.send("n");
    top.wait_for("q leave");
    top.send("k");
    top.wait_for("?");
    top.send("y");
    assert_eq!(chat.end(), 143);
    top.wait_for("No oai is at work");
    top.send("q");
    assert_eq!(top.end(), 0);
    assert!(home.run(&["history", "show", "last"]).1.contains("how do I pull a model"));
}

#[test]
fn signals_end_it_with_their_number() {
    let home = Home::new();
    let mut top = Terminal::start(&home, &["top"]);
    top.wait_for("q leave");
    let pid = rustix::process::Pid::from_raw(top.process_id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(top.end(), 143);
    assert!(!top.screen.screen().alternate_screen());
}
