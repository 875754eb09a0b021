//! `oai verify`: still the same bytes?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::exit::Changed;
use super::{interrupt, model, output};
use crate::config::Settings;
use crate::hub::store::{Place, disk};
use crate::hub::{self, LocalModel, Store, hash, provenance};

/// Hashes at once: more only fight for the disk.
const THREADS: usize = 4;

/// Check that files are what was pulled or imported
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each file is hashed and compared with the record of its pull or import and with the name of its blob.\nThe exit code is 4 if a file changed or is missing.\n\nExamples:\n  oai verify\n  oai verify qwen3:0.6b\n  oai verify --json | jq '.[] | select(.status != \"ok\")'"
)]
pub struct Args {
    /// The models; without one all that were pulled or imported
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A file to check.
struct Check {
    model: String,
    path: String,
    on_disk: PathBuf,
    /// Each with who says it.
    expected: Vec<(String, &'static str)>,
    /// How to get it back.
    remedy: String,
}

/// What hashing came to: the hash of each kind that was asked for.
type Hashes = Result<BTreeMap<usize, String>, hub::Error>;

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::exit_with("interrupted")?;
    let store = Store::new(&settings.paths);
    let mut models = args.models.iter().map(|name| model::find(name, settings)).collect::<Result<Vec<_>>>()?;
    if args.models.is_empty() {
        models = store.list()?;
        models.retain(|model| model.place != Place::Program);
    }
    let mut checks = Vec::new();
    for model in &models {
        checks.extend(checks_of(model, &store, settings)?);
    }
    // Names that lead to one file are hashed once.
    let mut jobs: Vec<usize> = Vec::new();
    let mut job_of: Vec<usize> = Vec::new();
    let mut seen: BTreeMap<(Option<disk::Identity>, Vec<usize>), usize> = BTreeMap::new();
    for (index, check) in checks.iter().enumerate() {
        let identity = disk::identity(&check.on_disk);
        let own = if identity.is_none() { vec![index] } else { kinds(check) };
        let job = *seen.entry((identity, own)).or_insert_with(|| {
            jobs.push(index);
            jobs.len() - 1
        });
        job_of.push(job);
    }
    let total: u64 =
        jobs.iter().map(|index| disk::size(&checks[*index].on_disk) * kinds(&checks[*index]).len() as u64).sum();
    let bar = if output::stderr_is_terminal() { bar(total)? } else { ProgressBar::hidden() };
    let mut failed: Option<&Check> = None;
    let mut rows = Vec::new();
    let (mut bad, mut told) = (0, 0);
    hash_all(&checks, &jobs, &bar, &mut |done| {
        // In the order of the list, as far as it is done.
        while let Some(hashes) = checks.get(told).and_then(|_| done.get(&job_of[told])) {
            let check = &checks[told];
            let (status, found) = judge(check, hashes);
            if matches!(status, "changed" | "missing" | "unreadable") {
                bad += 1;
                failed = failed.or(Some(check));
            }
            if args.json {
                rows.push(object(check, status, found));
            } else {
                let line = format!("{status:<10}  {}  {}", check.model, check.path);
                bar.suspend(|| output::line(&output::neutralize(&line)))?;
            }
            told += 1;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if args.json {
        output::line(&output::json(&rows)?)?;
    }
    if let Some(check) = failed {
        let more = if bad > 1 { format!(" (and {} more)", bad - 1) } else { String::new() };
        let Check { model, path, remedy, .. } = check;
        return Err(Changed(format!("{path} of {model} is not what came{more}; get it again: {remedy}")).into());
    }
    if !args.json {
        let plural = if checks.len() == 1 { "" } else { "s" };
        output::note(&format!("{} file{plural} checked", checks.len()));
    }
    Ok(())
}

fn checks_of(model: &LocalModel, store: &Store, settings: &Settings) -> Result<Vec<Check>> {
    let name = &model.name;
    let (mut recorded, from, remedy): (Vec<(String, String)>, _, _) = match &model.place {
        Place::Cache { repo, commit } => {
            let record = provenance::find(&settings.paths.data_dir, repo, commit)?;
            let files = record.into_iter().flat_map(|record| record.files);
            let files =
                files.filter(|file| model.may_open(&file.path)).filter_map(|file| Some((file.path, file.hash?)));
            (files.collect(), "the pull", format!("oai pull --force {name}"))
        }
        Place::Imported { .. } => {
            let files = store.imported(model)?.into_iter().flat_map(|record| record.files);
            let files = files.map(|file| (file.path, file.sha256));
            (files.collect(), "the import", format!("oai import --force FILE {name}"))
        }
        Place::Ollama { name } => (Vec::new(), "", format!("ollama pull {name}")),
        Place::LmStudio { .. } => (Vec::new(), "", "download it again in LM Studio".to_owned()),
        Place::Program => return Err(hub::Error::Guide { what: "changed: there is nothing to verify" }.into()),
        Place::Path => {
            let path = PathBuf::from(name);
            return Err(hub::Error::Local { path, what: "verify it against (import it first)" }.into());
        }
    };
    let mut checks = Vec::new();
    for file in &model.files {
        let mut expected: Vec<(String, &str)> = Vec::new();
        let at = recorded.iter().position(|(path, _)| *path == file.path);
        expected.extend(at.map(|at| (recorded.swap_remove(at).1.to_lowercase(), from)));
        if let Some(hash) = file.named_hash()
            && !matches!(model.place, Place::Imported { .. })
        {
            expected.push((hash, "the blob's name"));
        }
        let (model, path) = (name.clone(), file.path.clone());
        checks.push(Check { model, path, on_disk: file.on_disk.clone(), expected, remedy: remedy.clone() });
    }
    // Of the record, what is no part of the model now: it may lie beside it, or be gone.
    let beside = match &model.place {
        Place::Cache { repo, commit } => store.cache.repo(repo).files_at(commit)?,
        _ => Vec::new(),
    };
    for (path, hash) in recorded {
        let on_disk = beside.iter().find(|file| file.path == path).map(|file| file.on_disk.clone()).unwrap_or_default();
        let expected = vec![(hash, from)];
        checks.push(Check { model: name.clone(), path, on_disk, expected, remedy: remedy.clone() });
    }
    Ok(checks)
}

/// The lengths of the hashes to take.
fn kinds(check: &Check) -> Vec<usize> {
    let mut kinds: Vec<usize> = check.expected.iter().map(|(hash, _)| hash.len()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Hashes `jobs`, places in `checks`, over the cores; `tell` hears after each what is done.
fn hash_all(
    checks: &[Check],
    jobs: &[usize],
    bar: &ProgressBar,
    tell: &mut dyn FnMut(&BTreeMap<usize, Hashes>) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(jobs.len());
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(index) = jobs.get(job) else { return };
                    // Nobody listens any more: the reader of a pipe went away.
                    if sender.send((job, hashes(&checks[*index], bar))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut done = BTreeMap::new();
        for (job, hashes) in receiver {
            done.insert(job, hashes);
            tell(&done)?;
        }
        Ok(())
    })
}

fn hashes(check: &Check, bar: &ProgressBar) -> Hashes {
    let mut hashes = BTreeMap::new();
    for kind in kinds(check) {
        let like = if kind == hash::SHA256.len() { hash::SHA256 } else { &hash::SHA256[..kind] };
        let mut before = 0;
        let found = hash::of_file(&check.on_disk, like, &mut |done| {
            bar.inc(done - before);
            before = done;
        })?;
        hashes.insert(kind, found);
    }
    Ok(hashes)
}

/// One word, and the hash that was found.
fn judge<'a>(check: &Check, hashes: &'a Hashes) -> (&'static str, Option<&'a str>) {
    match hashes {
        _ if check.expected.is_empty() => ("unknown", None),
        _ if !check.on_disk.exists() => ("missing", None),
        Err(_) => ("unreadable", None),
        Ok(hashes) => {
            let found = |hash: &str| hashes.get(&hash.len()).map(String::as_str);
            match check.expected.iter().find(|(hash, _)| found(hash) != Some(hash)) {
                Some((hash, _)) => ("changed", found(hash)),
                None => ("ok", check.expected.first().and_then(|(hash, _)| found(hash))),
            }
        }
    }
}

fn object(check: &Check, status: &str, found: Option<&str>) -> serde_json::Value {
    let expected: Vec<_> = check.expected.iter().map(|(hash, from)| json!({ "hash": hash, "from": from })).collect();
    json!({ "model": check.model, "file": check.path, "status": status, "expected": expected, "found": found })
}

fn bar(total: u64) -> Result<ProgressBar> {
    let style = "verifying {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    Ok(ProgressBar::new(total).with_style(ProgressStyle::with_template(style)?))
}
