//! What a layer keeps of the tokens seen so far: keys and values, preallocated, grown by doubling, cut back at will, and
//! rolled where the layer sees only a window; or a state that every token replaces.

use candle_core::{Result, Tensor, bail};

use super::MAX_CHUNK;
use crate::kernels::attention::{CHUNK, KvType, Params, Shape, Store};
use crate::kernels::cpu::Isa;

const FIRST_CAPACITY: usize = 256;
/// Positions that a layer with a window keeps besides those that it sees, so that going back that far computes nothing
/// anew.
const SLACK: usize = if cfg!(test) { 16 } else { 2048 };

/// Of `tokens` those that a layer with such a window keeps at most: all, or those that it sees, with as many again to roll
/// in.
pub fn positions_kept(window: Option<usize>, tokens: usize) -> usize {
    let kept = window.and_then(|window| window.checked_add(SLACK + CHUNK)?.checked_mul(2)?.checked_add(MAX_CHUNK));
    kept.and_then(usize::checked_next_power_of_two).map_or(tokens, |most| most.min(tokens))
}

/// The cache of one layer.
#[derive(Debug)]
pub struct LayerCache {
    /// How many tokens back (itself included) a token sees; `None` is all.
    window: Option<usize>,
    kv_type: KvType,
    /// Before the first token there is none.
    store: Option<Store>,
    /// The position of its first row.
    first: usize,
    /// Of a recurrent layer: empty before the first token. Never written in place, so that a clone stays what it was.
    state: Vec<Tensor>,
}

impl LayerCache {
    pub fn new(window: Option<usize>, kv_type: KvType) -> LayerCache {
        LayerCache { window, kv_type, store: None, first: 0, state: Vec::new() }
    }

    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    pub fn set_state(&mut self, state: Vec<Tensor>) {
        self.state = state;
    }

    /// What keys and values take.
    pub fn kv_bytes(&self) -> usize {
        self.store.as_ref().map_or(0, Store::bytes)
    }

    /// Whether what a token at position `at` sees is still here.
    pub fn reaches_back_from(&self, at: usize) -> bool {
        self.first <= self.seen_from(at)
    }

    /// The first position that a token at position `at` sees.
    fn seen_from(&self, at: usize) -> usize {
        self.window.map_or(0, |window| (at + 1).saturating_sub(window))
    }

    /// Writes `k` `[tokens, kv_heads, k_dim]` and `v` `[tokens, kv_heads, v_dim]` at positions `at ..`; `shape` says those
    /// sizes.
    pub fn append(&mut self, at: usize, shape: Shape, k: &[f32], v: &[f32]) -> Result<()> {
        let row = shape.kv_heads * shape.k_dim;
        if k.is_empty() || v.is_empty() || k.len() / row * shape.kv_heads * shape.v_dim != v.len() {
            bail!("keys and values of no size, or of different tokens");
        }
        let end = at + k.len() / row;
        if at == 0 {
            self.first = 0;
        }
        let seen_from = self.seen_from(at);
        let store = self.store.get_or_insert_with(|| Store::new(shape, self.kv_type));
        if store.shape != shape {
            bail!("keys and values of another shape");
        }
        if end - self.first > store.capacity() {
            // Whole chunks are moved, so that what attention adds up together stays together.
            let first = seen_from.saturating_sub(SLACK).saturating_sub(self.first) / CHUNK * CHUNK + self.first;
            // In rolling, room for as many again as are kept, so that each row is moved about once.
            let rolled = if first > 0 { at - first } else { 0 };
            let capacity = (end - first + rolled).next_power_of_two().max(FIRST_CAPACITY);
            store.resize(capacity, first - self.first..at - self.first);
            self.first = first;
        }
        store.append(at - self.first, k, v);
        Ok(())
    }

    /// What the queries `q` `[tokens, heads, k_dim]` of positions `at ..` find, once [`append`](Self::append) has been
    /// called for them: `[tokens, heads, v_dim]`.
    pub fn attend(&self, at: usize, heads: usize, q: &[f32], params: &Params) -> Result<Vec<f32>> {
        let Some(store) = &self.store else {
            bail!("a layer uses keys and values of another that has none");
        };
        let Shape { kv_heads, k_dim, v_dim, .. } = store.shape;
        let tokens = q.len() / (heads * k_dim);
        if q.len() != tokens * heads * k_dim || !heads.is_multiple_of(kv_heads) {
            bail!("{heads} heads cannot use {kv_heads} of {k_dim}");
        }
        if at + tokens - self.first > store.capacity() {
            bail!("queries of tokens whose keys are not there");
        }
        let mut out = vec![0f32; tokens * heads * v_dim];
        store.attend(q, heads, at - self.first, params, &mut out, Isa::best());
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_no_more_than_what_is_said() {
        let shape = Shape::new(1, 4, 4);
        for window in [None, Some(1), Some(100), Some(1000)] {
            let mut cache = LayerCache::new(window, KvType::F16);
            let mut at = 0;
            // Prompts of any length, and single tokens.
            for tokens in [1, MAX_CHUNK, MAX_CHUNK, 7, MAX_CHUNK].into_iter().cycle().take(60).chain([1; 600]) {
                let row = vec![0.5; 4 * tokens];
                cache.append(at, shape, &row, &row).unwrap();
                at += tokens;
                let capacity = cache.store.as_ref().unwrap().capacity();
                let said = positions_kept(window, at);
                assert!(capacity <= said.next_power_of_two().max(FIRST_CAPACITY), "{window:?}: {capacity} after {at}");
                assert!(window.is_some() || said == at);
            }
        }
    }
}
