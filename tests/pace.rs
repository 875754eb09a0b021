//! What the chat's screen costs: bytes while an answer is written, the processor while nothing happens, time for a frame.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::terminal::{Setup, Terminal};
use common::{Home, parrot};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use oai::engine::{Finish, Message, Role};
use oai::session::Session;
use oai::tui::pulse::ModelFacts;
use oai::tui::terminal::Frame;
use oai::tui::theme::{Depth, Theme};
use oai::tui::{self, AnswerEvent, Event, LoadedModel, State, update, view};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const IDLE: Duration = Duration::from_secs(10);
/// The kernel counts a process's time in hundredths of a second.
const CLOCK_TICKS_PER_S: f64 = 100.0;
/// The rate at which answers are reckoned.
const USUAL_TOKENS_PER_S: f64 = 50.0;
const WORDS: &[&str] = &["the ", "sea ", "rises ", "slowly, ", "and ", "harbour ", "walls ", "wait.\n\n"];

/// Processor time of all threads so far.
fn cpu_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, the 14th and 15th of all.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / CLOCK_TICKS_PER_S
}

fn is_ready(screen: &vt100::Screen) -> bool {
    let last = screen.rows(0, screen.size().1.get()).last().unwrap_or_default();
    last.starts_with("ready")
}

#[test]
#[ignore = "a benchmark: cargo test --release --test pace -- --ignored --nocapture --test-threads=1"]
fn bytes_while_an_answer_is_written() {
    let home = Home::new();
    let path = home.path().join("parrot.gguf");
    let script: Vec<String> = (0..600).map(|n| format!("{n}{}", WORDS[n % WORDS.len()])).collect();
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    parrot::write_sized(&path, "{{ messages[-1].content }}<|assistant|>", "<|assistant|>", &script, 16_384);
    for (name, monitor) in [("with the monitor", "true"), ("without it", "false")] {
        let environment = &[("OAI_MONITOR", monitor), ("COLORTERM", "truecolor"), ("OAI_THEME", "fjord")];
        let setup = Setup { environment, ..Setup::default() };
        let mut terminal = Terminal::start_with(&home, &["chat", path.to_str().unwrap()], &setup);
        terminal.wait_until("a ready chat", is_ready);
        terminal.send("go\r");
        terminal.wait_for("20the");
        let (start, from, cpu) = (Instant::now(), terminal.raw.len(), cpu_s(terminal.process_id()));
        terminal.wait_for("599");
        let seconds = start.elapsed().as_secs_f64();
        let came = terminal.raw[from..].to_vec();
        let frames = came.windows(8).filter(|window| *window == b"\x1b[?2026h").count();
        let tokens = 580.0;
        let bytes_per_token = came.len() as f64 / tokens;
        println!(
            "80 x 24 {name}: {:.1} tokens/s, {:.0} bytes/s, {bytes_per_token:.1} bytes/token, {:.1} frames/s, {:.0} bytes/frame; at {USUAL_TOKENS_PER_S:.0} tokens/s {:.0} bytes/s; processor {:.2} s of {seconds:.1}",
            tokens / seconds,
            came.len() as f64 / seconds,
            frames as f64 / seconds,
            came.len() as f64 / frames as f64,
            bytes_per_token * USUAL_TOKENS_PER_S,
            cpu_s(terminal.process_id()) - cpu,
        );
        terminal.wait_until("the end of the answer", is_ready);
        terminal.send("\x04");
        assert_eq!(terminal.end(), 0);
    }
}

#[test]
#[ignore = "a benchmark: cargo test --release --test pace -- --ignored --nocapture --test-threads=1"]
fn a_chat_that_waits_writes_nothing_and_computes_nothing() {
    for (name, monitor) in [("without the monitor", "false"), ("with the monitor", "true")] {
        let home = Home::new();
        let setup = Setup { environment: &[("OAI_MONITOR", monitor)], ..Setup::default() };
        let mut terminal = Terminal::start_with(&home, &["chat", "guide"], &setup);
        terminal.wait_until("a ready chat", is_ready);
        terminal.settle();
        let (from, cpu) = (terminal.raw.len(), cpu_s(terminal.process_id()));
        let end = Instant::now() + IDLE;
        while Instant::now() < end {
            terminal.take_in(end.saturating_duration_since(Instant::now()));
        }
        let (bytes, percent) =
            (terminal.raw.len() - from, (cpu_s(terminal.process_id()) - cpu) / IDLE.as_secs_f64() * 100.0);
        println!("idle for {} s {name}: {bytes} bytes, {percent:.2} % of a processor", IDLE.as_secs());
        assert!(percent < 1.0, "{name}: {percent} %");
        if monitor == "false" {
            assert_eq!(bytes, 0, "{name}");
        }
    }
}

/// How often the threads of a process waited for something that came.
fn wakes(pid: u32) -> u64 {
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned();
        line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(of).sum()
}

#[test]
fn a_chat_that_waits_does_not_wake() {
    let home = Home::new();
    let setup = Setup { environment: &[("OAI_MONITOR", "false")], ..Setup::default() };
    let mut terminal = Terminal::start_with(&home, &["chat", "guide"], &setup);
    terminal.wait_until("a ready chat", is_ready);
    // Loading ends after its picture.
    let quiet = (0..20).any(|_| {
        terminal.settle();
        let before = wakes(terminal.process_id());
        std::thread::sleep(Duration::from_secs(1));
        wakes(terminal.process_id()) == before
    });
    assert!(quiet, "it wakes every second");
}

