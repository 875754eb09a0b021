//! Bars, gauges and rows, made of spans; nothing here knows where on the screen it goes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::figures;
use crate::tui::theme::{Role, Theme};

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// From here on a gauge warns.
const NEARLY_FULL: f64 = 0.9;

/// Bars of `values`, `rows` cells high, the newest at the right of `width` cells. `None` is a gap; the least of bars is
/// still seen. `ceiling` is as high as a bar goes.
pub fn bars(values: &[Option<f32>], ceiling: f32, width: usize, rows: usize) -> Vec<String> {
    let shown = &values[values.len().saturating_sub(width)..];
    let pad = width - shown.len();
    let full = 8 * rows;
    let height = |value: &Option<f32>| match value {
        None => 0,
        Some(value) => ((value / ceiling * full as f32).round() as usize).clamp(1, full.max(1)),
    };
    let heights: Vec<usize> = shown.iter().map(height).collect();
    (0..rows)
        .map(|row| {
            let below = 8 * (rows - 1 - row);
            let cells = heights.iter().map(|height| EIGHTHS[height.saturating_sub(below).min(8)]);
            std::iter::repeat_n(' ', pad).chain(cells).collect()
        })
        .collect()
}

/// The height of the tallest bar: a round number, so that it seldom changes.
pub fn ceiling(values: &[Option<f32>]) -> f32 {
    const ROUND: [f32; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
    let most = values.iter().flatten().copied().fold(0.0, f32::max);
    if most <= 0.0 || !most.is_finite() {
        return 1.0;
    }
    let power = 10_f32.powf(most.log10().floor());
    ROUND.into_iter().map(|round| round * power).find(|round| *round >= most).unwrap_or(10.0 * power)
}

/// One cell for each core of a machine; where there are more than cells, each cell is the mean of some.
pub fn cores(percents: &[f32], cells: usize) -> String {
    let each = percents.len().div_ceil(cells.max(1)).max(1);
    let mean = |some: &[f32]| some.iter().sum::<f32>() / some.len() as f32;
    let level = |percent: f32| EIGHTHS[1 + (percent / 100.0 * 7.0).round().clamp(0.0, 7.0) as usize];
    percents.chunks(each).map(|some| level(mean(some))).collect()
}

/// `━━━━━╸─────` of `width` cells, a part `share` of it filled.
pub fn gauge(share: f64, width: usize, theme: &Theme) -> Vec<Span<'static>> {
    let halves = ((share.clamp(0.0, 1.0) * 2.0 * width as f64).round() as usize).min(2 * width);
    let mut filled = "━".repeat(halves / 2);
    filled.push_str(if halves % 2 == 1 { "╸" } else { "" });
    let role = if share >= NEARLY_FULL { Role::Warning } else { Role::Gauge };
    let empty = "─".repeat(width - halves.div_ceil(2));
    vec![Span::styled(filled, theme.style(role)), Span::styled(empty, theme.style(Role::GaugeEmpty))]
}

/// A gauge with its share in percent behind it, `width` cells in all.
pub fn gauge_row(share: f64, width: usize, theme: &Theme) -> Line<'static> {
    let percent = figures::percent(share);
    let mut spans = gauge(share, width.saturating_sub(percent.len() + 1), theme);
    spans.push(Span::styled(format!(" {percent}"), theme.style(Role::Text)));
    Line::from(spans)
}

/// `label        value`, `width` cells in all; where there is no room for both, the value alone.
pub fn row(label: &str, value: &str, width: usize, theme: &Theme) -> Line<'static> {
    let room = width.saturating_sub(value.width());
    let value = Span::styled(value.to_owned(), theme.style(Role::Text));
    if room <= label.width() {
        return Line::from(vec![Span::raw(" ".repeat(room)), value]);
    }
    let pad = " ".repeat(room - label.width());
    Line::from(vec![Span::styled(label.to_owned(), theme.style(Role::Muted)), Span::raw(pad), value])
}

/// As much of `text` as `width` cells hold, with `…` where something is missing.
pub fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        // With room for the mark.
        if short.width() >= width {
            short.pop();
            break;
        }
    }
    if width > 0 {
        short.push('…');
    }
    short
}

/// Lines from the top of `area`, as far as it and the buffer go.
pub fn draw(lines: &[Line<'_>], area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        buffer.set_line(area.x, y, line, area.width);
    }
}

/// A line of one style.
pub fn line(text: String, style: Style) -> Line<'static> {
    Line::from(Span::styled(text, style))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spans: Vec<Span<'_>>) -> String {
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn bars_stand_at_the_right_and_gaps_stay_gaps() {
        let values = [Some(0.0), Some(50.0), None, Some(100.0)];
        assert_eq!(bars(&values, 100.0, 6, 1), ["  ▁▄ █"]);
        assert_eq!(bars(&values, 100.0, 2, 1), [" █"]);
        assert_eq!(bars(&values, 100.0, 4, 2), ["   █", "▁█ █"]);
        assert_eq!(bars(&values, 100.0, 4, 0), Vec::<String>::new());
        assert_eq!(bars(&values, 100.0, 0, 1), [""]);
    }

    #[test]
    fn the_tallest_bar_is_a_round_number() {
        let of = |most: f32| ceiling(&[Some(1.0), None, Some(most)]);
        assert_eq!([of(1.0), of(11.5), of(23.0), of(24.0), of(81.0)], [1.0, 12.0, 25.0, 25.0, 100.0]);
        assert_eq!((ceiling(&[]), ceiling(&[Some(f32::INFINITY)])), (1.0, 1.0));
    }

    #[test]
    fn many_cores_share_cells() {
        assert_eq!(cores(&[0.0, 50.0, 100.0], 8), "▁▅█");
        assert_eq!(cores(&[0.0, 100.0, 100.0, 100.0, 5.0], 3), "▅█▁");
        assert_eq!(cores(&[50.0; 128], 26).chars().count(), 26);
        assert_eq!(cores(&[], 3), "");
    }

    #[test]
    fn a_gauge_is_as_wide_as_it_should_be() {
        let theme = Theme::plain();
        let seen = [0.0, 0.26, 0.3, 1.0, 3.0, f64::NAN].map(|share| text(gauge(share, 5, &theme)));
        assert_eq!(seen, ["─────", "━╸───", "━╸───", "━━━━━", "━━━━━", "─────"]);
        assert_eq!(text(gauge_row(0.5, 10, &theme).spans), "━━──  50 %");
    }

    #[test]
    fn a_value_goes_before_its_label() {
        let theme = Theme::plain();
        assert_eq!(text(row("model", "4.7 GB", 14, &theme).spans), "model   4.7 GB");
        assert_eq!(text(row("model", "4.7 GB", 11, &theme).spans), "     4.7 GB");
        assert_eq!(text(row("model", "4.7 GB", 3, &theme).spans), "4.7 GB");
    }

    #[test]
    fn what_is_too_long_says_so() {
        assert_eq!(["abc", "abcd", "日本語"].map(|text| shortened(text, 3)), ["abc", "ab…", "日…"]);
        assert_eq!((shortened("abc", 0), shortened("abc", 1)), (String::new(), "…".to_owned()));
    }
}
