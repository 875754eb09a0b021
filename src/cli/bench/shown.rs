//! Results as people and programs read them.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Map, Value};

use crate::bench::chart::chart;
use crate::bench::endpoint::EndpointRow;
use crate::bench::{Row, Setting, standard_deviation};
use crate::cli::output;
use crate::config::Settings;

/// A chart's size where it is not a terminal's.
const CHART: (usize, usize) = (78, 16);

/// A model on a number of threads with a type of cache.
pub struct Run {
    pub name: String,
    /// The name, short enough for a column.
    pub shown: String,
    pub path: Option<String>,
    pub setting: Setting,
}

pub enum Measured {
    Local {
        /// Of [`Results::runs`].
        run: usize,
        row: Row,
    },
    Server {
        model: String,
        url: String,
        row: EndpointRow,
    },
}

pub struct Results {
    pub runs: Vec<Run>,
    /// In the order in which they were measured.
    pub rows: Vec<Measured>,
}

impl Results {
    /// An object a row: what it ran on and what it came to.
    pub fn objects(&self) -> Result<Vec<Map<String, Value>>> {
        self.rows.iter().map(|row| self.object(row)).collect()
    }

    fn object(&self, measured: &Measured) -> Result<Map<String, Value>> {
        let mut object = Map::new();
        match measured {
            Measured::Local { run, row } => {
                let run = &self.runs[*run];
                object.insert("model".to_owned(), run.name.clone().into());
                object.insert("path".to_owned(), run.path.clone().into());
                for part in [serde_json::to_value(&run.setting)?, serde_json::to_value(row)?] {
                    object.extend(part.as_object().cloned().unwrap_or_default());
                }
                let warnings = [&run.setting.warnings[..], &row.warnings[..]].concat();
                object.insert("warnings".to_owned(), warnings.into());
            }
            Measured::Server { model, url, row } => {
                object.insert("model".to_owned(), model.clone().into());
                object.insert("endpoint".to_owned(), url.clone().into());
                object.extend(serde_json::to_value(row)?.as_object().cloned().unwrap_or_default());
            }
        }
        Ok(object)
    }

