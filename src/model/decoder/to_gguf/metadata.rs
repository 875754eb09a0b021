//! A decoder's shape as GGUF metadata: the reverse of [`super::super::from_gguf`], which reads it again to see that
//! nothing was lost.

use super::FormTensor;
use super::mixers::sharpness;
use crate::model::Error;
use crate::model::decoder::checkpoint::Checkpoint;
use crate::model::decoder::config::{DecoderConfig, Experts, MixerKind, Rotation};
use crate::model::decoder::families::FAMILIES;
use crate::model::decoder::family::{Residual, Windows};
use crate::model::decoder::from_gguf;
use crate::model::decoder::rope::RopeScaling;
use crate::weights::{Gguf, MappedTensor, Metadata, TensorType, Value};

/// Sets the keys of the architecture, and returns the tensors that belong to them.
pub fn set(metadata: &mut Metadata, config: &DecoderConfig, vocab_size: usize) -> Result<Vec<FormTensor>, String> {
    let architecture = architecture(config);
    metadata.set("general.architecture", Value::String(architecture.to_owned()));
    let mut keys = Keys { metadata, architecture };
    let layers = &config.layers;
    keys.number("vocab_size", vocab_size);
    keys.number("context_length", config.context_length);
    keys.number("embedding_length", config.hidden_size);
    keys.number("block_count", layers.len());
    let expert_size = config.experts.as_ref().map_or(0, |experts| experts.feed_forward_size);
    // Of layers that have experts alone, theirs.
    let sizes =
        layers.iter().map(|layer| if layer.feed_forward_size > 0 { layer.feed_forward_size } else { expert_size });
    // A layer's only part, where it has but one.
    let sizes = layers.iter().zip(sizes).enumerate().map(|(index, (layer, size))| match config.feeds_forward(index) {
        false => 0,
        true if layer.experts && experts_alone(config) => expert_size,
        true => size,
    });
    keys.numbers("feed_forward_length", sizes);
    let head_dim = head_dim(config);
    if attends(config) {
        keys.number("attention.head_count", config.heads);
        keys.kv_heads(config);
        keys.number("attention.key_length", head_dim);
        keys.number("attention.value_length", config.latent.map_or(head_dim, |latent| latent.rank));
        let windowed = layers.iter().find(|layer| layer.window.is_some()).map_or(head_dim, |layer| layer.head_dim);
        if windowed != head_dim {
            keys.number("attention.key_length_swa", windowed);
            keys.number("attention.value_length_swa", windowed);
        }
    } else {
        keys.number("attention.head_count", 0);
    }
    if let Some(latent) = &config.latent {
        keys.latent(config, latent);
    }
    keys.recurrence(config);
    if architecture == "gemma4" {
        keys.number("embedding_length_per_layer_input", config.layer_embedding_size);
        keys.number("attention.shared_kv_layers", layers.iter().filter(|layer| layer.kv_of.is_some()).count());
    }
    let eps = if config.family.norm.subtracts_mean() { "layer_norm_epsilon" } else { "layer_norm_rms_epsilon" };
    keys.float(&format!("attention.{eps}"), config.norm_eps);
    if architecture.starts_with("nemotron_h") {
        // Of a part that few files have; asked for of all.
        keys.float("attention.layer_norm_epsilon", config.norm_eps);
    }
    // These two read it whatever it is.
    if config.residual != config.family.residual || ["gptneox", "stablelm"].contains(&architecture) {
        keys.set("use_parallel_residual", Value::Bool(config.residual == Residual::Parallel));
    }
    if let Some(window) = layers.iter().find_map(|layer| layer.window) {
        keys.number("attention.sliding_window", window);
        // Readers go by the first family of that name.
        let family = FAMILIES.iter().find(|family| family.gguf_architecture == architecture);
        let usual = |index: usize| match family.map_or(Windows::Never, |family| family.windows) {
            Windows::Never => false,
            Windows::All => true,
            Windows::FullEvery(n) => !(index + 1).is_multiple_of(n),
        };
        let unusual = layers.iter().enumerate().any(|(index, layer)| layer.window.is_some() != usual(index));
        if unusual || architecture == "gemma4" {
            let pattern = layers.iter().map(|layer| Value::Bool(layer.window.is_some())).collect();
            keys.set("attention.sliding_window_pattern", Value::Array(pattern));
        }
    }
    keys.scales(config, head_dim);
    if let Some(experts) = config.experts.as_ref().filter(|_| has_experts(config)) {
        keys.experts(config, experts);
    }
    if !attends(config) {
        return Ok(Vec::new());
    }
    keys.sharpness(config);
    keys.rotations(config)
}

