//! The machine as it is shown.

use ratatui::text::{Line, Span};

use super::steady::{steady_bytes, steady_option};
use super::{figures, glyphs};
use crate::monitor::{GpuSample, Sample};
use crate::neutralize::neutralize;
use crate::tui::theme::{Role, Theme};

const PERCENT_STEP: f32 = 5.0;
/// Of a single core, which has eight heights.
const CORE_STEP: f32 = 12.5;
const DEGREE_STEP: f32 = 2.0;
const WATT_STEP: f32 = 5.0;
/// More cards than these have a line each.
const CARDS_IN_FULL: usize = 2;

/// What was last seen of the machine, standing still where it only flickers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    cores: Vec<f32>,
    cpu_percent: Option<f32>,
    /// Used and total bytes.
    memory: Option<(u64, u64)>,
    gpus: Vec<GpuSample>,
    resident_bytes: Option<u64>,
}

impl Machine {
    /// Whether it looks different now.
    pub fn update(&mut self, sample: &Sample) -> bool {
        let before = self.clone();
        let cores = sample.cpu_percent.iter().enumerate();
        let of_core = |(core, percent): (usize, &f32)| {
            steady_option(before.cores.get(core).copied(), Some(*percent), CORE_STEP).unwrap_or(0.0)
        };
        self.cores = cores.map(of_core).collect();
        let mean = sample.cpu_percent.iter().sum::<f32>() / sample.cpu_percent.len() as f32;
        self.cpu_percent = steady_option(before.cpu_percent, Some(mean), PERCENT_STEP);
        let total = sample.memory.total_bytes;
        let used = total.saturating_sub(sample.memory.available_bytes);
        self.memory = (total > 0).then(|| (steady_bytes(before.memory.map(|(used, _)| used), used, total), total));
        self.resident_bytes = Some(steady_bytes(before.resident_bytes, sample.process.resident_bytes, total));
        let gpus = sample.gpus.iter().enumerate();
        self.gpus = gpus.map(|(at, gpu)| steady_gpu(before.gpus.get(at), gpu)).collect();
        *self != before
    }

    /// `cpu ▁▂▁█  35 %`, in one line where the cores have room beside, else in up to three.
    pub fn cpu_lines(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let Some(percent) = self.cpu_percent else { return Vec::new() };
        let percent = figures::percent(f64::from(percent) / 100.0);
        let beside = width.saturating_sub("cpu ".len() + percent.len() + 1);
        if self.cores.len() <= beside {
            let cells = glyphs::cores(&self.cores, beside);
            let pad = " ".repeat(beside - self.cores.len() + 1);
            return vec![Line::from(vec![
                Span::styled("cpu ", theme.style(Role::Muted)),
                Span::styled(cells, theme.style(Role::Gauge)),
                Span::styled(format!("{pad}{percent}"), theme.style(Role::Text)),
            ])];
        }
        let mut lines = vec![glyphs::row("cpu", &percent, width, theme)];
        let rows = if self.cores.len() <= width { 1 } else { 2 };
        let cells: Vec<char> = glyphs::cores(&self.cores, rows * width).chars().collect();
        let row = |row: &[char]| glyphs::line(row.iter().collect(), theme.style(Role::Gauge));
        lines.extend(cells.chunks(width.max(1)).map(row));
        lines
    }

