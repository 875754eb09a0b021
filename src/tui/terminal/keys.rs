//! What a terminal sends, as keys: xterm's sequences (ctlseqs), the Linux console's, kitty's keyboard protocol, mouse
//! reports and bracketed paste. Events are crossterm's types. Its reader is not used on Unix: on a closed terminal it spins,
//! and while it waits it cannot be told to leave the keys to another program.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::event::TerminalEvent;

const PASTE_END: &[u8] = b"\x1b[201~";
/// A longer sequence is none.
const LONGEST_SEQUENCE_BYTES: usize = 64;

/// Bytes in, events out; keeps what is not complete yet.
#[derive(Default)]
pub(super) struct Parser {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
}

/// What the first bytes are.
#[derive(Debug, PartialEq)]
enum Step {
    Incomplete,
    /// So many bytes mean nothing to us.
    Skip(usize),
    Event(usize, TerminalEvent),
    PasteStart(usize),
}

impl Parser {
    /// Reads `bytes` on; `emit` gets each event.
    pub(super) fn feed(&mut self, bytes: &[u8], emit: &mut impl FnMut(TerminalEvent)) {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            if let Some(paste) = &mut self.paste {
                let start = paste.len().saturating_sub(PASTE_END.len() - 1);
                paste.extend_from_slice(rest);
                let end = paste[start..].windows(PASTE_END.len()).position(|window| window == PASTE_END);
                let Some(end) = end.map(|end| start + end) else { return };
                let after = paste.len() - end - PASTE_END.len();
                let text = String::from_utf8_lossy(&paste[..end]).replace("\r\n", "\n").replace('\r', "\n");
                self.paste = None;
                rest = &rest[rest.len() - after..];
                emit(TerminalEvent::Paste(text));
                continue;
            }
            match step(rest) {
                Step::Incomplete => break,
                Step::Skip(length) => rest = &rest[length..],
                Step::Event(length, event) => {
                    rest = &rest[length..];
                    emit(event);
                }
                Step::PasteStart(length) => {
                    rest = &rest[length..];
                    self.paste = Some(Vec::new());
                }
            }
        }
        self.pending = rest.to_vec();
    }

    /// Whether what is kept may be a key by itself: Escape, or Alt with a bracket or an O.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.paste.is_none() && self.pending.first() == Some(&0x1b) && self.pending.len() <= 2
    }

    /// Nothing more came in time: what is kept is those keys.
    pub(super) fn settle(&mut self, emit: &mut impl FnMut(TerminalEvent)) {
        let escape = || key(KeyCode::Esc, KeyModifiers::NONE);
        match self.pending.as_slice() {
            [0x1b] => emit(escape()),
            [0x1b, 0x1b] => (0..2).for_each(|_| emit(escape())),
            [0x1b, other] => emit(character(char::from(*other), KeyModifiers::ALT)),
            _ => return,
        }
        self.pending.clear();
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> TerminalEvent {
    TerminalEvent::Key(KeyEvent::new(code, modifiers))
}

/// A letter that arrived as text; a capital one has Shift, as crossterm reports it.
fn character(c: char, modifiers: KeyModifiers) -> TerminalEvent {
    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    key(KeyCode::Char(c), modifiers | shift)
}

/// `bytes` has at least one.
fn step(bytes: &[u8]) -> Step {
    match bytes {
        [0x1b] => Step::Incomplete,
        [0x1b, b'[', rest @ ..] => after(2, control_sequence(rest)),
        [0x1b, b'O', rest @ ..] => after(2, single_shift(rest)),
        // Alt with a key that is a sequence itself, or Escape twice.
        [0x1b, 0x1b] | [0x1b, 0x1b, b'[' | b'O'] => Step::Incomplete,
        [0x1b, 0x1b, b'[' | b'O', ..] => with_alt(step(&bytes[1..])),
        [0x1b, 0x1b, ..] => Step::Event(1, key(KeyCode::Esc, KeyModifiers::NONE)),
        [0x1b, rest @ ..] => with_alt(step(rest)),
        [byte, ..] if *byte < 0x20 || *byte == 0x7f => Step::Event(1, control(*byte)),
        _ => text(bytes),
    }
}

fn after(more: usize, step: Step) -> Step {
    match step {
        Step::Incomplete => Step::Incomplete,
        Step::Skip(length) => Step::Skip(length + more),
        Step::Event(length, event) => Step::Event(length + more, event),
        Step::PasteStart(length) => Step::PasteStart(length + more),
    }
}

fn with_alt(step: Step) -> Step {
    match after(1, step) {
        Step::Event(length, TerminalEvent::Key(mut pressed)) => {
            pressed.modifiers |= KeyModifiers::ALT;
            Step::Event(length, TerminalEvent::Key(pressed))
        }
        other => other,
    }
}

fn control(byte: u8) -> TerminalEvent {
    let with_control = |c: u8| key(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    match byte {
        0 => with_control(b' '),
        b'\t' => key(KeyCode::Tab, KeyModifiers::NONE),
        b'\r' => key(KeyCode::Enter, KeyModifiers::NONE),
        0x7f => key(KeyCode::Backspace, KeyModifiers::NONE),
        0x1c..=0x1f => with_control(byte - 0x1c + b'4'),
        _ => with_control(byte - 1 + b'a'),
    }
}

fn text(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Skip(1),
    };
    let taken = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(taken) {
        Ok(text) => {
            text.chars().next().map_or(Step::Skip(1), |c| Step::Event(length, character(c, KeyModifiers::NONE)))
        }
        Err(error) if error.error_len().is_none() => Step::Incomplete,
        Err(_) => Step::Skip(1),
    }
}

/// What follows `ESC O`.
fn single_shift(bytes: &[u8]) -> Step {
    match bytes {
        [] => Step::Incomplete,
        [b'M', ..] => Step::Event(1, key(KeyCode::Enter, KeyModifiers::NONE)),
        // The keypad in application mode, which xterm may be left in.
        [byte @ b'j'..=b'y', ..] => Step::Event(1, character(char::from(byte - 0x40), KeyModifiers::NONE)),
        [byte, ..] => match letter_key(*byte) {
            Some(code) => Step::Event(1, key(code, KeyModifiers::NONE)),
            None => Step::Skip(1),
        },
    }
}

/// Keys that a sequence names by its last letter.
fn letter_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'R' => KeyCode::F(3),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}

