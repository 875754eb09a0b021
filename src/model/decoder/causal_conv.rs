//! A convolution along the tokens, each channel for itself, of a token and the few before it.

use candle_core::{DType, Device, Result, Tensor};

use super::checkpoint::Checkpoint;
use crate::model::Error;

pub struct CausalConv {
    /// `[channels, width]`, the latest token's last.
    weight: Tensor,
    /// `[channels]`.
    bias: Option<Tensor>,
}

impl CausalConv {
    /// `stem.weight` `[channels, width]` or, as Hugging Face stores it, `[channels, 1, width]`; `stem.bias` where
    /// there is one.
    pub fn load(
        checkpoint: &Checkpoint,
        stem: &str,
        channels: usize,
        width: usize,
    ) -> std::result::Result<CausalConv, Error> {
        let weight = checkpoint.grid(&format!("{stem}.weight"), channels, width)?;
        let bias = checkpoint.vector_if_any(&format!("{stem}.bias"), channels)?;
        Ok(CausalConv { weight, bias })
    }

    /// `x` `[tokens, channels]` to the same shape. `before` are the `[width - 1, channels]` inputs before it, zeros
    /// at the beginning; those before the next token are returned with the result.
    pub fn forward(&self, x: &Tensor, before: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let (tokens, channels) = x.dims2()?;
        let width = self.weight.dim(1)?;
        let padded = match before {
            Some(before) => Tensor::cat(&[before, x], 0)?,
            None => Tensor::cat(&[&Tensor::zeros((width - 1, channels), DType::F32, &Device::Cpu)?, x], 0)?,
        };
        let mut out = match &self.bias {
            Some(bias) => bias.broadcast_as((tokens, channels))?.contiguous()?,
            None => Tensor::zeros((tokens, channels), DType::F32, &Device::Cpu)?,
        };
        for tap in 0..width {
            let weight = self.weight.narrow(1, tap, 1)?.reshape((1, channels))?;
            out = (out + padded.narrow(0, tap, tokens)?.broadcast_mul(&weight)?)?;
        }
        // A copy: a view would keep the whole of `padded` alive.
        Ok((out, padded.narrow(0, tokens, width - 1)?.copy()?))
    }
}
