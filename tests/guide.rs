//! The guide answers questions that it was never taught, through the real binary.

mod common;

use std::sync::Mutex;

use common::Home;
use serde::Deserialize;

#[derive(Deserialize)]
struct HeldOut {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    question: String,
    expect: Vec<String>,
}

#[test]
fn nine_of_ten_held_out_questions_name_the_right_command_or_flag() {
    let text = include_str!("../src/guide/held_out.toml");
    let cases = toml::from_str::<HeldOut>(text).unwrap().case;
    assert!(cases.len() >= 100);
    let home = Home::new();
    let queue = Mutex::new(cases.iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { return };
                    let (code, answer, _) = home.run(&["ask", "-m", "guide", "--threads", "1", &case.question]);
                    assert_eq!(code, 0);
                    if !case.expect.iter().any(|words| answer.contains(words)) {
                        wrong.lock().unwrap().push(format!("{} -> {}", case.question, answer.trim()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    println!("{} of {} right; not:\n{}", cases.len() - wrong.len(), cases.len(), wrong.join("\n"));
    assert!(wrong.len() * 10 <= cases.len(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn it_is_small_and_says_who_answers() {
    assert!(common::GUIDE.len() <= 4_000_000);
    let (code, stdout, stderr) = Home::new().run(&["ask", "How do I resume a pull?"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("`oai pull NAME`"), "{stdout}");
    assert_eq!(stderr.lines().count(), 1);
    assert!(stderr.contains("guide"), "{stderr}");
    let (_, stdout, _) = Home::new().run(&["ask", "what is the capital of france"]);
    assert!(stdout.contains("only know how to use oai"), "{stdout}");
}
