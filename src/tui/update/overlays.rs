//! Keys and choices of what lies over the conversation.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::commands;
use crate::session::{Hit, Summary};
use crate::tui::command::Command;
use crate::tui::composer::Outcome;
use crate::tui::event::{Effect, ModelRow, Setting};
use crate::tui::state::{Focus, Item, LineEdit, Overlay, Prompt, SessionRow, State};
use crate::tui::theme::ThemeName;
use crate::units;

pub fn session_item(summary: &Summary, now_ms: i64) -> Item<SessionRow> {
    let tags: String = summary.tags.iter().map(|tag| format!(" #{tag}")).collect();
    let age = units::age((now_ms - summary.updated_ms).max(0) as u64 / 1000);
    let detail = format!("{} turns  {}  {}", summary.turns, summary.model, age);
    Item { value: SessionRow { id: summary.id, node: None }, label: format!("{}{tags}", summary.title), detail }
}

pub fn hit_item(hit: Hit) -> Item<SessionRow> {
    let snippet = hit.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
    let value = SessionRow { id: hit.session.id, node: Some(hit.node) };
    Item { value, label: snippet, detail: hit.session.title }
}

pub fn model_item(row: ModelRow) -> Item<ModelRow> {
    let detail = format!("{}  {}  {}", row.quantization, units::bytes(row.size_bytes), row.fit);
    Item { label: row.name.clone(), value: row, detail }
}

pub fn theme_item(theme: ThemeName) -> Item<ThemeName> {
    let ground = match (theme.dark, theme.light) {
        (true, true) => "  any ground",
        (true, false) => "  dark",
        (false, true) => "  light",
        // A file that is no theme: its description says why.
        (false, false) => "",
    };
    let own = if theme.builtin { "" } else { ", yours" };
    let detail = format!("{}{ground}{own}", theme.description);
    Item { label: theme.name.clone(), value: theme, detail }
}

pub fn setting_items(settings: &[Setting]) -> Vec<Item<Setting>> {
    let shown = |setting: &Setting| {
        let value = if setting.value.is_empty() { "-" } else { &setting.value };
        Item { value: setting.clone(), label: format!("{:<18} {value}", setting.key), detail: setting.origin.clone() }
    };
    settings.iter().map(shown).collect()
}

pub fn look_up_sessions(words: &str, effects: &mut Vec<Effect>) {
    effects.push(if words.trim().is_empty() { Effect::ListSessions } else { Effect::SearchSessions(words.to_owned()) });
}

/// Something is typed into the line of the overlay.
pub fn typed(state: &mut State, effects: &mut Vec<Effect>, edit: impl FnOnce(&mut LineEdit) -> Option<bool>) {
    match &mut state.overlay {
        Some(Overlay::Palette(picker)) => {
            if edit(&mut picker.query) == Some(true) {
                picker.narrow();
            }
        }
        Some(Overlay::Models(picker)) => {
            if edit(&mut picker.query) == Some(true) {
                picker.narrow();
            }
        }
        Some(Overlay::Settings(picker)) => {
            if edit(&mut picker.query) == Some(true) {
                picker.narrow();
            }
        }
        Some(Overlay::Themes(picker, _)) => {
            if edit(&mut picker.query) == Some(true) {
                picker.narrow();
                preview(state, effects);
            }
        }
        Some(Overlay::Sessions(picker)) => {
            if edit(&mut picker.query) == Some(true) {
                picker.pending = true;
                look_up_sessions(picker.query.text(), effects);
            }
        }
        Some(Overlay::Ask(_, line)) => drop(edit(line)),
        Some(Overlay::Help { .. } | Overlay::System(_)) | None => {}
    }
}

/// The chosen theme, at once.
fn preview(state: &State, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Themes(picker, _)) = &state.overlay
        && let Some(theme) = picker.chosen()
    {
        effects.push(Effect::LoadTheme(theme.name.clone()));
    }
}

