//! From a request to a stream of events: loading, sampling, stop rules, context policy.

mod request;

pub use request::{Event, Finish, Message, Prompt, Request, Role, Sampling, Timings, TokenLogprob, Usage};
