//! The monitor as a column beside the conversation.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::state::{Phase, Pulse};
use super::{figures, glyphs};
use crate::tui::theme::{Role, Theme};
use crate::units;

/// Rows of the sparkline where there is room.
const TALLEST: usize = 3;

/// Lines that are shown together or not at all.
struct Block {
    /// The least is shown first when there is little room.
    rank: u8,
    group: Group,
    lines: Vec<Line<'static>>,
}

/// Groups stand apart where there is room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Turn,
    Model,
    Machine,
}

/// Draws `pulse` into `area`: made for 26 to 40 cells and any height, and in its bounds at any size. What does not fit is
/// left out, the least important first.
pub fn column(pulse: &Pulse, area: Rect, buffer: &mut Buffer, theme: &Theme) {
    let area = area.intersection(buffer.area);
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if area.is_empty() {
        return;
    }
    let mut blocks = turn_blocks(pulse, width, theme);
    blocks.extend(model_blocks(pulse, width, theme));
    blocks.extend(machine_blocks(pulse, width, theme));
    let (shown, spare) = fitting(blocks, height);
    glyphs::draw(&laid_out(shown, spare, pulse, width, theme), area, buffer);
}

const SPARKLINE_RANK: u8 = 2;

fn turn_blocks(pulse: &Pulse, width: usize, theme: &Theme) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut add = |rank, lines| blocks.push(Block { rank, group: Group::Turn, lines });
    match (pulse.phase, pulse.decode_tokens_per_s()) {
        (Phase::Prefill { prompt_tokens, .. }, _) => {
            let words = format!("{} tokens", figures::grouped(prompt_tokens));
            add(0, vec![glyphs::row("reading", &words, width, theme)]);
        }
        (_, Some(rate)) => {
            add(0, vec![glyphs::row("decode", &format!("{} tok/s", figures::rate(rate)), width, theme)]);
        }
        (Phase::Decode { .. }, None) => add(0, vec![glyphs::row("decode", "- tok/s", width, theme)]),
        (Phase::Idle, None) => {}
    }
    if !pulse.rates.points().is_empty() {
        add(SPARKLINE_RANK, sparkline(pulse, width, 1, theme));
    }
    if let Some(used) = pulse.context_used() {
        let words = context_words(used, pulse.context_total());
        add(1, vec![glyphs::row("context", &words, width, theme)]);
        if let Some(total) = pulse.context_total() {
            add(3, vec![glyphs::gauge_row(used as f64 / total as f64, width, theme)]);
        }
    }
    if let Some(rate) = pulse.prefill_tokens_per_s() {
        add(6, vec![glyphs::row("prefill", &format!("{} tok/s", figures::rate(rate)), width, theme)]);
    }
    if let Some(ms) = pulse.first_token_ms {
        add(7, vec![glyphs::row("first token", &figures::seconds(ms), width, theme)]);
    }
    if let Some(&last) = pulse.turns.back() {
        add(10, vec![turn_costs(pulse, last, width, theme)]);
    }
    if let Some(words) = guesses(pulse) {
        add(11, vec![glyphs::row("guessed right", &words, width, theme)]);
    }
    blocks
}

fn model_blocks(pulse: &Pulse, width: usize, theme: &Theme) -> Vec<Block> {
    let row = |rank, label, bytes: Option<u64>| {
        let lines = vec![glyphs::row(label, &units::bytes(bytes?), width, theme)];
        Some(Block { rank, group: Group::Model, lines })
    };
    [row(8, "model", pulse.model_bytes()), row(9, "KV cache", pulse.kv_bytes())].into_iter().flatten().collect()
}

fn machine_blocks(pulse: &Pulse, width: usize, theme: &Theme) -> Vec<Block> {
    let machine = &pulse.machine;
    let mut blocks = vec![(4, machine.cpu_lines(width, theme))];
    blocks.push((5, machine.memory_line(width, theme).into_iter().collect()));
    blocks.push((13, machine.memory_gauge(width, theme).into_iter().collect()));
    blocks.push((14, machine.resident_line(width, theme).into_iter().collect()));
    for mut lines in machine.gpu_lines(width, theme) {
        let details = lines.split_off(lines.len().min(1));
        blocks.push((4, lines));
        blocks.push((12, details));
    }
    let blocks = blocks.into_iter().filter(|(_, lines)| !lines.is_empty());
    blocks.map(|(rank, lines)| Block { rank, group: Group::Machine, lines }).collect()
}

