//! From the states of a text's tokens to its one vector, as the model's files say.
//!
//! Folders: the modules that sentence-transformers saves
//! (<https://www.sbert.net/docs/sentence_transformer/usage/custom_models.html>); GGUF: `ARCH.pooling_type`
//! (`enum llama_pooling_type` in <https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h>).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Result as Computed, Tensor};
use serde_json::Value as Json;

use super::decoder::Linear;
use super::{Checkpoint, Error};
use crate::weights::Source;

/// How states become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The average of all.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
    /// The largest of each component.
    Max,
    /// The sum over the square root of their number.
    MeanSqrtLen,
    /// The average weighted by position: 1, 2, 3, ….
    WeightedMean,
}

impl Pooling {
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "first token",
            Pooling::Last => "last token",
            Pooling::Max => "maximum",
            Pooling::MeanSqrtLen => "sum over square root of length",
            Pooling::WeightedMean => "mean weighted by position",
        }
    }

    /// `states` `[tokens, hidden]` to `[hidden]`.
    pub fn apply(self, states: &Tensor) -> Computed<Tensor> {
        let (tokens, _) = states.dims2()?;
        match self {
            Pooling::Mean => states.mean(0),
            Pooling::Cls => states.get(0),
            Pooling::Last => states.get(tokens - 1),
            Pooling::Max => states.max(0),
            Pooling::MeanSqrtLen => states.sum(0)? / (tokens as f64).sqrt(),
            Pooling::WeightedMean => {
                let sum = (tokens * (tokens + 1) / 2) as f32;
                let weights: Vec<f32> = (1..=tokens).map(|n| n as f32 / sum).collect();
                states.broadcast_mul(&Tensor::from_vec(weights, (tokens, 1), states.device())?)?.sum(0)
            }
        }
    }
}

/// Everything that files say about how a model's vectors are made.
#[derive(Default)]
pub struct Recipe {
    /// Usually one; the vectors of several are joined. Empty where the files say nothing.
    pub poolings: Vec<Pooling>,
    /// What the pooled vector passes through.
    dense: Vec<Dense>,
    /// Whether the vector is brought to length one; `None` where the files do not say.
    pub normalize: Option<bool>,
    /// Tokens that a text may have, if fewer than the model reads.
    pub max_tokens: Option<usize>,
    /// Texts that are put before a text, by what it is for (`query`, `document`).
    pub prompts: BTreeMap<String, String>,
    /// Which of the prompts is put before a text when none is asked for.
    pub default_prompt: Option<String>,
}

/// A linear layer over the pooled vector.
struct Dense {
    linear: Linear,
    tanh: bool,
}

impl Recipe {
    pub fn open(checkpoint: &Checkpoint) -> Result<Recipe, Error> {
        match checkpoint {
            Checkpoint::Gguf(gguf) => {
                let mut recipe = Recipe::default();
                let key = checkpoint.architecture().map(|name| format!("{name}.pooling_type"));
                recipe.poolings = match key.and_then(|key| gguf.metadata.u64(&key)) {
                    // "None" keeps a vector for each token: how to make one is then not said.
                    None | Some(0) => Vec::new(),
                    Some(1) => vec![Pooling::Mean],
                    Some(2) => vec![Pooling::Cls],
                    Some(3) => vec![Pooling::Last],
                    Some(4) => {
                        let what = "a reranker (pooling_type 4) as a source of vectors".to_owned();
                        return Err(Error::Unsupported { file: gguf.file.clone(), what });
                    }
                    Some(other) => {
                        let what = format!("pooling_type {other}");
                        return Err(Error::Unsupported { file: gguf.file.clone(), what });
                    }
                };
                Ok(recipe)
            }
            Checkpoint::Folder { tensors, .. } => Recipe::from_folder(&tensors.folder),
        }
    }

    /// Whether files say that a folder or GGUF file is made for vectors, without reading more of them.
    pub fn is_declared(checkpoint: &Checkpoint) -> bool {
        match checkpoint {
            Checkpoint::Gguf(gguf) => checkpoint
                .architecture()
                .and_then(|name| gguf.metadata.u64(&format!("{name}.pooling_type")))
                .is_some_and(|pooling| pooling > 0),
            Checkpoint::Folder { tensors, .. } => tensors.folder.join("modules.json").is_file(),
        }
    }

    fn from_folder(folder: &Path) -> Result<Recipe, Error> {
        let mut recipe = Recipe::default();
        let settings = optional(&folder.join("config_sentence_transformers.json"))?;
        if let Some(prompts) = settings["prompts"].as_object() {
            let texts = prompts.iter().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())));
            recipe.prompts = texts.collect();
        }
        recipe.default_prompt = settings["default_prompt_name"].as_str().map(str::to_owned);
        let file = folder.join("modules.json");
        let modules = optional(&file)?;
        let Some(modules) = modules.as_array() else { return Ok(recipe) };
        recipe.normalize = Some(false);
        for module in modules {
            let kind = module["type"].as_str().unwrap_or_default().rsplit('.').next().unwrap_or_default();
            let path = module["path"].as_str().unwrap_or_default();
            // A module is in this folder, never outside it.
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                let reason = format!("it names {path:?}, outside the folder");
                return Err(Error::Config { file: file.display().to_string(), reason });
            }
            match kind {
                "Transformer" => recipe.max_tokens = max_tokens(&folder.join(path))?,
                "Pooling" => recipe.poolings = poolings(&folder.join(path).join("config.json"))?,
                "Dense" => recipe.dense.push(Dense::open(&folder.join(path))?),
                "Normalize" => recipe.normalize = Some(true),
                other => {
                    let what = format!("a module of type {other:?}");
                    return Err(Error::Unsupported { file: file.display().to_string(), what });
                }
            }
        }
        Ok(recipe)
    }

    /// `states` `[tokens, hidden]`, pooled by what the files say or by `default`: the vector.
    pub fn vector(&self, states: &Tensor, default: Pooling) -> Computed<Tensor> {
        let poolings = if self.poolings.is_empty() { &[default][..] } else { &self.poolings };
        let parts = poolings.iter().map(|pooling| pooling.apply(states)).collect::<Computed<Vec<_>>>()?;
        let mut vector = Tensor::cat(&parts, 0)?;
        for dense in &self.dense {
            let x = dense.linear.forward(&vector.unsqueeze(0)?)?.squeeze(0)?;
            vector = if dense.tanh { x.tanh()? } else { x };
        }
        Ok(vector)
    }

    /// Checks that the modules fit on states of `hidden` components.
    pub fn check(&self, hidden: usize, file: &str) -> Result<(), Error> {
        let mut size = hidden * self.poolings.len().max(1);
        for dense in &self.dense {
            if dense.linear.weight.columns() != size {
                let reason = format!("a Dense module reads {} components of {size}", dense.linear.weight.columns());
                return Err(Error::Config { file: file.to_owned(), reason });
            }
            size = dense.linear.weight.rows();
        }
        Ok(())
    }
}

