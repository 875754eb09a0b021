//! The pane with the conversation.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::put;
use crate::tui::markdown;
use crate::tui::state::{Activity, Focus, MARGIN, State, shown_name};
use crate::tui::terminal::{Frame, Link};
use crate::tui::theme::Role;

pub fn draw(state: &mut State, area: Rect, frame: &mut Frame) {
    (state.transcript.width, state.transcript.height) = (area.width, area.height);
    state.pane_top = area.y;
    if state.transcript.turns.is_empty() {
        return welcome(state, area, frame);
    }
    state.transcript.settle(&state.theme);
    let chosen = match state.focus {
        Focus::Message(index) => Some(index),
        Focus::Composer => None,
    };
    let (text, found, now) = (area.x + MARGIN, state.theme.style(Role::Match), state.theme.style(Role::CurrentMatch));
    let mark = Line::styled("▌", state.theme.style(Role::Accent));
    let mut place = Some(state.transcript.top(&state.theme));
    for row in 0..area.height {
        let Some(at) = place else { break };
        let lit = state.search.as_mut().map(|search| search.lit(at, &mut state.transcript, &state.theme));
        if let Some(shown) = state.transcript.part(at, &state.theme).get(at.row) {
            let styled = |(columns, is_current)| (columns, if is_current { now } else { found });
            let lit: Vec<_> = lit.into_iter().flatten().map(styled).collect();
            let line = (!lit.is_empty()).then(|| markdown::light(shown, &lit));
            let inside = Rect { x: text, width: area.width.saturating_sub(MARGIN + 1), ..area };
            put(frame.buffer, inside, row, line.as_ref().unwrap_or(&shown.line));
            frame.links.extend(shown.links.iter().map(|link| Link {
                row: area.y + row,
                columns: text + link.columns.start..(text + link.columns.end).min(inside.right()),
                url: link.url.clone(),
            }));
            if chosen == Some(at.turn) {
                put(frame.buffer, Rect { width: 1, ..area }, row, &mark);
            }
        }
        place = state.transcript.next(at, &state.theme);
    }
    scroll_bar(state, area, frame);
}

/// A thumb on the right edge while the end is out of sight.
fn scroll_bar(state: &mut State, area: Rect, frame: &mut Frame) {
    if state.transcript.at_end() || area.height < 3 {
        return;
    }
    let progress = state.transcript.progress(&state.theme);
    let row = (progress * f64::from(area.height - 1)).round() as u16;
    let edge = Rect { x: area.right() - 1, width: 1, ..area };
    put(frame.buffer, edge, row, &Line::styled("┃", state.theme.style(Role::Accent)));
}

/// What an empty conversation says.
fn welcome(state: &State, area: Rect, frame: &mut Frame) {
    let muted = state.theme.style(Role::Muted);
    let name = match (&state.model, &state.loading) {
        (Some(model), _) => shown_name(&model.name),
        (None, Some(name)) => format!("loading {}", shown_name(name)),
        (None, None) => "no model: F2 chooses one".to_owned(),
    };
    let facts = state.model.as_ref().map(|model| {
        let context = crate::units::count(model.facts.context_total as u64);
        format!("{} {}, {context} tokens of context", model.architecture, model.quantization)
    });
    let ready = matches!(state.activity, Activity::Ready).then(|| "nothing you type leaves this machine".to_owned());
    let lines = [
        Some(Line::styled(name, state.theme.style(Role::Heading))),
        facts.map(|text| Line::styled(text, muted)),
        ready.map(|text| Line::styled(text, muted)),
        Some(Line::default()),
        Some(Line::styled("F1 keys   F2 models   F3 conversations   F4 themes", muted)),
    ];
    let lines: Vec<Line> = lines.into_iter().flatten().collect();
    let first = (area.height.saturating_sub(lines.len() as u16)) / 2;
    for (row, line) in (first..).zip(&lines) {
        let width = (line.width() as u16).min(area.width);
        put(frame.buffer, Rect { x: area.x + (area.width - width) / 2, width, ..area }, row, line);
    }
}
