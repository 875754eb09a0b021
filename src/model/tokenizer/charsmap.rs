//! SentencePiece's compiled table of normalizations (`precompiled_charsmap`): the longest match of a
//! double array trie is replaced by a string.
//!
//! Format: <https://github.com/google/sentencepiece/blob/master/src/normalizer.cc> (`DecodePrecompiledCharsMap`)
//! and Darts-clone's units, <https://github.com/s-yata/darts-clone/blob/master/include/darts.h>.

/// The table: bytes in the trie, and what they become.
pub(super) struct CharsMap {
    units: Vec<u32>,
    /// Texts that end in a zero byte; the trie's values are where they begin.
    replacements: Vec<u8>,
}

impl CharsMap {
    /// Reads the bytes of the table: its trie's size in bytes, the trie, the replacements.
    pub fn new(bytes: &[u8]) -> Result<CharsMap, String> {
        let damaged = || "its normalization table (precompiled_charsmap) is cut off".to_owned();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
        let size = u32::from_le_bytes(*size) as usize;
        if !size.is_multiple_of(4) || size > rest.len() {
            return Err(damaged());
        }
        let (trie, replacements) = rest.split_at(size);
        let units = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Ok(CharsMap { units, replacements: replacements.to_vec() })
    }

    /// The bytes that [`CharsMap::new`] reads.
    pub fn bytes(&self) -> Vec<u8> {
        let size = 4 * self.units.len() as u32;
        let trie = std::iter::once(&size).chain(&self.units).flat_map(|unit| unit.to_le_bytes());
        trie.chain(self.replacements.iter().copied()).collect()
    }

    /// What the longest known beginning of `text` becomes, and its length in bytes.
    pub fn replace(&self, text: &[u8]) -> Option<(&str, usize)> {
        let unit = |at: usize| self.units.get(at).copied();
        let offset = |unit: u32| ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
        let mut at = offset(unit(0)?);
        let mut longest = None;
        for (i, byte) in text.iter().enumerate().take_while(|(_, byte)| **byte != 0) {
            at ^= usize::from(*byte);
            let Some(found) = unit(at).filter(|unit| unit & (1 << 31 | 0xff) == u32::from(*byte)) else { break };
            at ^= offset(found);
            if found >> 8 & 1 == 1 {
                longest = unit(at).map(|leaf| ((leaf & !(1 << 31)) as usize, i + 1));
            }
        }
        let (start, len) = longest?;
        let replacement = self.replacements.get(start..)?;
        let end = replacement.iter().position(|byte| *byte == 0)?;
        Some((std::str::from_utf8(&replacement[..end]).ok()?, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_damaged_table_panics() {
        assert!(CharsMap::new(&[1, 2]).is_err());
        assert!(CharsMap::new(&[8, 0, 0, 0, 1, 2, 3, 4]).is_err());
        let mut bytes = vec![16, 0, 0, 0];
        for unit in [0x400u32 * 2, 0x161, 0xffff_ffff, 0x80] {
            bytes.extend(unit.to_le_bytes());
        }
        bytes.extend(b"x\0");
        assert_eq!(CharsMap::new(&bytes).unwrap().bytes(), bytes);
        for i in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[i] ^= flip;
                if let Ok(map) = CharsMap::new(&broken) {
                    let _ = map.replace(b"aab\x01");
                }
            }
        }
    }
}
