//! How the chat looks. Drawing changes nothing but what was laid out and where it went.

mod conversation;
mod help;
mod overlay;
mod status;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::pulse;
use super::state::{Focus, SMALLEST, State};
use super::terminal::Frame;
use super::theme::Role;

/// From so many columns on the monitor stands beside the conversation, else it lies below it.
const BESIDE: u16 = 100;
const MONITOR_COLUMNS: u16 = 32;
/// Rows that are left to the conversation before the monitor's strip gets any.
const STRIP_FROM: u16 = 12;

/// Draws the chat into `frame`.
pub fn view(state: &mut State, frame: &mut Frame) {
    let area = frame.area;
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(state, area, frame.buffer);
    }
    let status = 1;
    let most = (area.height / 2).saturating_sub(2).clamp(1, 12);
    let has_column = state.show_monitor && area.width >= BESIDE;
    let pane_width = if has_column { area.width - MONITOR_COLUMNS } else { area.width };
    let composer_rows = state.composer.height(pane_width).clamp(1, most);
    // A rule above the composer, the composer, the status line.
    let mut rest = area.height - status - composer_rows - 1;
    let strip = if state.show_monitor && !has_column && area.height >= STRIP_FROM { 1 } else { 0 };
    rest -= strip.min(rest.saturating_sub(1));
    let pane = Rect { height: rest, width: pane_width, ..area };
    conversation::draw(state, pane, frame);
    let mut top = area.y + rest;
    rule(state, Rect { y: top, height: 1, width: pane_width, ..area }, frame.buffer);
    top += 1;
    let composer = Rect { y: top, height: composer_rows, width: pane_width, ..area };
    state.composer_area = (composer.x, composer.y, composer.width, composer.height);
    let placeholder = placeholder(state);
    let cursor = state.composer.render(composer, frame.buffer, &state.theme, placeholder);
    if matches!(state.focus, Focus::Composer) && state.overlay.is_none() {
        frame.cursor = cursor;
    }
    top += composer_rows;
    if strip > 0 {
        pulse::strip(&state.pulse, Rect { y: top, height: strip, ..area }, frame.buffer, &state.theme);
        top += strip;
    }
    status::draw(state, Rect { y: top, height: status, ..area }, frame);
    if has_column {
        let column = Rect { x: area.x + pane_width, width: MONITOR_COLUMNS, height: area.height - status, ..area };
        separator(state, column, frame.buffer);
        let inner = Rect { x: column.x + 2, width: column.width - 3, ..column };
        pulse::column(&state.pulse, inner, frame.buffer, &state.theme);
    }
    overlay::completions(state, composer, frame.buffer);
    overlay::draw(state, Rect { height: area.height - status, ..area }, frame);
}

fn placeholder(state: &State) -> &'static str {
    if state.editing.is_some() {
        "the question, to be sent again"
    } else if state.transcript.turns.is_empty() {
        "ask something; /help or F1 shows all keys"
    } else {
        ""
    }
}

fn too_small(state: &State, area: Rect, buffer: &mut Buffer) {
    let words =
        [format!("{} x {}: too small", area.width, area.height), format!("oai needs {} x {}", SMALLEST.0, SMALLEST.1)];
    for (row, text) in words.iter().enumerate().take(usize::from(area.height)) {
        put(buffer, area, row as u16, &Line::styled(text.as_str(), state.theme.style(Role::Warning)));
    }
}

fn rule(state: &State, area: Rect, buffer: &mut Buffer) {
    let style = state.theme.style(Role::Border);
    let below = "─".repeat(usize::from(area.width));
    put(buffer, area, 0, &Line::styled(below, style));
    if !state.transcript.at_end() {
        let words = " ↓ more below (Ctrl-End) ";
        let width = words.chars().count() as u16;
        if area.width > width + 2 {
            let area = Rect { x: area.x + (area.width - width) / 2, width, ..area };
            put(buffer, area, 0, &Line::styled(words, state.theme.style(Role::Accent)));
        }
    }
}

fn separator(state: &State, area: Rect, buffer: &mut Buffer) {
    for row in 0..area.height {
        put(buffer, Rect { width: 1, ..area }, row, &Line::styled("│", state.theme.style(Role::Border)));
    }
}

/// One line in `row` of `area`, cut at its right edge.
fn put(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    let area = area.intersection(buffer.area);
    if row < area.height {
        buffer.set_line(area.x, area.y + row, line, area.width);
    }
}
