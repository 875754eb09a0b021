//! What a layer keeps of the tokens seen so far: keys and values, preallocated, grown by doubling, cut back at will;
//! or a state that every token replaces.

use candle_core::{DType, Device, Result, Tensor};

const FIRST_CAPACITY: usize = 256;

/// The cache of one layer.
#[derive(Debug)]
pub struct LayerCache {
    /// `[kv_heads, capacity, head_dim]` each; the two may differ in `head_dim`.
    tensors: Option<(Tensor, Tensor)>,
    /// Of a recurrent layer: empty before the first token. Never written in place, so that a clone stays what it was.
    state: Vec<Tensor>,
}

impl LayerCache {
    pub fn new() -> LayerCache {
        LayerCache { tensors: None, state: Vec::new() }
    }

    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    pub fn set_state(&mut self, state: Vec<Tensor>) {
        self.state = state;
    }

    /// All keys and values up to position `end`, as [`append`](Self::append) returned them in this pass.
    pub fn view(&self, end: usize) -> Result<(Tensor, Tensor)> {
        match &self.tensors {
            Some((k, v)) => Ok((k.narrow(1, 0, end)?, v.narrow(1, 0, end)?)),
            None => candle_core::bail!("a layer uses keys and values of another that has none"),
        }
    }

    /// Writes `k` and `v` `[kv_heads, tokens, head_dim]` at positions `at ..` and returns all keys
    /// and values up to their end as views `[kv_heads, at + tokens, head_dim]`.
    pub fn append(&mut self, at: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let (kv_heads, tokens, k_dim) = k.dims3()?;
        let v_dim = v.dim(2)?;
        let end = at + tokens;
        let capacity = self.tensors.as_ref().map_or(0, |(k, _)| k.dims()[1]);
        if end > capacity {
            let capacity = end.next_power_of_two().max(FIRST_CAPACITY);
            let grown_k = Tensor::zeros((kv_heads, capacity, k_dim), DType::F32, &Device::Cpu)?;
            let grown_v = Tensor::zeros((kv_heads, capacity, v_dim), DType::F32, &Device::Cpu)?;
            if let (Some((old_k, old_v)), true) = (&self.tensors, at > 0) {
                grown_k.slice_set(&old_k.narrow(1, 0, at)?.contiguous()?, 1, 0)?;
                grown_v.slice_set(&old_v.narrow(1, 0, at)?.contiguous()?, 1, 0)?;
            }
            self.tensors = Some((grown_k, grown_v));
        }
        let (all_k, all_v) = self.tensors.as_ref().expect("allocated above when it was absent");
        all_k.slice_set(&k.contiguous()?, 1, at)?;
        all_v.slice_set(&v.contiguous()?, 1, at)?;
        Ok((all_k.narrow(1, 0, end)?, all_v.narrow(1, 0, end)?))
    }
}