/// The chat without a terminal, drawn as often as it is asked to.
struct Chat {
    state: State,
    buffer: Buffer,
    now_ms: i64,
}

impl Chat {
    fn new(session: Session) -> Chat {
        let theme = Theme::load("fjord", Path::new("/nonexistent"), Depth::True).unwrap();
        let state = State::new(tui::Setup {
            session,
            theme,
            size: (80, 24),
            vi: false,
            monitor: true,
            settings: Vec::new(),
            loading: "parrot".to_owned(),
            attachments: Vec::new(),
            now_ms: 0,
        });
        let mut chat = Chat { state, buffer: Buffer::empty(Rect::new(0, 0, 80, 24)), now_ms: 0 };
        let first = chat.happens(Event::Loaded(Box::new(LoadedModel {
            name: "parrot".to_owned(),
            architecture: "llama".to_owned(),
            quantization: "Q8_0".to_owned(),
            facts: ModelFacts { size_bytes: 1 << 30, kv_bytes_per_token: 1024, context_total: 4096 },
        })));
        println!("the first frame in {first:.2} ms");
        chat
    }

    /// `update` and `view`; how long they took, in milliseconds.
    fn happens(&mut self, event: Event) -> f64 {
        self.now_ms += 33;
        let start = Instant::now();
        update(&mut self.state, event, self.now_ms);
        self.buffer.reset();
        view(&mut self.state, &mut Frame::new(&mut self.buffer));
        start.elapsed().as_secs_f64() * 1e3
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> f64 {
        self.happens(Event::Key(KeyEvent::new(code, modifiers)))
    }

    /// A new width, in which everything is laid out anew.
    fn widen(&mut self, columns: u16) -> f64 {
        self.buffer.resize(Rect::new(0, 0, columns, 24));
        self.happens(Event::Resize(columns, 24))
    }

    fn text(&self) -> String {
        self.buffer.content.iter().map(|cell| cell.symbol()).collect()
    }
}

fn answered(session: &mut Session, question: &str, answer: &str) {
    session.append(Message::new(Role::User, question), 0);
    let id = session.append(Message::new(Role::Assistant, answer), 0);
    session.edit_node(id, |node| node.finish = Some(Finish::Stop));
}

fn report(what: &str, mut times_ms: Vec<f64>) {
    times_ms.sort_by(f64::total_cmp);
    let (half, worst) = (times_ms[times_ms.len() / 2], times_ms[times_ms.len() - 1]);
    println!("{what}: {} frames, half within {half:.2} ms, the slowest {worst:.2} ms", times_ms.len());
}

const ANSWER: &str = "## A step\n\nSome *text* with `code`, long enough to be wrapped somewhere on the way to its end, \
                      and a list:\n\n- one\n- two\n\n```rust\nfn main() {\n    println!(\"{}\", 42);\n}\n```\n\n\
                      | a | b |\n|---|---|\n| 1 | 2 |\n\n";

#[test]
#[ignore = "a benchmark: cargo test --release --test pace -- --ignored --nocapture --test-threads=1"]
fn frames_of_long_conversations() {
    let mut session = Session::new("parrot", 0);
    (0..1_000).for_each(|n| answered(&mut session, &format!("question {n}"), ANSWER));
    let mut chat = Chat::new(session);
    scroll("2,000 messages", &mut chat);

    let mut session = Session::new("parrot", 0);
    let long = ANSWER.repeat(200_000 / ANSWER.len() + 1);
    answered(&mut session, "much, please", &long[..200_000]);
    let mut chat = Chat::new(session);
    scroll("an answer of 200,000 characters", &mut chat);

    // The same answer on its way, in tokens of some characters.
    let mut chat = Chat::new(Session::new("parrot", 0));
    chat.press(KeyCode::Char('q'), KeyModifiers::NONE);
    chat.press(KeyCode::Enter, KeyModifiers::NONE);
    let ticket = chat.state.last_ticket;
    let characters: Vec<char> = long.chars().collect();
    let times = characters
        .chunks(5)
        .take(40_000)
        .map(|token| chat.happens(Event::Answer { ticket, event: AnswerEvent::Text(token.iter().collect()) }));
    let times: Vec<f64> = times.collect();
    report("an answer that grows to 200,000 characters, a token each", times.clone());
    report("of these the last 1,000", times[times.len() - 1_000..].to_vec());
}

/// From the end up and down again, by pages and by lines.
fn scroll(what: &str, chat: &mut Chat) {
    let first = chat.press(KeyCode::End, KeyModifiers::CONTROL);
    println!("{what}: to the end in {first:.2} ms");
    let pages = (0..500).map(|_| chat.press(KeyCode::PageUp, KeyModifiers::NONE)).collect();
    report(&format!("{what}, pages up for the first time"), pages);
    let lines = (0..500).map(|_| chat.press(KeyCode::Up, KeyModifiers::SHIFT)).collect();
    report(&format!("{what}, lines up"), lines);
    let pages = (0..500).map(|_| chat.press(KeyCode::PageDown, KeyModifiers::NONE)).collect();
    report(&format!("{what}, pages down again"), pages);
    let start = chat.press(KeyCode::Home, KeyModifiers::CONTROL);
    assert!(chat.text().contains("you"), "{}", chat.text());
    println!("{what}: to the beginning in {start:.2} ms, of another width in {:.2} ms", chat.widen(60));
}
