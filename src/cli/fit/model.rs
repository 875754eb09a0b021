//! One model in each of its forms.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Args, describe, json_of, speed, too_long};
use crate::cli::{model, output, process};
use crate::config::Settings;
use crate::engine::{self, Footprint, Kind, KvType};
use crate::fit::{self, CONTEXT, Candidate, Choice, Estimate, Machine, OFFERED, Verdict};
use crate::hub::{self, Alias, HubSettings, LocalModel, ModelRef, Repository, Store};
use crate::units;

/// How long the hub may take to tell what is known without it, more or less.
const PATIENCE: Duration = Duration::from_secs(2);

/// A model, and what there is of it.
struct Found {
    name: String,
    shape: Footprint,
    forms: Vec<Form>,
    /// The tag that the table has, or that was asked for: then it is taken whether it fits or not.
    usual: Option<String>,
    asked: bool,
    sizes: Sizes,
    /// Whether `oai pull` can get it.
    on_hub: bool,
}

struct Form {
    of: Candidate,
    here: bool,
}

/// Where sizes come from.
#[derive(Clone, Copy, PartialEq)]
enum Sizes {
    Files,
    Hub,
    Estimated,
}

pub fn run(name: &str, args: &Args, machine: &Machine, settings: &Settings) -> Result<()> {
    let found = find(name, settings)?;
    let limit = found.shape.context_length.max(1);
    let context = match args.context {
        Some(asked) if asked > limit => return Err(too_long(asked, limit, name).into()),
        Some(asked) => asked,
        None => args.context(settings).unwrap_or(CONTEXT).min(limit),
    };
    let kv_type = model::kv_type(settings);
    let estimates: Vec<Estimate> =
        found.forms.iter().map(|form| fit::estimate(&form.of, &found.shape, machine, context, kv_type)).collect();
    let chosen = found.chosen(machine, context, kv_type);
    let at = chosen.as_ref().map(|choice| choice.index);
    if args.json {
        let forms: Vec<_> = found
            .forms
            .iter()
            .zip(&estimates)
            .enumerate()
            .map(|(i, (form, estimate))| {
                let mut object = json!({ "tag": form.of.tag, "here": form.here, "pulled": at == Some(i) });
                if let (Some(object), Ok(serde_json::Value::Object(other))) =
                    (object.as_object_mut(), serde_json::to_value(estimate))
                {
                    object.extend(other);
                }
                object
            })
            .collect();
        return output::line(&output::json(&json!({
            "machine": json_of(machine, args),
            "model": found.name,
            "parameters": found.shape.parameters,
            "context": context,
            "context_length": found.shape.context_length,
            "kv_type": kv_type.name(),
            "sizes_from": found.sizes.name(),
            "forms": forms,
        }))?);
    }
    let mut rows = describe(machine, args);
    let parameters = units::count(found.shape.parameters);
    let read = match found.shape.kind {
        Kind::Decoder => format!("context {context} of {limit}, KV cache {}", kv_type.name()),
        Kind::Encoder => format!("makes vectors of texts up to {limit} tokens"),
    };
    rows.push(vec![
        "model".to_owned(),
        output::neutralize(&format!("{}: {parameters} parameters, {read}", found.name)),
    ]);
    output::line(&output::table(&rows))?;
    output::line(found.table(&estimates, at, context).trim_end())?;
    for note in found.notes(name, chosen.as_ref(), machine) {
        output::line(&output::neutralize(&note))?;
    }
    Ok(())
}

impl Sizes {
    fn name(self) -> &'static str {
        match self {
            Sizes::Files => "files",
            Sizes::Hub => "hub",
            Sizes::Estimated => "estimate",
        }
    }
}

impl Found {
    fn candidates(&self) -> Vec<Candidate> {
        self.forms.iter().map(|form| form.of.clone()).collect()
    }

