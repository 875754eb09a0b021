//! Lists and questions over the conversation.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{help, put};
use crate::neutralize::neutralize;
use crate::tui::state::{Item, LineEdit, Overlay, Picker, State};
use crate::tui::terminal::Frame;
use crate::tui::theme::{Role, Theme};

/// Rows of choices that the composer shows above itself.
const CHOICES: u16 = 8;

pub fn draw(state: &mut State, area: Rect, frame: &mut Frame) {
    let State { overlay: Some(overlay), theme, vi, .. } = state else { return };
    let (title, hint) = (overlay.title(), overlay.hint());
    match overlay {
        Overlay::Help { top } => {
            let inner = window(area, 92, area.height.saturating_sub(2), title, hint, theme, frame.buffer);
            let lines = help::lines(theme, *vi, inner.width);
            *top = (*top).min(lines.len().saturating_sub(usize::from(inner.height)));
            for (row, line) in lines.iter().skip(*top).take(usize::from(inner.height)).enumerate() {
                put(frame.buffer, inner, row as u16, line);
            }
        }
        Overlay::Palette(picker) => list(picker, area, title, hint, theme, frame),
        Overlay::Models(picker) => list(picker, area, title, hint, theme, frame),
        Overlay::Sessions(picker) => list(picker, area, title, hint, theme, frame),
        Overlay::Themes(picker, _) => list(picker, area, title, hint, theme, frame),
        Overlay::Settings(picker) => list(picker, area, title, hint, theme, frame),
        Overlay::Ask(_, line) => {
            let inner = window(area, 64, 3, title, hint, theme, frame.buffer);
            edit(line, inner, theme, frame);
        }
        Overlay::System(composer) => {
            let width = area.width.min(92);
            let rows = composer.height(width.saturating_sub(2)).max(3).min(area.height.saturating_sub(4).max(1));
            let inner = window(area, 92, rows + 2, title, hint, theme, frame.buffer);
            frame.cursor = composer.render(inner, frame.buffer, theme, "how the model should answer");
        }
    }
}

/// A window of at most so many columns and rows in the middle of `area`: cleared, framed, named. Returns its inside.
fn window(area: Rect, columns: u16, rows: u16, title: &str, hint: &str, theme: &Theme, buffer: &mut Buffer) -> Rect {
    let (width, height) = (columns.min(area.width), rows.min(area.height).max(3.min(area.height)));
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    let border = theme.style(Role::Border);
    let across = "─".repeat(usize::from(width.saturating_sub(2)));
    for row in 0..height {
        // What lay there must not shine through.
        let below = Rect { y: outer.y + row, height: 1, ..outer }.intersection(buffer.area);
        for position in below.positions() {
            buffer[position].reset();
        }
        match row {
            0 => put(buffer, outer, row, &Line::styled(format!("╭{across}╮"), border)),
            row if row + 1 == height => put(buffer, outer, row, &Line::styled(format!("╰{across}╯"), border)),
            // Only the edges: what is written inside has colours of its own.
            _ => {
                let right = Rect { x: outer.right().saturating_sub(1), width: 1, ..outer };
                put(buffer, Rect { width: 1, ..outer }, row, &Line::styled("│", border));
                put(buffer, right, row, &Line::styled("│", border));
            }
        }
    }
    let words = |text: &str, role: Role| Line::styled(format!(" {text} "), theme.style(role));
    let inside = Rect { x: outer.x + 2, width: width.saturating_sub(4), ..outer };
    put(buffer, inside, 0, &words(title, Role::Heading));
    if usize::from(inside.width) >= hint.chars().count() + 2 {
        put(buffer, inside, height - 1, &words(hint, Role::Muted));
    }
    Rect { x: outer.x + 1, y: outer.y + 1, width: width.saturating_sub(2), height: height.saturating_sub(2) }
}

fn edit(line: &LineEdit, area: Rect, theme: &Theme, frame: &mut Frame) {
    let text = neutralize(line.text());
    let before = Span::raw(neutralize(line.before_cursor())).width();
    let room = usize::from(area.width.saturating_sub(3));
    // The end of what is left of the cursor is always in sight.
    let hidden = before.saturating_sub(room);
    let mut skipped = 0;
    let shown: String = text
        .chars()
        .skip_while(|c| {
            let width = Span::raw(c.to_string()).width();
            let skip = skipped < hidden;
            skipped += if skip { width } else { 0 };
            skip
        })
        .collect();
    let spans = vec![Span::styled("› ", theme.style(Role::Accent)), Span::raw(shown)];
    put(frame.buffer, area, 0, &Line::from(spans));
    let column = area.x + 2 + (before - skipped.min(before)) as u16;
    frame.cursor = Some((column.min(area.right().saturating_sub(1)), area.y));
}

fn list<T>(picker: &Picker<T>, area: Rect, title: &str, hint: &str, theme: &Theme, frame: &mut Frame) {
    let (items, chosen) = picker.shown();
    let rows = (picker.items.len() as u16).clamp(3, 16) + 3;
    let inner = window(area, 92, rows.min(area.height.saturating_sub(2)), title, hint, theme, frame.buffer);
    edit(&picker.query, inner, theme, frame);
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if items.is_empty() {
        put(
            frame.buffer,
            below,
            0,
            &Line::styled(if picker.pending { "  looking" } else { "  nothing here" }, theme.style(Role::Muted)),
        );
    }
    choices(&items, chosen, below, theme, frame.buffer);
}

/// The rows around the chosen one.
fn choices<T>(items: &[&Item<T>], chosen: usize, area: Rect, theme: &Theme, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    let first = (chosen + 1).saturating_sub(height).min(items.len().saturating_sub(height));
    for (row, (index, item)) in items.iter().enumerate().skip(first).take(height).enumerate() {
        let is_chosen = index == chosen;
        let clean = |text: &str| neutralize(text).replace(['\n', '\t'], " ");
        let label = clean(&item.label);
        let detail = clean(&item.detail);
        let row_area = Rect { y: area.y + row as u16, height: 1, ..area };
        let style = if is_chosen { theme.style(Role::Selection) } else { theme.style(Role::Text) };
        let mark = if is_chosen { "› " } else { "  " };
        let line = Line::styled(format!("{mark}{label}"), style);
        let label_width = line.width() as u16;
        put(buffer, row_area, 0, &line);
        // At the right, as much of it as there is room for.
        let room = area.width.saturating_sub(label_width + 3);
        let width = (Span::raw(detail.as_str()).width() as u16).min(room);
        let place = Rect { x: row_area.right() - width - 1, width, ..row_area };
        put(buffer, place, 0, &Line::styled(detail, theme.style(Role::Muted)));
        if is_chosen {
            buffer.set_style(row_area.intersection(buffer.area), style);
        }
    }
}

/// What the word before the cursor may become, above the composer.
pub fn completions(state: &State, composer: Rect, buffer: &mut Buffer) {
    let Some(picker) = state.completions.as_ref().filter(|_| state.overlay.is_none()) else { return };
    let (items, chosen) = picker.shown();
    let rows = (items.len() as u16).min(CHOICES).min(composer.y.saturating_sub(1));
    if rows == 0 {
        return;
    }
    let width = composer.width.min(78);
    let area = Rect { x: composer.x, y: composer.y - 1 - rows, width, height: rows }.intersection(buffer.area);
    for position in area.positions() {
        buffer[position].reset();
    }
    choices(&items, chosen, area, &state.theme, buffer);
}
