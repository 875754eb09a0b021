//! `oai search`: models by words, the short names' and the hub's.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::{model, output};
use crate::config::Settings;
use crate::hub::{self, Alias, Found, ModelRef, Names, Order, Search, Weights};
use crate::model::{decoder, encoder};

/// Find models: short names first, then the hub's repositories
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every word must be in a repository's name; of a short name, what the model is good for counts too.\nSizes are parameters, downloads those of the last 30 days. RUNS says whether oai runs the\narchitecture.\n\nExamples:\n  oai search qwen3 8b\n  oai search --gguf --sort recent mistral\n  oai search --offline code\n  oai search granite --json | jq -r '.[] | select(.runs).name'"
)]
pub struct Args {
    /// Words to look for
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Show at most N short names and N repositories
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=hub::MOST as i64))]
    limit: u16,
    /// What comes first
    #[arg(long, value_enum, default_value_t = Sort::Downloads)]
    sort: Sort,
    /// Only repositories with GGUF files
    #[arg(long)]
    gguf: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Downloads,
    Likes,
    Recent,
}

/// A line of the answer.
#[derive(Default)]
struct Row {
    name: String,
    repo: Option<String>,
    size: Option<String>,
    license: Option<String>,
    gated: bool,
    downloads: Option<u64>,
    likes: Option<u64>,
    modified: Option<String>,
    /// None where the architecture is not known.
    runs: Option<bool>,
    /// What stands in the way, or what it is.
    architecture: Option<String>,
    note: String,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let words = args.words.join(" ");
    let wanted: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let names = model::names(settings)?;
    let mut rows = short_names(&names, &wanted, args);
    let hub = model::hub_settings(settings);
    if hub.offline {
        output::note("oai: offline: only short names were searched");
    } else {
        let order = match args.sort {
            Sort::Downloads => Order::Downloads,
            Sort::Likes => Order::Likes,
            Sort::Recent => Order::Recent,
        };
        let asked = Search { words: &wanted.join(" "), order, gguf: args.gguf, limit: usize::from(args.limit) };
        let mut retried = |reason: &str, wait: Duration, _: u32| {
            output::note(&format!("oai: {reason}; trying again in {} s", wait.as_secs()));
        };
        merge(&mut rows, hub::search(&hub, &asked, &mut retried)?);
    }
    if args.json {
        return output::line(&output::json(&rows.iter().map(as_json).collect::<Vec<_>>())?);
    }
    if rows.is_empty() {
        output::note(&format!("oai: nothing is called {words:?}; fewer words find more"));
        return Ok(());
    }
    let mut table = vec![["NAME", "SIZE", "LICENCE", "DOWNLOADS", "RUNS", ""].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(as_cells));
    output::line(output::table(&table).trim_end())
}

/// Own names and those of the table that have all words, in their order.
fn short_names(names: &Names, wanted: &[String], args: &Args) -> Vec<Row> {
    let has_all = |text: String| {
        let text = text.to_lowercase();
        wanted.iter().all(|word| text.contains(word.as_str()))
    };
    let mut rows = Vec::new();
    for (name, of) in names.own() {
        if let ModelRef::File(path) = of
            && has_all(name.to_owned())
        {
            rows.push(Row { name: name.to_owned(), note: path.display().to_string(), ..Row::default() });
        }
    }
    let own: HashSet<&str> = names.own().map(|(name, _)| name).collect();
    for alias in names.all() {
        let text = format!("{} {} {} {}", alias.name, alias.also.join(" "), alias.repo, alias.good_for);
        if has_all(text) && (!args.gguf || alias.file.is_some()) {
            // The table holds what runs; what users add may be anything.
            let runs = (!own.contains(alias.name.as_str())).then_some(true);
            rows.push(of_alias(alias, runs));
        }
    }
    rows.truncate(usize::from(args.limit));
    rows
}

fn of_alias(alias: &Alias, runs: Option<bool>) -> Row {
    let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Row {
        name: alias.name.clone(),
        repo: Some(alias.repo.clone()),
        size: told(&alias.parameters),
        license: told(&alias.license),
        runs,
        note: told(&alias.good_for).unwrap_or_else(|| alias.repo.clone()),
        ..Row::default()
    }
}

/// Adds the hub's repositories; one that has a short name already tells its downloads there.
fn merge(rows: &mut Vec<Row>, found: Vec<Found>) {
    for found in found {
        let mut named = false;
        for row in rows.iter_mut().filter(|row| row.repo.as_deref() == Some(&found.repo) && row.name != found.repo) {
            named = true;
            (row.downloads, row.likes, row.modified) = (found.downloads, found.likes, found.modified.clone());
            row.gated = found.gated;
            row.size = row.size.take().or_else(|| size(&found));
            row.license = row.license.take().or_else(|| found.license.clone());
            if row.runs.is_none() {
                (row.runs, row.architecture) = runs(&found);
            }
        }
        if !named {
            let (runs, architecture) = runs(&found);
            rows.push(Row {
                size: size(&found),
                name: found.repo.clone(),
                repo: Some(found.repo),
                license: found.license,
                gated: found.gated,
                downloads: found.downloads,
                likes: found.likes,
                modified: found.modified,
                runs,
                architecture,
                note: String::new(),
            });
        }
    }
}

