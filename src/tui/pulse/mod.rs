//! The pulse of a conversation and of the machine: how fast tokens come, how full the context is, how busy the cores are.
//!
//! [`Pulse`] and [`Machine`] are told what happens and when; [`column`] and [`strip`] draw them. What is shown is kept
//! still: values that only flicker stay what they were, so that a screen on which nothing happens is not drawn anew.

mod column;
mod figures;
mod glyphs;
mod machine;
mod rates;
mod state;
mod steady;
mod strip;

pub use column::column;
pub use figures::{grouped, rate, used_of};
pub use glyphs::{gauge, shortened};
pub use machine::Machine;
pub use state::{ModelFacts, Pulse};
pub use strip::{flow, strip};
