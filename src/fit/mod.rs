//! What fits a machine: the memory that a model needs, the speed to expect, and which of its quantizations to take.

mod choose;
mod estimate;
mod machine;
mod quantization;
mod recommend;
mod shape;

pub use choose::{Choice, best};
pub use estimate::{Estimate, Verdict, estimate};
pub use machine::{Bandwidth, Machine, Measured};
pub use quantization::{OFFERED, estimated_bytes};
pub use recommend::{Purpose, Recommendation, recommend};
pub use shape::{guessed, shape_of};

/// The context that is reckoned with where none is asked for, as far as the model was trained for so much.
pub const CONTEXT: u64 = 8192;

/// One form in which a model can be had.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Candidate {
    /// `Q4_K_M`; `safetensors` for the set.
    pub tag: String,
    pub size_bytes: u64,
}
