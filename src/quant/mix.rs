//! Which type each tensor gets: the mixtures that llama-quantize makes, tensor for tensor.
//!
//! The rules are those of <https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp>. Where that ignores
//! what was asked for by name (a type for some tensors with F16, the type of the output where that is the token
//! embedding and all tensors are to be of one type), it is done here.

use super::Error;
use super::role::{self, LAYER_EMBEDDING, Role};
use super::scheme::{Pattern, Scheme};
use crate::tensor_type::TensorType;
use crate::weights::{Metadata, Value};

/// A tensor as it is.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// As in GGUF files.
    pub name: &'a str,
    /// Outermost first: `[rows, columns]`, or `[experts, rows, columns]`.
    pub dims: &'a [usize],
    pub dtype: TensorType,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Without one, tensors keep their types where none is asked for by name.
    pub scheme: Option<Scheme>,
    /// Whether there is an importance matrix.
    pub has_importance: bool,
    /// The type of the output layer, which in many models is the token embedding too.
    pub output: Option<TensorType>,
    /// The type of the token embedding.
    pub embedding: Option<TensorType>,
    /// Types of tensors by their names; the first that matches counts.
    pub overrides: Vec<(Pattern, TensorType)>,
    /// All tensors as the scheme's base type.
    pub pure: bool,
}

/// What becomes of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub dtype: TensorType,
    /// The type that it would be if its rows were whole blocks of that.
    pub fallback_from: Option<TensorType>,
    /// Whether it may be of another type: it is of a kind that is quantized, and nobody asked for its type by name.
    pub free: bool,
}

/// The types of `tensors`, which are all of a model, in their order.
///
/// # Errors
/// [`Error::NoMatch`] where an override matches no tensor that is quantized; [`Error::NeedsImportance`] where the
/// scheme is one that llama-quantize refuses without an importance matrix.
pub fn plan(rules: &Rules, metadata: &Metadata, tensors: &[Shape]) -> Result<Vec<Choice>, Error> {
    let model = Model::of(metadata, tensors);
    check_overrides(rules, &model, tensors)?;
    let mut mixer = Mixer { rules, model, values_seen: 0, downs_seen: 0 };
    let mut choices: Vec<Choice> = tensors.iter().map(|tensor| Choice::kept(tensor.dtype)).collect();
    for index in visit_order(tensors) {
        choices[index] = mixer.choose(&tensors[index])?;
    }
    Ok(choices)
}

/// The order in which llama-quantize goes through tensors and writes them: those of no layer first, then layer by
/// layer, by name within each. Rules that count tensors count in this order.
pub fn visit_order(tensors: &[Shape]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|index| {
        let name = tensors[*index].name;
        (layer_of(name), name)
    });
    order
}

/// 3 of `blk.3.attn_q.weight`.
fn layer_of(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("blk.")?;
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

fn check_overrides(rules: &Rules, model: &Model, tensors: &[Shape]) -> Result<(), Error> {
    let quantized = || tensors.iter().filter(|tensor| model.quantizes(tensor));
    for (pattern, _) in &rules.overrides {
        if !quantized().any(|tensor| pattern.matches(tensor.name)) {
            let count = quantized().count();
            // One of the first, of the middle and of the end.
            let some = [0, count / 2, count.saturating_sub(1)].map(|at| quantized().nth(at));
            let mut names: Vec<&str> = some.into_iter().flatten().map(|tensor| tensor.name).collect();
            names.dedup();
            return Err(Error::NoMatch { pattern: pattern.text().to_owned(), names: names.join(", ") });
        }
    }
    Ok(())
}

/// What the rules want to know of a model.
struct Model<'a> {
    architecture: &'a str,
    layers: usize,
    experts: u64,
    /// Query heads that share a key and a value.
    heads_a_kv_head: u64,
    /// As large as Llama 2 70B, by its layers.
    is_70b: bool,
    /// The output is the token embedding.
    is_tied: bool,
    /// Tensors of [`Role::Value`].
    values: usize,
}

