//! Talking: questions and answers, lists over the conversation, branches, going on.

use super::*;

#[test]
fn a_question_is_answered_and_the_conversation_is_kept() {
    let home = Home::new();
    let mut terminal = guide(&home);
    check(&mut terminal, "start");
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    check(&mut terminal, "answer");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let talk = last_conversation(&home);
    assert!(talk.contains("how do I pull a model") && talk.contains("oai pull NAME"), "{talk}");
}

#[test]
fn an_answer_is_shown_while_it_is_written_and_can_be_stopped() {
    let home = Home::new();
    let numbers: Vec<String> = (0..3_000).map(|n| format!("n{n} ")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let model = write_parrot(&home, &numbers);
    let mut terminal =
        Terminal::start_with(&home, &["chat", &model], &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_until("a ready chat", is_ready);
    terminal.send("count\r");
    terminal.wait_until("an answer on its way", |screen| {
        screen.contents().contains("n20 ") && last_row(screen).starts_with("writing")
    });
    terminal.send(ESC);
    terminal.wait_until("the end of the answer", is_ready);
    terminal.wait_for("stopped");
    assert!(!terminal.text().contains("n2999"));
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let talk = last_conversation(&home);
    assert!(talk.contains("n0 n1 n2") && !talk.contains("n2999"), "{talk}");
}

#[test]
fn a_streamed_answer_is_laid_out_as_it_comes() {
    let home = Home::new();
    let script = ["# Ti", "tle\n\n", "Some **bo", "ld** text.\n\n``", "`rust\nfn main", "() {}\n", "```\nafter"];
    let model = write_parrot(&home, &script);
    let mut terminal =
        Terminal::start_with(&home, &["chat", &model], &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_until("a ready chat", is_ready);
    ask(&mut terminal, "go", "after");
    let shown = terminal.text();
    assert!(shown.contains("Some bold text.") && !shown.contains("```"), "{shown}");
}

#[test]
fn a_search_finds_what_was_said() {
    let home = Home::new();
    let turns: Vec<String> =
        (0..60).map(|n| format!("message {n} {}", if n == 5 { "needle" } else { "hay" })).collect();
    let turns: Vec<&str> = turns.iter().map(String::as_str).collect();
    let mut terminal = loaded(&home, &turns, &Setup { environment: QUIET, ..Setup::default() });
    assert!(!terminal.text().contains("needle"));
    terminal.send("\x06needle");
    terminal.wait_for("1 of 1");
    terminal.wait_for("message 5 needle");
    check(&mut terminal, "search");
    terminal.send("s");
    terminal.wait_for("not found");
}

#[test]
fn lists_lie_over_the_conversation() {
    let home = Home::new();
    let mut terminal = guide(&home);
    for (key, title, name) in [(F1, "Help", "help"), (F4, "Themes", "themes"), (F5, "Settings", "settings")] {
        terminal.send(key);
        terminal.wait_for(title);
        check(&mut terminal, name);
        terminal.send(ESC);
        terminal.wait_without(title);
    }
    terminal.send("\x0f");
    terminal.wait_for("Commands");
    terminal.send("expo");
    terminal.wait_for("write the conversation as");
    check(&mut terminal, "palette");
    terminal.send(ESC);
    terminal.wait_without("Commands");
    terminal.send("/th");
    terminal.wait_for("choose the colours");
    check(&mut terminal, "completion");
}

#[test]
fn a_setting_is_changed_in_place() {
    let home = Home::new();
    let mut terminal = guide(&home);
    terminal.send("/set temperature 0.3\r");
    terminal.wait_for("temperature 0.3");
    terminal.send("/set temperature 300\r");
    terminal.wait_for("temperature = 300 is not");
    terminal.send("/nonsense\r");
    terminal.wait_for("/nonsense is not a command");
}

#[test]
fn a_model_is_chosen_from_the_list_and_the_conversation_stays() {
    let home = Home::new();
    let model = write_parrot(&home, &["I say", " what I was", " told."]);
    let (code, _, error) = home.run(&["import", &model, "bird"]);
    assert_eq!(code, 0, "{error}");
    let mut terminal = guide(&home);
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    terminal.send(F2);
    terminal.wait_for("Models");
    terminal.wait_for("bird");
    terminal.send("bird\r");
    terminal.wait_for("bird answers from now on");
    terminal.send("and you?\r");
    terminal.wait_for("I say what I was told.");
    assert!(terminal.text().contains("oai pull NAME"));
    terminal.send("/model nowhere/nothing\r");
    terminal.wait_for("nowhere/nothing");
    ask(&mut terminal, "still there?", "still there?");
}

#[test]
fn past_conversations_are_listed_searched_and_opened() {
    let home = Home::new();
    for (question, words) in [("how do I pull a model", "oai pull"), ("how do I list models", "oai list")] {
        let mut terminal = guide(&home);
        ask(&mut terminal, question, words);
        terminal.send("\x04");
        assert_eq!(terminal.end(), 0);
    }
    let mut terminal =
        Terminal::start_with(&home, &["chat", "-c", "guide"], &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_until("the last conversation", |screen| {
        screen.contents().contains("how do I list models") && is_ready(screen)
    });
    check(&mut terminal, "continued");
    terminal.send(F3);
    terminal.wait_for("Conversations");
    terminal.wait_for("how do I pull a model");
    terminal.send("pull");
    terminal.wait_until("what was searched for", |screen| {
        screen.contents().contains("how do I pull a model") && screen.contents().contains("› pull")
    });
    terminal.send(UP);
    terminal.send("\r");
    terminal.wait_until("the other conversation", |screen| {
        screen.contents().contains("oai pull") && !screen.contents().contains("Conversations")
    });
    ask(&mut terminal, "how do I delete a model", "oai rm");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let (_, listed, _) = home.run(&["history", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let talk = last_conversation(&home);
    assert!(talk.contains("how do I pull a model") && talk.contains("how do I delete a model"), "{talk}");
}

#[test]
fn an_edited_question_is_a_branch() {
    let home = Home::new();
    let mut terminal = guide(&home);
    ask(&mut terminal, "how do I pull a model", "oai pull NAME");
    terminal.send(CTRL_UP);
    terminal.wait_for("e edit");
    terminal.send("e");
    terminal.wait_for("as a branch");
    terminal.send("\x15how do I list models\r");
    terminal.wait_for("‹2/2›");
    terminal.wait_for("oai list");
    terminal.wait_until("the end of the answer", |screen| !last_row(screen).starts_with("writing"));
    check(&mut terminal, "branch");
    terminal.send("/previous\r");
    terminal.wait_for("‹1/2›");
    terminal.wait_for("oai pull NAME");
    terminal.send("/previous\r");
    terminal.wait_for("no branch further on");
}
