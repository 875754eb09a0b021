//! The chat without a terminal: what keys and answers do to it, and that nothing at all breaks it.

mod random;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::event::{AnswerEvent, Effect, Event, LoadedModel, Setting};
use super::pulse::ModelFacts;
use super::state::{Activity, Focus, Setup, State};
use super::terminal::Frame;
use super::theme::Theme;
use super::{update, view};
use crate::engine::{Finish, Message, Role, Timings, Usage};
use crate::session::Session;

/// A chat, and what an engine and a disk would do for it.
struct Chat {
    state: State,
    now_ms: i64,
    asked: Vec<(u64, Vec<String>)>,
    effects: Vec<Effect>,
}

impl Chat {
    fn new(columns: u16, rows: u16) -> Chat {
        let settings =
            vec![Setting { key: "temperature", value: "0.8".to_owned(), origin: "default".to_owned(), own: false }];
        let state = State::new(Setup {
            session: Session::new("", 0),
            theme: Theme::plain(),
            size: (columns, rows),
            vi: false,
            monitor: false,
            settings,
            loading: "parrot".to_owned(),
            attachments: Vec::new(),
            now_ms: 0,
        });
        Chat { state, now_ms: 0, asked: Vec::new(), effects: Vec::new() }
    }

    fn loaded(columns: u16, rows: u16) -> Chat {
        let mut chat = Chat::new(columns, rows);
        chat.happens(Event::Loaded(Box::new(model("parrot"))));
        chat
    }

    fn happens(&mut self, event: Event) {
        self.now_ms += 10;
        for effect in update(&mut self.state, event, self.now_ms) {
            if let Effect::Generate { ticket, messages, .. } = &effect {
                let twice = messages.windows(2).any(|pair| pair[0].role == Role::User && pair[1].role == Role::User);
                assert!(!twice, "two questions in a row are sent");
                self.asked.push((*ticket, messages.iter().map(|message| message.content.clone()).collect()));
            }
            self.effects.push(effect);
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.happens(Event::Key(KeyEvent::new(code, modifiers)));
    }

    fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    fn write(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn say(&mut self, text: &str) {
        self.write(text);
        self.key(KeyCode::Enter);
    }

    fn answer(&mut self, event: AnswerEvent) {
        let ticket = self.state.last_ticket;
        self.happens(Event::Answer { ticket, event });
    }

    fn answered(&mut self, text: &str) {
        self.answer(AnswerEvent::Started { prompt_tokens: 7 });
        self.answer(AnswerEvent::Text(text.to_owned()));
        self.answer(done(Finish::Stop));
    }

    /// The screen's rows.
    fn screen(&mut self) -> String {
        let (columns, rows) = self.state.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        let mut frame = Frame::new(&mut buffer);
        view(&mut self.state, &mut frame);
        if let Some((x, y)) = frame.cursor {
            assert!(x < columns && y < rows, "cursor at {x}, {y} of {columns} x {rows}");
        }
        for link in &frame.links {
            assert!(link.row < rows && link.columns.end <= columns, "{link:?} outside {columns} x {rows}");
        }
        let row = |y: u16| (0..columns).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
        (0..rows).map(|y| format!("{}\n", row(y).trim_end())).collect()
    }

    fn texts(&self) -> Vec<(Role, String)> {
        let nodes = self.state.session.path().into_iter().filter_map(|id| self.state.session.node(id));
        nodes.map(|node| (node.message.role, node.message.content.clone())).collect()
    }

    fn check(&self) {
        let state = &self.state;
        let shown: Vec<_> = state.transcript.turns.iter().map(|turn| turn.id).collect();
        assert_eq!(shown, state.session.path(), "what is shown is the path");
        if let Focus::Message(index) = state.focus {
            assert!(index < shown.len(), "message {index} of {} is chosen", shown.len());
        }
        if let Some(answering) = state.answering {
            assert_eq!(state.session.leaf(), Some(answering.node), "the answer grows at the end");
            assert!(!matches!(state.activity, Activity::Ready | Activity::NoModel), "{:?}", state.activity);
        }
        if state.waiting {
            assert!(state.loading.is_some(), "a question waits for a model that nobody loads");
        }
        for turn in &state.transcript.turns {
            let node = state.session.node(turn.id).expect("what is shown is there");
            assert_eq!(turn.text(), node.message.content);
        }
    }
}

fn model(name: &str) -> LoadedModel {
    LoadedModel {
        name: name.to_owned(),
        architecture: "llama".to_owned(),
        quantization: "Q8_0".to_owned(),
        facts: ModelFacts { size_bytes: 1 << 30, kv_bytes_per_token: 1024, context_total: 4096 },
    }
}

fn done(finish: Finish) -> AnswerEvent {
    let usage = Usage { prompt_tokens: 7, completion_tokens: 3, cached_tokens: 0 };
    let timings = Timings { decode_tokens_per_s: 50.0, ..Timings::default() };
    AnswerEvent::Done { text: String::new(), finish, usage, timings }
}

#[test]
fn a_question_is_answered_and_kept() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("why?");
    assert_eq!(chat.asked, [(1, vec!["why?".to_owned()])]);
    chat.answer(AnswerEvent::Text("be".to_owned()));
    assert!(chat.state.is_busy() && chat.screen().contains("writing"));
    chat.answer(AnswerEvent::Text("cause".to_owned()));
    chat.answer(done(Finish::Stop));
    assert_eq!(chat.texts(), [(Role::User, "why?".to_owned()), (Role::Assistant, "because".to_owned())]);
    let screen = chat.screen();
    assert!(screen.contains("because") && screen.contains("50.0 tokens/s") && screen.contains("ready"), "{screen}");
    assert!(chat.effects.iter().any(|effect| matches!(effect, Effect::Save { .. })));
    chat.check();
}

#[test]
fn what_is_asked_before_the_model_is_there_waits_for_it() {
    let mut chat = Chat::new(80, 24);
    chat.say("early");
    assert!(chat.asked.is_empty() && chat.screen().contains("your question waits"));
    chat.happens(Event::Loaded(Box::new(model("parrot"))));
    assert_eq!(chat.asked.len(), 1);
}

#[test]
fn stopping_keeps_what_came_and_ignores_what_still_comes() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("count");
    chat.answer(AnswerEvent::Text("one two".to_owned()));
    chat.key(KeyCode::Esc);
    assert!(chat.effects.iter().any(|effect| matches!(effect, Effect::Cancel)));
    chat.answer(AnswerEvent::Text(" three".to_owned()));
    assert_eq!(chat.texts()[1].1, "one two");
    assert!(chat.screen().contains("stopped"));
    chat.say("/continue");
    assert_eq!(chat.asked[1].1, ["count", "one two"]);
    chat.answer(AnswerEvent::Text(" three".to_owned()));
    chat.answer(done(Finish::Stop));
    assert_eq!(chat.texts()[1].1, "one two three");
}

