//! Weights on disk: GGUF and safetensors, mapped, never copied; no arithmetic here.

pub mod cut_short;
pub mod error;
pub mod gguf;
pub mod gguf_writer;
pub mod mapped;
pub mod metadata;
pub mod safetensors;
pub mod split;

pub use crate::tensor_type::TensorType;
pub use error::Error;
pub use gguf::Gguf;
pub use gguf_writer::{Entry, GgufWriter, Layout};
pub use mapped::{Bytes, MappedTensor, Source, open_quietly};
pub use metadata::{Metadata, Value};
pub use safetensors::SafetensorsFolder;
