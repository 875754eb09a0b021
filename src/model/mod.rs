//! Models: tokenizer, chat template and the one decoder.

pub mod decoder;
mod error;
pub mod template;
pub mod tokenizer;

pub use decoder::{Checkpoint, Decoder, DecoderConfig, Logits};
pub use error::Error;
pub use template::{ChatTemplate, Rendered, TemplateOptions};
pub use tokenizer::{Detokenizer, Tokenizer};
