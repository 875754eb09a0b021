//! The keys of what layers have in place of attention, or of attention with more than one shape.

use super::metadata::Keys;
use crate::model::decoder::config::{DecoderConfig, Latent, MixerKind};
use crate::model::decoder::rope::RopeScaling;
use crate::weights::Value;

impl Keys<'_> {
    /// Layers that do not attend have no heads: that is how readers tell them.
    pub fn kv_heads(&mut self, config: &DecoderConfig) {
        let heads = config.layers.iter().map(|layer| match layer.mixer {
            MixerKind::Attention | MixerKind::DeltaNet(_) | MixerKind::Rwkv7(_) => layer.kv_heads,
            MixerKind::None | MixerKind::ShortConv { .. } | MixerKind::Mamba(_) | MixerKind::Mamba2(_) => 0,
        });
        self.numbers("attention.head_count_kv", heads);
    }

    pub fn latent(&mut self, config: &DecoderConfig, latent: &Latent) {
        let Latent { query_rank, rank, nope_dim, rope_dim, v_dim } = *latent;
        if let Some(query_rank) = query_rank {
            self.number("attention.q_lora_rank", query_rank);
        }
        self.number("attention.kv_lora_rank", rank);
        self.number("attention.key_length_mla", nope_dim + rope_dim);
        self.number("attention.value_length_mla", v_dim);
        let dense = config.layers.iter().take_while(|layer| !layer.experts).count();
        self.number("leading_dense_block_count", dense);
    }

    /// The tenth of what DeepSeek calls mscale, of which [`sharpness`] is the rest.
    pub fn sharpness(&mut self, config: &DecoderConfig) {
        if let Some((sharpness, factor)) = sharpness(config) {
            self.float("rope.scaling.yarn_log_multiplier", (sharpness.sqrt() - 1.0) / factor.ln());
        }
    }

    /// One of the recurrences that a model has beside attention: all its layers are alike.
    pub fn recurrence(&mut self, config: &DecoderConfig) {
        let attends = |mixer: &MixerKind| *mixer == MixerKind::Attention;
        let mixers: Vec<MixerKind> = config.layers.iter().map(|layer| layer.mixer).collect();
        match mixers.iter().find(|mixer| !attends(mixer) && **mixer != MixerKind::None) {
            Some(MixerKind::ShortConv { width }) => self.number("shortconv.l_cache", *width),
            Some(MixerKind::Rwkv7(shape)) => self.number("wkv.head_size", shape.head_dim),
            Some(MixerKind::DeltaNet(shape)) => {
                self.number("ssm.conv_kernel", shape.conv_width);
                self.number("ssm.state_size", shape.key_dim);
                self.number("ssm.group_count", shape.key_heads);
                self.number("ssm.time_step_rank", shape.value_heads);
                self.number("ssm.inner_size", shape.value_heads * shape.value_dim);
                let recurrent = mixers.iter().map(|mixer| Value::Bool(!attends(mixer))).collect();
                self.set("attention.recurrent_layers", Value::Array(recurrent));
                let every = mixers.iter().position(attends).map_or(mixers.len() + 1, |first| first + 1);
                self.number("full_attention_interval", every);
            }
            Some(MixerKind::Mamba(shape)) => {
                self.number("ssm.conv_kernel", shape.conv_width);
                self.number("ssm.inner_size", shape.inner);
                self.number("ssm.state_size", shape.states);
                self.number("ssm.time_step_rank", shape.rank);
                if config.family.gguf_architecture == "mamba" {
                    self.set("ssm.dt_b_c_rms", Value::Bool(shape.norm_eps.is_some()));
                }
            }
            Some(MixerKind::Mamba2(shape)) => {
                self.number("ssm.conv_kernel", shape.conv_width);
                self.number("ssm.inner_size", shape.inner());
                self.number("ssm.state_size", shape.states);
                self.number("ssm.group_count", shape.groups);
                self.number("ssm.time_step_rank", shape.heads);
                if config.family.gguf_architecture == "granitehybrid" {
                    let turns = config.layers.iter().any(|layer| attends(&layer.mixer) && layer.rotation.is_some());
                    self.set("rope.scaling.finetuned", Value::Bool(turns));
                }
            }
            _ => {}
        }
    }
}

/// By how much the scores of latent attention are larger than by the width of a head, and the factor of the YaRN that
/// this belongs to.
pub fn sharpness(config: &DecoderConfig) -> Option<(f64, f64)> {
    let latent = config.latent?;
    let sharpness = config.scales.attention * ((latent.nope_dim + latent.rope_dim) as f64).sqrt();
    match config.rotations.first()?.scaling {
        RopeScaling::Yarn { factor, .. } if factor > 1.0 && (sharpness - 1.0).abs() > 1e-6 => Some((sharpness, factor)),
        _ => None,
    }
}
