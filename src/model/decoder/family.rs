//! What tells families of decoders apart, a column each; [`super::families`] has the rows.
//!
//! A family that differs only in these columns is a new row; one that needs new arithmetic is a new
//! column and a branch where [`super::Decoder`] reads it.

/// Which components of a head RoPE turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Components `i` and `i + rope_dim / 2` ("NeoX"; nearly all safetensors files).
    Halves,
    /// Components `2i` and `2i + 1` (GGUF files of Llama and Mistral, whose rows are permuted for it).
    Neighbours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Zhang and Sennrich, 2019, <https://arxiv.org/abs/1910.07467>.
    Rms,
    /// RMSNorm whose safetensors hold the weight less one (GGUF files hold the weight).
    RmsLessOne,
    /// Ba et al., 2016, <https://arxiv.org/abs/1607.06450>.
    Layer,
    /// LayerNorm whose safetensors hold the weight less one.
    LayerLessOne,
    /// LayerNorm without weights.
    LayerPlain,
}

impl NormKind {
    pub fn subtracts_mean(self) -> bool {
        matches!(self, NormKind::Layer | NormKind::LayerLessOne | NormKind::LayerPlain)
    }
}

/// Where a layer normalizes and adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// Each part reads a normed state: `x += attn(norm(x)); x += ffn(norm(x))`.
    Pre,
    /// The same, and each part's result is normed before it is added.
    Sandwich,
    /// Only the results are normed.
    Post,
    /// Both parts read the layer's input, normed together or each for itself.
    Parallel,
    /// A layer is one part only: `x += part(norm(x))`.
    Single,
}

/// What layers are that do not attend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    Mamba,
    Mamba2,
}

/// How Q and K are normed before RoPE; RMSNorm if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    None,
    /// Over each head, with the same weights.
    Heads,
    /// The same, where the file has weights for it.
    HeadsIfAny,
    /// Over each head, after RoPE.
    TurnedHeads,
    /// LayerNorm over each head with weights of its own, where the file has them.
    EachHead,
    /// Over all heads at once.
    Whole,
}

/// Which layers see only a window of the tokens before them, if the file gives a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    Never,
    All,
    /// Every `n`th layer sees everything.
    FullEvery(usize),
}

/// RoPE in windowed layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowedRope {
    Same,
    /// Without the scaling of the others.
    Unscaled,
    /// That, and with a base of its own if the file does not give one.
    Theta(f64),
}

/// How safetensors store Q, K and V when they are one matrix. (GGUF files: always `Blocks`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkvLayout {
    /// All of Q, all of K, all of V.
    Blocks,
    /// For each KV head: the heads of Q that share it, K, V.
    Groups,
}

/// Which key head a value head of the gated delta rule has, of `k` key heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySharing {
    /// The first few have the first, the next few the second.
    Neighbours,
    /// Head `i` has `i % k`.
    InTurn,
}

/// The feed-forward layer's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// With the error function.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// The square of what is above zero.
    ReluSquared,
    /// gpt-oss: gate and up bounded, SiLU of a steeper slope, and up counted from one.
    BoundedSilu,
}

/// One row: a family of decoders.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// `general.architecture` of GGUF files.
    pub gguf_architecture: &'static str,
    /// `model_type` of `config.json`.
    pub hf_model_types: &'static [&'static str],
    pub gguf_rope_pairs: RopePairs,
    pub hf_rope_pairs: RopePairs,
    pub norm: NormKind,
    pub residual: Residual,
    pub qk_norm: QkNorm,
    /// V is normed too, without weights.
    pub v_norm: bool,
    /// What scores are multiplied with, where it does not follow from the width of a head.
    pub score_scale: Option<f64>,
    /// Q, K and V always have a bias.
    pub qkv_bias: bool,
    pub hf_qkv: QkvLayout,
    /// What GGUF files mean, which do not name it, and `config.json` files that do not.
    pub activation: Activation,
    /// The feed-forward layer multiplies with a gate.
    pub gated: bool,
    pub windows: Windows,
    pub windowed_rope: WindowedRope,
    pub recurrence: Option<Recurrence>,
    /// Positions are learned vectors.
    pub learned_positions: bool,
    /// Every `n`th layer has no RoPE.
    pub rope_free_every: Option<usize>,
    /// Layers that see everything have no RoPE, if there are others.
    pub rope_in_windows: bool,
    /// Embeddings are multiplied by the square root of the hidden size.
    pub scaled_embedding: bool,
    /// The weights of the experts chosen for a token are scaled to sum to one.
    pub experts_sum_to_one: bool,
    /// Experts are scored by a sigmoid, where the file does not say how.
    pub experts_by_sigmoid: bool,
    /// GGUF's `logit_scale` multiplies; it divides elsewhere.
    pub multiplied_logits: bool,
    /// Most layers have the gated delta rule in place of attention; how GGUF files order its heads.
    pub delta_net: Option<KeySharing>,
    /// The matrix of Q also gives a gate for what attention finds, after each head's query.
    pub gated_attention: bool,
    /// Matrices of safetensors are `[in, out]`.
    pub hf_transposed: bool,
    /// Those of experts are, and gate and up alternate in one matrix.
    pub hf_alternating_experts: bool,
}