/// Whether a repository's weights run here, and their architecture or what they are instead.
fn runs(found: &Found) -> (Option<bool>, Option<String>) {
    let not = |what: &str| (Some(false), Some(what.to_owned()));
    match found.weights {
        Weights::Mlx => return not("MLX"),
        Weights::Adapter => return not("adapter"),
        Weights::Other => return not("no safetensors"),
        Weights::Gguf | Weights::Safetensors => {}
    }
    let all = decoder::architectures().into_iter().chain(encoder::architectures());
    let mut known = all.map(|a| if found.weights == Weights::Gguf { a.gguf } else { a.name });
    if let Some(name) = &found.architecture {
        return (Some(known.any(|known| known == name)), Some(name.clone()));
    }
    // Where the hub does not say, a tag may; that none does says nothing.
    match known.find(|known| found.tags.iter().any(|tag| tag == known)) {
        Some(name) => (Some(true), Some(name.to_owned())),
        None => (None, None),
    }
}

/// How many parameters: as the hub counted, else as the name says.
fn size(found: &Found) -> Option<String> {
    let counted = found.parameters.filter(|n| *n > 0).map(output::count);
    counted.or_else(|| {
        let name = found.repo.split('/').next_back().unwrap_or_default();
        name.split(['-', '_', ' ']).find(|part| is_size(part)).map(str::to_uppercase).map(|s| s.replace('X', "x"))
    })
}

/// `8B`, `0.5b`, `270m`, `8x7B`.
fn is_size(part: &str) -> bool {
    let number = part.strip_suffix(['B', 'b', 'M', 'm']);
    let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok();
    number.is_some_and(|n| n.split_once(['x', 'X']).map_or(digits(n), |(a, b)| digits(a) && digits(b)))
}

fn as_cells(row: &Row) -> Vec<String> {
    let or_dash = |text: Option<String>| text.map_or("-".to_owned(), |text| output::neutralize(&text));
    let license = row.license.as_ref().map(|l| if row.gated { format!("{l} (gated)") } else { l.clone() });
    let runs = match (row.runs, &row.architecture) {
        (Some(true), _) => "yes".to_owned(),
        (Some(false), Some(what)) => format!("no ({what})"),
        (Some(false), None) => "no".to_owned(),
        (None, _) => "unknown".to_owned(),
    };
    vec![
        output::neutralize(&row.name),
        or_dash(row.size.clone()),
        or_dash(license),
        or_dash(row.downloads.map(output::count)),
        or_dash(Some(runs)),
        output::neutralize(&row.note),
    ]
}

fn as_json(row: &Row) -> serde_json::Value {
    json!({
        "name": row.name,
        "repo": row.repo,
        "parameters": row.size,
        "license": row.license,
        "gated": row.gated,
        "downloads": row.downloads,
        "likes": row.likes,
        "modified": row.modified,
        "runs": row.runs,
        "architecture": row.architecture,
        "about": (!row.note.is_empty()).then_some(&row.note),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(repo: &str, weights: Weights, architecture: Option<&str>) -> Found {
        let architecture = architecture.map(str::to_owned);
        Found { repo: repo.to_owned(), weights, architecture, ..Found::default() }
    }

    #[test]
    fn what_runs_is_told_by_the_architecture() {
        let of = |weights, architecture| runs(&found("a/b", weights, architecture)).0;
        assert_eq!(of(Weights::Gguf, Some("qwen35")), Some(true));
        assert_eq!(of(Weights::Gguf, Some("qwen3_5")), Some(false), "another name in GGUF");
        assert_eq!(of(Weights::Safetensors, Some("xlm-roberta")), Some(true));
        assert_eq!(of(Weights::Safetensors, Some("bloom")), Some(false));
        assert_eq!(of(Weights::Gguf, None), None);
        let tagged = Found { tags: vec!["gguf".to_owned(), "qwen3".to_owned()], ..found("a/b", Weights::Gguf, None) };
        assert_eq!(runs(&tagged), (Some(true), Some("qwen3".to_owned())));
        assert_eq!(of(Weights::Mlx, Some("llama")), Some(false));
    }

    #[test]
    fn a_name_may_tell_the_size() {
        let of = |name: &str| size(&found(&format!("org/{name}"), Weights::Gguf, None));
        assert_eq!(of("Qwen3-30B-A3B-GGUF").as_deref(), Some("30B"));
        assert_eq!(of("gemma-3-270m-it").as_deref(), Some("270M"));
        assert_eq!(of("mixtral-8x7b-v0.1").as_deref(), Some("8x7B"));
        assert_eq!(of("Kimi-K2-bb"), None);
        let counted = Found { parameters: Some(8_190_735_360), ..found("a/b-7B", Weights::Gguf, None) };
        assert_eq!(size(&counted).as_deref(), Some("8.2B"));
    }
}