/// The most important blocks of as many lines as fit, in their order, and how many lines are left.
fn fitting(blocks: Vec<Block>, height: usize) -> (Vec<Block>, usize) {
    let mut by_rank: Vec<usize> = (0..blocks.len()).collect();
    by_rank.sort_by_key(|&at| blocks[at].rank);
    let mut spare = height;
    let mut shown = vec![false; blocks.len()];
    for at in by_rank {
        if blocks[at].lines.len() <= spare {
            spare -= blocks[at].lines.len();
            shown[at] = true;
        }
    }
    (blocks.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(block, _)| block).collect(), spare)
}

/// The lines of all blocks; the room that is left goes between groups, then to the sparkline.
fn laid_out(blocks: Vec<Block>, spare: usize, pulse: &Pulse, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let gaps = blocks.windows(2).filter(|pair| pair[0].group != pair[1].group).count();
    let apart = gaps <= spare;
    let rows = (1 + spare - if apart { gaps } else { 0 }).min(TALLEST);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut before = None;
    for block in blocks {
        if apart && before.is_some_and(|group| group != block.group) {
            lines.push(Line::default());
        }
        before = Some(block.group);
        match block.rank {
            SPARKLINE_RANK => lines.extend(sparkline(pulse, width, rows, theme)),
            _ => lines.extend(block.lines),
        }
    }
    lines
}

fn sparkline(pulse: &Pulse, width: usize, rows: usize, theme: &Theme) -> Vec<Line<'static>> {
    let points = pulse.rates.points();
    let bars = glyphs::bars(&points, glyphs::ceiling(&points), width, rows);
    bars.into_iter().map(|row| glyphs::line(row, theme.style(Role::SparklineDecode))).collect()
}

/// `1,234 of 32,768`, as wide as the total would need.
pub(super) fn context_words(used: usize, total: Option<usize>) -> String {
    let used = figures::grouped(used);
    match total.map(figures::grouped) {
        Some(total) => format!("{used:>width$} of {total}", width = total.len()),
        None => format!("{used} tokens"),
    }
}

/// ` 71 %` of what was guessed ahead was right.
pub(super) fn guesses(pulse: &Pulse) -> Option<String> {
    let (drafted, accepted) = (pulse.speculation.drafted, pulse.speculation.accepted);
    (drafted > 0).then(|| figures::percent(accepted as f64 / drafted as f64))
}

