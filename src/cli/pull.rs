//! `oai pull`: a model from the hub.

mod announced;
mod progress;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::exit::Usage;
use super::{choice, interrupt, model, output};
use crate::config::Settings;
use crate::hub::lock_file::{self, Locked};
use crate::hub::provenance::{self, Record};
use crate::hub::{self, LocalModel, ModelRef, Plan, Repository, Store};
use announced::Announced;
use progress::Progress;

/// Download a model from the Hugging Face hub
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An interrupted pull goes on where it stopped when the same command is run again. Files lie in the\ncache that other Hugging Face tools share, and each is checked against the hub's hash before it gets\nits name. HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and HF_TOKEN work as in other tools.\n\nExamples:\n  oai pull qwen3:0.6b\n  oai pull qwen3:8b-q8_0\n  oai pull --dry-run bartowski/Llama-3.2-1B-Instruct-GGUF:Q6_K\n  oai pull --fit 8G ORG/REPO\n  oai pull --locked\n  oai pull https://huggingface.co/ORG/REPO/resolve/main/model-Q4_K_M.gguf\n  oai pull --json qwen3:0.6b | jq -r 'select(.event == \"pulled\").path'"
)]
pub struct Args {
    /// A short name (mistral-7b), org/repo, org/repo:TAG, or the URL of a file on the hub; with --locked a name of that
    /// file
    #[arg(required_unless_present = "locked")]
    name: Option<String>,
    /// A branch, tag or commit of the repository
    #[arg(long, value_name = "REV", conflicts_with = "locked")]
    revision: Option<String>,
    /// Choose the quantization for a machine with so much memory, such as 8G
    #[arg(long, value_name = "SIZE", value_parser = super::fit::size, conflicts_with = "locked")]
    fit: Option<u64>,
    /// Fetch the exact commits and hashes of a file that `oai lock` wrote
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = lock_file::FILE)]
    locked: Option<PathBuf>,
    /// Fetch again what is already here
    #[arg(long)]
    force: bool,
    /// List the files and their sizes, and fetch nothing
    #[arg(long)]
    dry_run: bool,
    /// Print events as JSON objects, one a line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::exit_with("interrupted; the same pull goes on from here")?;
    match (&args.locked, &args.name) {
        (Some(file), _) => pull_locked(file, args, settings),
        (None, Some(name)) => pull_named(name, args, settings),
        (None, None) => Ok(()),
    }
}

fn pull_named(typed: &str, args: &Args, settings: &Settings) -> Result<()> {
    let name = ModelRef::parse(typed, &model::names(settings)?)?;
    let hub = model::hub_settings(settings);
    if hub.offline {
        return here(&Store::new(&settings.paths), &name, args);
    }
    let (repo, _, revision) = name.on_hub("pull")?;
    let revision = args.revision.as_deref().or(revision).unwrap_or("main");
    let progress = Progress::new(args.json)?;
    let repository = hub::look_up(&hub, repo, revision, &mut |event| progress.event(&event))?;
    let chosen = choice::one_of(&repository, &name, args.fit, settings)?;
    let plan = Plan::new(&hub, repository, revision, &chosen.files, &mut |event| progress.event(&event))?;
    carry_out(typed, &plan, &progress, args, settings)
}

/// The models of a lock file, or the one that was named.
fn pull_locked(file: &Path, args: &Args, settings: &Settings) -> Result<()> {
    let all = lock_file::read(file)?;
    let named = |locked: &&Locked| args.name.as_ref().is_none_or(|name| locked.name == *name);
    let wanted: Vec<&Locked> = all.iter().filter(named).collect();
    if let (true, Some(name)) = (wanted.is_empty(), &args.name) {
        let names: Vec<&str> = all.iter().map(|locked| locked.name.as_str()).collect();
        return Err(Usage(format!("{} has no {name:?}; it has: {}", file.display(), names.join(", "))).into());
    }
    let hub = model::hub_settings(settings);
    for locked in wanted {
        let progress = Progress::new(args.json)?;
        let recorded = provenance::find(&settings.paths.data_dir, &locked.repo, &locked.commit).ok().flatten();
        let (license, base_models) = recorded.map_or_else(Default::default, |r| (r.license, r.base_models));
        let repository = Repository {
            name: locked.repo.clone(),
            commit: locked.commit.clone(),
            files: locked.files.clone(),
            license,
            base_models,
            gguf: None,
        };
        let plan = Plan::new(&hub, repository, &locked.commit, &locked.files, &mut |event| progress.event(&event))?;
        carry_out(&locked.name, &plan, &progress, args, settings)?;
    }
    Ok(())
}

