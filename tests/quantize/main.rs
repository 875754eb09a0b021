//! `oai quantize` through the real binary.

#[path = "../common/mod.rs"]
mod common;
mod convert;
mod files;
mod fit;
mod model;
mod stopped;
mod types;
