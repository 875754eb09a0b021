//! The chat on the whole screen: what is known ([`State`]), what changes it ([`update`]), how it looks ([`view`]),
//! kept apart. Both functions are pure: effects are values, and whoever runs the loop carries them out.

pub mod command;
pub mod composer;
mod event;
pub mod markdown;
pub mod pulse;
mod state;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod theme;
mod update;
mod view;

pub use event::{AnswerEvent, Effect, Event, FileChoice, LoadedModel, ModelRow, Setting};
pub use state::{Setup, State};
pub use update::{leave, update};
pub use view::view;