impl Dense {
    fn open(folder: &Path) -> Result<Dense, Error> {
        let checkpoint = Checkpoint::open(&Source::Path(folder.to_owned()))?;
        let Checkpoint::Folder { config, .. } = &checkpoint else {
            let reason = "its config.json is missing".to_owned();
            return Err(Error::Config { file: checkpoint.file(), reason });
        };
        let size = |key: &str| {
            let reason = format!("config.json has no {key}");
            let size = config[key].as_u64().filter(|n| (1..1 << 30).contains(n));
            size.map(|n| n as usize).ok_or_else(|| Error::Config { file: checkpoint.file(), reason })
        };
        let activation = config["activation_function"].as_str().unwrap_or("torch.nn.modules.linear.Identity");
        let tanh = match activation.rsplit('.').next() {
            Some("Identity") => false,
            Some("Tanh") => true,
            _ => {
                let what = format!("activation {activation:?} of a Dense module");
                return Err(Error::Unsupported { file: checkpoint.file(), what });
            }
        };
        let linear = checkpoint.linear("linear", size("out_features")?, size("in_features")?, false)?;
        Ok(Dense { linear, tanh })
    }
}

/// A JSON file; null where there is none.
fn optional(file: &Path) -> Result<Json, Error> {
    let wrong = |reason: String| Error::Config { file: file.display().to_string(), reason };
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map_err(|e| wrong(format!("it is not JSON: {e}"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Json::Null),
        Err(e) => Err(wrong(format!("cannot read it: {e}"))),
    }
}

fn max_tokens(folder: &Path) -> Result<Option<usize>, Error> {
    let settings = optional(&folder.join("sentence_bert_config.json"))?;
    let tokenizer = optional(&folder.join("tokenizer_config.json"))?;
    // "No limit" is written as a huge float there.
    let limit = settings["max_seq_length"].as_u64().or(tokenizer["model_max_length"].as_u64());
    Ok(limit.filter(|n| *n > 0).map(|n| n as usize))
}

fn poolings(file: &Path) -> Result<Vec<Pooling>, Error> {
    const MODES: &[(&str, &str, Pooling)] = &[
        ("pooling_mode_cls_token", "cls", Pooling::Cls),
        ("pooling_mode_max_tokens", "max", Pooling::Max),
        ("pooling_mode_mean_tokens", "mean", Pooling::Mean),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
        ("pooling_mode_weightedmean_tokens", "weightedmean", Pooling::WeightedMean),
        ("pooling_mode_lasttoken", "lasttoken", Pooling::Last),
    ];
    let config = optional(file)?;
    let wrong = |reason: &str| Error::Config { file: file.display().to_string(), reason: reason.to_owned() };
    if config["include_prompt"] == false {
        let what = "pooling without the prompt (include_prompt: false)".to_owned();
        return Err(Error::Unsupported { file: file.display().to_string(), what });
    }
    // Newer files name the mode, older ones have a switch for each.
    let named: Vec<&str> = match &config["pooling_mode"] {
        Json::String(name) => vec![name],
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        _ => MODES.iter().filter(|(switch, ..)| config[*switch] == true).map(|(_, name, _)| *name).collect(),
    };
    if named.is_empty() {
        return Err(wrong("it names no pooling mode"));
    }
    let of = |name: &str| MODES.iter().find(|(_, known, _)| *known == name).map(|(.., pooling)| *pooling);
    named
        .iter()
        .map(|name| {
            let what = format!("pooling mode {name:?}");
            of(name).ok_or(Error::Unsupported { file: file.display().to_string(), what })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn every_pooling_is_what_its_name_says() {
        let states = Tensor::new(&[[1f32, 8.], [2., -1.], [6., 2.]], &Device::Cpu).unwrap();
        let pooled = |pooling: Pooling| pooling.apply(&states).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(pooled(Pooling::Mean), [3., 3.]);
        assert_eq!(pooled(Pooling::Cls), [1., 8.]);
        assert_eq!(pooled(Pooling::Last), [6., 2.]);
        assert_eq!(pooled(Pooling::Max), [6., 8.]);
        let close = |a: Vec<f32>, b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(pooled(Pooling::MeanSqrtLen), [9. / 3f32.sqrt(), 9. / 3f32.sqrt()]));
        assert!(close(pooled(Pooling::WeightedMean), [23. / 6., 2.]));
    }
}
