//! A tensor of a GGUF file that is yet to be written.

use super::made::Made;
use crate::kernels;
use crate::model::Error;
use crate::model::decoder::linear::{Matrix, with_floats};
use crate::weights::{MappedTensor, TensorType};

/// A tensor under its name in GGUF.
pub struct FormTensor {
    pub name: String,
    /// Row-major, as [`MappedTensor`]'s.
    pub shape: Vec<usize>,
    /// The type that holds its elements as they are.
    pub dtype: TensorType,
    elements: Elements,
    /// Which of the elements' columns each is, where it is not that in its place.
    columns: Option<Vec<u32>>,
}

enum Elements {
    /// As they lie in a GGUF file.
    Stored(MappedTensor),
    /// Matrices of as many rows, one below the other; `order` says for each row which of a matrix's it is, where it is
    /// not that in its place.
    Matrices {
        matrices: Vec<Matrix>,
        order: Option<Vec<u32>>,
    },
    /// The same of matrices that are made for it.
    Made {
        made: Made,
        order: Option<Vec<u32>>,
    },
    Values(Vec<f32>),
}

impl FormTensor {
    pub(super) fn stored_as(tensor: MappedTensor) -> FormTensor {
        let (name, shape, dtype) = (tensor.name.clone(), tensor.shape.clone(), tensor.dtype);
        FormTensor { name, shape, dtype, elements: Elements::Stored(tensor), columns: None }
    }

    pub(super) fn values(name: String, shape: &[usize], values: Vec<f32>) -> FormTensor {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let elements = Elements::Values(values);
        FormTensor { name, shape: shape.to_vec(), dtype: TensorType::F32, elements, columns: None }
    }

    /// One matrix.
    pub(super) fn matrix(name: String, matrix: Matrix, order: Option<Vec<u32>>) -> FormTensor {
        let shape = vec![order.as_ref().map_or(matrix.rows(), Vec::len), matrix.columns()];
        FormTensor {
            name,
            shape,
            dtype: exact(&[&matrix]),
            elements: Elements::Matrices { matrices: vec![matrix], order },
            columns: None,
        }
    }

    /// The matrices of all experts, `[experts, rows, columns]`; there is at least one.
    pub(super) fn experts(name: String, matrices: Vec<Matrix>) -> FormTensor {
        let shape = vec![matrices.len(), matrices[0].rows(), matrices[0].columns()];
        let dtype = exact(&matrices.iter().collect::<Vec<_>>());
        FormTensor { name, shape, dtype, elements: Elements::Matrices { matrices, order: None }, columns: None }
    }

    /// Matrices that are made when they are read, `shape` and `dtype` of all of them; `order` as above, of one that has
    /// as many rows.
    pub(super) fn made(
        made: Made,
        name: String,
        shape: Vec<usize>,
        dtype: TensorType,
        order: Option<Vec<u32>>,
    ) -> FormTensor {
        FormTensor { name, shape, dtype, elements: Elements::Made { made, order }, columns: None }
    }

    /// The same as numbers that are not quantized.
    pub(super) fn plain(self) -> FormTensor {
        FormTensor { dtype: TensorType::F32, ..self }
    }

    /// The same with columns in the order `columns`. Those of blocks become numbers that are not quantized.
    pub(super) fn with_columns(self, columns: Vec<u32>) -> FormTensor {
        let dtype = if self.dtype.block_elements() == 1 { self.dtype } else { TensorType::F32 };
        FormTensor { dtype, columns: Some(columns), ..self }
    }

    /// Elements of the last dimension.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows of all outer dimensions.
    pub fn row_count(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    /// The bytes of `dtype`, part after part, where they lie in files as GGUF has them.
    pub fn stored(&self) -> Option<Vec<&[u8]>> {
        match &self.elements {
            _ if self.columns.is_some() => None,
            Elements::Stored(tensor) => Some(vec![tensor.data()]),
            Elements::Matrices { matrices, order: None } => {
                let stored = matrices.iter().map(|matrix| matrix.stored().filter(|tensor| tensor.dtype == self.dtype));
                stored.map(|tensor| Some(tensor?.data())).collect()
            }
            _ => None,
        }
    }

    /// Lets the system take back the memory that reading it took.
    pub fn release(&self) {
        match &self.elements {
            Elements::Stored(tensor) => tensor.release(),
            Elements::Matrices { matrices, .. } => {
                matrices.iter().filter_map(Matrix::stored).for_each(MappedTensor::release)
            }
            Elements::Made { made, .. } => made.sources.iter().for_each(MappedTensor::release),
            Elements::Values(_) => {}
        }
    }

    /// Writes the rows from row `first` on to `out`, which holds whole ones, as f32.
    pub fn rows(&self, first: usize, out: &mut [f32]) -> Result<(), Error> {
        let columns = self.columns().max(1);
        match &self.elements {
            Elements::Stored(tensor) => {
                if !kernels::supports(tensor.dtype) {
                    let dtype = tensor.dtype.name();
                    return Err(Error::TensorType { file: tensor.file(), name: self.name.clone(), dtype });
                }
                let row_bytes = tensor.data().len() / self.row_count().max(1);
                let bytes = &tensor.data()[first * row_bytes..][..out.len() / columns * row_bytes];
                kernels::dequantize_rows(tensor.dtype, bytes, out);
            }
            Elements::Values(values) => out.copy_from_slice(&values[first * columns..][..out.len()]),
            Elements::Matrices { matrices, order } => copy_rows(matrices, order.as_deref(), first, columns, out)?,
            Elements::Made { made, order } => copy_rows(&made.matrices()?, order.as_deref(), first, columns, out)?,
        }
        if let Some(order) = &self.columns {
            for row in out.chunks_mut(columns) {
                let stored = row.to_vec();
                row.iter_mut().zip(order).for_each(|(value, column)| *value = stored[*column as usize]);
            }
        }
        Ok(())
    }
}

/// Rows of `matrices`, which all have as many, one below the other; `order` as [`Elements`] has it.
fn copy_rows(
    matrices: &[Matrix],
    order: Option<&[u32]>,
    first: usize,
    columns: usize,
    out: &mut [f32],
) -> Result<(), Error> {
    let each = order.map_or(matrices[0].rows(), <[u32]>::len).max(1);
    let (mut row, last) = (first, first + out.len() / columns);
    while row < last {
        let until = last.min((row / each + 1) * each);
        let ids: Vec<u32> =
            (row % each..row % each + until - row).map(|row| order.map_or(row as u32, |order| order[row])).collect();
        let out = &mut out[(row - first) * columns..(until - first) * columns];
        with_floats(&matrices[row / each].embed(&ids)?, |values| out.copy_from_slice(values))?;
        row = until;
    }
    Ok(())
}

/// The type that holds the elements of all `matrices` as they are: what dequantizing GPTQ and the like gives takes all of
/// an f32.
fn exact(matrices: &[&Matrix]) -> TensorType {
    let types: Vec<Option<TensorType>> = matrices.iter().map(|m| m.stored().map(|tensor| tensor.dtype)).collect();
    match types[0] {
        Some(dtype) if dtype.gguf_id().is_some() && types.iter().all(|other| *other == Some(dtype)) => dtype,
        _ => TensorType::F32,
    }
}