impl<'a> Model<'a> {
    fn of(metadata: &'a Metadata, tensors: &[Shape]) -> Model<'a> {
        let architecture = metadata.str("general.architecture").unwrap_or_default();
        let key = |key: &str| metadata.get(&format!("{architecture}.{key}"));
        let number = |name: &str| key(name).and_then(Value::as_u64);
        // Of the first layer, where layers differ.
        let first = |name: &str| match key(name)? {
            Value::Array(all) => all.first()?.as_u64(),
            value => value.as_u64(),
        };
        let heads = first("attention.head_count").unwrap_or(0);
        let kv_heads = first("attention.head_count_kv").unwrap_or(heads);
        let experts = number("expert_count").unwrap_or(0);
        let blocks = number("block_count").unwrap_or(0);
        let is_70b = match (architecture, blocks.saturating_sub(number("nextn_predict_layers").unwrap_or(0))) {
            ("llama" | "llama-embed", 80) => heads != kv_heads && experts != 8,
            ("qwen2" | "deci" | "olmo", 80) | ("jais2", 68) => true,
            _ => false,
        };
        let layers = match architecture {
            // It goes through its layers several times.
            "nanbeige" => blocks.saturating_mul(number("num_loops").unwrap_or(1)),
            // The router of its adapters counts as one.
            "graniteswitch" => blocks.saturating_add(1),
            _ => blocks,
        };
        let has = |role: Role| tensors.iter().filter(move |tensor| Role::of(tensor.name) == role).count();
        Model {
            architecture,
            // No model has as many; the rules multiply it.
            layers: layers.min(u64::from(u32::MAX >> 4)) as usize,
            experts,
            heads_a_kv_head: heads.checked_div(kv_heads).unwrap_or(0),
            is_70b,
            is_tied: has(Role::Output) == 0,
            values: has(Role::Value),
        }
    }

    fn quantizes(&self, tensor: &Shape) -> bool {
        role::is_quantized(self.architecture, tensor.name, tensor.dims)
    }
}

impl Choice {
    fn kept(dtype: TensorType) -> Choice {
        Choice { dtype, fallback_from: None, free: false }
    }
}

/// Goes through the tensors of a model and counts those whose place among their like matters.
struct Mixer<'a> {
    rules: &'a Rules,
    model: Model<'a>,
    values_seen: usize,
    downs_seen: usize,
}

impl Mixer<'_> {
    fn choose(&mut self, tensor: &Shape) -> Result<Choice, Error> {
        if !self.model.quantizes(tensor) {
            return Ok(Choice::kept(tensor.dtype));
        }
        let asked = self.asked(tensor);
        let columns = tensor.dims.last().copied().unwrap_or(1);
        let wanted = match (asked, self.rules.scheme) {
            (Some(dtype), _) => dtype,
            (None, None) => tensor.dtype,
            (None, Some(scheme)) if self.rules.pure || scheme.base().block_elements() == 1 => scheme.base(),
            (None, Some(scheme)) => self.mixed(scheme, tensor, columns),
        };
        let dtype = fallback(wanted, columns);
        if let Some(scheme) = self.rules.scheme
            && !self.rules.has_importance
            && needs_importance(scheme, tensor.name, dtype)
        {
            return Err(Error::NeedsImportance { scheme: scheme.name(), tensor: tensor.name.to_owned() });
        }
        Ok(Choice { dtype, fallback_from: (dtype != wanted).then_some(wanted), free: asked.is_none() })
    }

    /// The type that was asked for by name.
    fn asked(&self, tensor: &Shape) -> Option<TensorType> {
        let Rules { output, embedding, overrides, .. } = self.rules;
        let matching = overrides.iter().find(|(pattern, _)| pattern.matches(tensor.name)).map(|(_, dtype)| *dtype);
        match Role::of(tensor.name) {
            // A table that may be as large as all the rest: a pattern of its own may name it.
            Role::Embedding if tensor.name == LAYER_EMBEDDING => matching.or(*embedding),
            Role::Embedding => embedding.or(matching),
            Role::Output => return output.or(matching),
            _ => return matching,
        }
        .or(output.filter(|_| self.model.is_tied))
    }

    /// The type that the mixture of `scheme` has for a tensor.
    fn mixed(&mut self, scheme: Scheme, tensor: &Shape, columns: usize) -> TensorType {
        use TensorType::{MXFP4, Q3K, Q4K, Q5K, Q6K, Q8_0};
        let (model, base) = (&self.model, scheme.base());
        let role = Role::of(tensor.name);
        let is_in = |parts: &[&str]| parts.iter().any(|part| tensor.name.contains(part));
        if model.architecture == "glm5-next" && is_in(&["attn_q_a", "attn_q_b", "nextn.eh_proj"]) {
            return Q8_0;
        }
        let is_output = role == Role::Output || role == Role::Embedding && model.is_tied;
        if is_output {
            let coarse = model.architecture != "falcon" && columns.is_multiple_of(base.block_elements());
            return if coarse && !matches!(scheme, Scheme::Q8_0 | Scheme::MXFP4) { Q6K } else { Q8_0 };
        }
        if scheme == Scheme::MXFP4 {
            let matrices = tensor.dims.iter().rev().nth(2).copied().unwrap_or(1);
            // This one's matrices of latent attention are several too, a head each.
            let is_expert = model.architecture != "bailingmoe3" || is_in(&["ffn_up", "ffn_gate", "ffn_down"]);
            return if matrices > 1 && is_expert { MXFP4 } else { Q8_0 };
        }
        let is_mixtral = model.experts == 8;
        match role {
            Role::Value => {
                let place = self.values_seen;
                self.values_seen += 1;
                let dtype = value(scheme, place, model).unwrap_or(base);
                // Small beside the rest of such models.
                match dtype {
                    _ if is_mixtral => Q8_0,
                    Q3K | Q4K if model.is_70b => Q5K,
                    _ => dtype,
                }
            }
            Role::Key if is_mixtral => Q8_0,
            Role::Down => {
                // The tensors of experts may be one by one, so that counting them does not tell the layer.
                let layer = if model.experts > 1 { layer_of(tensor.name) } else { None };
                let place = layer.unwrap_or(self.downs_seen);
                self.downs_seen += 1;
                down(scheme, place, model, self.rules.has_importance).unwrap_or(base)
            }
            Role::AttentionOutput => attention_output(scheme, model).unwrap_or(base),
            _ => base,
        }
    }
}

