//! Models for this machine.

use anyhow::Result;
use serde_json::json;

use super::{Args, describe, json_of, speed};
use crate::cli::{model, output};
use crate::config::Settings;
use crate::fit::{Machine, Purpose, recommend};
use crate::units;

pub fn run(args: &Args, machine: &Machine, settings: &Settings) -> Result<()> {
    let names = model::names(settings)?;
    let found = recommend(names.all(), machine, args.context(settings), model::kv_type(settings), args.all);
    if args.json {
        let models: Vec<_> = found
            .iter()
            .map(|of| {
                let mut object = json!({
                    "name": of.alias.name,
                    "purpose": of.purpose,
                    "good_for": of.alias.good_for,
                    "parameters": of.alias.parameters,
                    "license": of.alias.license,
                    "tag": of.tag,
                    "context": of.context,
                });
                merge(&mut object, serde_json::to_value(&of.estimate)?);
                Ok(object)
            })
            .collect::<Result<_>>()?;
        return output::line(&output::json(&json!({ "machine": json_of(machine, args), "models": models }))?);
    }
    output::line(&output::table(&describe(machine, args)))?;
    if found.is_empty() {
        return output::line(
            "No model of the table leaves the system enough of this memory; `oai fit --all` lists what comes near, and the built-in guide runs anywhere.",
        );
    }
    let heads = ["MODEL", "QUANTIZATION", "SIZE", "MEMORY", "FITS", "TOKENS/S", "GOOD FOR"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|of| {
        vec![
            output::neutralize(&of.alias.name),
            of.tag.clone(),
            units::bytes(of.estimate.size_bytes),
            units::bytes(of.estimate.memory_bytes),
            of.estimate.fits.name().to_owned(),
            speed(of.estimate.tokens_per_s.filter(|_| of.purpose != Purpose::Vectors)),
            output::neutralize(&of.alias.good_for),
        ]
    }));
    let table = output::table(&rows);
    let mut lines = table.lines();
    let mut text = String::from(lines.next().unwrap_or_default());
    let mut purpose = None;
    for (of, line) in found.iter().zip(lines) {
        if purpose != Some(of.purpose) {
            text.push_str(&format!("\n\n{}", of.purpose.name()));
            purpose = Some(of.purpose);
        }
        text.push_str(&format!("\n{line}"));
    }
    output::line(&text)?;
    output::line(
        "\nSizes and speeds are estimates, with a full context in MEMORY. `oai fit MODEL` shows all forms of one, `oai pull MODEL` gets it.",
    )
}

fn merge(object: &mut serde_json::Value, other: serde_json::Value) {
    if let (Some(object), serde_json::Value::Object(other)) = (object.as_object_mut(), other) {
        object.extend(other);
    }
}