    /// The form that `oai pull` would take.
    fn chosen(&self, machine: &Machine, context: u64, kv_type: KvType) -> Option<Choice> {
        let mut all = self.candidates();
        if !self.on_hub {
            return None;
        }
        let usual = self.usual.as_deref();
        if self.asked {
            // Whoever names one gets it.
            let index = all.iter().position(|of| usual.is_some_and(|tag| of.tag.eq_ignore_ascii_case(tag)))?;
            let one = [all.swap_remove(index)];
            return Some(Choice {
                index,
                low: false,
                ..fit::best(&one, None, &self.shape, machine, context, kv_type)?
            });
        }
        fit::best(&all, usual, &self.shape, machine, context, kv_type)
    }

    fn table(&self, estimates: &[Estimate], chosen: Option<usize>, context: u64) -> String {
        let at_context = format!("AT {context}");
        let heads = ["", "QUANTIZATION", "SIZE", "KV CACHE", "MEMORY", "FITS", "TOKENS/S", &at_context, ""];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.forms.iter().zip(estimates).enumerate().map(|(i, (form, estimate))| {
            vec![
                if chosen == Some(i) { "*" } else { "" }.to_owned(),
                output::neutralize(&form.of.tag),
                units::bytes(estimate.size_bytes),
                if estimate.kv_bytes > 0 { units::bytes(estimate.kv_bytes) } else { "-".to_owned() },
                units::bytes(estimate.memory_bytes),
                estimate.fits.name().to_owned(),
                speed(estimate.tokens_per_s),
                speed(estimate.tokens_per_s_at_context),
                if form.here && self.on_hub { "here" } else { "" }.to_owned(),
            ]
        }));
        if chosen.is_none() {
            rows.iter_mut().for_each(|row| drop(row.remove(0)));
        }
        output::table(&rows)
    }

    fn notes(&self, typed: &str, chosen: Option<&Choice>, machine: &Machine) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(choice) = chosen {
            let how = match choice.estimate.fits {
                Verdict::Fits if choice.low => ", below four bits because nothing better fits".to_owned(),
                Verdict::Fits => String::new(),
                Verdict::Tight => ", which fits only if little else runs".to_owned(),
                Verdict::No => format!(", though {} are not enough for it", units::bytes(machine.memory_bytes)),
            };
            notes.push(format!("* what `oai pull {typed}` takes: {}{how}", self.forms[choice.index].of.tag));
        }
        if self.sizes == Sizes::Estimated {
            notes.push("Sizes are estimated from the number of parameters; the hub was not reached.".to_owned());
        }
        notes
    }
}

fn find(name: &str, settings: &Settings) -> Result<Found> {
    let names = model::names(settings)?;
    let reference = ModelRef::parse(name, &names)?;
    let store = Store::new(&settings.paths);
    let (repo, tag, asked, revision, typed) = match &reference {
        ModelRef::Repo { repo, tag, asked, revision, typed } => (repo, tag, *asked, revision, typed),
        _ => {
            let model = store.find(&reference)?;
            let (shape, size_bytes) = engine::footprint(&model.source)?;
            let of = Candidate { tag: engine::inspect(&model.source)?.quantization, size_bytes };
            let forms = vec![Form { of, here: true }];
            let name = model.name;
            return Ok(Found { name, shape, forms, usual: None, asked: false, sizes: Sizes::Files, on_hub: false });
        }
    };
    let alias = names.alias(typed).or_else(|| names.of_repo(repo));
    let here: Vec<(String, LocalModel)> = store
        .list()?
        .into_iter()
        .filter_map(|model| match model.name.strip_prefix(repo.as_str())? {
            "" => Some((hub::SAFETENSORS.to_owned(), model)),
            rest => Some((rest.strip_prefix(':')?.to_owned(), model)),
        })
        .collect();
    let known = alias.is_some() || !here.is_empty();
    let revision = revision.as_deref().unwrap_or("main");
    let repository = ask(&model::hub_settings(settings), repo, revision, known)?;
    let (candidates, sizes) = candidates(repository.as_ref(), alias, &here);
    if candidates.is_empty() {
        return Err(hub::no_model(repo, repository.as_ref().map_or(&[], |of| &of.files)).into());
    }
    // What lies here says exactly what the table and the hub only tell of.
    let exact = here.iter().find_map(|(_, model)| engine::footprint(&model.source).ok()).map(|(shape, _)| shape);
    let shape = exact.unwrap_or_else(|| {
        fit::shape_of(alias, repository.as_ref().and_then(|repository| repository.gguf.as_ref()), &candidates)
    });
    let is_here = |tag: &str| here.iter().any(|(of, _)| of.eq_ignore_ascii_case(tag));
    let forms = candidates.into_iter().map(|of| Form { here: is_here(&of.tag), of }).collect();
    Ok(Found {
        name: name.to_owned(),
        shape,
        forms,
        usual: usual(repository.as_ref(), repo, tag),
        asked,
        sizes,
        on_hub: true,
    })
}