#[test]
fn a_question_of_which_nothing_came_goes_back_to_be_written() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("too soon");
    chat.key(KeyCode::Esc);
    assert_eq!((chat.texts(), chat.state.composer.text()), (Vec::new(), "too soon".to_owned()));
    chat.key(KeyCode::Enter);
    chat.answer(AnswerEvent::Failed("the prompt is too long".to_owned()));
    assert_eq!((chat.texts(), chat.state.composer.text()), (Vec::new(), "too soon".to_owned()));
    assert!(chat.screen().contains("the prompt is too long"));
    chat.key(KeyCode::Enter);
    chat.answered("an answer");
    // Answering again fails: the first answer is there as before.
    chat.say("/retry");
    chat.answer(AnswerEvent::Failed("no".to_owned()));
    assert_eq!(chat.texts()[1], (Role::Assistant, "an answer".to_owned()));
    chat.check();
}

#[test]
fn questions_are_never_sent_in_a_row() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("first");
    chat.write("a draft");
    chat.answer(AnswerEvent::Failed("no".to_owned()));
    // What is being written stays, and so does the question.
    assert_eq!((chat.texts().len(), chat.state.composer.text()), (1, "a draft".to_owned()));
    chat.key(KeyCode::Enter);
    assert_eq!(chat.asked[1].1, ["a draft"]);
    let mut early = Chat::new(80, 24);
    early.say("first");
    early.say("second");
    assert!(early.screen().contains("waits for the model"));
    early.happens(Event::Loaded(Box::new(model("parrot"))));
    assert_eq!(early.asked, [(1, vec!["first".to_owned()])]);
}

#[test]
fn deleting_a_branch_shows_the_one_beside_it() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("question");
    chat.answered("one");
    chat.say("/retry");
    chat.answered("two");
    chat.say("/delete");
    chat.key(KeyCode::Char('y'));
    assert_eq!(chat.texts()[1].1, "one");
    chat.say("/undo");
    assert_eq!((chat.texts(), chat.state.composer.text()), (Vec::new(), "question".to_owned()));
    chat.check();
}

#[test]
fn a_file_is_waited_for_before_the_question_goes() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("/attach notes.txt");
    chat.say("what is in it?");
    assert!(chat.asked.is_empty());
    chat.happens(Event::Attached { name: "notes.txt".to_owned(), text: "the text".to_owned() });
    assert!(chat.asked[0].1[0].contains("the text") && chat.asked[0].1[0].contains("what is in it?"));
}

