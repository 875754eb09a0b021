//! The tensors of a folder under the names and in the form that GGUF gives them.
//!
//! What each family's files hold: <https://github.com/ggml-org/llama.cpp/tree/master/conversion>.

use std::sync::Arc;

use super::FormTensor;
use super::made::{Last, Made};
use crate::model::Error;
use crate::model::decoder::checkpoint::Checkpoint;
use crate::model::decoder::config::{DecoderConfig, Experts, LayerConfig, MixerKind};
use crate::model::decoder::family::{NormKind, QkNorm, QkvLayout, Residual, RopePairs};
use crate::model::decoder::linear::Matrix;
use crate::model::decoder::packed::Packing;
use crate::weights::{MappedTensor, TensorType};

/// Families whose GGUF files keep gate and up in one matrix where safetensors do.
const FUSED_GATES: &[&str] = &["phi3", "glm4", "chatglm"];

/// All tensors of `checkpoint`, in the order of the layers.
pub fn all(checkpoint: &Checkpoint, config: &DecoderConfig) -> Result<Vec<FormTensor>, Error> {
    let shared = Arc::new(checkpoint.clone());
    let mut tensors = Tensors { checkpoint: shared, config, all: Vec::new(), last: Last::default() };
    let embedding = checkpoint.matrix("token_embd.weight", None, config.hidden_size)?;
    let rows = embedding.rows();
    tensors.all.push(FormTensor::matrix("token_embd.weight".to_owned(), embedding, None));
    if config.family.learned_positions {
        let positions = checkpoint.matrix("position_embd.weight", Some(config.context_length), config.hidden_size)?;
        tensors.all.push(FormTensor::matrix("position_embd.weight".to_owned(), positions, None).plain());
    }
    if checkpoint.has("token_embd_norm.weight") {
        tensors.norm("token_embd_norm", "token_embd_norm", config.hidden_size, config.family.norm)?;
    }
    tensors.layer_embeddings()?;
    for index in 0..config.layers.len() {
        tensors.layer(index)?;
    }
    // LFM2's files call it so.
    let last = if config.family.gguf_architecture.starts_with("lfm2") { "token_embd_norm" } else { "output_norm" };
    tensors.norm("output_norm", last, config.hidden_size, config.family.norm)?;
    if checkpoint.has("output.weight") && !holds_embedding_twice(checkpoint) {
        let output = checkpoint.matrix("output.weight", Some(rows), config.hidden_size)?;
        tensors.all.push(FormTensor::matrix("output.weight".to_owned(), output, None));
    }
    tensors.vector("output.bias", "output.bias", rows)?;
    Ok(tensors.all)
}

/// Whether the output layer is the embedding, which packers store a second time: some readers expect it once.
fn holds_embedding_twice(checkpoint: &Checkpoint) -> bool {
    let [embedding, output] = ["token_embd.weight", "output.weight"].map(|name| checkpoint.find(name));
    embedding.zip(output).is_some_and(|(a, b)| a.dtype == b.dtype && a.data() == b.data())
}

pub struct Tensors<'a> {
    /// What is made later is made of it.
    pub checkpoint: Arc<Checkpoint>,
    pub config: &'a DecoderConfig,
    pub all: Vec<FormTensor>,
    last: Last,
}

