//! Normalization of the last dimension.

use candle_core::{Device, Result, Tensor};

use super::checkpoint::Checkpoint;
use super::family::NormKind;
use super::linear::with_floats;
use crate::kernels::elementwise;
use crate::model::Error;

/// RMSNorm or LayerNorm with its weights.
pub struct Norm {
    weight: Vec<f32>,
    /// LayerNorm's; zeros where the file has none. RMSNorm has none.
    bias: Option<Vec<f32>>,
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
            return Ok(Norm::plain(size, kind, eps));
        }
        let mut weight = checkpoint.vector(&format!("{stem}.weight"), size)?.to_vec1::<f32>()?;
        if matches!(kind, NormKind::RmsLessOne | NormKind::LayerLessOne) && checkpoint.is_folder() {
            weight.iter_mut().for_each(|weight| *weight += 1.0);
        }
        let bias_name = format!("{stem}.bias");
        let bias = match kind.subtracts_mean() {
            false => None,
            true if checkpoint.has(&bias_name) => Some(checkpoint.vector(&bias_name, size)?.to_vec1()?),
            true => Some(vec![0.0; size]),
        };
        Ok(Norm { weight, bias, eps: eps as f32 })
    }

    /// A norm without weights.
    pub fn plain(size: usize, kind: NormKind, eps: f64) -> Norm {
        let bias = kind.subtracts_mean().then(|| vec![0.0; size]);
        Norm { bias, weight: vec![1.0; size], eps: eps as f32 }
    }

    /// RMSNorm with these weights.
    pub fn rms(weight: Vec<f32>, eps: f64) -> Norm {
        Norm { weight, bias: None, eps: eps as f32 }
    }

    /// `x` `[.., size]`, contiguous.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = with_floats(x, |x| self.apply(x))?;
        Tensor::from_vec(out, x.shape(), &Device::Cpu)
    }

    /// The same for rows one after the other.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0f32; x.len()];
        match &self.bias {
            Some(bias) => elementwise::layer_norm(x, &self.weight, bias, self.eps, &mut out),
            None => elementwise::rms_norm(x, &self.weight, self.eps, &mut out),
        }
        out
    }
}
