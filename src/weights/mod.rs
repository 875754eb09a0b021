//! Weights on disk: GGUF and safetensors, mapped, never copied; no arithmetic here.

pub mod gguf;
pub mod gguf_writer;
mod mapped;
pub mod metadata;
pub mod safetensors;

pub use gguf::Gguf;
pub use gguf_writer::GgufWriter;
pub use mapped::{Bytes, MappedTensor, TensorType};
pub use metadata::{Metadata, Value};