    /// What makes numbers doubtful, each once; those of a test after its name.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.runs.iter().flat_map(|run| run.setting.warnings.clone()).collect();
        for measured in &self.rows {
            match measured {
                Measured::Local { run, row } => {
                    let name = self.name(*run, row, &row.test);
                    warnings.extend(row.warnings.iter().map(|warning| format!("{name}: {warning}")));
                }
                Measured::Server { model, row, .. } => {
                    let failed = row.error.iter().map(|error| format!("{} requests failed: {error}", row.errors));
                    let notes = failed.chain(row.notes.iter().cloned());
                    warnings.extend(notes.map(|note| format!("{model}, {}: {note}", row.test)));
                }
            }
        }
        let mut seen = BTreeSet::new();
        warnings.retain(|warning| seen.insert(warning.clone()));
        warnings
    }

    /// `test`, the name of `row`'s test, with what tells it from those of other runs.
    fn name(&self, run: usize, row: &Row, test: &str) -> String {
        let of = &self.runs[run];
        let differ = |one: &dyn Fn(&Run) -> String| self.runs.iter().any(|run| one(run) != one(of));
        let parts = [
            differ(&|run| run.name.clone()).then(|| of.shown.clone()),
            Some(test.to_owned()),
            batch_of(row).filter(|_| self.has_batches()).map(|batch| format!("batch {batch}")),
            differ(&|run| run.setting.threads.to_string()).then(|| counted(of.setting.threads)),
            differ(&|run| run.setting.kv_type.clone()).then(|| format!("{} cache", of.setting.kv_type)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Whether prompts come in several sizes of batches.
    fn has_batches(&self) -> bool {
        let local = self.rows.iter().filter_map(|measured| match measured {
            Measured::Local { row, .. } => batch_of(row),
            Measured::Server { .. } => None,
        });
        local.collect::<BTreeSet<usize>>().len() > 1
    }

    /// Heads and rows of a table; without `all` those columns are left out that are the same in all rows and that the
    /// lines above the table tell.
    pub fn cells(&self, all: bool) -> Vec<Vec<String>> {
        let with_server = self.rows.iter().any(|row| matches!(row, Measured::Server { .. }));
        let limit = if with_server { "OF LIMIT, OR LATENCY" } else { "OF LIMIT" };
        let heads = ["MODEL", "TYPE", "SIZE", "THREADS", "KV", "BATCH", "TEST", "TOKENS/S", limit];
        let mut rows: Vec<[String; 9]> = Vec::new();
        for measured in &self.rows {
            match measured {
                Measured::Local { run, row } => rows.push(local(&self.runs[*run], row)),
                Measured::Server { model, url, row } => rows.extend(server(model, url, row)),
            }
        }
        let differs = |column: usize| rows.iter().any(|row| row[column] != rows[0][column]);
        let shown: Vec<usize> = (0..heads.len())
            .filter(|column| match column {
                6.. => true,
                _ if all => true,
                1 | 2 => false,
                5 => self.has_batches(),
                // Servers have no threads that we know of.
                3 | 4 => self.runs.len() > 1 && differs(*column),
                _ => differs(*column),
            })
            .collect();
        let chosen = |row: &[String; 9]| shown.iter().map(|column| output::neutralize(&row[*column])).collect();
        std::iter::once(&heads.map(str::to_owned)).chain(&rows).map(chosen).collect()
    }

    /// What it ran on, and a table.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, run) in self.runs.iter().enumerate() {
            let Setting { quantization, size_bytes, parameters, threads, kv_type, .. } = &run.setting;
            let (size, parameters) = (output::bytes(*size_bytes), output::count(*parameters));
            text += &format!("{}: {quantization}, {size}, {parameters} parameters", run.shown);
            text += &format!("; {}, {kv_type} cache\n", counted(*threads));
            text += &format!("  load {}", time(run.setting.load_ms));
            let Setting { first_token_prompt, first_token_warm_ms, first_token_cold_ms, .. } = run.setting;
            if let (Some(prompt), Some(warm), Some(cold)) =
                (first_token_prompt, first_token_warm_ms, first_token_cold_ms)
            {
                text += &format!("; first token after {prompt}: {} warm, {} cold", time(warm), time(cold));
            }
            let peaks = self.rows.iter().filter_map(|row| match row {
                Measured::Local { run, row } if *run == index => row.peak_rss_bytes,
                _ => None,
            });
            text += &peaks.max().map_or(String::new(), |bytes| format!("; memory {}", output::bytes(bytes)));
            text += "\n";
        }
        if let Some(Run { setting, .. }) = self.runs.first() {
            let cores = setting.cores.map(|cores| format!("{cores} cores"));
            let parts = [setting.cpu.clone(), cores, Some(setting.kernels.clone())];
            let machine = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            text += &format!("{machine}; oai {} ({})\n\n", setting.version, setting.build);
        }
        text.lines().map(|line| output::neutralize(line) + "\n").collect::<String>()
            + &output::table(&self.cells(false))
    }

    /// Tokens a second over the depth: a chart for prefill, one for decode and one for both, as far as they were measured.
    pub fn charts(&self, settings: &Settings) -> String {
        // The first that is set counts.
        let locale = settings.surrounding(&["LC_ALL", "LC_CTYPE", "LANG"]).map(|(_, locale)| locale.to_lowercase());
        let utf8 = locale.map_or(cfg!(any(windows, target_os = "macos")), |locale| {
            locale.ends_with("utf-8") || locale.ends_with("utf8")
        });
        let width = terminal_size::terminal_size().filter(|_| output::stdout_is_terminal());
        let width = width.map_or(CHART.0, |(columns, _)| usize::from(columns.0).min(120) - 1);
        let mut charts = String::new();
        for kind in [(true, false), (false, true), (true, true)] {
            let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
            for measured in &self.rows {
                let Measured::Local { run, row } = measured else { continue };
                if (row.n_prompt > 0, row.n_gen > 0) != kind {
                    continue;
                }
                let test = row.test.split(" @ ").next().unwrap_or(&row.test);
                let (name, point) = (self.name(*run, row, test), (row.depth as f64, row.tokens_per_s));
                match series.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, points)) => points.push(point),
                    None => series.push((name, vec![point])),
                }
            }
            series.iter_mut().for_each(|(_, points)| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
            let series: Vec<_> = series.into_iter().map(|(name, points)| (output::neutralize(&name), points)).collect();
            if !series.is_empty() {
                charts += &format!("\n{}", chart(&series, width, CHART.1, !utf8));
            }
        }
        charts
    }
}

/// In what its prompt comes, if it has one.
fn batch_of(row: &Row) -> Option<usize> {
    (row.n_prompt > 0).then_some(row.batch)
}

fn local(run: &Run, row: &Row) -> [String; 9] {
    let Setting { quantization, size_bytes, threads, kv_type, .. } = &run.setting;
    [
        run.shown.clone(),
        quantization.clone(),
        output::bytes(*size_bytes),
        threads.to_string(),
        kv_type.clone(),
        batch_of(row).map_or(String::new(), |batch| batch.to_string()),
        row.test.clone(),
        rate(row.tokens_per_s, row.stddev),
        limit(row),
    ]
}