/// Keys that a sequence names by a number before `~`.
fn numbered_key(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F((number - 10) as u8),
        17..=21 => KeyCode::F((number - 11) as u8),
        23..=26 => KeyCode::F((number - 12) as u8),
        28 | 29 => KeyCode::F((number - 13) as u8),
        31..=34 => KeyCode::F((number - 14) as u8),
        _ => return None,
    })
}

/// What follows `ESC [`.
fn control_sequence(bytes: &[u8]) -> Step {
    match bytes {
        // The Linux console's F1 to F5.
        [b'['] => return Step::Incomplete,
        [b'[', letter @ b'A'..=b'E', ..] => {
            return Step::Event(2, key(KeyCode::F(letter - b'A' + 1), KeyModifiers::NONE));
        }
        // Mouse reports of terminals that lack mode 1006.
        [b'M', button, column, row, ..] => {
            let place = |byte: &u8| u16::from(byte.saturating_sub(33));
            let button = u32::from(button.saturating_sub(32));
            return mouse(button, place(column), place(row), button & 3 == 3)
                .map_or(Step::Skip(4), |e| Step::Event(4, e));
        }
        [b'M', ..] => return Step::Incomplete,
        _ => {}
    }
    let Some(end) = bytes.iter().position(|byte| !(0x20..0x40).contains(byte)) else {
        return if bytes.len() > LONGEST_SEQUENCE_BYTES { Step::Skip(bytes.len()) } else { Step::Incomplete };
    };
    let last = bytes[end];
    if !(0x40..0x7f).contains(&last) {
        // Something else began within it.
        return Step::Skip(end);
    }
    let length = end + 1;
    let numbers = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    if (numbers, last) == ("200", b'~') {
        return Step::PasteStart(length);
    }
    named_by(numbers, last).map_or(Step::Skip(length), |event| Step::Event(length, event))
}

/// The event of `ESC [ numbers last`, if it is one. `numbers` are separated by semicolons, each perhaps with parts after
/// colons, of which kitty's protocol uses the first, and the second of the modifiers for the kind.
fn named_by(numbers: &str, last: u8) -> Option<TerminalEvent> {
    if let (Some(report), b'M' | b'm') = (numbers.strip_prefix('<'), last) {
        let mut fields = report.split(';').map(|field| field.parse::<u32>().ok());
        let (button, column, row) = (fields.next()??, fields.next()??, fields.next()??);
        let place = |number: u32| u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX);
        return mouse(button, place(column), place(row), last == b'm');
    }
    let mut fields = numbers.split(';');
    let first = fields.next().and_then(|field| field.split(':').next()).filter(|field| !field.is_empty());
    let number = first.map_or(Some(1), |field| field.parse::<u32>().ok())?;
    let mut second = fields.next().unwrap_or_default().split(':');
    let bits = second.next().and_then(|field| field.parse::<u32>().ok()).unwrap_or(1).saturating_sub(1);
    if second.next() == Some("3") {
        // A release.
        return None;
    }
    let modifiers = modifiers(bits);
    match last {
        b'Z' => Some(key(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT)),
        b'u' => keyboard_protocol(number, modifiers),
        // xterm's modifyOtherKeys.
        b'~' if number == 27 => keyboard_protocol(fields.next()?.parse().ok()?, modifiers),
        b'~' => Some(key(numbered_key(number)?, modifiers)),
        _ => Some(key(letter_key(last)?, modifiers)),
    }
}

