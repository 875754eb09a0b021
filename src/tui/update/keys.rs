//! Keys and the mouse, to whom they belong.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::{answer, commands, composing, overlays};
use crate::tui::command::Command;
use crate::tui::composer::Outcome;
use crate::tui::event::Effect;
use crate::tui::state::{Focus, State};

/// Rows that the wheel scrolls.
const WHEEL: isize = 3;

pub fn key(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let leaving = std::mem::take(&mut state.leaving);
    // What works everywhere, even on a screen that is too small to draw on.
    match key.code {
        KeyCode::Char('z') if control => return effects.push(Effect::Suspend),
        KeyCode::Char('l') if control => return effects.push(Effect::Redraw),
        _ => {}
    }
    if state.overlay.is_some() {
        return overlays::key(state, key, effects);
    }
    if state.search.as_ref().is_some_and(|search| search.typing) {
        return overlays::search_key(state, key);
    }
    if scrolls(state, key) {
        return;
    }
    match (key.code, control) {
        (KeyCode::F(number), _) => return function_key(state, number, effects),
        (KeyCode::Char('o'), true) => return commands::run(state, Command::Palette, "", effects),
        (KeyCode::Char('f'), true) => return commands::run(state, Command::Find, "", effects),
        (KeyCode::Up | KeyCode::Down, true) => return choose_step(state, key.code == KeyCode::Down),
        (KeyCode::Char('c'), true) => return interrupt(state, leaving, effects),
        _ => {}
    }
    match state.focus {
        Focus::Message(index) => on_message(state, index, key, effects),
        Focus::Composer => on_composer(state, key, effects),
    }
}

fn function_key(state: &mut State, number: u8, effects: &mut Vec<Effect>) {
    let command = match number {
        1 => Command::Help,
        2 => Command::Model,
        3 => Command::Sessions,
        4 => Command::Theme,
        5 => Command::Set,
        6 => Command::Monitor,
        7 => Command::System,
        _ => return,
    };
    commands::run(state, command, "", effects);
}

/// Ctrl-C: copies what is selected, stops an answer, clears the line, and leaves when pressed twice on nothing.
fn interrupt(state: &mut State, leaving: bool, effects: &mut Vec<Effect>) {
    if let Some(text) = state.composer.selected() {
        effects.push(Effect::Copy { text, what: "the selection".to_owned() });
    } else if state.is_busy() || state.waiting {
        answer::stop(state, effects);
    } else if state.search.take().is_some() {
        // The draft is not the search's.
    } else if state.editing.take().is_some() || !state.composer.is_empty() {
        state.composer.clear();
        state.completions = None;
    } else if leaving {
        commands::quit(state, effects);
    } else {
        state.focus = Focus::Composer;
        state.say("Ctrl-C again leaves (so does Ctrl-D)");
        state.leaving = true;
    }
}

/// Scrolling works while one writes.
fn scrolls(state: &mut State, key: KeyEvent) -> bool {
    let page = state.transcript.height.saturating_sub(1).max(1) as isize;
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let by = match key.code {
        KeyCode::PageUp => -page,
        KeyCode::PageDown => page,
        KeyCode::Up if shift && !control => -1,
        KeyCode::Down if shift && !control => 1,
        KeyCode::Home if control => {
            state.transcript.show_start();
            return true;
        }
        KeyCode::End if control => {
            state.transcript.show_end();
            return true;
        }
        _ => return false,
    };
    state.transcript.scroll_by(by, &state.theme);
    true
}

fn choose_step(state: &mut State, down: bool) {
    let last = state.transcript.turns.len().checked_sub(1);
    match (state.focus, last) {
        (_, None) => {}
        (Focus::Composer, Some(last)) => {
            if !down {
                commands::choose(state, last);
            }
        }
        (Focus::Message(index), Some(last)) if down && index >= last => {
            state.focus = Focus::Composer;
            state.transcript.show_end();
        }
        (Focus::Message(index), _) => commands::choose(state, if down { index + 1 } else { index.saturating_sub(1) }),
    }
}