impl Tensors<'_> {
    fn layer(&mut self, index: usize) -> Result<(), Error> {
        let config = self.config;
        let (family, hidden) = (config.family, config.hidden_size);
        let name = |part: &str| format!("blk.{index}.{part}");
        let has = |part: &str| self.checkpoint.has(&name(&format!("{part}.weight")));
        let before = config.residual != Residual::Post;
        let after = matches!(config.residual, Residual::Post | Residual::Sandwich);
        let shared = config.residual == Residual::Parallel && !has("ffn_norm");
        // As `Layer::load` reads them.
        let (attn_norm, ffn_norm) = match family.gguf_architecture {
            "rwkv7" => ("attn_norm", "attn_norm_2"),
            "falcon" if !shared => ("attn_norm_2", "attn_norm"),
            "glm4moe" | "gpt-oss" | "qwen3next" | "qwen35" | "qwen35moe" | "seed_oss" => {
                ("attn_norm", "post_attention_norm")
            }
            _ => ("attn_norm", "ffn_norm"),
        };
        let norms = [
            ("attn_norm", attn_norm, before),
            ("post_attention_norm", "post_attention_norm", after),
            ("ffn_norm", ffn_norm, before && !shared && config.residual != Residual::Single),
            ("post_ffw_norm", "post_ffw_norm", after),
        ];
        for (part, gguf, _) in norms.into_iter().filter(|(.., wanted)| *wanted) {
            self.norm(&name(part), &name(gguf), hidden, family.norm)?;
        }
        let layer = config.layers[index];
        match (&layer.mixer, &config.latent) {
            (MixerKind::None, _) => {}
            (MixerKind::Attention, None) => self.attention(index)?,
            (MixerKind::Attention, Some(latent)) => self.latent_attention(index, latent)?,
            (MixerKind::ShortConv { width }, _) => self.short_conv(index, *width)?,
            (MixerKind::DeltaNet(shape), _) => self.delta_net(index, shape)?,
            (MixerKind::Mamba(shape), _) => self.mamba(index, shape)?,
            (MixerKind::Mamba2(shape), _) => self.mamba2(index, shape)?,
            (MixerKind::Rwkv7(shape), _) => {
                self.time_mix(index, shape)?;
                return self.channel_mix(index, layer.feed_forward_size);
            }
        }
        if config.feeds_forward(index) {
            match config.experts.as_ref().filter(|_| layer.experts) {
                Some(experts) => self.experts(index, experts)?,
                None => self.feed_forward(index, "", layer.feed_forward_size)?,
            }
        }
        self.layer_embedding(index)
    }

    fn attention(&mut self, index: usize) -> Result<(), Error> {
        let config = self.config;
        let (family, hidden, heads) = (config.family, config.hidden_size, config.heads);
        let LayerConfig { kv_heads, head_dim, rotation, kv_of, .. } = config.layers[index];
        let name = |part: &str| format!("blk.{index}.{part}");
        let (q_size, kv_size) = (heads * head_dim, kv_heads * head_dim);
        if self.checkpoint.has(&name("attn_qkv.weight")) {
            let order = match family.hf_qkv {
                QkvLayout::Blocks => None,
                QkvLayout::Groups => Some(grouped(heads, kv_heads, head_dim)),
            };
            self.linear(&name("attn_qkv"), q_size + 2 * kv_size, hidden, order)?;
        } else {
            let dim = rotation.map_or(0, |rotation| config.rotations[rotation].dim);
            let turned = |heads: usize| turns(config, index).then(|| neighbours(heads, head_dim, dim));
            let gated = if family.gated_attention { 2 } else { 1 };
            self.linear(&name("attn_q"), gated * q_size, hidden, turned(gated * heads))?;
            if kv_of.is_none() {
                self.linear(&name("attn_k"), kv_size, hidden, turned(kv_heads))?;
            }
            // Without it the key is the value, too.
            if kv_of.is_none() && (!family.v_norm || self.checkpoint.has(&name("attn_v.weight"))) {
                self.linear(&name("attn_v"), kv_size, hidden, None)?;
            }
        }
        self.linear(&name("attn_output"), hidden, q_size, None)?;
        let kind = if family.norm.subtracts_mean() { NormKind::Rms } else { family.norm };
        for (part, heads) in [("attn_q_norm", heads), ("attn_k_norm", kv_heads)] {
            let stem = name(part);
            match family.qk_norm {
                QkNorm::None => {}
                _ if kv_of.is_some() && part == "attn_k_norm" => {}
                QkNorm::HeadsIfAny if !self.checkpoint.has(&format!("{stem}.weight")) => {}
                QkNorm::Whole => self.norm(&stem, &stem, heads * head_dim, kind)?,
                QkNorm::Heads | QkNorm::HeadsIfAny | QkNorm::TurnedHeads => self.norm(&stem, &stem, head_dim, kind)?,
                QkNorm::EachHead => {
                    if let Some(weights) = self.checkpoint.head_weights(&stem, heads, head_dim)? {
                        let values = weights.flatten_all()?.to_vec1()?;
                        self.all.push(FormTensor::values(format!("{stem}.weight"), &[heads, head_dim], values));
                    }
                }
            }
        }
        self.vector(&name("attn_sinks.weight"), &name("attn_sinks.weight"), heads)
    }

    /// `suffix` tells the shared expert (`_shexp`) from the layer's own.
    pub fn feed_forward(&mut self, index: usize, suffix: &str, size: usize) -> Result<(), Error> {
        let DecoderConfig { family, hidden_size, .. } = *self.config;
        let name = |part: &str| format!("blk.{index}.{part}{suffix}");
        let fused = family.gated && !self.checkpoint.has(&format!("{}.weight", name("ffn_gate")));
        if fused && !FUSED_GATES.contains(&family.gguf_architecture) {
            for (part, rows) in [("ffn_gate", 0..size), ("ffn_up", size..2 * size)] {
                let rows = rows.map(|row| row as u32).collect();
                self.part_of(&name("ffn_up"), [2 * size, hidden_size], &name(part), Some(rows))?;
            }
        } else {
            if family.gated && !fused {
                self.linear(&name("ffn_gate"), size, hidden_size, None)?;
            }
            self.linear(&name("ffn_up"), if fused { 2 * size } else { size }, hidden_size, None)?;
        }
        self.linear(&name("ffn_down"), hidden_size, size, None)
    }

    fn experts(&mut self, index: usize, experts: &Experts) -> Result<(), Error> {
        let (checkpoint, hidden) = (self.checkpoint.clone(), self.config.hidden_size);
        let (count, size) = (experts.count, experts.feed_forward_size);
        let name = |part: &str| format!("blk.{index}.{part}");
        self.linear(&name("ffn_gate_inp"), count, hidden, None)?;
        // What chooses experts is small, and stays as exact as can be.
        if let Some(router) = self.all.iter_mut().rfind(|tensor| tensor.name == name("ffn_gate_inp.weight")) {
            router.dtype = TensorType::F32;
        }
        self.vector(&name("exp_probs_b.bias"), &name("exp_probs_b.bias"), count)?;
        self.beside_experts(index, experts)?;
        let gate_up = name("ffn_gate_up_exps.weight");
        let mut parts = vec![("ffn_gate", size, hidden), ("ffn_up", size, hidden), ("ffn_down", hidden, size)];
        if !self.config.family.gated {
            parts.remove(0);
        }
        if self.config.family.gguf_architecture == "gemma4" && checkpoint.has(&gate_up) {
            let (sources, stem) = (checkpoint.find(&gate_up).cloned().into_iter().collect(), gate_up.clone());
            let stack = move |checkpoint: &Checkpoint| checkpoint.stack(&stem, count, 2 * size, hidden);
            self.stacked(gate_up, [count, 2 * size, hidden], sources, false, stack)?;
            parts.drain(..2);
        }
        for (part, rows, columns) in parts {
            let biases: Option<Vec<_>> = checkpoint.expert_biases(index, part, count, rows)?.into_iter().collect();
            let biases = biases.map(|all| all.iter().flat_map(|bias| bias.iter().copied()).collect::<Vec<f32>>());
            let sources = expert_tensors(&checkpoint, index, part, count);
            let turned = self.config.family.hf_alternating_experts;
            let matrices = move |checkpoint: &Checkpoint| {
                let layers = checkpoint.experts(index, part, count, rows, columns)?;
                Ok(layers.into_iter().map(|layer| layer.weight).collect())
            };
            self.stacked(name(&format!("{part}_exps.weight")), [count, rows, columns], sources, turned, matrices)?;
            if let Some(biases) = biases.filter(|biases| !self.is_filler(part, biases)) {
                self.all.push(FormTensor::values(name(&format!("{part}_exps.bias")), &[count, rows], biases));
            }
        }
        if experts.shared_feed_forward_size == 0 {
            return Ok(());
        }
        let gate = name("ffn_gate_inp_shexp.weight");
        if let Some(tensor) = checkpoint.find(&gate) {
            let values = checkpoint.floats(tensor)?;
            self.all.push(FormTensor::values(gate, &[values.len()], values));
        }
        self.feed_forward(index, "_shexp", experts.shared_feed_forward_size)
    }

    /// The layer `stem`, whose rows `order` may put elsewhere, and its bias where it has one.
    pub fn linear(&mut self, stem: &str, rows: usize, columns: usize, order: Option<Vec<u32>>) -> Result<(), Error> {
        self.part_of(stem, [rows, columns], stem, order)
    }

    /// The rows `order` of the layer `stem`, which has `[rows, columns]`, as the layer `gguf`; and of its bias.
    pub fn part_of(
        &mut self,
        stem: &str,
        [rows, columns]: [usize; 2],
        gguf: &str,
        order: Option<Vec<u32>>,
    ) -> Result<(), Error> {
        if let Some(bias) = self.checkpoint.vector_if_any(&format!("{stem}.bias"), rows)? {
            let bias: Vec<f32> = bias.to_vec1()?;
            let values: Vec<f32> = match &order {
                Some(order) => order.iter().map(|row| bias[*row as usize]).collect(),
                None => bias,
            };
            if !self.is_filler(stem, &values) {
                self.all.push(FormTensor::values(format!("{gguf}.bias"), &[values.len()], values));
            }
        }
        let name = format!("{gguf}.weight");
        let source = self.checkpoint.find(&format!("{stem}.weight")).cloned();
        let made =
            source.and_then(|source| Some((self.type_made_of(&source, self.config.family.hf_transposed)?, source)));
        let Some((dtype, source)) = made else {
            let matrix = self.checkpoint.linear(stem, rows, columns, false)?.weight;
            self.all.push(FormTensor::matrix(name, matrix, order));
            return Ok(());
        };
        let shape = vec![order.as_ref().map_or(rows, Vec::len), columns];
        let stem = stem.to_owned();
        let recipe = move |checkpoint: &Checkpoint| Ok(vec![checkpoint.linear(&stem, rows, columns, false)?.weight]);
        let made = self.made(&name, vec![source], recipe);
        self.all.push(FormTensor::made(made, name, shape, dtype, order));
        Ok(())
    }

    /// The tensor `name` of the matrices that `matrices` gives, those of `sources`; `turned` where they lie there `[in, out]`.
    pub fn stacked(
        &mut self,
        name: String,
        shape: [usize; 3],
        sources: Vec<MappedTensor>,
        turned: bool,
        matrices: impl Fn(&Checkpoint) -> Result<Vec<Matrix>, Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let tensor = match sources.first().and_then(|source| self.type_made_of(source, turned)) {
            None => FormTensor::experts(name, matrices(&self.checkpoint)?),
            Some(dtype) => {
                let made = self.made(&name, sources, matrices);
                FormTensor::made(made, name, shape.to_vec(), dtype, None)
            }
        };
        self.all.push(tensor);
        Ok(())
    }

    fn made(
        &self,
        name: &str,
        sources: Vec<MappedTensor>,
        recipe: impl Fn(&Checkpoint) -> Result<Vec<Matrix>, Error> + Send + Sync + 'static,
    ) -> Made {
        let checkpoint = self.checkpoint.clone();
        Made::new(name.to_owned(), sources, self.last.clone(), move || recipe(&checkpoint))
    }

    /// The type of what has to be made of `source`; `None` where its matrices lie in the file as they are.
    fn type_made_of(&self, source: &MappedTensor, turned: bool) -> Option<TensorType> {
        match (source.dtype, self.checkpoint.packing()) {
            (plain @ (TensorType::F32 | TensorType::F16 | TensorType::BF16), _) => turned.then_some(plain),
            (_, Some(Packing::Mxfp4)) => Some(TensorType::MXFP4),
            (_, packing) => packing.map(|_| TensorType::F32),
        }
    }

    /// Whether a bias is there because the packer gives every layer one: zeros, that readers of the file do not expect.
    fn is_filler(&self, stem: &str, bias: &[f32]) -> bool {
        let family = self.config.family;
        let packed = matches!(self.checkpoint.packing(), Some(Packing::Gptq { .. } | Packing::Awq { .. }));
        let wanted = family.qkv_bias && ["attn_q", "attn_k", "attn_v"].iter().any(|part| stem.ends_with(part));
        // Families with LayerNorm have biases throughout.
        packed && !wanted && !family.norm.subtracts_mean() && bias.iter().all(|value| *value == 0.0)
    }

    /// The norm `stem` as `gguf`, with its bias where it has one.
    pub fn norm(&mut self, stem: &str, gguf: &str, size: usize, kind: NormKind) -> Result<(), Error> {
        if kind == NormKind::LayerPlain {
            return Ok(());
        }
        let mut values: Vec<f32> = self.checkpoint.vector(&format!("{stem}.weight"), size)?.to_vec1()?;
        if matches!(kind, NormKind::RmsLessOne | NormKind::LayerLessOne) {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        self.all.push(FormTensor::values(format!("{gguf}.weight"), &[size], values));
        match kind.subtracts_mean() {
            true => self.vector(&format!("{stem}.bias"), &format!("{gguf}.bias"), size),
            false => Ok(()),
        }
    }

    /// The vector `name` as `gguf`, where there is one.
    pub fn vector(&mut self, name: &str, gguf: &str, len: usize) -> Result<(), Error> {
        if let Some(vector) = self.checkpoint.vector_if_any(name, len)? {
            self.all.push(FormTensor::values(gguf.to_owned(), &[len], vector.to_vec1()?));
        }
        Ok(())
    }
}

