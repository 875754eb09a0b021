//! The gated short convolution of LFM2 (Liquid AI, 2025, <https://arxiv.org/abs/2511.23404>): in place of attention.

use candle_core::{Result, Tensor};

use super::causal_conv::CausalConv;
use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::kv_cache::LayerCache;
use super::linear::Linear;
use crate::model::Error;

pub struct ShortConv {
    /// To the gate before the convolution, the gate after it, and its input: `[3 * hidden, hidden]`.
    input: Linear,
    conv: CausalConv,
    output: Linear,
}

impl ShortConv {
    /// A convolution of `width` tokens.
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        width: usize,
        layer: usize,
    ) -> std::result::Result<ShortConv, Error> {
        let name = |part: &str| format!("blk.{layer}.shortconv.{part}");
        let hidden = config.hidden_size;
        Ok(ShortConv {
            input: checkpoint.linear(&name("in_proj"), 3 * hidden, hidden, false)?,
            conv: CausalConv::load(checkpoint, &name("conv"), hidden, width)?,
            output: checkpoint.linear(&name("out_proj"), hidden, hidden, false)?,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape.
    pub fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let parts = self.input.forward(x)?.chunk(3, 1)?;
        let (before, after, value) = (&parts[0], &parts[1], &parts[2]);
        let (mixed, state) = self.conv.forward(&(before * value)?, cache.state().first())?;
        cache.set_state(vec![state]);
        self.output.forward(&(after * mixed)?)
    }
}
