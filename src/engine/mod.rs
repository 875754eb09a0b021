//! From a request to a stream of events: loading, sampling, stop rules, context policy.

mod answer;
mod error;
mod generate;
mod info;
mod request;
mod sampler;
mod stop;

pub use crate::model::TemplateOptions;
pub use error::Error;
pub use generate::{Canceller, Engine, Generation, LoadOptions};
pub use info::{ModelInfo, inspect};
pub use request::{Event, Finish, Message, Prompt, Request, Role, Sampling, Timings, TokenLogprob, ToolCall, Usage};