/// What the `part` of all experts lies in: one tensor, or one for each.
fn expert_tensors(checkpoint: &Checkpoint, layer: usize, part: &str, count: usize) -> Vec<MappedTensor> {
    let fused = if part == "ffn_down" { part } else { "ffn_gate_up" };
    let stack = [fused, part].iter().find_map(|part| checkpoint.find(&format!("blk.{layer}.{part}_exps.weight")));
    match stack {
        Some(stack) => vec![stack.clone()],
        None => {
            let each = |expert| checkpoint.find(&format!("blk.{layer}.{part}.{expert}.weight")).cloned();
            (0..count).filter_map(each).collect()
        }
    }
}

/// Whether the rows of Q and K lie in another order in GGUF, because other components of a head turn together.
pub fn turns(config: &DecoderConfig, index: usize) -> bool {
    let family = config.family;
    config.layers[index].rotation.is_some()
        && family.gguf_rope_pairs == RopePairs::Neighbours
        && family.hf_rope_pairs == RopePairs::Halves
}

/// Rows of heads whose halves, of their first `dim`, turn together, so that neighbours do.
fn neighbours(heads: usize, head_dim: usize, dim: usize) -> Vec<u32> {
    let place = move |row: usize| if row < dim { row % 2 * (dim / 2) + row / 2 } else { row };
    let of_head = |head: usize| (0..head_dim).map(move |row| (head * head_dim + place(row)) as u32);
    (0..heads).flat_map(of_head).collect()
}

/// Rows of Q, K and V that lie by groups of heads, so that all of Q come first, then K, then V.
fn grouped(heads: usize, kv_heads: usize, head_dim: usize) -> Vec<u32> {
    let queries = heads / kv_heads;
    let group = (queries + 2) * head_dim;
    let rows = |first: usize, count: usize| {
        (0..kv_heads)
            .flat_map(move |kv| (0..count * head_dim).map(move |row| (kv * group + first * head_dim + row) as u32))
    };
    rows(0, queries).chain(rows(queries, 1)).chain(rows(queries + 1, 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_where_gguf_has_them() {
        assert_eq!(neighbours(2, 4, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(neighbours(1, 6, 4), [0, 2, 1, 3, 4, 5]);
        // Two groups of two heads of Q, one of K and one of V, of one row each.
        assert_eq!(grouped(4, 2, 1), [0, 1, 4, 5, 2, 6, 3, 7]);
    }
}