/// A key, while something lies over the conversation.
pub fn key(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if let Some(Overlay::System(composer)) = &mut state.overlay {
        match composer.key(key) {
            Outcome::Submit => {
                let text = composer.text();
                state.overlay = None;
                commands::set_system(state, &text, effects);
            }
            Outcome::Used => {}
            Outcome::Ignored if key.code == KeyCode::Esc || (control && key.code == KeyCode::Char('c')) => {
                state.overlay = None;
            }
            Outcome::Ignored => {}
        }
        return;
    }
    if let Some(Overlay::Ask(prompt @ (Prompt::Delete(_) | Prompt::DeleteSession(_)), _)) = &state.overlay {
        let prompt = prompt.clone();
        if key.code == KeyCode::Char('y') {
            state.overlay = None;
            match prompt {
                Prompt::DeleteSession(id) if state.session.id == Some(id) => {
                    state.complain("this conversation is open: /new first");
                }
                Prompt::DeleteSession(id) => {
                    commands::run(state, Command::Sessions, "", effects);
                    effects.push(Effect::DeleteSession(id));
                }
                Prompt::Delete(id) => commands::delete(state, id, effects),
                _ => {}
            }
        } else if matches!(key.code, KeyCode::Char('n' | 'q') | KeyCode::Esc | KeyCode::Enter)
            || (control && key.code == KeyCode::Char('c'))
        {
            state.overlay = None;
        }
        return;
    }
    match key.code {
        KeyCode::Esc => close(state),
        KeyCode::Char('c' | 'g') if control => close(state),
        KeyCode::F(1) if matches!(state.overlay, Some(Overlay::Help { .. })) => close(state),
        KeyCode::Enter => enter(state, effects),
        KeyCode::Up => step(state, -1, effects),
        KeyCode::Down => step(state, 1, effects),
        KeyCode::Char('p') if control => step(state, -1, effects),
        KeyCode::Char('n') if control => step(state, 1, effects),
        KeyCode::BackTab => step(state, -1, effects),
        KeyCode::Tab => step(state, 1, effects),
        KeyCode::PageUp => step(state, -10, effects),
        KeyCode::PageDown => step(state, 10, effects),
        KeyCode::Delete => {
            if let Some(Overlay::Sessions(picker)) = &state.overlay
                && let Some(row) = picker.chosen()
            {
                state.overlay = Some(Overlay::Ask(Prompt::DeleteSession(row.id), LineEdit::default()));
            } else {
                typed(state, effects, |line| line.key(key));
            }
        }
        KeyCode::Char(c) if matches!(state.overlay, Some(Overlay::Help { .. })) => match c {
            'q' | '?' => close(state),
            'j' => step(state, 1, effects),
            'k' => step(state, -1, effects),
            ' ' => step(state, 10, effects),
            _ => {}
        },
        _ => typed(state, effects, |line| line.key(key)),
    }
}

fn close(state: &mut State) {
    if let Some(Overlay::Themes(_, before)) = state.overlay.take() {
        state.theme = *before;
    }
}

pub fn step(state: &mut State, by: isize, effects: &mut Vec<Effect>) {
    match &mut state.overlay {
        Some(Overlay::Help { top }) => *top = top.saturating_add_signed(by),
        Some(Overlay::Palette(picker)) => picker.step(by),
        Some(Overlay::Models(picker)) => picker.step(by),
        Some(Overlay::Sessions(picker)) => picker.step(by),
        Some(Overlay::Settings(picker)) => picker.step(by),
        Some(Overlay::Themes(picker, _)) => {
            picker.step(by);
            preview(state, effects);
        }
        Some(Overlay::Ask(..) | Overlay::System(_)) | None => {}
    }
}

fn enter(state: &mut State, effects: &mut Vec<Effect>) {
    if state.overlay.as_ref().is_some_and(Overlay::is_pending) {
        return;
    }
    match state.overlay.take() {
        Some(Overlay::Palette(picker)) => {
            if let Some(command) = picker.chosen() {
                commands::run(state, *command, "", effects);
            }
        }
        Some(Overlay::Models(picker)) => {
            if let Some(row) = picker.chosen() {
                commands::load(state, &row.name, effects);
            }
        }
        Some(Overlay::Sessions(picker)) => {
            match picker.chosen().cloned() {
                // It is open.
                Some(row) if state.session.id == Some(row.id) => super::show_node(state, row.node),
                Some(row) => {
                    state.wanted = row.node.map(|node| (row.id, node));
                    effects.push(Effect::OpenSession(row.id));
                }
                None => {}
            }
        }
        Some(Overlay::Themes(picker, _)) => {
            if let Some(theme) = picker.chosen() {
                effects.push(Effect::LoadTheme(theme.name.clone()));
                effects.push(Effect::KeepTheme(theme.name.clone()));
            }
        }
        Some(Overlay::Settings(picker)) => {
            if let Some(setting) = picker.chosen() {
                state.overlay = Some(Overlay::Ask(Prompt::Set(setting.key), LineEdit::of(&setting.value)));
            }
        }
        Some(Overlay::Ask(prompt, line)) => commands::answered(state, &prompt, &line, effects),
        Some(Overlay::Help { .. } | Overlay::System(_)) | None => {}
    }
}

/// A key, while a search is being typed.
pub fn search_key(state: &mut State, key: KeyEvent) {
    let Some(search) = &mut state.search else { return };
    let mut line = LineEdit::of(&search.query);
    match key.code {
        KeyCode::Esc => state.search = None,
        KeyCode::Char('c' | 'g') if key.modifiers.contains(KeyModifiers::CONTROL) => state.search = None,
        KeyCode::Enter if search.query.is_empty() => state.search = None,
        KeyCode::Enter => {
            search.typing = false;
            // There n and N go on.
            if let Some(place) = search.here() {
                state.focus = Focus::Message(place.turn);
            }
        }
        KeyCode::Up => {
            search.step(false);
            show_match(state);
        }
        KeyCode::Down => {
            search.step(true);
            show_match(state);
        }
        _ if line.key(key) == Some(true) => {
            line.text().clone_into(&mut search.query);
            search_anew(state);
        }
        _ => {}
    }
}

pub fn search_anew(state: &mut State) {
    if let Some(search) = &mut state.search {
        search.run(&mut state.transcript, &state.theme);
    }
    show_match(state);
}

/// Brings the current match into sight.
pub fn show_match(state: &mut State) {
    let search = state.search.as_mut();
    if let Some(place) = search.and_then(|search| search.place(&mut state.transcript, &state.theme)) {
        state.transcript.reveal(place, &state.theme);
    }
}
