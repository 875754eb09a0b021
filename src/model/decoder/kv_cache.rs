//! What a layer keeps of the tokens seen so far: keys and values, preallocated, grown by doubling, cut back at will, and
//! rolled where the layer sees only a window; or a state that every token replaces.

use candle_core::{DType, Device, Result, Tensor};

const FIRST_CAPACITY: usize = 256;
/// Positions that a layer with a window keeps besides those that it sees, so that going back that far computes nothing
/// anew.
const SLACK: usize = if cfg!(test) { 16 } else { 2048 };

/// The cache of one layer.
#[derive(Debug)]
pub struct LayerCache {
    /// How many tokens back (itself included) a token sees; `None` is all.
    window: Option<usize>,
    /// `[kv_heads, capacity, head_dim]` each; the two may differ in `head_dim`.
    tensors: Option<(Tensor, Tensor)>,
    /// The position of their first row.
    first: usize,
    /// Of a recurrent layer: empty before the first token. Never written in place, so that a clone stays what it was.
    state: Vec<Tensor>,
}

/// Keys and values `[kv_heads, positions, head_dim]` that the tokens of a pass see, from position `first` on.
pub struct Seen {
    pub k: Tensor,
    pub v: Tensor,
    pub first: usize,
}

impl LayerCache {
    pub fn new(window: Option<usize>) -> LayerCache {
        LayerCache { window, tensors: None, first: 0, state: Vec::new() }
    }

    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    pub fn set_state(&mut self, state: Vec<Tensor>) {
        self.state = state;
    }

    /// Whether what a token at position `at` sees is still here.
    pub fn reaches_back_from(&self, at: usize) -> bool {
        self.first <= self.seen_from(at)
    }

    /// The first position that a token at position `at` sees.
    fn seen_from(&self, at: usize) -> usize {
        self.window.map_or(0, |window| (at + 1).saturating_sub(window))
    }

    /// What tokens at positions `at .. end` see, once [`append`](Self::append) has been called for them.
    pub fn view(&self, at: usize, end: usize) -> Result<Seen> {
        let Some((k, v)) = &self.tensors else {
            candle_core::bail!("a layer uses keys and values of another that has none");
        };
        let first = self.seen_from(at);
        let part = |all: &Tensor| all.narrow(1, first - self.first, end - first);
        Ok(Seen { k: part(k)?, v: part(v)?, first })
    }

    /// Writes `k` and `v` `[kv_heads, tokens, head_dim]` at positions `at ..` and returns what their tokens see.
    pub fn append(&mut self, at: usize, k: &Tensor, v: &Tensor) -> Result<Seen> {
        let (kv_heads, tokens, k_dim) = k.dims3()?;
        let v_dim = v.dim(2)?;
        let end = at + tokens;
        if at == 0 {
            self.first = 0;
        }
        let capacity = self.tensors.as_ref().map_or(0, |(k, _)| k.dims()[1]);
        if end - self.first > capacity {
            let first = self.seen_from(at).saturating_sub(SLACK).max(self.first);
            // In rolling, room for as many again as are kept, so that each row is moved about once.
            let rolled = if first > 0 { at - first } else { 0 };
            let capacity = (end - first + rolled).next_power_of_two().max(FIRST_CAPACITY);
            let grown_k = Tensor::zeros((kv_heads, capacity, k_dim), DType::F32, &Device::Cpu)?;
            let grown_v = Tensor::zeros((kv_heads, capacity, v_dim), DType::F32, &Device::Cpu)?;
            if let (Some((old_k, old_v)), true) = (&self.tensors, at > first) {
                let kept = |old: &Tensor| old.narrow(1, first - self.first, at - first)?.contiguous();
                grown_k.slice_set(&kept(old_k)?, 1, 0)?;
                grown_v.slice_set(&kept(old_v)?, 1, 0)?;
            }
            self.tensors = Some((grown_k, grown_v));
            self.first = first;
        }
        let (all_k, all_v) = self.tensors.as_ref().expect("allocated above when it was absent");
        all_k.slice_set(&k.contiguous()?, 1, at - self.first)?;
        all_v.slice_set(&v.contiguous()?, 1, at - self.first)?;
        self.view(at, end)
    }
}
