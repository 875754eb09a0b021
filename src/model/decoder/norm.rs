//! Normalization of the last dimension.

use candle_core::{DType, Device, Result, Tensor};

use super::checkpoint::Checkpoint;
use super::family::NormKind;
use crate::model::Error;

/// RMSNorm or LayerNorm with its weights `[size]`.
pub struct Norm {
    weight: Tensor,
    /// LayerNorm's; zeros where the file has none. RMSNorm has none.
    bias: Option<Tensor>,
    eps: f32,
}

impl Norm {
    /// Loads `stem.weight` and, for LayerNorm, `stem.bias`.
    pub fn load(
        checkpoint: &Checkpoint,
        stem: &str,
        size: usize,
        kind: NormKind,
        eps: f64,
    ) -> std::result::Result<Norm, Error> {
        if kind == NormKind::LayerPlain {
            return Ok(Norm::plain(size, kind, eps)?);
        }
        let mut weight = checkpoint.vector(&format!("{stem}.weight"), size)?;
        if matches!(kind, NormKind::RmsLessOne | NormKind::LayerLessOne) && checkpoint.is_folder() {
            weight = (weight + 1.0)?;
        }
        let bias_name = format!("{stem}.bias");
        let bias = match kind.subtracts_mean() {
            false => None,
            true if checkpoint.has(&bias_name) => Some(checkpoint.vector(&bias_name, size)?),
            true => Some(weight.zeros_like()?),
        };
        Ok(Norm { weight, bias, eps: eps as f32 })
    }

    /// A norm without weights.
    pub fn plain(size: usize, kind: NormKind, eps: f64) -> Result<Norm> {
        let weight = Tensor::ones(size, DType::F32, &Device::Cpu)?;
        let bias = if kind.subtracts_mean() { Some(weight.zeros_like()?) } else { None };
        Ok(Norm { bias, weight, eps: eps as f32 })
    }

    /// RMSNorm with the weights `[size]`.
    pub fn rms(weight: Tensor, eps: f64) -> Norm {
        Norm { weight, bias: None, eps: eps as f32 }
    }

    pub fn size(&self) -> usize {
        self.weight.elem_count()
    }

    /// `x` `[.., size]`, contiguous.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => candle_nn::ops::layer_norm(x, &self.weight, bias, self.eps),
            None => candle_nn::ops::rms_norm(x, &self.weight, self.eps),
        }
    }
}
