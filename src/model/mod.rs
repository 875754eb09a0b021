//! Models: tokenizer, chat template, the one decoder and the one encoder.

pub mod decoder;
pub mod encoder;
mod error;
mod pooling;
pub mod template;
pub mod tokenizer;

pub use decoder::{Checkpoint, Decoder, DecoderConfig, FormTensor, GgufForm, Logits, positions_kept};
pub use encoder::{Encoder, EncoderConfig};
pub use error::Error;
pub use pooling::{Pooling, Recipe};
pub use template::{ChatTemplate, Rendered, TemplateOptions};
pub use tokenizer::{Detokenizer, Tokenizer};

pub use crate::kernels::attention::KvType;