/// What files call the architecture: a few have names of their own for models with experts or without recurrence.
fn architecture(config: &DecoderConfig) -> &'static str {
    match config.family.gguf_architecture {
        "nemotron_h" if has_experts(config) => "nemotron_h_moe",
        "granitehybrid" if !config.is_recurrent() && has_experts(config) => "granitemoe",
        "granitehybrid" if !config.is_recurrent() => "granite",
        usual => usual,
    }
}

/// Whether a layer that has experts has one size: other families name that of experts apart, and what the layers without
/// have here.
fn experts_alone(config: &DecoderConfig) -> bool {
    config.residual == Residual::Single || config.family.gguf_architecture.starts_with("granite")
}

fn has_experts(config: &DecoderConfig) -> bool {
    config.layers.iter().enumerate().any(|(index, layer)| layer.experts && config.feeds_forward(index))
}

fn attends(config: &DecoderConfig) -> bool {
    config.layers.iter().any(|layer| layer.mixer == MixerKind::Attention)
}

/// The size of the heads that see everything, of others where there are none.
fn head_dim(config: &DecoderConfig) -> usize {
    let attending = || config.layers.iter().filter(|layer| layer.mixer == MixerKind::Attention);
    attending().find(|layer| layer.window.is_none()).or(attending().next()).map_or(0, |layer| layer.head_dim)
}

pub struct Keys<'a> {
    metadata: &'a mut Metadata,
    architecture: &'static str,
}

