//! The last line: what is open, what the model does, or what there is to say.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::put;
use crate::neutralize::neutralize;
use crate::tui::composer::Mode;
use crate::tui::state::{Activity, Focus, State, shown_name};
use crate::tui::terminal::Frame;
use crate::tui::theme::Role;
use crate::units;

pub fn draw(state: &State, area: Rect, frame: &mut Frame) {
    let muted = state.theme.style(Role::Muted);
    let failed = state.notice.as_ref().is_some_and(|notice| notice.is_error);
    if let Some(search) = state.search.as_ref().filter(|search| search.typing || !failed) {
        let count = match (search.query.is_empty(), search.found.len()) {
            (true, _) => String::new(),
            (_, 0) => "  not found".to_owned(),
            (_, count) => format!("  {} of {count}", search.current + 1),
        };
        let query = neutralize(&search.query);
        let head = format!("find: {query}");
        let hint = match state.focus {
            _ if search.typing => "  Enter keeps, Up Down go on, Esc closes",
            Focus::Message(_) => "  n N go on, Esc closes",
            Focus::Composer => "  Esc closes",
        };
        let cursor = area.x + (Span::raw(head.as_str()).width() as u16).min(area.width.saturating_sub(1));
        let spans = vec![
            Span::styled(head, state.theme.style(Role::Accent)),
            Span::styled(count, state.theme.style(Role::Text)),
            Span::styled(hint, muted),
        ];
        put(frame.buffer, area, 0, &Line::from(spans));
        if search.typing && state.overlay.is_none() {
            frame.cursor = Some((cursor, area.y));
        }
        return;
    }
    if let Some(notice) = &state.notice {
        let role = if notice.is_error { Role::Error } else { Role::Accent };
        let text = neutralize(&notice.text).replace(['\n', '\t'], " ");
        return put(frame.buffer, area, 0, &Line::styled(text, state.theme.style(role)));
    }
    let left = activity(state);
    let right = facts(state);
    let gap = usize::from(area.width).saturating_sub(left.width() + 2);
    // What does not fit is left out, from the least important on.
    let mut parts = right;
    while !parts.is_empty() && parts.iter().map(|part| part.chars().count() + 3).sum::<usize>() > gap + 3 {
        parts.remove(0);
    }
    put(frame.buffer, area, 0, &left);
    let text = parts.join(" · ");
    let width = (Span::raw(text.as_str()).width() as u16).min(area.width);
    let place = Rect { x: area.right() - width, width, ..area };
    put(frame.buffer, place, 0, &Line::styled(text, muted));
}

/// What the model, or the person, is doing.
fn activity(state: &State) -> Line<'static> {
    let seconds = state.answering.map_or(0, |answering| (state.now_ms - answering.started_ms).max(0) / 1000);
    let (text, role) = match state.activity {
        _ if state.composer.searching().is_some() => {
            let query = neutralize(state.composer.searching().unwrap_or_default());
            let lost = if state.composer.search_failed() { ": not found" } else { "" };
            (format!("history: {query}{lost}"), Role::Accent)
        }
        _ if state.editing.is_some() && !state.is_busy() => {
            ("editing: Enter sends it as a branch, Esc leaves it as it was".to_owned(), Role::Accent)
        }
        _ if matches!(state.focus, Focus::Message(_)) => {
            ("message: e edit  r again  y copy  1-9 code  d delete  Esc back".to_owned(), Role::Accent)
        }
        Activity::Loading => {
            let waiting = if state.waiting { ", your question waits" } else { "" };
            let name = state.loading.as_deref().unwrap_or_default();
            (format!("loading {}{waiting}", shown_name(name)), Role::Accent)
        }
        Activity::NoModel => ("no model".to_owned(), Role::Error),
        Activity::Ready => (
            match state.composer.mode() {
                Mode::Insert => "ready",
                Mode::Normal => "NORMAL",
                Mode::Visual => "VISUAL",
            }
            .to_owned(),
            Role::Muted,
        ),
        Activity::Reading { prompt_tokens: 0 } => ("reading".to_owned(), Role::Accent),
        Activity::Reading { prompt_tokens } => {
            (format!("reading {} tokens, {seconds} s", units::count(prompt_tokens as u64)), Role::Accent)
        }
        Activity::Thinking => (format!("thinking, {seconds} s"), Role::Accent),
        Activity::Writing => (format!("writing, {seconds} s"), Role::Accent),
    };
    Line::styled(text, state.theme.style(role))
}

/// Session, sampling, model: the last is the most important.
fn facts(state: &State) -> Vec<String> {
    let mut parts = Vec::new();
    if !state.session.is_empty() || state.session.name.is_some() {
        parts.push(short(&state.title, 24));
    }
    let temperature = state.setting("temperature");
    if !temperature.is_empty() {
        parts.push(format!("temperature {temperature}"));
    }
    if let Some(model) = &state.model {
        parts.push(model.quantization.clone());
        parts.push(short(&shown_name(&model.name), 32));
    }
    parts.into_iter().map(|part| neutralize(&part).replace(['\n', '\t'], " ")).collect()
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}