/// Keys while a message is chosen.
fn on_message(state: &mut State, index: usize, key: KeyEvent, effects: &mut Vec<Effect>) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let command = match key.code {
        KeyCode::Esc if state.search.is_some() => return state.search = None,
        KeyCode::Esc | KeyCode::Char('i' | 'q') if !control => {
            state.focus = Focus::Composer;
            return;
        }
        KeyCode::Up | KeyCode::Char('k') => return choose_step(state, false),
        KeyCode::Down | KeyCode::Char('j') => return choose_step(state, true),
        KeyCode::Char('g') | KeyCode::Home => return commands::choose(state, 0),
        KeyCode::Char('G') | KeyCode::End => {
            commands::choose(state, state.transcript.turns.len().saturating_sub(1));
            return state.transcript.show_end();
        }
        KeyCode::Char('n') if state.search.is_some() => return next_match(state, true),
        KeyCode::Char('N') if state.search.is_some() => return next_match(state, false),
        KeyCode::Char('d') if control => return commands::quit(state, effects),
        KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return,
        KeyCode::Char('e') | KeyCode::Enter => Command::Edit,
        KeyCode::Char('r') => return answer::again(state, index, effects),
        KeyCode::Char('c') => Command::Continue,
        KeyCode::Char('y') => Command::Copy,
        KeyCode::Char('d') | KeyCode::Delete => Command::Delete,
        KeyCode::Char('h') | KeyCode::Left => Command::PreviousBranch,
        KeyCode::Char('l') | KeyCode::Right => Command::NextBranch,
        KeyCode::Char(' ' | 'o') => Command::Fold,
        KeyCode::Char('s') => Command::SaveCode,
        KeyCode::Char('/') => Command::Find,
        KeyCode::Char('?') => Command::Help,
        KeyCode::Char(digit @ '1'..='9') => {
            return commands::run(state, Command::CopyCode, digit.encode_utf8(&mut [0; 4]), effects);
        }
        _ => return,
    };
    commands::run(state, command, "", effects);
}

fn next_match(state: &mut State, forward: bool) {
    if let Some(place) = state.search.as_mut().and_then(|search| search.step(forward)) {
        state.focus = Focus::Message(place.turn);
    }
    overlays::show_match(state);
}

/// Keys while one writes.
fn on_composer(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    if state.completions.is_some() && plain && state.composer.searching().is_none() {
        match key.code {
            KeyCode::Tab => return composing::take_completion(state, effects),
            KeyCode::Enter if completes(state) => return composing::take_completion(state, effects),
            KeyCode::Esc => return state.completions = None,
            KeyCode::Up | KeyCode::Down => {
                if let Some(picker) = &mut state.completions {
                    picker.step(if key.code == KeyCode::Up { -1 } else { 1 });
                }
                return;
            }
            _ => {}
        }
    }
    match state.composer.key(key) {
        Outcome::Submit => composing::submit(state, effects),
        Outcome::Used => composing::complete(state, effects),
        Outcome::Ignored => match (key.code, plain) {
            (KeyCode::Esc, _) => escape(state, effects),
            (KeyCode::Tab, true) => composing::complete(state, effects),
            (KeyCode::Char('d'), false) if state.composer.is_empty() => commands::quit(state, effects),
            (KeyCode::Char('x'), false) => commands::run(state, Command::Editor, "", effects),
            _ => {}
        },
    }
}

/// Whether Enter takes the chosen completion: not where the command is already whole.
fn completes(state: &State) -> bool {
    let chosen = state.completions.as_ref().and_then(|picker| picker.chosen());
    chosen.is_some_and(|chosen| state.composer.text().trim_end() != chosen.as_str())
}

/// Esc while one writes: ends the nearest thing that can be ended.
fn escape(state: &mut State, effects: &mut Vec<Effect>) {
    if state.search.take().is_some() {
        return;
    }
    if state.is_busy() || state.waiting {
        answer::stop(state, effects);
    } else if state.editing.take().is_some() {
        state.composer.clear();
        state.say("the question stays as it was");
    } else if state.composer.is_empty() {
        choose_step(state, false);
    }
}

pub fn mouse(state: &mut State, mouse: MouseEvent) {
    let scroll = match mouse.kind {
        MouseEventKind::ScrollUp => -WHEEL,
        MouseEventKind::ScrollDown => WHEEL,
        MouseEventKind::Drag(MouseButton::Left) if state.overlay.is_none() => {
            return state.composer.drag(mouse.column, mouse.row);
        }
        MouseEventKind::Down(MouseButton::Left) if state.overlay.is_none() => {
            return click(state, mouse.column, mouse.row);
        }
        _ => return,
    };
    match state.overlay {
        Some(_) => overlays::step(state, scroll.signum(), &mut Vec::new()),
        None => state.transcript.scroll_by(scroll, &state.theme),
    }
}

fn click(state: &mut State, column: u16, row: u16) {
    let (left, top, columns, rows) = state.composer_area;
    if (left..left.saturating_add(columns)).contains(&column) && (top..top.saturating_add(rows)).contains(&row) {
        state.focus = Focus::Composer;
        return state.composer.click(column, row);
    }
    let Some(row) = row.checked_sub(state.pane_top).filter(|row| *row < state.transcript.height) else { return };
    // Who clicks into the window to write must not find keys to be commands.
    if state.composer.is_empty()
        && column < state.transcript.width
        && let Some(place) = state.transcript.place_at(row, &state.theme)
    {
        state.focus = Focus::Message(place.turn);
    }
}
