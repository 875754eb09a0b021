//! Which model answers.

use std::time::Duration;

use anyhow::Result;

use super::{output, speculation};
use crate::config::Settings;
use crate::engine::{Engine, KvType, LoadOptions, is_embedder};
use crate::guide;
use crate::hub::{self, HubSettings, LocalModel, ModelRef, Names, Store};

/// Said where the guide answers because there is nothing else.
pub const FALLBACK: &str =
    "no model pulled yet: the built-in guide answers, and it only knows how to use oai (try: oai pull qwen3:0.6b)";

/// A loaded model under the name that found it.
pub struct Loaded {
    pub name: String,
    pub engine: Engine,
}

impl Loaded {
    pub fn is_guide(&self) -> bool {
        self.name == guide::NAME
    }
}

pub fn hub_settings(settings: &Settings) -> HubSettings {
    HubSettings {
        endpoint: settings.hub_endpoint.clone(),
        token: settings.hub_token.clone(),
        cache_dir: settings.paths.hf_cache.clone(),
        offline: settings.is_on("offline"),
        retries: settings.count("retries").map_or(5, |n| n as u32),
        connections: settings.count("connections").map_or(8, |n| n as usize),
        read_timeout: Duration::from_secs(settings.count("timeout").unwrap_or(30)),
        no_proxy: settings.no_proxy,
        certificates: settings.text("certificates").map(Into::into),
    }
}

/// The short names that mean something here.
pub fn names(settings: &Settings) -> Result<Names> {
    Ok(Names::of(settings)?)
}

/// The model called `name`, on this machine.
pub fn find(name: &str, settings: &Settings) -> Result<LocalModel> {
    Ok(Store::new(&settings.paths).find_typed(name, ModelRef::parse(name, &names(settings)?))?)
}

/// Loads the model called `name`.
pub fn load(name: &str, settings: &Settings) -> Result<Loaded> {
    load_local(find(name, settings)?, settings)
}

/// The named model; without a name the configured one; without that the one that came last and is not made
/// for vectors, which on a machine that has none is the guide.
pub fn find_chosen(name: Option<&str>, settings: &Settings) -> Result<LocalModel> {
    if let Some(name) = name.or(settings.text("model")) {
        return find(name, settings);
    }
    let mut models = Store::new(&settings.paths).list()?;
    // The last is the guide.
    let chosen = models.iter().position(|model| !is_embedder(&model.source)).unwrap_or(models.len() - 1);
    Ok(models.swap_remove(chosen))
}

/// Loads the model that [`find_chosen`] finds; where it falls back to the guide, that is said.
pub fn load_chosen(name: Option<&str>, settings: &Settings) -> Result<Loaded> {
    let model = find_chosen(name, settings)?;
    let fallback = name.or(settings.text("model")).is_none() && model.name == guide::NAME;
    let loaded = load_local(model, settings)?;
    if fallback {
        output::note(&format!("oai: {FALLBACK}"));
    }
    Ok(loaded)
}

/// The named embedding model; without a name the configured one; without that the one that came last.
pub fn find_embedder(name: Option<&str>, settings: &Settings) -> Result<LocalModel> {
    if let Some(name) = name.or(settings.text("embed_model")) {
        return find(name, settings);
    }
    let models = Store::new(&settings.paths).list()?;
    let newest = models.into_iter().find(|model| is_embedder(&model.source));
    Ok(newest.ok_or(hub::Error::NoEmbedder)?)
}

/// Notes that a model was loaded, for `oai list` and `oai prune`.
pub fn record_use(model: &LocalModel, settings: &Settings) {
    Store::new(&settings.paths).record_use(model);
}

/// What the settings say that keys and values are kept as.
pub fn kv_type(settings: &Settings) -> KvType {
    settings.text("kv_type").and_then(KvType::of_name).unwrap_or_default()
}

/// Loads `model` as the settings say, and notes that it is used.
pub fn load_local(model: LocalModel, settings: &Settings) -> Result<Loaded> {
    let speculate = speculation::is_on(settings);
    let draft = match settings.text("draft").filter(|_| speculate) {
        Some(name) => Some(find(name, settings)?),
        None => None,
    };
    let context = settings.count("context").map(|n| n as usize);
    let draft_source = draft.as_ref().map(|draft| draft.source.clone());
    let options = LoadOptions { context, kv_type: kv_type(settings), speculate, draft: draft_source };
    let engine = Engine::load(&model.source, &options)?;
    draft.iter().chain([&model]).for_each(|model| record_use(model, settings));
    Ok(Loaded { engine, name: model.name })
}
