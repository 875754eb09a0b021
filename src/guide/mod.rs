//! `guide`: the small model that ships inside and answers questions about using oai.
//!
//! `corpus/` holds what it was taught, `held_out.toml` the questions that judge it, `guide.gguf`
//! the result. README.md beside them says how to make it again.

use crate::weights::Source;

/// The name that `-m` and `oai list` know it by.
pub const NAME: &str = "guide";

/// Tensors are read in place, so the bytes must lie as a mapped file's would: aligned.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("guide.gguf"));

/// The embedded GGUF file.
pub fn source() -> Source {
    Source::Embedded { name: NAME, bytes: &FILE.0 }
}

/// Its size.
pub fn size_bytes() -> u64 {
    FILE.0.len() as u64
}
