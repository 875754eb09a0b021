//! The monitor as a strip of one to three rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::column::{context_words, guesses};
use super::state::{Phase, Pulse};
use super::{figures, glyphs};
use crate::tui::theme::{Role, Theme};
use crate::units;

/// Cells of the sparkline.
const SPARKLINE: usize = 16;
const GAP: &str = "  ";

/// Draws `pulse` into `area`, of any width: what does not fit into its rows is left out, the least important first.
pub fn strip(pulse: &Pulse, area: Rect, buffer: &mut Buffer, theme: &Theme) {
    let area = area.intersection(buffer.area);
    glyphs::draw(&flow(pieces(pulse, theme), usize::from(area.width), usize::from(area.height)), area, buffer);
}

/// Pieces side by side, two cells apart, in at most `rows` rows of `width` cells. A piece that has no room any more is
/// left out.
pub fn flow(pieces: Vec<Line<'static>>, width: usize, rows: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for piece in pieces {
        let has_room = |line: &Line<'static>| line.width() + GAP.len() + piece.width() <= width;
        match lines.iter().position(has_room) {
            Some(at) => {
                lines[at].spans.push(Span::raw(GAP));
                lines[at].spans.extend(piece.spans);
            }
            None if lines.len() < rows && piece.width() <= width => lines.push(piece),
            None => {}
        }
    }
    lines
}

/// The most important first. Each keeps its width while its numbers change.
fn pieces(pulse: &Pulse, theme: &Theme) -> Vec<Line<'static>> {
    let piece = |label: &str, value: &str| {
        let label = Span::styled(format!("{label} "), theme.style(Role::Muted));
        Line::from(vec![label, Span::styled(value.to_owned(), theme.style(Role::Text))])
    };
    let rate = |rate: f64| format!("{} tok/s", figures::rate(rate));
    let mut all = Vec::new();
    match (pulse.phase, pulse.decode_tokens_per_s()) {
        (Phase::Prefill { prompt_tokens, .. }, _) => {
            all.push(piece("reading", &format!("{} tokens", figures::grouped(prompt_tokens))));
        }
        (_, Some(now)) => all.push(piece("decode", &rate(now))),
        (Phase::Decode { .. }, None) => all.push(piece("decode", "    - tok/s")),
        (Phase::Idle, None) => {}
    }
    if let Some(used) = pulse.context_used() {
        let mut words = context_words(used, pulse.context_total());
        if let Some(total) = pulse.context_total() {
            words.push_str(&format!(" {}", figures::percent(used as f64 / total as f64)));
        }
        all.push(piece("context", &words));
    }
    let points = pulse.rates.points();
    if !points.is_empty() {
        let bars = glyphs::bars(&points, glyphs::ceiling(&points), SPARKLINE, 1).concat();
        all.push(glyphs::line(bars, theme.style(Role::SparklineDecode)));
    }
    let (gpu_loads, gpu_details) = pulse.machine.gpu_briefs(theme);
    all.extend(pulse.machine.cpu_brief(theme));
    all.extend(gpu_loads);
    all.extend(pulse.machine.memory_brief(theme));
    all.extend(pulse.prefill_tokens_per_s().map(|now| piece("prefill", &rate(now))));
    all.extend(pulse.first_token_ms.map(|ms| piece("first token", &figures::seconds(ms))));
    all.extend(pulse.model_bytes().map(|bytes| piece("model", &units::bytes(bytes))));
    all.extend(pulse.kv_bytes().map(|bytes| piece("KV cache", &format!("{:>8}", units::bytes(bytes)))));
    all.extend(gpu_details);
    all.extend(guesses(pulse).map(|share| piece("guessed right", &share)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::pulse::ModelFacts;
    use crate::tui::pulse::machine::sample;

    fn drawn(pulse: &Pulse, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        strip(pulse, area, &mut buffer, &Theme::plain());
        let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(row).collect()
    }

    #[test]
    fn a_strip_shows_what_fits() {
        let mut pulse = Pulse::new();
        pulse.set_model(&ModelFacts { size_bytes: 4_700_000_000, kv_bytes_per_token: 1000, context_total: 32_768 });
        pulse.on_sample(&sample(&[50.0], 1));
        pulse.turn_started(1200, 0);
        for token in 0..=25 {
            pulse.tokens(1, 400 + 40 * token);
        }
        assert_eq!(drawn(&pulse, 20, 1), ["decode  25.0 tok/s"]);
        assert_eq!(
            drawn(&pulse, 80, 2),
            [
                "decode  25.0 tok/s  context  1,226 of 32,768   4 %                ██  cpu  50 %",
                "gpu  85 %  memory 12.1 of 33.6 GB  first token  0.40 s  model 4.7 GB",
            ]
        );
        assert_eq!(drawn(&Pulse::new(), 80, 3), ["", "", ""]);
    }

    #[test]
    fn a_small_piece_fills_the_room_that_a_large_one_left() {
        let lines = flow(["aaaa", "bbbbbb", "c"].map(|text| Line::from(text.to_owned())).to_vec(), 8, 2);
        let texts: Vec<_> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["aaaa  c", "bbbbbb"]);
    }
}