fn modifiers(bits: u32) -> KeyModifiers {
    const BITS: [KeyModifiers; 6] = [
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SUPER,
        KeyModifiers::HYPER,
        KeyModifiers::META,
    ];
    let set = BITS.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    set.fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier)
}

/// A key by kitty's number: the character's own, or one of the private use area
/// (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>).
fn keyboard_protocol(number: u32, modifiers: KeyModifiers) -> Option<TerminalEvent> {
    const KEYPAD: &[u8; 18] = b"0123456789./*-+\r=,";
    const KEYPAD_MOVES: [KeyCode; 11] = [
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Insert,
        KeyCode::Delete,
        KeyCode::KeypadBegin,
    ];
    let code = match number {
        9 if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        57363 => KeyCode::Menu,
        57376..=57398 => KeyCode::F((number - 57376 + 13) as u8),
        57399..=57416 => match KEYPAD[(number - 57399) as usize] {
            b'\r' => KeyCode::Enter,
            byte => KeyCode::Char(char::from(byte)),
        },
        57417..=57427 => KEYPAD_MOVES[(number - 57417) as usize],
        0xe000..=0xf8ff | 0..0x20 => return None,
        _ => KeyCode::Char(char::from_u32(number)?),
    };
    Some(key(code, modifiers))
}

