//! Whatever happens, in any order: nothing breaks the chat.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Chat, conversation, done, model};
use crate::engine::Finish;
use crate::session::Summary;
use crate::tui::event::{AnswerEvent, Event, FileChoice, ModelRow};
use crate::tui::state::Overlay;
use crate::tui::theme::Theme;

fn summary(id: i64) -> Summary {
    Summary {
        id,
        title: "talk".to_owned(),
        name: None,
        tags: Vec::new(),
        model: "parrot".to_owned(),
        turns: 1,
        created_ms: 0,
        updated_ms: 0,
    }
}

/// What a model or a file may hold.
const TEXTS: &[&str] = &[
    "word ",
    "\n\n",
    "# Heading\n",
    "```rust\nfn main() {}\n",
    "```\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "- item\n",
    "> quote\n",
    "**bold** `code` [link](https://example.org) ",
    "漢字かな ",
    "👨‍👩‍👧 🇩🇪 ",
    "e\u{301}\u{301}\u{301}",
    "\u{202e}reversed\u{202c}",
    "\x1b[31mred\x1b]8;;x\x07",
    "\u{200b}\u{200d}\u{fe0f}",
    "a very long word without any blank in it that has to be cut somewhere or else it runs out of the pane",
];

fn random_key(random: &mut StdRng) -> KeyEvent {
    const CODES: &[KeyCode] = &[
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::PageDown,
    ];
    const MODIFIERS: &[KeyModifiers] = &[
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
        KeyModifiers::SHIFT,
    ];
    let code = match random.random_range(0..10) {
        0..4 => CODES[random.random_range(0..CODES.len())],
        4 => KeyCode::F(random.random_range(1..13)),
        5 => KeyCode::Char(['漢', 'é', '👩', '\u{301}', '/', '@', ' '][random.random_range(0..7)]),
        _ => KeyCode::Char(char::from(random.random_range(b' '..b'~'))),
    };
    KeyEvent::new(code, MODIFIERS[random.random_range(0..MODIFIERS.len())])
}

fn random_event(random: &mut StdRng, chat: &Chat) -> Event {
    let text = TEXTS[random.random_range(0..TEXTS.len())].to_owned();
    let ticket = chat.state.last_ticket.saturating_sub(u64::from(random.random_range(0..20) == 0));
    match random.random_range(0..100) {
        0..45 => Event::Key(random_key(random)),
        45..70 => Event::Answer { ticket, event: AnswerEvent::Text(text) },
        70..74 => Event::Answer { ticket, event: AnswerEvent::Reasoning(text) },
        74 => Event::Answer { ticket, event: AnswerEvent::Started { prompt_tokens: random.random_range(0..9000) } },
        75 => Event::Answer { ticket, event: AnswerEvent::Failed(text) },
        76..80 => {
            let all = [Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::Cancelled];
            Event::Answer { ticket, event: done(all[random.random_range(0..4)]) }
        }
        80..83 => Event::Paste(text.repeat(random.random_range(1..40))),
        83..88 => {
            let kinds = [MouseEventKind::ScrollUp, MouseEventKind::ScrollDown, MouseEventKind::Down(MouseButton::Left)];
            let (column, row) = (random.random_range(0..220), random.random_range(0..70));
            Event::Mouse(MouseEvent {
                kind: kinds[random.random_range(0..3)],
                column,
                row,
                modifiers: KeyModifiers::NONE,
            })
        }
        88..91 => Event::Resize(random.random_range(1..220), random.random_range(1..70)),
        91 => Event::Loaded(Box::new(model(&text))),
        92 => Event::NotLoaded(text),
        93 => {
            let prefix = chat.state.composer.completion().map_or_else(String::new, |completing| completing.prefix);
            Event::Files { prefix, files: vec![FileChoice { path: text }] }
        }
        94 => Event::Attached { name: text.clone(), text },
        95 => Event::Models(vec![ModelRow {
            name: text.clone(),
            size_bytes: 7,
            quantization: text,
            fit: "fits".to_owned(),
        }]),
        96 => Event::Edited(text),
        97 => Event::Failed(text),
        98 => match random.random_range(0..6) {
            0 => Event::Theme(Box::new(Theme::plain())),
            1 => Event::Saved { key: chat.state.session_key, id: 7 },
            2 => Event::NotAttached(text),
            3 => Event::History(vec![text]),
            4 => Event::Sessions(vec![summary(7), summary(8)]),
            _ => Event::Opened(Box::new(conversation(random.random_range(0..9)))),
        },
        _ => Event::Tick,
    }
}

#[test]
fn nothing_that_happens_breaks_it() {
    let mut random = StdRng::seed_from_u64(6);
    let mut chat = Chat::loaded(80, 24);
    for step in 0..100_000 {
        let event = random_event(&mut random, &chat);
        chat.happens(event);
        chat.effects.clear();
        chat.asked.clear();
        if step % 16 == 0 {
            chat.screen();
            chat.check();
        }
        // A conversation that only grows would make this slow, and a question left open would hide the rest.
        if step % 2_000 == 0 {
            let (columns, rows) = chat.state.size;
            chat = Chat::loaded(columns, rows);
        }
        if matches!(chat.state.overlay, Some(Overlay::Ask(..))) && step % 50 == 0 {
            chat.key(KeyCode::Esc);
        }
    }
}
