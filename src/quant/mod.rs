//! Models in fewer bits: what type each tensor gets, what that costs, and the file that comes of it.

mod budget;
mod error;
mod imatrix;
mod measure;
mod mix;
mod role;
mod scheme;
mod write;

pub use budget::{Candidate, TooSmall, choose};
pub use error::Error;
pub use imatrix::{Entry, Error as ImatrixError, Imatrix};
pub use measure::{Measured, only};
pub use mix::{Choice, Rules, Shape, plan, visit_order};
pub use scheme::{Pattern, Scheme, tensor_type};
pub use write::{Part, Target, parts, write, write_nameless};
