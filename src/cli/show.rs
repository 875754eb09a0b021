//! `oai show`: what a model is.

use anyhow::Result;
use serde_json::json;

use super::{list, model, output, provenance};
use crate::config::Settings;
use crate::engine;
use crate::model::{decoder, encoder};

/// Show what a model is
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  oai show qwen3:0.6b\n  oai show ./model.gguf --json\n  oai show guide --template\n  oai show ./model.gguf --tensors | grep ffn_down\n  oai show qwen3:0.6b --provenance\n  oai show --architectures"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide
    #[arg(required_unless_present = "architectures")]
    model: Option<String>,
    /// Print a JSON object
    #[arg(long, conflicts_with = "template")]
    json: bool,
    /// Print the chat template and nothing else
    #[arg(long)]
    template: bool,
    /// List the tensors: names, types, shapes and sizes
    #[arg(long, conflicts_with_all = ["template", "architectures", "provenance"])]
    tensors: bool,
    /// Print where it came from: commit, files with their hashes, licence, time
    #[arg(long, conflicts_with_all = ["template", "architectures"])]
    provenance: bool,
    /// List the architectures that run, and how far each is from its reference
    #[arg(long, conflicts_with_all = ["model", "template"])]
    architectures: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let Some(name) = &args.model else {
        return architectures(args.json);
    };
    let model = model::find(name, settings)?;
    if args.provenance {
        return provenance::run(&model, args.json, settings);
    }
    if args.tensors {
        return tensors(&engine::tensors(&model.source)?, args.json);
    }
    let info = engine::inspect(&model.source)?;
    if args.template {
        return match &info.chat_template {
            Some(template) => output::line(&output::neutralize(template)),
            None => anyhow::bail!("{} has no chat template: it continues text as it is", model.name),
        };
    }
    let path = list::path(&model);
    if args.json {
        let mut object = serde_json::to_value(&info)?;
        object["model"] = json!(model.name);
        object["path"] = json!(path);
        return output::line(&output::json(&object)?);
    }
    let template = info
        .chat_template
        .as_deref()
        .map_or("none".to_owned(), |t| format!("{} characters (--template prints it)", t.chars().count()));
    let kind = match info.kind {
        engine::Kind::Decoder => "decoder",
        engine::Kind::Encoder => "encoder, for oai embed",
    };
    let pooling = match (info.pooling, info.kind) {
        (None, engine::Kind::Decoder) => None,
        (pooling, _) => Some(pooling.unwrap_or_else(|| "not stated".to_owned())),
    };
    let mut rows = vec![
        ("model", model.name),
        ("name", info.name),
        ("architecture", format!("{} ({kind})", info.architecture)),
        ("parameters", parameters(info.parameters)),
        ("quantization", info.quantization),
        ("context", format!("{} tokens", info.context_length)),
        ("layers", format!("{} of size {}", info.layers, info.hidden_size)),
        ("vocabulary", format!("{} tokens", info.vocab_size)),
        ("licence", info.license.unwrap_or_else(|| "not stated".to_owned())),
        ("size", output::bytes(info.size_bytes)),
        ("template", template),
    ];
    rows.extend(pooling.map(|pooling| ("pooling", pooling)));
    rows.push(("path", path.unwrap_or_else(|| "inside the program".to_owned())));
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(key, value)| vec![key.to_owned(), output::neutralize(&value)]).collect();
    output::line(output::table(&rows).trim_end())
}

/// A line each, and the sum; shapes as files of safetensors have them, rows first.
fn tensors(all: &[engine::TensorInfo], as_json: bool) -> Result<()> {
    if as_json {
        return output::line(&output::json(&all)?);
    }
    let mut rows = vec![["TENSOR", "TYPE", "SIZE", "SHAPE"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|tensor| {
        let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        let size = output::bytes(tensor.size_bytes);
        vec![output::neutralize(&tensor.name), tensor.dtype.to_owned(), size, shape.join(" x ")]
    }));
    let total: u64 = all.iter().map(|tensor| tensor.size_bytes).sum();
    output::line(&format!("{}{} tensors, {}", output::table(&rows), all.len(), output::bytes(total)))
}

/// A line each: names, what runs it, and the largest difference of a logit or of a vector's component.
fn architectures(as_json: bool) -> Result<()> {
    let mut all = decoder::architectures();
    all.extend(encoder::architectures());
    if as_json {
        return output::line(&output::json(&all)?);
    }
    let heads = ["safetensors", "GGUF", "runs as", "verified against", "folders", "GGUF files", "largest deviation"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|a| {
        let gguf = if a.gguf.is_empty() { "none" } else { a.gguf };
        let mut row = vec![a.name.to_owned(), gguf.to_owned(), a.kind.to_owned()];
        match a.checked {
            Some(c) => row.extend([
                a.reference().to_owned(),
                c.folders.to_string(),
                c.gguf_files.to_string(),
                format!("{:.1e}", c.deviation),
            ]),
            None => row.push("none".to_owned()),
        }
        row
    }));
    output::line(output::table(&rows).trim_end())
}

/// `7.2 B`.
fn parameters(n: u64) -> String {
    match n {
        1_000_000_000.. => format!("{:.1} billion", n as f64 / 1e9),
        1_000_000.. => format!("{:.1} million", n as f64 / 1e6),
        _ => n.to_string(),
    }
}
