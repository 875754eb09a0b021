//! The picture of `oai top`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::state::State;
use super::table::{self, COLUMNS, Column, MODEL, PROGRESS};
use crate::monitor::Running;
use crate::tui::pulse::{flow, gauge, shortened};
use crate::tui::terminal::Frame;
use crate::tui::theme::{Role, Theme};

/// Wider than this, a number is too far from its label.
const MACHINE_WIDTH: usize = 60;
/// A model's name may shrink to this, before columns are left out.
const SHORTEST_NAME: usize = 12;
/// Cells of a progress bar, beside its words.
const BAR: usize = 10;
const GAP: usize = 2;

/// The machine at the top, then the processes, then what keys do. Draws within any size.
pub fn view(state: &State, frame: &mut Frame<'_>, theme: &Theme) {
    let area = frame.area.intersection(frame.buffer.area);
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    // The processes get what they need of the lower half at least, and the footer one row.
    let rows = (state.running.len().max(1) + 1).min(height.div_ceil(2));
    let mut lines = machine(state, width, height.saturating_sub(rows + 1), theme);
    let left = height.saturating_sub(lines.len() + 1);
    // Apart from the machine where there is room.
    if left > rows && !lines.is_empty() {
        lines.push(Line::default());
    }
    let left = height.saturating_sub(lines.len() + 1);
    lines.extend(processes(state, width, left, theme));
    lines.truncate(height.saturating_sub(1));
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        draw(line, area, y, frame.buffer);
    }
    if height > 0 {
        draw(&footer(state, width, theme), area, area.bottom() - 1, frame.buffer);
    }
}

fn draw(line: &Line<'_>, area: Rect, y: u16, buffer: &mut Buffer) {
    // The row's own style too: a selection goes from edge to edge.
    buffer.set_style(Rect { y, height: 1, ..area }, line.style);
    buffer.set_line(area.x, y, line, area.width);
}

fn machine(state: &State, width: usize, height: usize, theme: &Theme) -> Vec<Line<'static>> {
    let machine = &state.machine;
    let across = width.min(MACHINE_WIDTH);
    let mut lines = machine.cpu_lines(across, theme);
    lines.extend(machine.memory_line(across, theme));
    lines.extend(machine.memory_gauge(across, theme));
    lines.extend(machine.gpu_rows(across, theme));
    if lines.len() <= height {
        return lines;
    }
    let (loads, details) = machine.gpu_briefs(theme);
    let pieces = machine.cpu_brief(theme).into_iter().chain(machine.memory_brief(theme)).chain(loads).chain(details);
    flow(pieces.collect(), width, height)
}

fn processes(state: &State, width: usize, height: usize, theme: &Theme) -> Vec<Line<'static>> {
    if state.running.is_empty() {
        let words = Line::from(Span::styled("No oai is at work on this machine.", theme.style(Role::Muted)));
        return if height > 0 { vec![words] } else { Vec::new() };
    }
    let columns = fitting(&state.running, width);
    let mut lines = Vec::new();
    // One row alone shows a process.
    if height > 1 {
        let heads = columns.iter().map(|(column, width)| aligned(column.head, *width, column.right));
        lines.push(Line::from(Span::styled(heads.collect::<Vec<_>>().join("  "), theme.style(Role::Heading))));
    }
    let rows = height - lines.len().min(height);
    let selected = state.selected().unwrap_or(0);
    let first = (selected + 1).saturating_sub(rows);
    for (index, running) in state.running.iter().enumerate().skip(first).take(rows) {
        let mut line = process(running, &columns, theme);
        if index == selected {
            line.style = theme.style(Role::Selection);
        }
        lines.push(line);
    }
    lines
}

fn process(running: &Running, columns: &[(&Column, usize)], theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, (column, width)) in columns.iter().enumerate() {
        if at > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let mut words = *width;
        if let Some(share) = table::share(running).filter(|_| column.head == PROGRESS) {
            spans.extend(gauge(share, BAR.min(words), theme));
            spans.push(Span::raw(" "));
            words = words.saturating_sub(BAR + 1);
        }
        let text = shortened(&(column.text)(running), words);
        spans.push(Span::styled(aligned(&text, words, column.right), Style::new()));
    }
    Line::from(spans)
}

fn aligned(text: &str, width: usize, right: bool) -> String {
    let pad = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("{pad}{text}") } else { format!("{text}{pad}") }
}

/// The most important columns that have room, in their order, with their widths. What nobody has is left out.
fn fitting(running: &[Running], width: usize) -> Vec<(&'static Column, usize)> {
    let widest = |column: &Column| {
        let bar = if column.head == PROGRESS { BAR + 1 } else { 0 };
        let texts = running.iter().map(|running| (column.text)(running).width());
        texts.max().filter(|widest| *widest > 0).map(|widest| (widest + bar).max(column.head.len()))
    };
    let needed: Vec<Option<usize>> = COLUMNS.iter().map(widest).collect();
    let least = |at: usize, needed: usize| if COLUMNS[at].head == MODEL { needed.min(SHORTEST_NAME) } else { needed };
    let mut by_rank: Vec<usize> = (0..COLUMNS.len()).collect();
    by_rank.sort_by_key(|&at| COLUMNS[at].rank);
    let mut used = 0;
    let mut shown = [None; COLUMNS.len()];
    for at in by_rank {
        let Some(least) = needed[at].map(|needed| least(at, needed)) else { continue };
        let gap = if used > 0 { GAP } else { 0 };
        if used + gap + least <= width {
            used += gap + least;
            shown[at] = Some(least);
        }
    }
    // The rest of the room is the name's, as far as it needs it.
    let spare = width - used;
    COLUMNS
        .iter()
        .zip(shown)
        .zip(needed)
        .filter_map(|((column, shown), needed)| Some((column, shown?.max(needed?.min(shown? + spare)))))
        .collect()
}