/// The finer type, if any, of the value projection at `place` among those of the model.
fn value(scheme: Scheme, place: usize, model: &Model) -> Option<TensorType> {
    use TensorType::{Q3K, Q4K, Q5K, Q6K};
    // Where many heads share it, it is small.
    let is_shared = model.heads_a_kv_head >= 4;
    match scheme {
        Scheme::Q2_K => Some(if is_shared { Q4K } else { Q3K }),
        Scheme::Q2_K_S => is_shared.then_some(Q4K),
        Scheme::Q3_K_M => Some(if place < 2 { Q5K } else { Q4K }),
        Scheme::Q3_K_L => Some(Q5K),
        Scheme::Q4_K_S => (place < 4).then_some(Q5K),
        Scheme::Q4_K_M | Scheme::Q5_K_M => is_sensitive(place, model.values).then_some(Q6K),
        Scheme::IQ4_NL | Scheme::IQ4_XS => is_shared.then_some(Q5K),
        _ => None,
    }
}

/// The finer type, if any, of the matrix out of the feed-forward part, in a layer of the model.
fn down(scheme: Scheme, layer: usize, model: &Model, has_importance: bool) -> Option<TensorType> {
    use TensorType::{Q3K, Q4_1, Q4K, Q5_1, Q5K, Q6K};
    let is_falcon = model.architecture == "falcon";
    let (first_eighth, first_sixteenth) = (layer < model.layers / 8, layer < model.layers / 16);
    let is_sensitive = is_sensitive(layer, model.layers);
    match scheme {
        Scheme::Q2_K => Some(Q3K),
        Scheme::Q2_K_S => first_eighth.then_some(Q4K),
        Scheme::Q3_K_M if first_sixteenth => Some(Q5K),
        Scheme::Q3_K_M => (!is_falcon || is_sensitive).then_some(Q4K),
        Scheme::Q3_K_L => Some(if is_falcon { Q4K } else { Q5K }),
        Scheme::Q4_K_S => (first_eighth && !is_falcon).then_some(Q5K),
        Scheme::Q4_K_M if is_falcon && !first_sixteenth => is_sensitive.then_some(Q5K),
        Scheme::Q4_K_M => (is_sensitive || is_falcon).then_some(Q6K),
        Scheme::Q5_K_M => is_sensitive.then_some(Q6K),
        Scheme::IQ4_NL | Scheme::IQ4_XS => (first_eighth && !has_importance).then_some(Q5K),
        // Their few outliers spoil a block that has no minimum.
        Scheme::Q4_0 => (first_eighth && has_importance).then_some(Q4_1),
        Scheme::Q5_0 => (first_eighth && has_importance).then_some(Q5_1),
        _ => None,
    }
}

/// The finer type, if any, of the matrix out of attention.
fn attention_output(scheme: Scheme, model: &Model) -> Option<TensorType> {
    use TensorType::{Q3K, Q4K, Q5K};
    match scheme {
        Scheme::Q3_K_L if model.architecture == "falcon" => Some(Q4K),
        _ if model.architecture == "falcon" => None,
        Scheme::Q2_K | Scheme::Q3_K_S | Scheme::Q3_K_M | Scheme::Q4_K_S | Scheme::Q4_K_M if model.experts == 8 => {
            Some(Q5K)
        }
        Scheme::IQ4_NL | Scheme::IQ4_XS if model.experts == 8 => Some(Q5K),
        _ if model.experts == 8 => None,
        Scheme::Q2_K => Some(Q3K),
        Scheme::Q3_K_M => Some(Q4K),
        Scheme::Q3_K_L => Some(Q5K),
        _ => None,
    }
}

/// Whether a layer is one of those that mixtures have finer: the first and the last eighth, and every third between.
fn is_sensitive(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// The type nearest to `wanted` that has rows of `columns` elements: from blocks of 256 to blocks of 32, and where
/// those do not fit to none at all.
fn fallback(wanted: TensorType, columns: usize) -> TensorType {
    let fits = |dtype: &TensorType| columns.is_multiple_of(dtype.block_elements());
    let of_small_blocks = match wanted {
        TensorType::Q2K | TensorType::Q3K => TensorType::Q4_0,
        TensorType::Q4K => TensorType::Q5_0,
        TensorType::Q5K => TensorType::Q5_1,
        TensorType::Q6K => TensorType::Q8_0,
        TensorType::IQ4_XS => TensorType::IQ4_NL,
        other => other,
    };
    [wanted, of_small_blocks].into_iter().find(fits).unwrap_or(TensorType::F16)
}

/// Whether llama-quantize refuses to make a tensor of this name a `dtype` without knowing its importance.
pub fn needs_importance(scheme: Scheme, name: &str, dtype: TensorType) -> bool {
    let is_vocabulary = matches!(Role::of(name), Role::Output | Role::Embedding);
    scheme == Scheme::Q2_K_S && dtype == TensorType::Q2K && !is_vocabulary
}

#[cfg(test)]
mod tests;