/// A mouse report: xterm's button code, with 4 Shift, 8 Alt, 16 Control, 32 moving, 64 the wheel.
fn mouse(code: u32, column: u16, row: u16, released: bool) -> Option<TerminalEvent> {
    let button = match code & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (code & 0b1100_0000, code & 32 != 0, button) {
        (64, _, _) => match code & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        (0, true, Some(button)) => MouseEventKind::Drag(button),
        (0, true, None) => MouseEventKind::Moved,
        (0, false, button) if released => MouseEventKind::Up(button.unwrap_or(MouseButton::Left)),
        (0, false, Some(button)) => MouseEventKind::Down(button),
        _ => return None,
    };
    let modifiers = modifiers(code >> 2 & 7);
    Some(TerminalEvent::Mouse(MouseEvent { kind, column, row, modifiers }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `bytes` are, fed at once and again byte by byte: both must agree.
    fn events(bytes: &[u8]) -> Vec<TerminalEvent> {
        let mut parser = Parser::default();
        let mut at_once = Vec::new();
        parser.feed(bytes, &mut |event| at_once.push(event));
        parser.settle(&mut |event| at_once.push(event));
        let mut parser = Parser::default();
        let mut singly = Vec::new();
        for byte in bytes {
            parser.feed(std::slice::from_ref(byte), &mut |event| singly.push(event));
        }
        parser.settle(&mut |event| singly.push(event));
        assert_eq!(at_once, singly, "{bytes:?}");
        at_once
    }

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const ALT: KeyModifiers = KeyModifiers::ALT;
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

    #[test]
    fn letters_of_any_script_and_control_keys_arrive() {
        let letters = [
            character('a', NONE),
            key(KeyCode::Char('B'), SHIFT),
            character('ü', NONE),
            character('字', NONE),
            character('🙂', NONE),
        ];
        assert_eq!(events("aBü字🙂".as_bytes()), letters);
        let controls = [
            key(KeyCode::Char('c'), CONTROL),
            key(KeyCode::Char('j'), CONTROL),
            key(KeyCode::Enter, NONE),
            key(KeyCode::Tab, NONE),
            key(KeyCode::Backspace, NONE),
            key(KeyCode::Char(' '), CONTROL),
            key(KeyCode::Char('7'), CONTROL),
        ];
        assert_eq!(events(b"\x03\n\r\t\x7f\0\x1f"), controls);
    }

    #[test]
    fn sequences_of_every_kind_of_terminal_name_their_keys() {
        let cases: &[(&[u8], KeyCode, KeyModifiers)] = &[
            (b"\x1b[A", KeyCode::Up, NONE),
            (b"\x1bOD", KeyCode::Left, NONE),
            (b"\x1b[1;5C", KeyCode::Right, CONTROL),
            (b"\x1b[1;4H", KeyCode::Home, SHIFT.union(ALT)),
            (b"\x1b[3~", KeyCode::Delete, NONE),
            (b"\x1b[5;3~", KeyCode::PageUp, ALT),
            (b"\x1b[Z", KeyCode::BackTab, SHIFT),
            (b"\x1bOP", KeyCode::F(1), NONE),
            (b"\x1b[15~", KeyCode::F(5), NONE),
            (b"\x1b[24;2~", KeyCode::F(12), SHIFT),
            (b"\x1b[[B", KeyCode::F(2), NONE),
            (b"\x1bOM", KeyCode::Enter, NONE),
            (b"\x1bb", KeyCode::Char('b'), ALT),
            (b"\x1b\r", KeyCode::Enter, ALT),
            (b"\x1b\x7f", KeyCode::Backspace, ALT),
            (b"\x1b\x1b[A", KeyCode::Up, ALT),
            (b"\x1b[13;2u", KeyCode::Enter, SHIFT),
            (b"\x1b[27u", KeyCode::Esc, NONE),
            (b"\x1b[97;5u", KeyCode::Char('a'), CONTROL),
            (b"\x1b[97:65;5:1u", KeyCode::Char('a'), CONTROL),
            (b"\x1b[9;2u", KeyCode::BackTab, SHIFT),
            (b"\x1b[57414u", KeyCode::Enter, NONE),
            (b"\x1b[27;5;13~", KeyCode::Enter, CONTROL),
            (b"\x1b[1;1:2A", KeyCode::Up, NONE),
        ];
        for (bytes, code, modifiers) in cases {
            assert_eq!(events(bytes), [key(*code, *modifiers)], "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn escape_alone_is_a_key_once_nothing_follows() {
        assert_eq!(events(b"\x1b"), [key(KeyCode::Esc, NONE)]);
        assert_eq!(events(b"\x1b\x1b"), [key(KeyCode::Esc, NONE), key(KeyCode::Esc, NONE)]);
        assert_eq!(events(b"\x1b["), [character('[', ALT)]);
        let mut parser = Parser::default();
        parser.feed(b"\x1b[1;5", &mut |event| panic!("{event:?} came early"));
        assert!(!parser.is_ambiguous(), "the rest of an arrow is on its way");
    }

    #[test]
    fn a_paste_is_one_text_whatever_is_in_it() {
        let pasted = events(b"x\x1b[200~one\r\ntwo\rthree\x1b[A\x03\xff\x1b[201~y");
        let text = "one\ntwo\nthree\x1b[A\x03\u{fffd}".to_owned();
        assert_eq!(pasted, [character('x', NONE), TerminalEvent::Paste(text), character('y', NONE)]);
        assert_eq!(events(b"\x1b[200~\x1b[201~"), [TerminalEvent::Paste(String::new())]);
    }

    #[test]
    fn the_mouse_is_reported_from_zero() {
        let report = |kind, column, row, modifiers| TerminalEvent::Mouse(MouseEvent { kind, column, row, modifiers });
        let left = MouseButton::Left;
        assert_eq!(events(b"\x1b[<0;1;1M"), [report(MouseEventKind::Down(left), 0, 0, NONE)]);
        assert_eq!(events(b"\x1b[<0;300;24m"), [report(MouseEventKind::Up(left), 299, 23, NONE)]);
        assert_eq!(events(b"\x1b[<32;5;6M"), [report(MouseEventKind::Drag(left), 4, 5, NONE)]);
        assert_eq!(events(b"\x1b[<81;5;6M"), [report(MouseEventKind::ScrollDown, 4, 5, CONTROL)]);
        assert_eq!(events(b"\x1b[M !!"), [report(MouseEventKind::Down(left), 0, 0, NONE)]);
        assert_eq!(events(b"\x1b[M#\"!"), [report(MouseEventKind::Up(left), 1, 0, NONE)]);
    }

    #[test]
    fn what_is_no_key_is_swallowed_and_the_next_key_is_not() {
        for noise in
            [&b"\x1b[I"[..], b"\x1b[?62;22c", b"\x1b[?1u", b"\x1b[97;1:3u", b"\xff", b"\xc3", b"\x1b[99999999999~"]
        {
            let bytes = [noise, b"\x1b[Ba"].concat();
            assert_eq!(events(&bytes), [key(KeyCode::Down, NONE), character('a', NONE)], "{noise:?}");
        }
        assert_eq!(events(b"\x1b[1;\x03"), [key(KeyCode::Char('c'), CONTROL)], "Ctrl-C within a broken sequence");
        let long = [b"\x1b[".as_slice(), &[b'1'; 5_000], b"x"].concat();
        let mut parser = Parser::default();
        parser.feed(&long, &mut |_| {});
        assert!(parser.pending.is_empty());
    }
}
