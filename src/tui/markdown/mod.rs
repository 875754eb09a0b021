//! A message's Markdown, as it streams in, as rows of styled cells.
//!
//! - `document`: one message: what is parsed again when text comes, and which rows are kept
//! - `parse`: pulldown-cmark's events into `block`s; `math` keeps formulas from being read as Markdown
//! - `link`: which addresses become links, and bare ones found in text
//! - `layout`: blocks into rows; `table` and `code` lay out theirs
//! - `wrap`: styled text into rows; `cluster` says what is one character to a terminal
//! - `search`: what a message says, and what of its rows matches

mod block;
mod cluster;
mod code;
mod document;
mod fence;
mod laid;
mod layout;
mod link;
mod math;
mod parse;
mod search;
#[cfg(test)]
mod streaming_tests;
mod table;
mod wrap;

pub use cluster::showable;
pub use document::{CodeBlock, Document};
pub use search::{Lit, block_texts, folded, light, locate, matches};
pub use wrap::{Link, Row, plain_rows};
