//! What is to become of the tensors, what became of them, and how near the result is to its source.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::plan::Plan;
use super::work::Work;
use crate::cli::{model, output};
use crate::config::Settings;
use crate::engine::{self, Divergence, Estimate};
use crate::hub::LocalModel;
use crate::tensor_type::TensorType;
use crate::weights::Source;

/// Says what a user would not expect.
pub fn warn(model: &LocalModel, plan: &Plan) {
    let requantized = plan.targets().find(|(target, _)| {
        let from = target.tensor.dtype;
        from.block_elements() > 1 && from != target.dtype
    });
    if let Some((target, _)) = requantized {
        let dtype = target.tensor.dtype;
        let name = &model.name;
        output::note(&format!(
            "oai: {name} is quantized already ({dtype}): from its F16 or BF16 form less would be lost"
        ));
    }
    let fallbacks: Vec<_> = plan.targets().filter_map(|(t, choice)| Some((t, choice.fallback_from?))).collect();
    if let Some((target, wanted)) = fallbacks.first() {
        let (name, columns, dtype) = (&target.tensor.name, target.tensor.columns(), target.dtype);
        let others = match fallbacks.len() - 1 {
            0 => String::new(),
            1 => " and 1 more".to_owned(),
            n => format!(" and {n} more"),
        };
        let block = wanted.block_elements();
        output::note(&format!(
            "oai: {name}{others}: rows of {columns} are no whole blocks of {wanted} ({block}); {dtype} and the like instead"
        ));
    }
}

/// Compares the written model with `source` on `text`.
pub fn measure(text: &str, source: &Source, plan: &Plan, work: &mut Work, settings: &Settings) -> Result<Divergence> {
    work.begin("comparing", 0);
    let result = Source::Path(plan.parts[0].path.clone());
    let kv_type = model::kv_type(settings);
    Ok(engine::divergence(source, &result, text, None, kv_type, |done, total| {
        work.at_of(done as u64, total as u64, "");
    })?)
}

/// Prints a plan, tensor by tensor.
pub fn planned(model: &LocalModel, plan: &Plan, as_json: bool) -> Result<()> {
    if as_json {
        return output::line(&output::json(&summary(model, plan))?);
    }
    let mut rows = vec![["TENSOR", "FROM", "TO", "SIZE"].map(str::to_owned).to_vec()];
    rows.extend(plan.targets().map(|(target, _)| {
        let size = output::bytes(target.entry().bytes().unwrap_or(0) as u64);
        let (from, to) = (target.tensor.dtype.name(), target.dtype.name());
        vec![output::neutralize(&target.tensor.name), from.to_owned(), to.to_owned(), size]
    }));
    output::line(&format!("{}{}; nothing written", output::table(&rows), sizes(plan)))
}

/// Prints what was written.
pub fn written(
    model: &LocalModel,
    plan: &Plan,
    divergence: Option<&Divergence>,
    took: Duration,
    as_json: bool,
) -> Result<()> {
    if as_json {
        let mut object = summary(model, plan);
        object["seconds"] = json!((took.as_secs_f64() * 1000.0).round() / 1000.0);
        object["report"] = divergence.map_or(Value::Null, compared);
        return output::line(&output::json(&object)?);
    }
    let mut rows = vec![["TENSORS", "TYPES", "SIZE"].map(str::to_owned).to_vec()];
    rows.extend(groups(plan).into_iter().map(|group| {
        let kind = |(dtype, count): &(TensorType, usize)| match count {
            1 => dtype.name().to_owned(),
            n => format!("{n} {dtype}"),
        };
        let types: Vec<String> = group.types.iter().map(kind).collect();
        vec![output::neutralize(&group.name), types.join(", "), output::bytes(group.bytes)]
    }));
    let table = output::table(&rows);
    let divergence = divergence.map(|divergence| format!("\n{}", report(divergence))).unwrap_or_default();
    let path = output::neutralize(&plan.parts[0].path.display().to_string());
    let files = match plan.parts.len() {
        1 => path,
        n => format!("{path} and {} more", n - 1),
    };
    output::line(&format!("{table}{divergence}\n{files}: {}, in {:.1} s", sizes(plan), took.as_secs_f64()))
}