/// Prefill and decode as if they were tests of their own, and what all streams come to where there are several.
fn server(model: &str, url: &str, row: &EndpointRow) -> Vec<[String; 9]> {
    let model = format!("{model} at {}", url.trim_start_matches("http://").trim_start_matches("https://"));
    let line = |test: String, rate: String, last: String| {
        let empty = String::new;
        [model.clone(), empty(), empty(), empty(), empty(), empty(), test, rate, last]
    };
    let streams = if row.concurrency > 1 { format!(" x{}", row.concurrency) } else { String::new() };
    let some =
        |mean: Option<f64>, samples: &[f64]| mean.map_or("-".to_owned(), |n| rate(n, standard_deviation(samples)));
    let prefill = some(row.prefill_tokens_per_s, &row.samples_prefill_tokens_per_s);
    let latency = format!("{} to the first, p95 {}", time(row.ttft_ms_p50), time(row.ttft_ms_p95));
    let gaps = row.inter_token_ms_p50.zip(row.inter_token_ms_p99);
    let gaps = gaps.map_or(String::new(), |(p50, p99)| format!("{} a token, p99 {}", time(p50), time(p99)));
    let mut lines = vec![
        line(format!("pp{}{streams}", row.n_prompt), prefill, latency),
        line(
            format!("tg{} @ d{}{streams}", row.n_gen, row.n_prompt),
            some(row.tokens_per_s, &row.samples_tokens_per_s),
            gaps,
        ),
    ];
    if row.concurrency > 1 {
        let total = row.total_tokens_per_s.map_or(String::new(), |total| format!("{total:.2} with the prompts"));
        lines.push(line(format!("together{streams}"), format!("{:.2}", row.generated_tokens_per_s), total));
    }
    lines
}

/// `1 thread`, `8 threads`.
fn counted(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

fn rate(mean: f64, standard_deviation: f64) -> String {
    format!("{mean:.2} ± {standard_deviation:.2}")
}

/// `72 % of 31.4 GB/s` of decode, `54 % of 1.97 Top/s` of prefill.
fn limit(row: &Row) -> String {
    let decode = row.bandwidth_share.zip(row.bandwidth_bytes_per_s);
    let prefill = row.peak_share.zip(row.peak_operations_per_s);
    match (decode, prefill) {
        (Some((share, bandwidth)), _) => format!("{:.0} % of {:.1} GB/s", 100.0 * share, bandwidth / 1e9),
        (_, Some((share, peak))) => format!("{:.0} % of {:.2} Top/s", 100.0 * share, peak / 1e12),
        _ => String::new(),
    }
}

/// `4.21 ms`, `870 ms`, `12.3 s`.
fn time(ms: f64) -> String {
    match ms {
        ..1000.0 => format!("{} ms", three_digits(ms)),
        _ => format!("{} s", three_digits(ms / 1000.0)),
    }
}

fn three_digits(n: f64) -> String {
    match n {
        ..10.0 => format!("{n:.2}"),
        ..100.0 => format!("{n:.1}"),
        _ => format!("{n:.0}"),
    }
}

/// A head and a line a row, of all that any row has; what is several values is divided by semicolons
/// (<https://www.rfc-editor.org/rfc/rfc4180>).
pub fn csv(rows: &[Map<String, Value>]) -> String {
    let mut heads: Vec<&str> = Vec::new();
    for key in rows.iter().flat_map(Map::keys) {
        if !heads.contains(&key.as_str()) {
            heads.push(key);
        }
    }
    let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
    let cells =
        |row: &Map<String, Value>| heads.iter().map(|head| row.get(*head).map_or(String::new(), plain)).collect();
    line(heads.iter().map(|head| (*head).to_owned()).collect())
        + &rows.iter().map(|row| line(cells(row))).collect::<String>()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => output::neutralize(text),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

/// Heads and rows as Markdown; columns of numbers to the right.
pub fn markdown(cells: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let Some((heads, rows)) = cells.split_first() else { return String::new() };
    let is_number = |head: &String| ["SIZE", "THREADS", "BATCH", "TOKENS/S"].contains(&head.as_str());
    let rule: Vec<String> = heads.iter().map(|head| if is_number(head) { "---:" } else { "---" }.to_owned()).collect();
    line(heads) + &line(&rule) + &rows.iter().map(|row| line(row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_their_form_needs_it() {
        let row = |json: Value| json.as_object().unwrap().clone();
        let rows = [
            row(serde_json::json!({ "model": "a,\"b\"", "samples": [1.5, 2], "path": null })),
            row(serde_json::json!({ "model": "c", "endpoint": "http://x" })),
        ];
        assert_eq!(csv(&rows), "model,samples,path,endpoint\n\"a,\"\"b\"\"\",1.5;2,,\nc,,,http://x\n");
        let cells = [vec!["MODEL".to_owned(), "TOKENS/S".to_owned()], vec!["a|b".to_owned(), "1 ± 0".to_owned()]];
        assert_eq!(markdown(&cells), "| MODEL | TOKENS/S |\n| --- | ---: |\n| a\\|b | 1 ± 0 |\n");
    }

    #[test]
    fn times_have_three_digits() {
        let times = [0.0421, 4.2, 42.12, 870.4, 1234.0, 98_765.0, 250_000.0].map(time);
        assert_eq!(times, ["0.04 ms", "4.20 ms", "42.1 ms", "870 ms", "1.23 s", "98.8 s", "250 s"]);
    }
}
