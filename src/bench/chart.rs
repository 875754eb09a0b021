//! Tokens a second over depth, drawn with characters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line};
use unicode_width::UnicodeWidthStr;

/// The characters that it is drawn with.
struct Characters {
    line: Marker,
    /// Dots of a line that a character has, across and down.
    dots: (usize, usize),
    /// Where something was measured; a kind a series.
    points: [char; 6],
    side: char,
    side_tick: char,
    corner: char,
    floor: char,
    floor_tick: char,
}

const BRAILLE: Characters = Characters {
    line: Marker::Braille,
    dots: (2, 4),
    points: ['●', '▲', '■', '◆', '○', '△'],
    side: '│',
    side_tick: '┤',
    corner: '└',
    floor: '─',
    floor_tick: '┬',
};
const ASCII: Characters = Characters {
    line: Marker::Custom('.'),
    dots: (1, 1),
    points: ['*', 'o', 'x', '#', '%', '@'],
    side: '|',
    side_tick: '+',
    corner: '+',
    floor: '-',
    floor_tick: '+',
};

/// A chart of `width` columns and `height` lines: above tokens a second from 0 on, to the right the depth. Of each series
/// its name and its points (depth, tokens a second) in the order of depth; a few series of one magnitude can be told
/// apart. `ascii` is for terminals that are not UTF-8. Without points it is empty; one that is too small for axes gets
/// larger than asked.
pub fn chart(series: &[(String, Vec<(f64, f64)>)], width: usize, height: usize, ascii: bool) -> String {
    let characters = if ascii { ASCII } else { BRAILLE };
    let sound = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite() && *x >= 0.0 && *y >= 0.0;
    let series: Vec<(&str, Vec<(f64, f64)>)> = series
        .iter()
        .map(|(name, points)| (name.as_str(), points.iter().filter(sound).copied().collect()))
        .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
        .collect();
    let points = || series.iter().flat_map(|(_, points)| points);
    if series.is_empty() {
        return String::new();
    }
    let legend = legend(&series, &characters, width);
    // The title, the axis and its numbers.
    let rows = height.saturating_sub(3 + legend.len()).clamp(4, 200);
    let y_axis = Axis::new(points().map(|point| point.1), rows / 3, 0.0, round_up);
    let rows = y_axis.whole_steps(rows);
    let margin = y_axis.labels().iter().map(String::len).max().unwrap_or(0) + 1;
    let columns = width.saturating_sub(margin + 1).clamp(16, 1000);
    // Depths are powers of two, as a rule, and so are the numbers below them.
    let binary = points().all(|point| point.0 % 64.0 == 0.0);
    let widest = points().map(|point| point.0).fold(0.0, f64::max).to_string().len();
    let step = if binary { |least: f64| least.log2().ceil().exp2() } else { round_up };
    let x_axis = Axis::new(points().map(|point| point.0), columns / (widest + 3), 1.0, step);
    let columns = x_axis.whole_steps(columns);

    let mut lines = vec![format!("{:margin$}tokens/s", "")];
    let y_labels: Vec<(usize, String)> =
        y_axis.places(rows, characters.dots.1).map(|row| rows - 1 - row).zip(y_axis.labels()).collect();
    for (row, cells) in plot(&series, &x_axis, &y_axis, columns, rows, &characters).into_iter().enumerate() {
        let line = match y_labels.iter().find(|(at, _)| *at == row) {
            Some((_, label)) => format!("{label:>width$} {}{cells}", characters.side_tick, width = margin - 1),
            None => format!("{:margin$}{}{cells}", "", characters.side),
        };
        lines.push(line);
    }
    let (floor, numbers) = floor(&x_axis, columns, &characters);
    lines.push(format!("{:margin$}{}{floor}", "", characters.corner));
    lines.push(format!("{:margin$} {numbers}", ""));
    let what = |line: &str| format!("{:>width$}", "depth", width = columns.saturating_sub(line.width()).max(8));
    let legend =
        legend.iter().enumerate().map(|(at, line)| if at == 0 { line.clone() + &what(line) } else { line.clone() });
    lines.extend(legend.map(|line| format!("{:margin$} {line}", "")));
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// From 0 to a round number, in round steps.
struct Axis {
    step: f64,
    steps: usize,
}

impl Axis {
    /// Up to the largest of `values`, in `most` steps or fewer, each what `round` makes of it.
    fn new(values: impl Iterator<Item = f64>, most: usize, least: f64, round: fn(f64) -> f64) -> Axis {
        let max = values.fold(0.0, f64::max);
        let max = if max > 0.0 { max } else { 1.0 };
        let step = round(max / most.clamp(1, 6) as f64).max(least);
        Axis { step, steps: (max / step - 1e-9).ceil().max(1.0) as usize }
    }

    /// As many of `cells` as have all ticks the same distance apart.
    fn whole_steps(&self, cells: usize) -> usize {
        ((cells - 1) / self.steps).max(1) * self.steps + 1
    }

    fn end(&self) -> f64 {
        self.step * self.steps as f64
    }

    /// In which of `cells` the dot of `value` is, if each has `dots`.
    fn place(&self, value: f64, cells: usize, dots: usize) -> usize {
        (value / self.end() * (cells * dots - 1) as f64).round() as usize / dots
    }

    /// Of each tick.
    fn places(&self, cells: usize, dots: usize) -> impl Iterator<Item = usize> {
        (0..=self.steps).map(move |tick| self.place(tick as f64 * self.step, cells, dots))
    }

    fn labels(&self) -> Vec<String> {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        (0..=self.steps).map(|tick| format!("{:.decimals$}", tick as f64 * self.step)).collect()
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.map(|step| step * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// The lines between the points and the points, row by row.
fn plot(
    series: &[(&str, Vec<(f64, f64)>)],
    x_axis: &Axis,
    y_axis: &Axis,
    columns: usize,
    rows: usize,
    characters: &Characters,
) -> Vec<String> {
    let area = Rect::new(0, 0, columns as u16, rows as u16);
    let mut buffer = Buffer::empty(area);
    let canvas = Canvas::default().x_bounds([0.0, x_axis.end()]).y_bounds([0.0, y_axis.end()]).marker(characters.line);
    let lines = series.iter().flat_map(|(_, points)| points.windows(2));
    let painted = canvas.paint(|context| {
        for pair in lines.clone() {
            let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
            context.draw(&Line { x1, y1, x2, y2, color: Color::Reset });
        }
    });
    painted.render(area, &mut buffer);
    for ((_, points), mark) in series.iter().zip(characters.points.iter().cycle()) {
        for (x, y) in points {
            let column = x_axis.place(*x, columns, characters.dots.0);
            let row = rows - 1 - y_axis.place(*y, rows, characters.dots.1);
            buffer[(column as u16, row as u16)].set_char(*mark);
        }
    }
    let cell = |column, row| buffer[(column as u16, row as u16)].symbol();
    (0..rows).map(|row| (0..columns).map(|column| cell(column, row)).collect()).collect()
}

/// The horizontal axis and the numbers below it.
fn floor(axis: &Axis, columns: usize, characters: &Characters) -> (String, String) {
    let mut line = vec![characters.floor; columns];
    let mut numbers = String::new();
    for (column, label) in axis.places(columns, characters.dots.0).zip(axis.labels()) {
        line[column] = characters.floor_tick;
        // In the middle below the tick, but not over the ends.
        let start = column.saturating_sub(label.len() / 2).min(columns.saturating_sub(label.len()));
        let gap = start.saturating_sub(numbers.len());
        if numbers.is_empty() || gap > 0 {
            numbers += &format!("{:gap$}{label}", "");
        }
    }
    (line.into_iter().collect(), numbers)
}

/// The series' points and names, as many a line as fit.
fn legend(series: &[(&str, Vec<(f64, f64)>)], characters: &Characters, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for ((name, _), mark) in series.iter().zip(characters.points.iter().cycle()) {
        let entry = format!("{mark} {name}");
        match lines.last_mut() {
            Some(line) if line.width() + entry.width() + 12 <= width => *line += &format!("   {entry}"),
            _ => lines.push(entry),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Vec<(String, Vec<(f64, f64)>)> {
        let decode = [(0.0, 31.5), (2048.0, 24.0), (4096.0, 19.2), (8192.0, 13.0)];
        let old = [(0.0, 28.0), (4096.0, 12.5), (8192.0, 6.0)];
        vec![("tg128".to_owned(), decode.to_vec()), ("tg128 before".to_owned(), old.to_vec())]
    }

    #[test]
    fn series_are_told_apart_by_their_points() {
        let expected = "
   tokens/s
40 ┤
   │●
   │▲⠉⠉⠒⠢⠤⢄⣀
   │ ⠉⠉⠒⠒⠤⠤⣀⡉⠑⠒⠢●⠤⣀⣀⣀
20 ┤        ⠈⠉⠑⠒⠢⠤⢄⣀⡀⠉⠉⠉⠒⠒⠒⠤●⠤⠤⣀⣀⣀⣀
   │                ⠈⠉⠒⠒⠤⠤⣀⣀       ⠉⠉⠉⠉⠒⠒⠒⠒⠤⠤⠤⠤⣀⣀⣀⣀
   │                        ▲⠉⠉⠒⠒⠒⠒⠤⠤⠤⠤⣀⣀⣀⣀        ⠉●
   │                                       ⠉⠉⠉⠉⠒⠒⠒⠒⠤▲
 0 ┤
   └┬───────────┬───────────┬───────────┬───────────┬
    0         2048        4096        6144       8192
    ● tg128   ▲ tg128 before                    depth
";
        assert_eq!(format!("\n{}", chart(&series(), 56, 14, false)), expected);
    }

    #[test]
    fn without_utf_8_it_is_plain_ascii() {
        let expected = "
   tokens/s
40 +
   |
   |o....
   |   .....*....
20 +       ....  ...*........
   |           .... o        .......*
   |               ..........
   |                         .......o
 0 +
   ++-------+-------+-------+-------+
    0     2048    4096    6144   8192
    * tg128   o tg128 before    depth
";
        assert_eq!(format!("\n{}", chart(&series(), 40, 14, true)), expected);
    }

    #[test]
    fn small_numbers_and_odd_depths_have_round_ticks_too() {
        let expected = "
     tokens/s
0.04 ┤
     │●⠑⠒⠒⠤⠤⢄⣀⣀
     │         ⠉⠉⠑⠒⠒⠤⠤⢄⣀⣀
0.02 ┤                   ⠉⠉⠉⠒⠒⠢⠤⠤⣀⣀⡀
     │                             ⠈⠉⠉⠒⠒⠢⠤⠤⣀⣀⡀
     │                                       ⠈●
0.00 ┤
     └┬───────┬───────┬───────┬───────┬───────┬
      0      100     200     300     400    500
      ● a                                 depth
";
        let series = [("a".to_owned(), vec![(0.0, 0.034), (500.0, 0.01)])];
        assert_eq!(format!("\n{}", chart(&series, 50, 12, false)), expected);
    }

    #[test]
    fn whatever_is_asked_for_is_drawn_or_left_out() {
        assert_eq!(chart(&[], 80, 20, false), "");
        assert_eq!(
            chart(&[("a".to_owned(), vec![(0.0, f64::NAN), (f64::INFINITY, 1.0), (1.0, -1.0)])], 80, 20, false),
            ""
        );
        for series in [vec![(0.0, 0.0)], vec![(0.0, 1e9), (131_072.0, 1e-9)], vec![(64.0, 5.0)]] {
            for (width, height) in [(0, 0), (1, 1), (30, 5), (79, 24), (100_000, 100_000)] {
                for ascii in [false, true] {
                    let text = chart(&[("a".to_owned(), series.clone())], width, height, ascii);
                    assert!(text.lines().count() <= height.max(8), "{height}\n{text}");
                    assert!(text.lines().all(|line| line.width() <= width.max(32)), "{width}\n{text}");
                    assert_eq!(text.is_ascii(), ascii);
                }
            }
        }
    }
}