#[test]
fn what_another_process_overtook_is_kept_as_a_copy() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("mine");
    chat.answered("yes");
    let saved = |chat: &Chat| {
        let mut saves = chat.effects.iter().filter_map(|effect| match effect {
            Effect::Save { key, .. } => Some(*key),
            _ => None,
        });
        saves.next_back()
    };
    let key = saved(&chat).unwrap();
    chat.say("/new");
    chat.effects.clear();
    chat.happens(Event::Overtaken { key });
    let copy = saved(&chat).unwrap();
    assert!(copy != key && copy != chat.state.session_key);
}

#[test]
fn what_a_command_does_not_take_is_not_lost() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("/new to this: how does it work?");
    assert_eq!(chat.state.composer.text(), "/new to this: how does it work?");
    assert!(chat.screen().contains("takes nothing after it"));
}

#[test]
fn an_edited_question_is_a_branch_and_branches_are_walked() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("first wording");
    chat.answered("first answer");
    chat.press(KeyCode::Up, KeyModifiers::CONTROL);
    chat.key(KeyCode::Up);
    chat.key(KeyCode::Char('e'));
    assert_eq!(chat.state.composer.text(), "first wording");
    chat.state.composer.clear();
    chat.say("second wording");
    chat.answered("second answer");
    assert_eq!(chat.asked[1].1, ["second wording"]);
    assert!(chat.screen().contains("‹2/2›"));
    chat.say("/previous");
    assert_eq!(chat.texts()[1].1, "first answer");
    chat.say("/retry");
    chat.answered("another answer");
    assert_eq!(
        chat.texts(),
        [(Role::User, "first wording".to_owned()), (Role::Assistant, "another answer".to_owned())]
    );
    chat.check();
}

#[test]
fn code_is_copied_and_saved_by_its_number() {
    let mut chat = Chat::loaded(80, 24);
    chat.say("code");
    chat.answered("```sh\nls\n```\ntext\n\n```python\nprint(1)\n```\n");
    chat.say("/code 1");
    chat.say("/save 2 out.py");
    let copied = chat.effects.iter().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(copied.as_deref().map(str::trim_end), Some("ls"));
    assert!(chat.effects.iter().any(|effect| matches!(effect, Effect::Write { path, text }
        if path.ends_with("out.py") && text == "print(1)\n")));
    chat.say("/code 3");
    assert!(chat.screen().contains("no code block 3"));
}

#[test]
fn a_search_shows_its_matches_and_walks_them() {
    let mut chat = Chat::loaded(60, 12);
    for number in 0..30 {
        chat.say(&format!("question {number}"));
        chat.answered(if number == 3 { "the needle" } else { "hay" });
    }
    chat.press(KeyCode::Char('f'), KeyModifiers::CONTROL);
    chat.write("needle");
    let screen = chat.screen();
    assert!(screen.contains("the needle") && screen.contains("1 of 1"), "{screen}");
    chat.key(KeyCode::Esc);
    assert!(chat.screen().contains("more below"));
    chat.press(KeyCode::End, KeyModifiers::CONTROL);
    assert!(!chat.screen().contains("more below"));
}

#[test]
fn where_one_reads_stays_while_the_answer_grows() {
    let mut chat = Chat::loaded(60, 16);
    for number in 0..20 {
        chat.say(&format!("question {number}"));
        chat.answered("a line\n\nanother line\n\na third");
    }
    chat.say("last");
    chat.screen();
    chat.key(KeyCode::PageUp);
    chat.key(KeyCode::PageUp);
    let pane = |screen: String| screen.lines().take(8).map(str::to_owned).collect::<Vec<_>>();
    let before = pane(chat.screen());
    for _ in 0..50 {
        chat.answer(AnswerEvent::Text("more and more\n\n".to_owned()));
    }
    assert_eq!(pane(chat.screen()), before);
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let mut chat = Chat::loaded(20, 5);
    assert!(chat.screen().contains("too small"));
    chat.happens(Event::Resize(80, 24));
    assert!(chat.screen().contains("parrot"));
}

#[test]
fn a_conversation_of_2000_turns_lays_out_only_what_is_seen() {
    let mut chat = Chat::loaded(80, 24);
    chat.happens(Event::Opened(Box::new(conversation(2000))));
    assert!(chat.screen().contains("Answer 1999"));
    chat.press(KeyCode::Home, KeyModifiers::CONTROL);
    assert!(chat.screen().contains("question 0"));
    for _ in 0..100 {
        chat.key(KeyCode::PageDown);
        chat.screen();
    }
    chat.check();
}

/// So many questions with their answers.
fn conversation(turns: i64) -> Session {
    let mut session = Session::new("parrot", 0);
    for number in 0..turns {
        session.append(Message::new(Role::User, format!("question {number}")), number);
        let answer = Message::new(Role::Assistant, format!("# Answer {number}\n\nSome *text*, `code`."));
        let id = session.append(answer, number);
        session.edit_node(id, |node| node.finish = Some(Finish::Stop));
    }
    session
}
