//! The tensors of RWKV 7.

use super::FormTensor;
use super::tensors::Tensors;
use crate::model::Error;
use crate::model::decoder::config::Rwkv7Shape;
use crate::model::decoder::family::NormKind;

/// The epsilon that readers of GGUF give the norm of heads.
pub const HEAD_NORM_EPS: f64 = 64e-5;

/// The keys of the widths that some of a layer's tensors `[width, hidden]` have.
pub const RANKS: [(&str, &str); 4] = [
    ("attention.decay_lora_rank", "time_mix_w1"),
    ("attention.iclr_lora_rank", "time_mix_a1"),
    ("attention.value_residual_mix_lora_rank", "time_mix_v1"),
    ("attention.gate_lora_rank", "time_mix_g1"),
];

impl Tensors<'_> {
    pub fn time_mix(&mut self, index: usize, shape: &Rwkv7Shape) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let name = |part: &str| format!("blk.{index}.time_mix_{part}");
        let fused = name("lerp_fused.weight");
        let mut shares = Vec::new();
        if self.checkpoint.has(&fused) {
            shares = self.checkpoint.values(&fused, 6 * hidden)?;
        } else {
            for part in ["r", "w", "k", "v", "a", "g"] {
                shares.extend(self.checkpoint.values(&name(&format!("lerp_{part}.weight")), hidden)?);
            }
        }
        self.all.push(FormTensor::values(fused, &[6, 1, 1, hidden], shares));
        for part in ["receptance", "key", "value", "output"] {
            self.linear(&name(part), hidden, hidden, None)?;
        }
        for part in ["w", "a", "g"] {
            self.low_rank(&name(part), &name(part), hidden)?;
        }
        // The first layer's is not used, and asked for by readers.
        self.low_rank(&name(if index == 0 { "a" } else { "v" }), &name("v"), hidden)?;
        for part in ["k_k", "k_a", "r_k"] {
            let part = name(&format!("{part}.weight"));
            let values = self.checkpoint.values(&part, hidden / shape.head_dim * shape.head_dim)?;
            self.all.push(FormTensor::values(part, &[hidden], values));
        }
        self.norm(&name("ln"), &name("ln"), hidden, NormKind::Layer)
    }

    pub fn channel_mix(&mut self, index: usize, size: usize) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let name = |part: &str| format!("blk.{index}.channel_mix_{part}");
        let share = name("lerp_k.weight");
        let values = self.checkpoint.values(&share, hidden)?;
        self.all.push(FormTensor::values(share, &[1, 1, hidden], values));
        self.linear(&name("key"), size, hidden, None)?;
        self.linear(&name("value"), hidden, size, None)
    }

    /// Two matrices with few components between them; the bias of the second has a name of its own.
    fn low_rank(&mut self, stem: &str, gguf: &str, hidden: usize) -> Result<(), Error> {
        let down = self.checkpoint.matrix(&format!("{stem}1.weight"), None, hidden)?;
        let up = self.checkpoint.linear(&format!("{stem}2"), hidden, down.rows(), false)?;
        self.all.push(FormTensor::matrix(format!("{gguf}1.weight"), down, None).plain());
        self.all.push(FormTensor::matrix(format!("{gguf}2.weight"), up.weight, None).plain());
        if let Some(bias) = &up.bias {
            self.all.push(FormTensor::values(format!("{gguf}0.weight"), &[hidden], bias.to_vec()));
        }
        Ok(())
    }
}
