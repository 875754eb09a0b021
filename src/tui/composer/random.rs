//! Random keys, pastes, clicks and sizes: what must hold whatever a person does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;

use super::text::{CHIP, Fragment, Text};
use super::*;
use crate::tui::theme::Theme;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

const CHARACTERS: &[char] = &[
    'a',
    'b',
    ' ',
    ' ',
    '.',
    '_',
    '\\',
    '/',
    '@',
    '"',
    'é',
    'e',
    '\u{301}',
    '漢',
    '字',
    '👩',
    '\u{200d}',
    '👧',
    '🇩',
    '🇪',
    '\u{fe0f}',
    '\u{1f3fd}',
    '\u{202e}',
    '\u{200b}',
    '\u{ff9e}',
    '\t',
    '\u{1100}',
    '\u{1161}',
    '\u{915}',
    '\u{94d}',
    '\u{600}',
];
const VI: &[char] = &[
    'h', 'j', 'k', 'l', 'w', 'b', 'e', 'W', 'B', 'E', '0', '^', '$', 'g', 'G', 'f', 't', 'F', 'T', ';', ',', 'x', 'X',
    'r', 's', 'S', 'C', 'D', 'Y', 'p', 'P', 'd', 'c', 'y', 'd', 'c', 'i', 'a', 'I', 'A', 'o', 'O', 'v', 'V', 'u', '.',
    '2', '3',
];
const OTHERS: &[KeyCode] = &[
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::Backspace,
    KeyCode::Delete,
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::PageUp,
    KeyCode::F(3),
];

