//! How fast a model is, and how near to what bounds it.
//!
//! A model is measured in a process of its own ([`child`], asked by a [`Measurer`]), for each number of threads and each
//! type of cache: so no test has another's memory, threads or caches, and the first token from a cold start is just that.

mod bandwidth;
pub mod chart;
pub mod child;
pub mod endpoint;
mod error;
mod machine;
mod measurer;
mod noise;
mod peak;
mod plan;
mod results;
mod run;
pub mod saved;
mod statistics;

pub use error::Error;
pub use measurer::Measurer;
pub use plan::{LARGEST_BATCH, Plan, Test, check};
pub use results::{Row, Setting};
pub use statistics::standard_deviation;

/// How far a run is.
pub struct Progress<'a> {
    pub test: &'a str,
    pub done_runs: usize,
    pub total_runs: usize,
}