/// `turns  ▂▁█▃   1,234`: what each cost, and the last in tokens.
fn turn_costs(pulse: &Pulse, last: usize, width: usize, theme: &Theme) -> Line<'static> {
    let costs: Vec<Option<f32>> = pulse.turns.iter().map(|&cost| Some(cost as f32)).collect();
    let last = format!("{:>8}", figures::grouped(last));
    let label = "turns ";
    let room = width.saturating_sub(label.len() + last.len()).min(super::state::TURNS);
    let bars = glyphs::bars(&costs, glyphs::ceiling(&costs), room, 1).concat();
    let pad = " ".repeat(width.saturating_sub(label.len() + room + last.len()));
    Line::from(vec![
        Span::styled(label, theme.style(Role::Muted)),
        Span::styled(format!("{pad}{bars}"), theme.style(Role::SparklinePrefill)),
        Span::styled(last, theme.style(Role::Text)),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::machine::sample;
    use super::super::{ModelFacts, strip};
    use super::*;
    use crate::engine::{Speculation, Timings, Usage};

    /// A small generator of numbers (<https://prng.di.unimi.it/splitmix64.c>), the same in every run.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A pulse to which anything may have happened.
    fn random(seed: u64) -> Pulse {
        let mut state = seed;
        let mut pulse = Pulse::new();
        let mut now_ms = 0;
        for _ in 0..next(&mut state) % 40 {
            let number = next(&mut state) as usize;
            now_ms += (number % 3000) as i64;
            match number % 9 {
                0 => pulse.set_model(&ModelFacts {
                    size_bytes: next(&mut state) >> (number % 64),
                    kv_bytes_per_token: next(&mut state) >> (number % 64),
                    context_total: (next(&mut state) >> (number % 64)) as usize,
                }),
                1 | 2 => pulse.turn_started(number % 100_000, now_ms),
                3..=5 => pulse.tokens(number % 50, now_ms),
                6 => {
                    let cores: Vec<f32> = (0..number % 300).map(|_| (next(&mut state) % 101) as f32).collect();
                    pulse.on_sample(&sample(&cores, number % 10));
                }
                7 => {
                    let counts = (number % 500, number % 77);
                    let usage = Usage { prompt_tokens: counts.0, completion_tokens: counts.1, cached_tokens: 3 };
                    let speculation = Some(Speculation { drafted: counts.0, accepted: counts.1 });
                    let timings = Timings { decode_tokens_per_s: counts.1 as f64, speculation, ..Timings::default() };
                    pulse.turn_done(&usage, &timings);
                }
                _ => pulse.turn_failed(),
            }
        }
        pulse
    }

    #[test]
    fn nothing_is_drawn_outside_at_any_size() {
        let theme = Theme::plain();
        for seed in 0..100_u64 {
            let pulse = random(seed);
            let mut state = seed ^ 0xabcd;
            let mut some = |most: u64| (next(&mut state) % (most + 1)) as u16;
            for _ in 0..4 {
                let area = Rect::new(some(5), some(5), some(60), some(80));
                // The area may also reach over the buffer's edge.
                let mut buffer = Buffer::empty(Rect::new(some(2), some(2), some(66), some(86)));
                let blank = buffer.clone();
                match some(1) {
                    0 => column(&pulse, area, &mut buffer, &theme),
                    _ => strip(&pulse, area, &mut buffer, &theme),
                }
                for position in buffer.area.positions().filter(|&position| !area.contains(position)) {
                    assert_eq!(buffer[position], blank[position], "seed {seed}, {area:?}, {position:?}");
                }
            }
        }
    }

    /// One turn of a model on a machine with one graphics card.
    fn typical() -> Pulse {
        let mut pulse = Pulse::new();
        pulse.set_model(&ModelFacts { size_bytes: 4_700_000_000, kv_bytes_per_token: 57_344, context_total: 32_768 });
        pulse.on_sample(&sample(&[5.0, 95.0, 50.0, 0.0], 1));
        pulse.turn_started(1200, 0);
        for token in 0..=34 {
            pulse.tokens(1, 410 + 40 * token);
        }
        let timings = Timings {
            decode_tokens_per_s: 25.0,
            prefill_tokens_per_s: 812.0,
            time_to_first_token_ms: 410.0,
            speculation: Some(Speculation { drafted: 100, accepted: 71 }),
            ..Timings::default()
        };
        pulse.turn_done(&Usage { prompt_tokens: 1200, completion_tokens: 34, cached_tokens: 0 }, &timings);
        pulse
    }

    fn drawn(pulse: &Pulse, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        column(pulse, area, &mut buffer, &Theme::plain());
        let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(row).collect()
    }

    #[test]
    fn a_tall_column_shows_all() {
        let seen = drawn(&typical(), 28, 22);
        let expected = [
            "decode            25.0 tok/s",
            "                         ███",
            "                         ███",
            "                         ███",
            "context      1,234 of 32,768",
            "━─────────────────────   4 %",
            "prefill            812 tok/s",
            "first token           0.41 s",
            "turns              ▇   1,234",
            "guessed right           71 %",
            "",
            "model                 4.7 GB",
            "KV cache             70.8 MB",
            "",
            "cpu ▁█▅▁                40 %",
            "memory       12.1 of 33.6 GB",
            "━━━━━━━━──────────────  36 %",
            "this oai              5.1 GB",
            "NVIDIA H200␛[2J         85 %",
            "  memory    62.1 of 150.0 GB",
            "               64 °C   310 W",
            "",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_low_column_shows_what_matters_most() {
        let seen = drawn(&typical(), 28, 3);
        assert_eq!(seen[0], "decode            25.0 tok/s");
        assert!(seen[1].ends_with("█"), "{seen:?}");
        assert_eq!(seen[2], "context      1,234 of 32,768");
        assert_eq!(drawn(&typical(), 28, 1), ["decode            25.0 tok/s"]);
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        assert!(drawn(&Pulse::new(), 30, 20).iter().all(String::is_empty));
        let mut pulse = Pulse::new();
        pulse.on_sample(&sample(&[50.0], 0));
        let seen: Vec<_> = drawn(&pulse, 30, 5).into_iter().filter(|row| !row.is_empty()).collect();
        assert_eq!(seen[..2], ["cpu ▅                     50 %", "memory         12.1 of 33.6 GB"]);
    }

    #[test]
    fn a_prompt_that_is_read_is_told_by_its_length() {
        let mut pulse = typical();
        pulse.turn_started(12_345, 0);
        assert_eq!(drawn(&pulse, 28, 1), ["reading        12,345 tokens"]);
    }

    #[test]
    fn a_flicker_changes_no_cell() {
        let mut pulse = typical();
        let before = drawn(&pulse, 32, 40);
        let mut other = sample(&[3.0, 97.0, 47.0, 2.0], 1);
        other.memory.available_bytes += 50_000_000;
        assert!(!pulse.on_sample(&other));
        assert_eq!(drawn(&pulse, 32, 40), before);
    }
}