fn random_key(random: &mut Random, normal: bool) -> KeyEvent {
    let shift = if random.below(3) == 0 { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    match random.below(10) {
        0..=3 if normal => KeyEvent::new(KeyCode::Char(random.of(VI)), KeyModifiers::NONE),
        0..=4 => KeyEvent::new(KeyCode::Char(random.of(CHARACTERS)), KeyModifiers::NONE),
        5 => KeyEvent::new(KeyCode::Char((b'a' + random.below(26) as u8) as char), KeyModifiers::CONTROL),
        6 => {
            let modifier = random.of(&[KeyModifiers::CONTROL, KeyModifiers::ALT]);
            KeyEvent::new(KeyCode::Char(random.of(&['_', '/', '-', 'b', 'd', 'f', '<', 'Z'])), modifier | shift)
        }
        _ => {
            let modifiers = [KeyModifiers::NONE, KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT];
            KeyEvent::new(random.of(OTHERS), random.of(&modifiers) | shift)
        }
    }
}

fn assert_whole(text: &Text) {
    let fragment = text.whole();
    assert_eq!(fragment.text.matches(CHIP).count(), fragment.chips.len(), "every chip has its place");
    let pasted: usize = fragment.chips.iter().filter(|chip| chip.file.is_none()).map(|chip| chip.text.len()).sum();
    assert_eq!(fragment.expanded().len(), fragment.text.len() - fragment.chips.len() + pasted, "chips keep their text");
}

fn assert_between_graphemes(text: &Text, pos: Pos) {
    assert!(pos.line < text.lines());
    let line = text.line(pos.line);
    let between = line.text.grapheme_indices(true).any(|(at, _)| at == pos.byte) || pos.byte == line.len();
    assert!(between, "{pos:?} in {:?}", line.text);
}

fn draw(composer: &mut Composer, random: &mut Random) {
    let screen = Rect::new(0, 0, 200, 60);
    let (width, height) = (1 + random.below(200) as u16, 1 + random.below(60) as u16);
    let (width, height) = if random.below(2) == 0 { (width, height) } else { (width % 12 + 1, height % 5 + 1) };
    let (x, y) = (random.below(201 - width as usize) as u16, random.below(61 - height as usize) as u16);
    let area = Rect::new(x, y, width, height);
    let mut buffer = Buffer::empty(area.intersection(screen));
    let cursor = composer.render(area, &mut buffer, &Theme::plain(), "placeholder");
    let (column, row) = cursor.expect("the cursor is in sight");
    assert!(area.contains((column, row).into()), "{column},{row} in {area}");
    assert!((1..=1000).contains(&composer.height(width)));
    for cell in buffer.content() {
        let obeyed = |c: char| c.is_control() || crate::neutralize::commands_terminals(c);
        assert!(!cell.symbol().contains(obeyed), "{:?}", cell.symbol());
    }
}

fn play(seed: u64, keys: usize, vi: bool) {
    let mut random = Random(seed);
    let mut composer = Composer::new(vi);
    composer.history(vec!["one".into(), "two\nlines".into(), "漢字 \x1b ".repeat(30)]);
    for step in 0..keys {
        match random.below(60) {
            0 => {
                let lines = random.below(14);
                let line: String = (0..random.below(9)).map(|_| random.of(CHARACTERS)).collect();
                composer.paste(&format!("{line}\r\n\x1b\x1a").repeat(lines));
            }
            1 => composer.attach("name\n.txt", "content".to_owned()),
            2 => composer.click(random.below(200) as u16, random.below(60) as u16),
            3 => composer.drag(random.below(200) as u16, random.below(60) as u16),
            4 => {
                if let Some(completing) = composer.completion() {
                    composer.key(random_key(&mut random, false));
                    composer.complete(&completing, "@done");
                }
            }
            5 if random.below(9) == 0 => {
                let before = (composer.text(), composer.attachments());
                assert_eq!(composer.take(), before);
            }
            6 => {
                // A search shows what is no step.
                composer.take_found();
                let before = composer.text.clone();
                if composer.undo() {
                    assert!(composer.redo());
                    assert_eq!(composer.text, before, "redone after undone, step {step} of seed {seed}");
                }
            }
            // Now and then it starts anew: long texts make for slow tests.
            7 if composer.text.lines() > 60 || composer.text.whole().text.len() > 4000 => composer.clear(),
            _ => {
                let normal = composer.is_normal();
                composer.key(random_key(&mut random, normal));
            }
        }
        assert_between_graphemes(&composer.text, composer.cursor);
        if step % 8 == 0 {
            assert_whole(&composer.text);
            draw(&mut composer, &mut random);
        }
    }
}

#[test]
fn whatever_is_typed_the_text_stays_whole_and_the_cursor_in_sight() {
    play(0x5eed, 2000, false);
    play(0x5eed + 1, 2000, true);
}

#[test]
#[ignore = "takes ten seconds and more: a hundred thousand keys"]
fn a_hundred_thousand_keys_do_no_harm() {
    for seed in 1..=50 {
        play(seed, 2000, seed % 2 == 0);
    }
}

#[test]
fn all_steps_undone_give_the_start_and_redone_the_end() {
    let mut random = Random(7);
    let mut composer = Composer::new(false);
    for _ in 0..600 {
        let key = random_key(&mut random, false);
        if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) && key.code != KeyCode::Esc {
            composer.key(key);
        }
    }
    let end = composer.text.clone();
    let mut steps = 0;
    while composer.undo() {
        steps += 1;
    }
    assert!(composer.is_empty() && steps > 20, "{steps} steps");
    while composer.redo() {}
    assert_eq!(composer.text, end);
}

#[test]
fn a_key_does_not_cost_the_whole_text() {
    let mut composer = Composer::new(false);
    composer.set_text(&"the quick brown fox jumps over the lazy dog, 漢字 too\n".repeat(20_000));
    composer.move_to(Pos::new(10_000, 9), false);
    let area = Rect::new(0, 0, 100, 20);
    let mut buffer = Buffer::empty(area);
    let start = std::time::Instant::now();
    for code in [KeyCode::Char('x'), KeyCode::Down, KeyCode::Enter, KeyCode::Backspace, KeyCode::Up].repeat(20) {
        composer.key(KeyEvent::new(code, KeyModifiers::NONE));
        composer.render(area, &mut buffer, &Theme::plain(), "");
        composer.height(100);
    }
    // Keys take 0.2 ms or so; a look at all of the text takes 100 times that. The bound allows for a slow machine.
    assert!(start.elapsed().as_secs_f64() < 5.0, "{:?} for 100 keys", start.elapsed());
    assert_eq!(composer.text.slice(Pos::default(), Pos::default()), Fragment::default());
}
