//! Training on candle's autodiff: a small Llama-shaped model from nothing but a corpus.
//!
//! candle's fused `rms_norm`, `softmax_last_dim` and `rope` cut the gradient without a word; the
//! model here uses their slow twins, and a test checks that every weight learns.

pub mod corpus;
mod error;
mod export;
mod llama;
mod train;
mod vocabulary;

pub use corpus::Corpus;
pub use error::Error;
pub use train::{Progress, Recipe, train};
