//! The element types of tensors on disk, with their block layouts.
//!
//! Numbers and sizes: <https://github.com/ggml-org/ggml/blob/master/include/ggml.h> (`enum ggml_type`).

use std::fmt;

macro_rules! tensor_types {
    (
        gguf { $($variant:ident = $id:literal, $name:literal, $block:literal elements, $bytes:literal bytes;)* }
        others { $($other:ident, $other_name:literal, $other_block:literal elements, $other_bytes:literal bytes;)* }
    ) => {
        /// An element type. Quantized types store blocks of elements.
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum TensorType { $($variant,)* $($other),* }

        impl TensorType {
            /// The type of a GGUF type number.
            pub fn from_gguf_id(id: u32) -> Option<TensorType> {
                match id { $($id => Some(TensorType::$variant),)* _ => None }
            }

            /// The number that GGUF files carry, for the types that they know.
            pub fn gguf_id(self) -> Option<u32> {
                match self { $(TensorType::$variant => Some($id),)* $(TensorType::$other => None),* }
            }

            /// The field's name for it, as in `Q4_K`.
            pub fn name(self) -> &'static str {
                match self { $(TensorType::$variant => $name,)* $(TensorType::$other => $other_name),* }
            }

            /// Elements in a block; 1 for plain types.
            pub fn block_elements(self) -> usize {
                match self { $(TensorType::$variant => $block,)* $(TensorType::$other => $other_block),* }
            }

            /// Bytes of a block.
            pub fn block_bytes(self) -> usize {
                match self { $(TensorType::$variant => $bytes,)* $(TensorType::$other => $other_bytes),* }
            }
        }
    };
}

tensor_types! {
    gguf {
        F32 = 0, "F32", 1 elements, 4 bytes;
        F16 = 1, "F16", 1 elements, 2 bytes;
        Q4_0 = 2, "Q4_0", 32 elements, 18 bytes;
        Q4_1 = 3, "Q4_1", 32 elements, 20 bytes;
        Q5_0 = 6, "Q5_0", 32 elements, 22 bytes;
        Q5_1 = 7, "Q5_1", 32 elements, 24 bytes;
        Q8_0 = 8, "Q8_0", 32 elements, 34 bytes;
        Q8_1 = 9, "Q8_1", 32 elements, 36 bytes;
        Q2K = 10, "Q2_K", 256 elements, 84 bytes;
        Q3K = 11, "Q3_K", 256 elements, 110 bytes;
        Q4K = 12, "Q4_K", 256 elements, 144 bytes;
        Q5K = 13, "Q5_K", 256 elements, 176 bytes;
        Q6K = 14, "Q6_K", 256 elements, 210 bytes;
        Q8K = 15, "Q8_K", 256 elements, 292 bytes;
        IQ2_XXS = 16, "IQ2_XXS", 256 elements, 66 bytes;
        IQ2_XS = 17, "IQ2_XS", 256 elements, 74 bytes;
        IQ3_XXS = 18, "IQ3_XXS", 256 elements, 98 bytes;
        IQ1_S = 19, "IQ1_S", 256 elements, 50 bytes;
        IQ4_NL = 20, "IQ4_NL", 32 elements, 18 bytes;
        IQ3_S = 21, "IQ3_S", 256 elements, 110 bytes;
        IQ2_S = 22, "IQ2_S", 256 elements, 82 bytes;
        IQ4_XS = 23, "IQ4_XS", 256 elements, 136 bytes;
        I8 = 24, "I8", 1 elements, 1 bytes;
        I16 = 25, "I16", 1 elements, 2 bytes;
        I32 = 26, "I32", 1 elements, 4 bytes;
        I64 = 27, "I64", 1 elements, 8 bytes;
        F64 = 28, "F64", 1 elements, 8 bytes;
        IQ1_M = 29, "IQ1_M", 256 elements, 56 bytes;
        BF16 = 30, "BF16", 1 elements, 2 bytes;
        TQ1_0 = 34, "TQ1_0", 256 elements, 54 bytes;
        TQ2_0 = 35, "TQ2_0", 256 elements, 66 bytes;
        MXFP4 = 39, "MXFP4", 32 elements, 17 bytes;
    }
    // Of safetensors files. U4 has the first of two elements in the low bits, NF4 in the high ones.
    others {
        U8, "U8", 1 elements, 1 bytes;
        F8_E4M3, "F8_E4M3", 1 elements, 1 bytes;
        U4, "U4", 2 elements, 1 bytes;
        NF4, "NF4", 2 elements, 1 bytes;
    }
}

impl TensorType {
    /// Bytes that `elements` take in rows of `row` elements; `None` when rows do not divide into
    /// blocks or the product overflows.
    pub fn storage_bytes(self, elements: usize, row: usize) -> Option<usize> {
        if !row.is_multiple_of(self.block_elements()) || !elements.is_multiple_of(self.block_elements()) {
            return None;
        }
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
