//! What a model takes of a machine, from its headers.

use super::{Error, Kind};
use crate::model::{Checkpoint, EncoderConfig, KvType};
use crate::weights::Source;

/// What a model takes of memory and of its bandwidth, whatever its weights are kept as.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    pub kind: Kind,
    /// Number of weights; 0 where nobody knows.
    pub parameters: u64,
    /// Of the bytes of its weights, those that a token reads: less than 1 where it chooses among experts, or where the
    /// embedding is only looked up.
    pub read_share: f64,
    /// Tokens that it was trained for.
    pub context_length: u64,
    pub caches: Vec<Cache>,
    /// Of recurrent layers, however long the text is.
    pub state_bytes: u64,
}

/// Keys and values that layers of one kind keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Of each token that a layer keeps, in f16, in all layers of the kind.
    pub bytes_a_token: u64,
    /// How many tokens back the layers look, if not to the first.
    pub window: Option<u64>,
    /// They are other layers': read again, but not kept again.
    pub shared: bool,
}

impl Footprint {
    /// Bytes of the cache that holds `context` tokens.
    pub fn kv_bytes(&self, context: u64, kv_type: KvType) -> u64 {
        let own = self.caches.iter().filter(|cache| !cache.shared);
        let kept = own.map(|cache| cache.bytes(cache.positions(context), kv_type));
        kept.fold(self.state_bytes, u64::saturating_add)
    }

    /// Bytes of the cache that a token reads which comes after `depth` others.
    pub fn kv_read_bytes(&self, depth: u64, kv_type: KvType) -> u64 {
        let seen = |cache: &Cache| cache.window.map_or(depth + 1, |window| window.min(depth + 1));
        let read = self.caches.iter().map(|cache| cache.bytes(seen(cache), kv_type));
        read.fold(self.state_bytes, u64::saturating_add)
    }
}

impl Cache {
    fn bytes(&self, tokens: u64, kv_type: KvType) -> u64 {
        let f16 = self.bytes_a_token.saturating_mul(tokens);
        (u128::from(f16) * u128::from(kv_type.bytes_of_32()) / u128::from(KvType::F16.bytes_of_32())) as u64
    }

    /// Of `tokens` those that are kept.
    fn positions(&self, tokens: u64) -> u64 {
        crate::model::positions_kept(self.window.map(|window| window as usize), tokens as usize) as u64
    }
}

/// Reads the headers of a model; fails as loading it would.
pub fn footprint(source: &Source) -> Result<(Footprint, u64), Error> {
    let checkpoint = Checkpoint::open(source)?;
    let (size_bytes, parameters) = (checkpoint.size_bytes(), checkpoint.parameters());
    if let Some(config) = EncoderConfig::of(&checkpoint)? {
        let context_length = config.context_length as u64;
        let caches = Vec::new();
        let encoder =
            Footprint { kind: Kind::Encoder, parameters, read_share: 1.0, context_length, caches, state_bytes: 0 };
        return Ok((encoder, size_bytes));
    }
    let config = checkpoint.config()?;
    let mut caches: Vec<Cache> = Vec::new();
    for kept in config.kept() {
        let (window, bytes) = (kept.window.map(|window| window as u64), 2 * kept.elements as u64);
        match caches.iter_mut().find(|cache| cache.window == window && cache.shared == kept.shared) {
            Some(cache) => cache.bytes_a_token = cache.bytes_a_token.saturating_add(bytes),
            None => caches.push(Cache { bytes_a_token: bytes, window, shared: kept.shared }),
        }
    }
    let decoder = Footprint {
        kind: Kind::Decoder,
        parameters,
        read_share: (checkpoint.bytes_a_token(&config) as f64 / size_bytes.max(1) as f64).min(1.0),
        context_length: config.context_length as u64,
        caches,
        state_bytes: config.state_bytes(),
    };
    Ok((decoder, size_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide;

    #[test]
    fn the_guide_takes_what_its_shape_says() {
        let (guide, size_bytes) = footprint(&guide::source()).unwrap();
        assert!(guide.read_share > 0.8 && guide.read_share <= 1.0 && size_bytes > 2_000_000, "{guide:?}");
        // Four layers of size 192, as many KV heads as heads: keys and values of two bytes.
        assert_eq!(guide.kv_bytes(100, KvType::F16), 100 * 4 * 192 * 2 * 2);
        assert_eq!(guide.kv_bytes(100, KvType::F32), 2 * guide.kv_bytes(100, KvType::F16));
        assert_eq!(guide.kv_bytes(64, KvType::Q8_0), guide.kv_bytes(64, KvType::F16) * 34 / 64);
        assert_eq!(guide.kv_read_bytes(99, KvType::F16), guide.kv_bytes(100, KvType::F16));
    }

    #[test]
    fn windows_bound_what_is_read_and_what_is_kept() {
        let cache = |window, shared| Cache { bytes_a_token: 10, window, shared };
        let model = Footprint {
            kind: Kind::Decoder,
            parameters: 1,
            read_share: 1.0,
            context_length: 1 << 20,
            caches: vec![cache(None, false), cache(Some(1024), false), cache(None, true)],
            state_bytes: 7,
        };
        assert_eq!(model.kv_read_bytes(4999, KvType::F16), 7 + 50_000 + 10_240 + 50_000);
        let kept = model.kv_bytes(1 << 20, KvType::F16);
        assert!(kept > 7 + (10 << 20) + 10_240 && kept < 7 + (10 << 20) + 10 * (1 << 14), "{kept}");
        let endless = Footprint { caches: vec![Cache { bytes_a_token: u64::MAX, ..cache(None, false) }], ..model };
        assert_eq!(endless.kv_bytes(u64::MAX, KvType::F16), u64::MAX);
    }
}