/// The tag of the form that `tag` picks, as the repository has it.
fn usual(repository: Option<&Repository>, repo: &str, tag: &Option<String>) -> Option<String> {
    let tag = tag.as_deref()?;
    let picked = repository.and_then(|of| match hub::choose(repo, &hub::variants(&of.files), Some(tag)) {
        Ok(hub::Choice::One(one)) => Some(one.tag),
        _ => None,
    });
    Some(picked.unwrap_or_else(|| tag.to_owned()))
}

/// What the hub has of `repo`. Where it is not needed it is not waited for, and may be away.
fn ask(settings: &HubSettings, repo: &str, revision: &str, known: bool) -> Result<Option<Repository>, hub::Error> {
    if !known {
        return hub::look_up(settings, repo, revision, &mut |_| {}).map(Some);
    }
    let settings = HubSettings { retries: 0, ..settings.clone() };
    let (repo, revision) = (repo.to_owned(), revision.to_owned());
    Ok(process::within(PATIENCE, move || hub::look_up(&settings, &repo, &revision, &mut |_| {}).ok()).flatten())
}

/// All forms, largest first.
fn candidates(
    repository: Option<&Repository>,
    alias: Option<&Alias>,
    here: &[(String, LocalModel)],
) -> (Vec<Candidate>, Sizes) {
    let of_files = || here.iter().map(|(tag, model)| Candidate { tag: tag.clone(), size_bytes: model.size_bytes });
    let (mut all, sizes): (Vec<Candidate>, Sizes) = match (repository, alias) {
        (Some(repository), _) => {
            let variants = hub::variants(&repository.files).into_iter();
            (variants.map(|of| Candidate { tag: of.tag, size_bytes: of.size_bytes }).collect(), Sizes::Hub)
        }
        (None, Some(alias)) => {
            let parameters = fit::shape_of(Some(alias), None, &[]).parameters;
            let form = |tag: &str, like: &str| {
                Some(Candidate { tag: tag.to_owned(), size_bytes: fit::estimated_bytes(like, parameters)? })
            };
            let mut all: Vec<Candidate> = match &alias.file {
                Some(_) => OFFERED.iter().filter_map(|tag| form(tag, tag)).collect(),
                None => form(hub::SAFETENSORS, "BF16").into_iter().collect(),
            };
            let usual = alias.file.as_deref().and_then(|file| form(file, file));
            for exact in usual.into_iter().chain(of_files()) {
                all.retain(|of| !of.tag.eq_ignore_ascii_case(&exact.tag));
                all.push(exact);
            }
            (all, Sizes::Estimated)
        }
        (None, None) => (of_files().collect(), Sizes::Files),
    };
    all.sort_by(|a, b| (b.size_bytes, &a.tag).cmp(&(a.size_bytes, &b.tag)));
    (all, sizes)
}