fn footer(state: &State, width: usize, theme: &Theme) -> Line<'static> {
    let words = |text: String, role| Line::from(Span::styled(text, theme.style(role)));
    if let Some(asked) = &state.asking {
        let question = format!("Stop {} ({})? y or n", asked.pid, table::title(asked));
        // What is asked must be read, however narrow it is.
        let short = if question.width() <= width { question } else { format!("Stop {}? y or n", asked.pid) };
        return words(short, Role::Warning);
    }
    if let Some(note) = &state.note {
        return words(shortened(note, width), Role::Warning);
    }
    let hints = ["q leave", "k stop", "arrows select"].map(|text| words(text.to_owned(), Role::Muted));
    let sort = words(format!("s sort: {}", state.sort.name()), Role::Muted);
    flow(hints.into_iter().chain([sort]).collect(), width, 1).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::state::{Event, update};
    use super::*;
    use crate::monitor::{GpuSample, Memory, ProcessSample, Sample, Status};

    fn state(processes: u32) -> State {
        let gpu = GpuSample {
            name: "NVIDIA H200".to_owned(),
            utilisation_percent: Some(85.0),
            memory_used_bytes: Some(62_100_000_000),
            memory_total_bytes: Some(150_000_000_000),
            temperature_c: Some(64.0),
            power_w: Some(310.0),
        };
        let sample = Sample {
            cpu_percent: vec![50.0; 8],
            memory: Memory { total_bytes: 33_600_000_000, available_bytes: 21_500_000_000, limited: false },
            process: ProcessSample::default(),
            gpus: vec![gpu],
        };
        let status = |pid: u32| match pid {
            1 => Status {
                command: "pull".to_owned(),
                model: Some("qwen3:0.6b".to_owned()),
                state: "downloading".to_owned(),
                done: Some(1_200_000_000),
                total: Some(3_000_000_000),
                ..Status::default()
            },
            _ => Status {
                command: "chat".to_owned(),
                model: Some("hf.co/an-organisation/a-model-with-a-long-name:Q4_K_M".to_owned()),
                state: "decode".to_owned(),
                decode_tokens_per_s: Some(23.4),
                context_used: Some(1234),
                context_total: Some(32_768),
                ..Status::default()
            },
        };
        let running = (1..=processes).map(|pid| Running::example(pid, status(pid))).collect();
        let mut state = State::default();
        update(&mut state, Event::Looked { sample, running });
        state
    }

    fn drawn(state: &State, width: u16, height: u16) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        view(state, &mut Frame::new(&mut buffer), &Theme::plain());
        let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(row).collect()
    }

    #[test]
    fn a_wide_screen_shows_all() {
        let seen = drawn(&state(2), 130, 12);
        let expected = [
            "cpu ▅▅▅▅▅▅▅▅                                            50 %",
            "memory                                       12.1 of 33.6 GB",
            "━━━━━━━━━━━━━━━━━━━╸──────────────────────────────────  36 %",
            "NVIDIA H200          85 %   62.1 of 150.0 GB   64 °C   310 W",
            "",
            "PID  COMMAND  MODEL                          STATE        TOK/S          CONTEXT    MEMORY     CPU  PROGRESS",
            "  1  pull     qwen3:0.6b                     downloading                            5.1 GB   395 %  \
             ━━━━────── 40 %, 1.2 of 3.0 GB",
            "  2  chat     hf.co/an-organisation/a-mode…  decode        23.4  1,234 of 32,768    5.1 GB   395 %",
            "",
            "",
            "",
            "q leave  k stop  arrows select  s sort: age",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_small_screen_shows_what_matters_most() {
        let seen = drawn(&state(3), 20, 5);
        let expected =
            ["cpu  50 %  gpu  85 %", "PID  COMMAND  TOK/S", "  1  pull", "  2  chat      23.4", "q leave  k stop"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_selected_process_is_always_seen() {
        use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
        let mut state = state(30);
        for code in [KeyCode::End, KeyCode::Up] {
            update(&mut state, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        let seen = drawn(&state, 60, 10);
        assert!(seen.iter().any(|row| row.trim_start().starts_with("29 ")), "{seen:?}");
    }

    #[test]
    fn a_question_is_read_however_narrow_the_screen_is() {
        use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
        let mut state = state(1);
        update(&mut state, Event::Key(KeyEvent::new(KeyCode::Char('k'), KeyModifiers::NONE)));
        assert_eq!(drawn(&state, 60, 9)[8], "Stop 1 (pull qwen3:0.6b)? y or n");
        assert_eq!(drawn(&state, 20, 5)[4], "Stop 1? y or n");
    }

    #[test]
    fn no_size_is_too_small_or_too_large() {
        for processes in [0, 1, 40] {
            let state = state(processes);
            for width in (0..50).chain([79, 120, 131]) {
                for height in [0, 1, 2, 3, 4, 6, 9, 20] {
                    drawn(&state, width, height);
                }
            }
        }
    }
}
