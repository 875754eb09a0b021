//! A linear layer and an embedding over mapped weights.

use std::sync::Arc;

use candle_core::{CpuStorage, Device, Result, Storage, Tensor};

use crate::kernels::{self, Groups, Input, Product, Weights};
use crate::weights::MappedTensor;

/// A matrix `[rows, columns]` in its file.
#[derive(Clone)]
pub struct Matrix {
    tensor: MappedTensor,
    /// Scales that the file keeps apart.
    groups: Option<Arc<Groups>>,
    /// Which column of the model each stored one is, where the file stores them in an order of its own.
    order: Option<Tensor>,
}

impl Matrix {
    /// The checkpoint has checked shape and type.
    pub(super) fn new(tensor: MappedTensor) -> Matrix {
        Matrix { tensor, groups: None, order: None }
    }

    /// The same with scales apart, as many as the shape asks for, and with columns in an order of their own.
    pub(super) fn grouped(tensor: MappedTensor, groups: Groups, order: Option<Tensor>) -> Matrix {
        Matrix { tensor, groups: Some(Arc::new(groups)), order }
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
            kernels::dequantize_rows(self.tensor.dtype, bytes, out);
            if let Some(groups) = &self.groups {
                groups.apply(*id as usize, columns, out);
            }
        }
        let rows = Tensor::from_vec(out, (ids.len(), columns), &Device::Cpu)?;
        match &self.order {
            // Each stored column goes back to where the model has it.
            Some(order) => rows.zeros_like()?.index_add(order, &rows, 1),
            None => Ok(rows),
        }
    }

    /// `x` `[tokens, columns]` to `[tokens, rows]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match &self.order {
            Some(order) => x.contiguous()?.index_select(order, 1)?,
            None => x.contiguous()?,
        };
        let tokens = x.dim(0)?;
        let mut out = vec![0f32; tokens * self.rows()];
        with_floats(&x, |x| {
            let input = &Input::new(x, tokens, self.columns());
            kernels::multiply(&mut [Product { weights: self.weights(), input, out: &mut out }]);
        })?;
        Tensor::from_vec(out, (tokens, self.rows()), &Device::Cpu)
    }

    fn weights(&self) -> Weights<'_> {
        Weights {
            dtype: self.tensor.dtype,
            bytes: self.tensor.data(),
            groups: self.groups.as_deref(),
            rows: self.rows(),
            columns: self.columns(),
        }
    }
}

/// Calls `f` with the elements of a contiguous tensor of f32.
pub(super) fn with_floats<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => candle_core::bail!("activations must be contiguous and f32"),
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
