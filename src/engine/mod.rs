//! From a request to a stream of events: loading, sampling, stop rules, context policy; from texts to vectors; how
//! well a model foresees a text, and how near to another; what its layers read there; and how fast it is.

mod answer;
mod calibrate;
mod divergence;
mod draft_model;
mod embed;
mod error;
mod footprint;
mod generate;
mod info;
mod measure;
mod perplexity;
mod request;
mod sampler;
mod speculate;
mod stop;

pub use crate::model::{KvType, TemplateOptions};
pub use calibrate::calibrate;
pub use divergence::{Divergence, Estimate, divergence};
pub use embed::{EmbedOptions, Embedder, Embedding, is_embedder};
pub use error::Error;
pub use footprint::{Cache, Footprint, footprint};
pub use generate::{Canceller, Engine, Generation, LoadOptions};
pub use info::{Kind, ModelInfo, Summary, TensorInfo, inspect, summarize, tensors};
pub use measure::Measurement;
pub use perplexity::{Perplexity, Progress, Span, perplexity};
pub use request::{
    Event, Finish, Message, Prompt, Request, Role, Sampling, Speculation, Timings, TokenLogprob, ToolCall, Usage,
};