    /// `cpu  35 %`.
    pub fn cpu_brief(&self, theme: &Theme) -> Option<Line<'static>> {
        let percent = figures::percent(f64::from(self.cpu_percent?) / 100.0);
        Some(brief("cpu", &percent, theme))
    }

    /// `memory   12.1 of 33.6 GB`.
    pub fn memory_line(&self, width: usize, theme: &Theme) -> Option<Line<'static>> {
        let (used, total) = self.memory?;
        Some(glyphs::row("memory", &figures::used_of(used, total), width, theme))
    }

    pub fn memory_gauge(&self, width: usize, theme: &Theme) -> Option<Line<'static>> {
        let (used, total) = self.memory?;
        Some(glyphs::gauge_row(used as f64 / total as f64, width, theme))
    }

    pub fn memory_brief(&self, theme: &Theme) -> Option<Line<'static>> {
        let (used, total) = self.memory?;
        Some(brief("memory", &figures::used_of(used, total), theme))
    }

    /// Of this program.
    pub fn resident_line(&self, width: usize, theme: &Theme) -> Option<Line<'static>> {
        Some(glyphs::row("this oai", &crate::units::bytes(self.resident_bytes?), width, theme))
    }

    /// The lines of each card, the most important first.
    pub fn gpu_lines(&self, width: usize, theme: &Theme) -> Vec<Vec<Line<'static>>> {
        if self.gpus.len() > CARDS_IN_FULL {
            let in_short = |(index, gpu): (usize, &GpuSample)| vec![in_short(&index.to_string(), gpu, width, theme)];
            return self.gpus.iter().enumerate().map(in_short).collect();
        }
        self.gpus.iter().map(|gpu| in_full(gpu, width, theme)).collect()
    }

    /// A line for each card.
    pub fn gpu_rows(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        self.gpus.iter().map(|gpu| in_short(&neutralize(&gpu.name), gpu, width, theme)).collect()
    }

    /// `gpu  85 %` of each card, then what else is known of each.
    pub fn gpu_briefs(&self, theme: &Theme) -> (Vec<Line<'static>>, Vec<Line<'static>>) {
        let load = |gpu: &GpuSample| Some(brief("gpu", &load(gpu)?, theme));
        let details = |gpu: &GpuSample| {
            let details = details(gpu);
            (!details.is_empty()).then(|| brief("gpu", &details.join("  "), theme))
        };
        (self.gpus.iter().filter_map(load).collect(), self.gpus.iter().filter_map(details).collect())
    }
}

fn steady_gpu(before: Option<&GpuSample>, gpu: &GpuSample) -> GpuSample {
    // Cards do not change places, but a line that was another's would hold on to its numbers.
    let before = before.filter(|before| before.name == gpu.name);
    let step = |part: fn(&GpuSample) -> Option<f32>, step| steady_option(before.and_then(part), part(gpu), step);
    let used = gpu.memory_used_bytes.zip(gpu.memory_total_bytes);
    let used = used.map(|(used, total)| steady_bytes(before.and_then(|gpu| gpu.memory_used_bytes), used, total));
    GpuSample {
        name: gpu.name.clone(),
        utilisation_percent: step(|gpu| gpu.utilisation_percent, PERCENT_STEP),
        memory_used_bytes: used.or(gpu.memory_used_bytes),
        memory_total_bytes: gpu.memory_total_bytes,
        temperature_c: step(|gpu| gpu.temperature_c, DEGREE_STEP),
        power_w: step(|gpu| gpu.power_w, WATT_STEP),
    }
}

fn brief(label: &str, value: &str, theme: &Theme) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{label} "), theme.style(Role::Muted)),
        Span::styled(value.to_owned(), theme.style(Role::Text)),
    ])
}

fn load(gpu: &GpuSample) -> Option<String> {
    gpu.utilisation_percent.map(|percent| figures::percent(f64::from(percent) / 100.0))
}

fn memory(gpu: &GpuSample) -> Option<String> {
    match (gpu.memory_used_bytes, gpu.memory_total_bytes) {
        (Some(used), Some(total)) => Some(figures::used_of(used, total)),
        (Some(used), None) => Some(crate::units::bytes(used)),
        _ => None,
    }
}

fn warmth(gpu: &GpuSample) -> Option<String> {
    gpu.temperature_c.map(|degrees| format!("{degrees:>3.0} °C"))
}

fn power(gpu: &GpuSample) -> Option<String> {
    gpu.power_w.map(|watts| format!("{watts:>4.0} W"))
}

/// All but the load.
fn details(gpu: &GpuSample) -> Vec<String> {
    [memory(gpu), warmth(gpu), power(gpu)].into_iter().flatten().collect()
}

fn in_full(gpu: &GpuSample, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let load = load(gpu).unwrap_or_default();
    let name = glyphs::shortened(&neutralize(&gpu.name), width.saturating_sub(load.len() + 1));
    let mut lines = vec![glyphs::row(&name, &load, width, theme)];
    if let Some(memory) = memory(gpu) {
        lines.push(glyphs::row("  memory", &memory, width, theme));
    }
    let rest: Vec<String> = [warmth(gpu), power(gpu)].into_iter().flatten().collect();
    if !rest.is_empty() {
        lines.push(glyphs::row("", &rest.join("  "), width, theme));
    }
    lines
}