impl Keys<'_> {
    pub fn set(&mut self, name: &str, value: Value) {
        self.metadata.set(&format!("{}.{name}", self.architecture), value);
    }

    pub fn number(&mut self, name: &str, number: usize) {
        self.set(name, Value::U32(number as u32));
    }

    /// A number of each layer: one for all where they are the same.
    pub fn numbers(&mut self, name: &str, numbers: impl Iterator<Item = usize>) {
        let numbers: Vec<usize> = numbers.collect();
        match numbers.first() {
            Some(first) if numbers.iter().all(|number| number == first) => self.number(name, *first),
            _ => self.set(name, Value::Array(numbers.into_iter().map(|number| Value::U32(number as u32)).collect())),
        }
    }

    pub fn float(&mut self, name: &str, number: f64) {
        self.set(name, Value::F32(number as f32));
    }

    /// A number that readers take for `usual` where it is not written.
    fn float_unless(&mut self, name: &str, number: f64, usual: f64) {
        if (number / usual - 1.0).abs() > 1e-6 {
            self.float(name, number);
        }
    }

    fn scales(&mut self, config: &DecoderConfig, head_dim: usize) {
        let scales = &config.scales;
        let root = if config.family.scaled_embedding { (config.hidden_size as f64).sqrt() } else { 1.0 };
        self.float_unless("embedding_scale", scales.embedding, root);
        self.float_unless("residual_scale", scales.residual, 1.0);
        if attends(config) && config.family.score_scale.is_none() && sharpness(config).is_none() {
            let dim = config.latent.map_or(head_dim, |latent| latent.nope_dim + latent.rope_dim);
            self.float_unless("attention.scale", scales.attention, (dim as f64).powf(-0.5));
        }
        let logits = if config.family.multiplied_logits { scales.logits } else { 1.0 / scales.logits };
        self.float_unless("logit_scale", logits, 1.0);
        for (name, bound) in [
            ("attn_logit_softcapping", scales.attention_cap),
            ("final_logit_softcapping", scales.logits_cap),
            ("attention.clamp_kqv", scales.qkv_bound),
        ] {
            if let Some(bound) = bound {
                self.float(name, bound);
            }
        }
        if let Some(position) = scales.position {
            self.float("attention.temperature_scale", position.beta);
        }
    }

    fn experts(&mut self, config: &DecoderConfig, experts: &Experts) {
        self.number("expert_count", experts.count);
        self.number("expert_used_count", experts.used);
        self.number("expert_feed_forward_length", experts.feed_forward_size);
        if experts.shared_feed_forward_size > 0 {
            self.number("expert_shared_feed_forward_length", experts.shared_feed_forward_size);
            let count = experts.shared_feed_forward_size / experts.feed_forward_size.max(1);
            self.number("expert_shared_count", count.max(1));
        }
        let dense = config.layers.iter().take_while(|layer| !layer.experts).count();
        if dense > 0 {
            self.number("leading_dense_block_count", dense);
        }
        if experts.sum_to_one != config.family.experts_sum_to_one || experts.sigmoid {
            self.set("expert_weights_norm", Value::Bool(experts.sum_to_one));
        }
        self.float_unless("expert_weights_scale", experts.scale, 1.0);
        if experts.sigmoid {
            self.number("expert_gating_func", 2);
        }
        if let Some(groups) = &experts.groups {
            self.number("expert_group_count", groups.count);
            self.number("expert_group_used_count", groups.used);
        }
    }

    fn rotations(&mut self, config: &DecoderConfig) -> Result<Vec<FormTensor>, String> {
        let rotations = &config.rotations;
        let Some(Rotation { theta, dim, scaling, .. }) = rotations.first() else { return Ok(Vec::new()) };
        self.number("rope.dimension_count", *dim);
        self.float("rope.freq_base", *theta);
        if let Some(windowed) = rotations.get(1) {
            self.float("rope.freq_base_swa", windowed.theta);
            if windowed.dim != *dim {
                self.number("rope.dimension_count_swa", windowed.dim);
            }
        }
        let mut kind = |name: &str| self.set("rope.scaling.type", Value::String(name.to_owned()));
        let divisors =
            |name: &str, divisors: &[f32]| FormTensor::values(name.to_owned(), &[divisors.len()], divisors.to_vec());
        match scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => {
                kind("linear");
                self.float("rope.scaling.factor", *factor);
            }
            RopeScaling::Llama3 { .. } | RopeScaling::Proportional { .. } => {
                let all = divisors("rope_freqs.weight", &frequency_divisors(*theta, *dim, scaling));
                return Ok(vec![all]);
            }
            RopeScaling::Factors(all) => return Ok(vec![divisors("rope_freqs.weight", all)]),
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, magnitude, .. } => {
                kind("yarn");
                let usual = if sharpness(config).is_some() { 1.0 } else { 1.0 + 0.1 * factor.max(1.0).ln() };
                self.float("rope.scaling.factor", *factor);
                self.number("rope.scaling.original_context_length", *original_context as usize);
                self.float_unless("rope.scaling.yarn_beta_fast", *beta_fast, 32.0);
                self.float_unless("rope.scaling.yarn_beta_slow", *beta_slow, 1.0);
                self.float_unless("rope.scaling.attn_factor", magnitude / usual, 1.0);
            }
            RopeScaling::Long { short, long, original_context, magnitude } => {
                kind("longrope");
                self.number("rope.scaling.original_context_length", *original_context);
                self.float("rope.scaling.attn_factor", *magnitude);
                return Ok(vec![
                    divisors("rope_factors_long.weight", long),
                    divisors("rope_factors_short.weight", short),
                ]);
            }
        }
        Ok(Vec::new())
    }
}

/// What divides each frequency: GGUF has these numbers for what `config.json` has a few of.
fn frequency_divisors(theta: f64, dim: usize, scaling: &RopeScaling) -> Vec<f32> {
    let divisor = |i: usize| match scaling {
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            let turns = original_context * theta.powf(-2.0 * i as f64 / dim as f64) / std::f64::consts::TAU;
            let keep = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (1.0 / (keep + (1.0 - keep) / factor)) as f32
        }
        // As if it did not turn.
        RopeScaling::Proportional { part, .. } if i >= (part * dim as f64) as usize / 2 => 1e30,
        RopeScaling::Proportional { factor, .. } => *factor as f32,
        _ => 1.0,
    };
    (0..dim / 2).map(divisor).collect()
}

