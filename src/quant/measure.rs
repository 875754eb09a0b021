//! What each type would cost a tensor: its size, and the error that it makes, measured on rows of the tensor itself.

use std::sync::Mutex;

use super::Error;
use super::budget::{Candidate, error};
use crate::kernels::{self, pool};
use crate::model::FormTensor;
use crate::tensor_type::TensorType;

/// Elements of a tensor that are tried: rows evenly over it, as many as this has.
const SAMPLED_ELEMENTS: usize = 1 << 18;

/// Types to choose among, small to large: those with the least error of their size, for rows of whole blocks of 256 and
/// of 32 elements.
const TYPES: &[TensorType] = &[
    TensorType::Q2K,
    TensorType::Q3K,
    TensorType::IQ4_XS,
    TensorType::IQ4_NL,
    TensorType::Q4K,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5K,
    TensorType::Q5_1,
    TensorType::Q6K,
    TensorType::Q8_0,
    TensorType::F16,
];

/// What tells how much a tensor's error costs the whole model.
pub struct Measured {
    pub layers: usize,
    /// The output layer is the token embedding.
    pub is_tied: bool,
}

impl Measured {
    /// What `tensor` may become, its own type included; `importance` is `[experts, columns]`.
    pub fn candidates(&self, tensor: &FormTensor, importance: Option<&[f32]>) -> Result<Vec<Candidate>, Error> {
        let columns = tensor.columns();
        let elements = tensor.row_count() * columns;
        let bytes = |dtype: TensorType| dtype.storage_bytes(elements, columns).map(|bytes| bytes as u64);
        let own_bytes = bytes(tensor.dtype).unwrap_or(u64::MAX);
        let smaller = |dtype: &&TensorType| bytes(**dtype).is_some_and(|bytes| bytes < own_bytes);
        let types: Vec<TensorType> = TYPES.iter().filter(smaller).copied().collect();
        let (errors, energy) = squared_errors(tensor, importance, &types)?;
        let candidate = |(dtype, squared): (&TensorType, f64)| {
            let error = error(&tensor.name, self.layers, self.is_tied, squared, energy);
            Some(Candidate { dtype: *dtype, bytes: bytes(*dtype)?, error })
        };
        let mut all: Vec<Candidate> = types.iter().zip(errors).filter_map(candidate).collect();
        all.push(Candidate { dtype: tensor.dtype, bytes: own_bytes, error: 0.0 });
        Ok(all)
    }
}

/// The one thing that `tensor` may become where its type is settled.
pub fn only(tensor: &FormTensor, dtype: TensorType) -> Vec<Candidate> {
    let (elements, columns) = (tensor.row_count() * tensor.columns(), tensor.columns());
    let bytes = dtype.storage_bytes(elements, columns).unwrap_or(0) as u64;
    vec![Candidate { dtype, bytes, error: 0.0 }]
}

/// The squared error that each of `types` makes in the rows that are tried, and the sum of squares of what is in them,
/// both weighed by importance.
fn squared_errors(
    tensor: &FormTensor,
    importance: Option<&[f32]>,
    types: &[TensorType],
) -> Result<(Vec<f64>, f64), Error> {
    let (rows, columns) = (tensor.row_count(), tensor.columns());
    let tried = (SAMPLED_ELEMENTS / columns.max(1)).clamp(1, rows.max(1));
    let rows_an_expert = rows / importance.map_or(1, |all| all.len() / columns.max(1)).max(1);
    let sums = Mutex::new(Ok((vec![0f64; types.len()], 0f64)));
    pool::run(tried, |index| {
        let row = index * rows / tried;
        let importance = importance.map(|all| &all[row / rows_an_expert * columns..][..columns]);
        let weighed = |values: &dyn Fn(usize) -> f32| -> f64 {
            let term = |column: usize| {
                let value = f64::from(values(column));
                value * value * importance.map_or(1.0, |all| f64::from(all[column]))
            };
            (0..columns).map(term).sum()
        };
        let mut values = vec![0f32; columns];
        let read = tensor.rows(row, &mut values);
        let mut errors = vec![0f64; types.len()];
        let mut decoded = vec![0f32; columns];
        for (error, dtype) in errors.iter_mut().zip(types) {
            let mut blocks = vec![0u8; dtype.storage_bytes(columns, columns).unwrap_or(0)];
            kernels::quantize_rows(*dtype, &values, columns, importance, &mut blocks);
            kernels::dequantize_rows(*dtype, &blocks, &mut decoded);
            *error = weighed(&|column| values[column] - decoded[column]);
        }
        let energy = weighed(&|column| values[column]);
        let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (&mut *sums, read) {
            (Ok((all, total)), Ok(())) => {
                all.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
                *total += energy;
            }
            (Ok(_), Err(error)) => *sums = Err(Error::from(error)),
            (Err(_), _) => {}
        }
    });
    let (errors, energy) = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)?;
    if !energy.is_finite() {
        return Err(Error::NoNumbers { tensor: tensor.name.clone() });
    }
    Ok((errors, energy))
}