/// What fits of a card into one line.
fn in_short(label: &str, gpu: &GpuSample, width: usize, theme: &Theme) -> Line<'static> {
    let mut value = String::new();
    for part in load(gpu).into_iter().chain(details(gpu)) {
        let gap = if value.is_empty() { "" } else { "  " };
        if value.chars().count() + gap.len() + part.chars().count() + 2 > width {
            break;
        }
        value.push_str(gap);
        value.push_str(&part);
    }
    let room = width.saturating_sub(value.chars().count() + 1);
    glyphs::row(&glyphs::shortened(label, room), &value, width, theme)
}

/// A sample for tests.
#[cfg(test)]
pub fn sample(cores: &[f32], gpus: usize) -> Sample {
    let gpu = GpuSample {
        name: "NVIDIA H200\u{1b}[2J".to_owned(),
        utilisation_percent: Some(85.0),
        memory_used_bytes: Some(62_100_000_000),
        memory_total_bytes: Some(150_000_000_000),
        temperature_c: Some(64.0),
        power_w: Some(312.0),
    };
    Sample {
        cpu_percent: cores.to_vec(),
        memory: crate::monitor::Memory { total_bytes: 33_600_000_000, available_bytes: 21_500_000_000, limited: false },
        process: crate::monitor::ProcessSample { cpu_percent: 395.0, resident_bytes: 5_100_000_000 },
        gpus: vec![gpu; gpus],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_machine_that_only_flickers_looks_the_same() {
        let mut machine = Machine::default();
        assert!(machine.update(&sample(&[1.0, 3.0], 1)));
        let mut other = sample(&[3.0, 0.0], 1);
        other.memory.available_bytes -= 100_000_000;
        other.process.resident_bytes += 1_000_000;
        other.gpus[0].temperature_c = Some(65.0);
        other.gpus[0].power_w = Some(309.0);
        assert!(!machine.update(&other));
        assert!(machine.update(&sample(&[60.0, 0.0], 1)));
    }

    #[test]
    fn cores_take_the_lines_that_they_need() {
        let theme = Theme::plain();
        let lines = |cores: usize| {
            let mut machine = Machine::default();
            machine.update(&sample(&vec![50.0; cores], 0));
            texts(&machine.cpu_lines(26, &theme))
        };
        assert_eq!(lines(4), ["cpu ▅▅▅▅              50 %"]);
        assert_eq!(lines(20), ["cpu                   50 %", "▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅"]);
        assert_eq!(lines(500).len(), 3);
        assert!(lines(500).iter().all(|line| line.chars().count() <= 26));
        assert_eq!(lines(0), Vec::<String>::new(), "of no core there is no load");
    }

    #[test]
    fn cards_say_what_they_know() {
        let theme = Theme::plain();
        let mut machine = Machine::default();
        machine.update(&sample(&[1.0], 1));
        let full = ["NVIDIA H200␛[2J       85 %", "  memory  62.1 of 150.0 GB", "              64 °C   310 W"];
        assert_eq!(texts(&machine.gpu_lines(27, &theme)[0])[2].trim(), full[2].trim());
        assert_eq!(texts(&machine.gpu_lines(26, &theme)[0])[..2], full[..2]);
        machine.update(&sample(&[1.0], 8));
        let short = machine.gpu_lines(40, &theme);
        assert_eq!((short.len(), short[7].len()), (8, 1));
        assert_eq!(texts(&short[7]), ["7        85 %   62.1 of 150.0 GB   64 °C"]);
        let mut unknown = sample(&[1.0], 1);
        unknown.gpus[0] = GpuSample {
            name: "Intel 0x46a6".to_owned(),
            utilisation_percent: None,
            memory_used_bytes: None,
            memory_total_bytes: None,
            temperature_c: None,
            power_w: None,
        };
        machine.update(&unknown);
        assert_eq!(texts(&machine.gpu_lines(26, &theme)[0]), ["Intel 0x46a6              "]);
    }
}
