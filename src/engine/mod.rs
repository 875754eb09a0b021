//! From a request to a stream of events: loading, sampling, stop rules, context policy; from texts to vectors; and how
//! well a model foresees a text.

mod answer;
mod draft_model;
mod embed;
mod error;
mod generate;
mod info;
mod perplexity;
mod request;
mod sampler;
mod speculate;
mod stop;

pub use crate::model::TemplateOptions;
pub use embed::{EmbedOptions, Embedder, Embedding, is_embedder};
pub use error::Error;
pub use generate::{Canceller, Engine, Generation, LoadOptions};
pub use info::{Kind, ModelInfo, inspect};
pub use perplexity::{Perplexity, Progress, Span, perplexity};
pub use request::{
    Event, Finish, Message, Prompt, Request, Role, Sampling, Speculation, Timings, TokenLogprob, ToolCall, Usage,
};