/// `700.1 MB of 2.5 GB, 4.85 bits per weight`.
fn sizes(plan: &Plan) -> String {
    let (size, source) = (output::bytes(plan.size_bytes), output::bytes(plan.source_bytes));
    let memory = plan
        .memory
        .map(|(bytes, context)| format!("; with a context of {context} tokens {} of memory", output::bytes(bytes)));
    format!("{size} of {source}, {:.2} bits per weight{}", plan.bits_per_weight(), memory.unwrap_or_default())
}

/// Tensors of one name in all layers.
struct Group {
    name: String,
    types: Vec<(TensorType, usize)>,
    bytes: u64,
}

fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (target, _) in plan.targets() {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> =
            target.tensor.name.split('.').map(|part| if is_number(part) { "*" } else { part }).collect();
        let name = parts.join(".");
        let at = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            groups.push(Group { name, types: Vec::new(), bytes: 0 });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.bytes += target.entry().bytes().unwrap_or(0) as u64;
        match group.types.iter_mut().find(|(dtype, _)| *dtype == target.dtype) {
            Some((_, count)) => *count += 1,
            None => group.types.push((target.dtype, 1)),
        }
    }
    groups
}

fn summary(model: &LocalModel, plan: &Plan) -> Value {
    let tensors: Vec<Value> = plan
        .targets()
        .map(|(target, choice)| {
            json!({
                "name": target.tensor.name,
                "shape": target.tensor.shape,
                "from": target.tensor.dtype.name(),
                "to": target.dtype.name(),
                "wanted": choice.fallback_from.map(TensorType::name),
                "size_bytes": target.entry().bytes(),
            })
        })
        .collect();
    json!({
        "source": model.name,
        "files": plan.parts.iter().map(|part| part.path.display().to_string()).collect::<Vec<_>>(),
        "parameters": plan.parameters,
        "source_bytes": plan.source_bytes,
        "size_bytes": plan.size_bytes,
        "bits_per_weight": plan.bits_per_weight(),
        "memory_bytes": plan.memory.map(|(bytes, _)| bytes),
        "context": plan.memory.map(|(_, context)| context),
        "tensors": tensors,
    })
}

/// A line for each figure.
fn report(divergence: &Divergence) -> String {
    let Divergence { reference, candidate, kl, same_top, .. } = divergence;
    let of = |estimate: &Estimate| format!("{:.4} ± {:.4}", estimate.value, estimate.error);
    let percent = |estimate: &Estimate| format!("{:.2} ± {:.2} %", 100.0 * estimate.value, 100.0 * estimate.error);
    let rows = [
        ("perplexity", format!("{}, of the source {}", of(candidate), of(reference))),
        ("KL divergence", format!("{:.6} ± {:.6}", kl.value, kl.error)),
        ("  99.9 % below", format!("{:.6}", divergence.kl_999)),
        ("same first choice", percent(same_top)),
        ("of", format!("{} tokens in {} chunks of {}", divergence.scored, divergence.chunks, divergence.context)),
    ];
    output::table(&rows.map(|(key, value)| vec![key.to_owned(), value]))
}

fn compared(divergence: &Divergence) -> Value {
    json!({
        "tokens": divergence.tokens,
        "context": divergence.context,
        "chunks": divergence.chunks,
        "scored": divergence.scored,
        "perplexity": divergence.candidate.value,
        "perplexity_error": divergence.candidate.error,
        "source_perplexity": divergence.reference.value,
        "source_perplexity_error": divergence.reference.error,
        "log_ratio": divergence.log_ratio.value,
        "log_ratio_error": divergence.log_ratio.error,
        "kl_mean": divergence.kl.value,
        "kl_error": divergence.kl.error,
        "kl_median": divergence.kl_median,
        "kl_p99": divergence.kl_99,
        "kl_p99_9": divergence.kl_999,
        "kl_max": divergence.kl_max,
        "top_1_agreement": divergence.same_top.value,
        "top_1_agreement_error": divergence.same_top.error,
    })
}