fn carry_out(typed: &str, plan: &Plan, progress: &Progress, args: &Args, settings: &Settings) -> Result<()> {
    let hub = model::hub_settings(settings);
    if args.json {
        output::line(&output::json(&resolved(typed, plan))?)?;
    }
    if args.dry_run {
        return if args.json { Ok(()) } else { table(plan) };
    }
    progress.plan(plan);
    let mut announced = Announced::new(typed, plan, &settings.paths.runtime_dir);
    let fetched_bytes = plan.fetch(&hub, args.force, &mut |event| {
        announced.event(&event);
        progress.event(&event);
    })?;
    progress.finish();
    let record = Record {
        repo: plan.repo.clone(),
        revision: plan.revision.clone(),
        commit: plan.commit.clone(),
        files: plan.files.iter().map(|planned| planned.file.clone()).collect(),
        license: plan.license.clone(),
        base_models: plan.base_models.clone(),
        time: provenance::now(),
        endpoint: hub.endpoint,
    };
    // The model is here and whole; a data folder that cannot be written is told, and no more.
    if let Err(error) = provenance::record(&settings.paths.data_dir, &record) {
        output::note(&format!("where it came from is not recorded: {error}"));
    }
    pulled(&Store::new(&settings.paths).model_of(&plan.repo, &plan.paths())?, fetched_bytes, args)
}

/// Without a network: what is here is here.
fn here(store: &Store, name: &ModelRef, args: &Args) -> Result<()> {
    match store.find(name) {
        Ok(model) => pulled(&model, 0, args),
        Err(hub::Error::NotHere { name, .. }) => Err(hub::Error::NotHereOffline { name }.into()),
        Err(error) => Err(error.into()),
    }
}

fn pulled(model: &LocalModel, fetched_bytes: u64, args: &Args) -> Result<()> {
    if args.json {
        return output::line(&output::json(&json!({
            "event": "pulled",
            "name": model.name,
            "path": super::list::path(model),
            "size_bytes": model.size_bytes,
            "fetched_bytes": fetched_bytes,
        }))?);
    }
    output::note(&format!("pulled {} ({})", model.name, output::bytes(model.size_bytes)));
    Ok(())
}

fn resolved(name: &str, plan: &Plan) -> serde_json::Value {
    let files: Vec<_> = plan
        .files
        .iter()
        .map(|planned| {
            json!({
                "path": planned.file.path,
                "size_bytes": planned.file.size_bytes,
                "hash": planned.file.hash,
                "here_bytes": planned.here_bytes,
            })
        })
        .collect();
    json!({
        "event": "resolved",
        "name": name,
        "repo": plan.repo,
        "revision": plan.revision,
        "commit": plan.commit,
        "license": plan.license,
        "base_models": plan.base_models,
        "files": files,
        "total_bytes": plan.total_bytes(),
        "here_bytes": plan.here_bytes(),
    })
}

fn table(plan: &Plan) -> Result<()> {
    let mut rows = vec![["FILE", "SIZE", "HERE"].map(str::to_owned).to_vec()];
    let row =
        |name: &str, size: u64, here: u64| vec![output::neutralize(name), output::bytes(size), output::bytes(here)];
    rows.extend(plan.files.iter().map(|p| row(&p.file.path, p.file.size_bytes, p.here_bytes)));
    rows.push(row("TOTAL", plan.total_bytes(), plan.here_bytes()));
    let commit = &plan.commit[..plan.commit.len().min(12)];
    output::line(&format!("{}{} at {commit}, nothing fetched", output::table(&rows), plan.repo))
}
