//! `oai pull`: a model from the hub.

mod progress;

use anyhow::Result;
use serde_json::json;

use super::{choice, interrupt, model, output};
use crate::config::Settings;
use crate::hub::{self, LocalModel, ModelRef, Plan, Store};
use progress::Progress;

/// Download a model from the Hugging Face hub
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An interrupted pull goes on where it stopped when the same command is run again. Files lie in the\ncache that other Hugging Face tools share, and each is checked against the hub's hash before it gets\nits name. HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and HF_TOKEN work as in other tools.\n\nExamples:\n  oai pull qwen3:0.6b\n  oai pull qwen3:8b-q8_0\n  oai pull --dry-run bartowski/Llama-3.2-1B-Instruct-GGUF:Q6_K\n  oai pull https://huggingface.co/ORG/REPO/resolve/main/model-Q4_K_M.gguf\n  oai pull --json qwen3:0.6b | jq -r 'select(.event == \"pulled\").path'"
)]
pub struct Args {
    /// An alias (mistral-7b), org/repo, org/repo:TAG, or the URL of a file on the hub
    name: String,
    /// A branch, tag or commit of the repository
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
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
    let name = ModelRef::parse(&args.name, &model::names(settings)?)?;
    let hub = model::hub_settings(settings);
    let store = Store::new(&settings.paths.hf_cache);
    if hub.offline {
        return here(&store, &name, args);
    }
    let (repo, tag, revision) = name.on_hub("pull")?;
    let revision = args.revision.as_deref().or(revision).unwrap_or("main");
    let progress = Progress::new(args.json)?;
    let repository = hub::look_up(&hub, repo, revision, &mut |event| progress.event(&event))?;
    let chosen = choice::one_of(&repository, tag)?;
    let plan = Plan::new(&hub, repository, revision, &chosen.files, &mut |event| progress.event(&event))?;
    if args.json {
        output::line(&output::json(&resolved(&args.name, &plan))?)?;
    }
    if args.dry_run {
        return if args.json { Ok(()) } else { table(&plan) };
    }
    progress.plan(&plan);
    let fetched_bytes = plan.fetch(&hub, args.force, &mut |event| progress.event(&event))?;
    progress.finish();
    pulled(&store.model_of(&plan.repo, &plan.paths())?, fetched_bytes, args)
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
