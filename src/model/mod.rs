//! Models: tokenizer, chat template and the one decoder.

pub mod decoder;
mod error;

pub use decoder::{Checkpoint, Decoder, DecoderConfig, Logits};
pub use error::Error;
