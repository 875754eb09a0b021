//! A linear layer and an embedding over mapped weights.

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};

use crate::kernels::{self, MatMulTransposed};
use crate::weights::{MappedTensor, TensorType};

/// candle's name for a type on disk, where the kernels compute with it.
pub fn compute_type(dtype: TensorType) -> Option<GgmlDType> {
    let dtype = match dtype {
        TensorType::F32 => GgmlDType::F32,
        TensorType::F16 => GgmlDType::F16,
        TensorType::BF16 => GgmlDType::BF16,
        TensorType::Q4_0 => GgmlDType::Q4_0,
        TensorType::Q4_1 => GgmlDType::Q4_1,
        TensorType::Q5_0 => GgmlDType::Q5_0,
        TensorType::Q5_1 => GgmlDType::Q5_1,
        TensorType::Q8_0 => GgmlDType::Q8_0,
        TensorType::Q2K => GgmlDType::Q2K,
        TensorType::Q3K => GgmlDType::Q3K,
        TensorType::Q4K => GgmlDType::Q4K,
        TensorType::Q5K => GgmlDType::Q5K,
        TensorType::Q6K => GgmlDType::Q6K,
        _ => return None,
    };
    kernels::supports(dtype).then_some(dtype)
}

/// A matrix `[rows, columns]` in its file.
#[derive(Clone)]
pub struct Matrix {
    tensor: MappedTensor,
    dtype: GgmlDType,
}

impl Matrix {
    /// The checkpoint has checked shape and type.
    pub(super) fn new(tensor: MappedTensor, dtype: GgmlDType) -> Matrix {
        Matrix { tensor, dtype }
    }

    pub fn rows(&self) -> usize {
        self.tensor.shape[0]
    }

    pub fn columns(&self) -> usize {
        self.tensor.shape[1]
    }

    /// Rows `ids` as f32: `[ids, columns]`. An id past the end is an error.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let columns = self.columns();
        let row_bytes = self.tensor.data().len() / self.rows();
        let mut out = vec![0f32; ids.len() * columns];
        for (id, out) in ids.iter().zip(out.chunks_mut(columns)) {
            let start = *id as usize * row_bytes;
            let Some(bytes) = self.tensor.data().get(start..start + row_bytes) else {
                candle_core::bail!("token {id} is outside the vocabulary of {}", self.rows());
            };
            kernels::dequantize_rows(self.dtype, bytes, out);
        }
        Tensor::from_vec(out, (ids.len(), columns), &Device::Cpu)
    }

    /// `x` `[tokens, columns]` to `[tokens, rows]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1_no_bwd(&MatMulTransposed {
            dtype: self.dtype,
            weight: self.tensor.data(),
            out_features: self.rows(),
            in_features: self.columns(),
        })
    }
}

/// A matrix and perhaps a bias `[rows]`.
#[derive(Clone)]
pub struct Linear {
    pub weight: Matrix,
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `x` `[tokens, in]` to `[tokens, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.weight.forward(x)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
