//! The models that can be chosen, with whether they fit this machine.

use anyhow::Result;

use crate::cli::model;
use crate::config::Settings;
use crate::engine;
use crate::fit::{self, CONTEXT, Candidate, Machine, Verdict};
use crate::hub::{LocalModel, Store};
use crate::tui::ModelRow;

/// All models on this machine that write, with those of ollama and LM Studio.
pub fn rows(settings: &Settings) -> Result<Vec<ModelRow>> {
    let store = Store::new(&settings.paths);
    let mut models = store.list()?;
    models.extend(store.elsewhere());
    let machine = Machine::unmeasured();
    let writes = models.iter().filter(|model| !engine::is_embedder(&model.source));
    Ok(writes.map(|local| row(local, &machine, settings)).collect())
}

fn row(local: &LocalModel, machine: &Machine, settings: &Settings) -> ModelRow {
    let summary = engine::summarize(&local.source).ok();
    let quantization = summary.as_ref().map(|summary| summary.quantization.clone());
    let fit = match (summary.and_then(|summary| summary.problem), engine::footprint(&local.source)) {
        (Some(_), _) | (_, Err(_)) => "cannot run",
        (None, Ok((shape, size_bytes))) => {
            let context = settings.count("context").unwrap_or(CONTEXT).min(shape.context_length.max(1));
            let of = Candidate { tag: quantization.clone().unwrap_or_default(), size_bytes };
            match fit::estimate(&of, &shape, machine, context, model::kv_type(settings)).fits {
                Verdict::Fits => "fits",
                Verdict::Tight => "tight",
                Verdict::No => "too large",
            }
        }
    };
    ModelRow {
        name: local.name.clone(),
        size_bytes: local.size_bytes,
        quantization: quantization.unwrap_or_else(|| "-".to_owned()),
        fit: fit.to_owned(),
    }
}
