//! Texts to vectors, by an encoder or by a decoder's states.

use std::sync::atomic::AtomicBool;

use super::Error;
use super::info::{ModelInfo, Shape, describe};
use crate::model::{self, Checkpoint, Decoder, Encoder, EncoderConfig, KvType, Pooling, Recipe, Tokenizer};
use crate::weights::Source;

/// A loaded embedding model.
pub struct Embedder {
    info: ModelInfo,
    model: Model,
    tokenizer: Tokenizer,
    recipe: Recipe,
    default_pooling: Pooling,
    /// Tokens that a text may have.
    limit: usize,
}

/// One in a program: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Model {
    Encoder(Encoder),
    Decoder(Decoder),
}

/// What the caller wants of vectors.
#[derive(Debug, Clone, Default)]
pub struct EmbedOptions {
    /// Name of the prompt that the model's files put before a text.
    pub prompt: Option<String>,
    /// The first so many components alone (Kusupati et al., 2022, <https://arxiv.org/abs/2205.13147>).
    pub dimensions: Option<usize>,
    /// Bring vectors to length one, or leave them; as the files say where it is `None`, and to length one
    /// where they say nothing.
    pub normalize: Option<bool>,
    /// Cut a text that is too long instead of refusing it.
    pub truncate: bool,
}

/// The vector of a text.
#[derive(Debug, Clone)]
pub struct Embedding {
    pub vector: Vec<f32>,
    /// Tokens that were read.
    pub tokens: usize,
}

/// Whether a model is made for vectors: an encoder, or a decoder whose files say how they are pooled.
pub fn is_embedder(source: &Source) -> bool {
    Checkpoint::open(source).is_ok_and(|checkpoint| {
        Recipe::is_declared(&checkpoint) || matches!(EncoderConfig::of(&checkpoint), Ok(Some(_)))
    })
}

impl Embedder {
    /// Maps the weights and builds the tokenizer; fails if anything the model needs is missing.
    pub fn load(source: &Source) -> Result<Embedder, Error> {
        let checkpoint = Checkpoint::open(source)?;
        let (model, shape) = match EncoderConfig::of(&checkpoint)? {
            Some(config) => {
                let shape = Shape::from(&config);
                (Model::Encoder(Encoder::load(&checkpoint, config)?), shape)
            }
            None => {
                let decoder = Decoder::load(&checkpoint, KvType::F32)?;
                let shape = Shape::from(&decoder.config);
                (Model::Decoder(decoder), shape)
            }
        };
        let tokenizer = Tokenizer::open(&checkpoint)?;
        let recipe = Recipe::open(&checkpoint)?;
        recipe.check(shape.hidden_size, &checkpoint.file())?;
        let allowed = shape.context_length;
        Ok(Embedder {
            default_pooling: shape.default_pooling(),
            info: describe(&checkpoint, shape, None, &recipe),
            model,
            tokenizer,
            limit: recipe.max_tokens.unwrap_or(allowed).min(allowed),
            recipe,
        })
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The pooling that is used because the files name none.
    pub fn assumed_pooling(&self) -> Option<&'static str> {
        self.recipe.poolings.is_empty().then(|| self.default_pooling.name())
    }

    /// The vector of `text`.
    pub fn embed(&mut self, text: &str, options: &EmbedOptions) -> Result<Embedding, Error> {
        let text = format!("{}{text}", self.prompt(options)?);
        let ids = self.tokens(&text, options.truncate)?;
        let states = match &mut self.model {
            Model::Encoder(encoder) => encoder.forward(&ids)?,
            Model::Decoder(decoder) => states(decoder, &ids)?,
        };
        let mut vector: Vec<f32> = self.recipe.vector(&states, self.default_pooling)?.to_vec1()?;
        if vector.iter().any(|v| !v.is_finite()) {
            return Err(Error::NoNumbers { model: self.info.name.clone() });
        }
        if let Some(asked) = options.dimensions {
            if asked == 0 || asked > vector.len() {
                return Err(Error::Dimensions { model: self.info.name.clone(), asked, has: vector.len() });
            }
            vector.truncate(asked);
        }
        if options.normalize.or(self.recipe.normalize).unwrap_or(true) {
            let length = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
            }
        }
        Ok(Embedding { vector, tokens: ids.len() })
    }

    /// What goes before the text.
    fn prompt(&self, options: &EmbedOptions) -> Result<&str, Error> {
        let prompts = &self.recipe.prompts;
        match (&options.prompt, &self.recipe.default_prompt) {
            (Some(name), _) => prompts.get(name).map(String::as_str).ok_or_else(|| Error::UnknownPrompt {
                model: self.info.name.clone(),
                asked: name.clone(),
                known: prompts.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
            (None, Some(name)) => Ok(prompts.get(name).map_or("", String::as_str)),
            (None, None) => Ok(""),
        }
    }

    /// Tokens with what the model wants around a text; of a text too long the beginning, if `truncate`.
    fn tokens(&self, text: &str, truncate: bool) -> Result<Vec<u32>, Error> {
        let mut ids = self.tokenizer.encode(text, false, true)?;
        if ids.is_empty() {
            return Err(Error::NothingToEmbed);
        }
        if ids.len() <= self.limit {
            return Ok(ids);
        }
        if !truncate {
            return Err(Error::TextTooLongToEmbed { tokens: ids.len(), limit: self.limit });
        }
        let own = self.tokenizer.encode(text, false, false)?;
        let around = ids.len().saturating_sub(own.len());
        let before = (0..=around).find(|n| ids[*n..].starts_with(&own)).unwrap_or(0);
        let after = ids.split_off(before + own.len().min(ids.len() - before));
        ids.truncate(self.limit.saturating_sub(after.len()).max(before));
        ids.extend(after);
        Ok(ids)
    }
}

/// The states that a decoder's output would read, `[tokens, hidden]`.
fn states(decoder: &mut Decoder, ids: &[u32]) -> Result<candle_core::Tensor, model::Error> {
    decoder.truncate(0);
    let mut parts = Vec::new();
    let mut rest = ids;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(decoder.chunk_len(rest.len()));
        let states = decoder.states(chunk, &AtomicBool::new(false))?;
        parts.push(decoder.normed(&states)?);
        rest = later;
    }
    Ok(candle_core::Tensor::cat(&parts, 0)?)
}