/// Reads `metadata` again: fails, with what it is about, where that gives another model than `config`.
pub fn check(metadata: &Metadata, tensors: &[FormTensor], config: &DecoderConfig, file: &str) -> Result<(), Error> {
    let tensor = |tensor: &FormTensor| {
        // Of others than the divisors of frequencies only the names are read.
        let mut values = vec![0f32; if tensor.name.starts_with("rope") { tensor.columns() } else { 0 }];
        if !values.is_empty() {
            tensor.rows(0, &mut values)?;
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(MappedTensor::owned(tensor.name.clone(), tensor.shape.clone(), TensorType::F32, bytes))
    };
    let tensors = tensors.iter().map(tensor).collect::<Result<_, Error>>()?;
    let gguf = Gguf { file: file.to_owned(), metadata: metadata.clone(), tensors, size_bytes: 0 };
    let mut read = from_gguf::config(&Checkpoint::Gguf(gguf.clone()), &gguf)?;
    let mut wanted = config.clone();
    wanted.rotations.iter_mut().for_each(|rotation| rotation.pairs = config.family.gguf_rope_pairs);
    [&mut wanted, &mut read].into_iter().for_each(forget_unused);
    for rotation in &mut wanted.rotations {
        if let RopeScaling::Llama3 { .. } | RopeScaling::Proportional { .. } = rotation.scaling {
            let divisors = frequency_divisors(rotation.theta, rotation.dim, &rotation.scaling);
            rotation.scaling = RopeScaling::Factors(divisors);
        }
        if let RopeScaling::Yarn { whole_steps, .. } = &mut rotation.scaling {
            // GGUF does not say it, and readers round.
            *whole_steps = true;
        }
    }
    for layer in &mut wanted.layers {
        match &mut layer.mixer {
            // The heads' order is changed with the tensors.
            MixerKind::DeltaNet(shape) => shape.sharing = config.family.delta_net.unwrap_or(shape.sharing),
            // Files have one epsilon for all norms.
            MixerKind::Mamba(shape) => shape.norm_eps = shape.norm_eps.map(|_| config.norm_eps as f32),
            // The least time step of Nemotron's is that of training, which transformers alone keeps to.
            MixerKind::Mamba2(shape) if config.architecture == "nemotron_h" => shape.time_step_limit.0 = 0.0,
            _ => {}
        }
    }
    let fields = |config: &DecoderConfig| {
        [
            ("heads", format!("{:?} {:?} {:?}", config.heads, config.hidden_size, config.context_length)),
            ("norms", format!("{:?} {:?}", config.norm_eps, config.residual)),
            ("activation", format!("{:?}", config.activation)),
            ("layers", format!("{:?}", config.layers)),
            ("rotation", format!("{:?}", config.rotations)),
            ("experts", format!("{:?}", config.experts)),
            ("scales", format!("{:?}", config.scales)),
            ("latents", format!("{:?} {:?}", config.latent, config.layer_embedding_size)),
        ]
    };
    match fields(&wanted).into_iter().zip(fields(&read)).find(|((_, a), (_, b))| !alike(a, b)) {
        None => Ok(()),
        Some(((what, _), _)) => {
            let what = format!("conversion to GGUF of the {what} of this {:?}", config.architecture);
            Err(Error::Unsupported { file: file.to_owned(), what })
        }
    }
}

/// Takes away what no layer uses: files need not agree about it.
fn forget_unused(config: &mut DecoderConfig) {
    let (attends, alone) = (attends(config), experts_alone(config));
    if !attends {
        config.heads = 1;
        config.rotations.clear();
        config.scales.attention = 1.0;
    }
    if !has_experts(config) {
        config.experts = None;
    }
    for index in 0..config.layers.len() {
        let feeds_forward = config.feeds_forward(index);
        let layer = &mut config.layers[index];
        if layer.mixer != MixerKind::Attention {
            (layer.rotation, layer.kv_heads, layer.head_dim) = (None, 0, 0);
        }
        layer.experts &= feeds_forward;
        if !feeds_forward || alone && layer.experts {
            layer.feed_forward_size = 0;
        }
    }
}

/// Whether two texts differ in nothing but the last digits of numbers.
fn alike(a: &str, b: &str) -> bool {
    let parts =
        |text: &str| text.split([' ', ',', '(', ')', '[', ']', '{', '}']).map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (parts(a), parts(b));
    a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => a == b || (a - b).abs() <= 1e-5 * a.abs().max(b.abs()),
            _ => a == b,
        })
}
