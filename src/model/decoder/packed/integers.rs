//! Integers with a scale, and perhaps a zero point, for each group of a row: GPTQ, AWQ, compressed-tensors.

use rayon::prelude::*;

use super::{Checkpoint, QWEIGHT, WORDS};
use crate::kernels::Groups;
use crate::model::Error;
use crate::model::decoder::linear::Matrix;
use crate::weights::{MappedTensor, TensorType};

/// Which output of eight each four bits of AWQ's words hold, turned round.
const AWQ_PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Rows that are packed together, so that a line of the cache is read once.
const STRIP: usize = 16;

impl Checkpoint {
    pub(super) fn gptq(
        &self,
        tensor: &MappedTensor,
        bits: usize,
        group: Option<usize>,
        zero_offset: u32,
    ) -> Result<Matrix, Error> {
        let a_word = 32 / bits;
        let mask = (1 << bits) - 1;
        let [words, rows] = self.sides(tensor, TensorType::I32)?;
        let columns = words * a_word;
        let group = group.unwrap_or(columns);
        let (scales, zeros) = self.scales_and_zeros(tensor, rows, columns.div_ceil(group), a_word)?;
        let zero = |at: usize, row: usize| {
            let stored = word(zeros, at * rows.div_ceil(a_word) + row / a_word) >> (bits * (row % a_word));
            (stored + zero_offset) & mask
        };
        let order = match self.beside(tensor, QWEIGHT, ".g_idx") {
            Some(g_idx) => self.order(g_idx, columns, group)?,
            None => None,
        };
        let stored = tensor.data();
        let bytes = pack(rows, columns, bits, |row, column| {
            let column = order.as_ref().map_or(column, |order| order[column] as usize);
            word(stored, column / a_word * rows + row) >> (bits * (column % a_word)) & mask
        });
        let dtype = if bits == 4 { TensorType::U4 } else { TensorType::U8 };
        let packed = MappedTensor::owned(tensor.name.clone(), vec![rows, columns], dtype, bytes);
        Ok(Matrix::grouped(packed, groups(&scales, zero, rows, columns, group), order))
    }

    pub(super) fn awq(&self, tensor: &MappedTensor, group: Option<usize>) -> Result<Matrix, Error> {
        let [columns, words] = self.sides(tensor, TensorType::I32)?;
        let rows = words * 8;
        if columns % 2 != 0 {
            return Err(self.wrong(tensor, format!("an odd number of columns, {columns}")));
        }
        let group = group.unwrap_or(columns);
        let (scales, zeros) = self.scales_and_zeros(tensor, rows, columns.div_ceil(group), 8)?;
        let code = |stored: &[u8], row: usize, column: usize| {
            word(stored, column * words + row / 8) >> (4 * AWQ_PLACES[row % 8]) & 15
        };
        let bytes = pack(rows, columns, 4, |row, column| code(tensor.data(), row, column));
        let packed = MappedTensor::owned(tensor.name.clone(), vec![rows, columns], TensorType::U4, bytes);
        let groups = groups(&scales, |at, row| code(zeros, row, at), rows, columns, group);
        Ok(Matrix::grouped(packed, groups, None))
    }

    /// Scales `[groups, rows]`, and the packed zero points as they lie.
    fn scales_and_zeros(
        &self,
        tensor: &MappedTensor,
        rows: usize,
        groups: usize,
        a_word: usize,
    ) -> Result<(Vec<f32>, &[u8]), Error> {
        let part = |end: &str| self.required_beside(tensor, QWEIGHT, end);
        let (scales, zeros) = (part(".scales")?, part(".qzeros")?);
        if scales.shape != [groups, rows] {
            return Err(self.wrong_shape(scales, &[groups, rows]));
        }
        if zeros.shape != [groups, rows.div_ceil(a_word)] || zeros.dtype != TensorType::I32 {
            return Err(self.wrong_shape(zeros, &[groups, rows.div_ceil(a_word)]));
        }
        Ok((self.floats(scales)?, zeros.data()))
    }

    /// The columns by group, where `g_idx` says that a group's do not follow one another (act-order).
    fn order(&self, g_idx: &MappedTensor, columns: usize, group: usize) -> Result<Option<Vec<u32>>, Error> {
        if g_idx.shape != [columns] || g_idx.dtype != TensorType::I32 {
            return Err(self.wrong_shape(g_idx, &[columns]));
        }
        let of = |column: usize| word(g_idx.data(), column) as usize;
        if (0..columns).all(|column| of(column) == column / group) {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by_key(|column| of(*column));
        if order.iter().enumerate().any(|(place, column)| of(*column) != place / group) {
            return Err(self.wrong(g_idx, format!("groups that are not of {group} columns each")));
        }
        Ok(Some(order.into_iter().map(|column| column as u32).collect()))
    }

    pub(super) fn words(&self, tensor: &MappedTensor, bits: usize, group: Option<usize>) -> Result<Matrix, Error> {
        let a_word = 32 / bits;
        let mask = (1 << bits) - 1;
        let [rows, words] = self.sides(tensor, TensorType::I32)?;
        let columns = words * a_word;
        let group = group.unwrap_or(columns);
        let count = columns.div_ceil(group);
        let stored = self.required_beside(tensor, WORDS, ".weight_scale")?;
        if stored.shape != [rows, count] {
            return Err(self.wrong_shape(stored, &[rows, count]));
        }
        let zeros = match self.beside(tensor, WORDS, ".weight_zero_point") {
            // Without zero points zero lies in the middle.
            None => vec![1 << (bits - 1); rows * count],
            Some(zeros) => {
                if zeros.shape != [rows.div_ceil(a_word), count] || zeros.dtype != TensorType::I32 {
                    return Err(self.wrong_shape(zeros, &[rows.div_ceil(a_word), count]));
                }
                let zero = |i: usize| {
                    let (row, at) = (i / count, i % count);
                    word(zeros.data(), row / a_word * count + at) >> (bits * (row % a_word)) & mask
                };
                (0..rows * count).map(|i| zero(i) as u8).collect()
            }
        };
        let groups = Groups { scales: self.floats(stored)?, zeros: Some(zeros), rows: 1, columns: group };
        let order = match self.beside(tensor, WORDS, ".weight_g_idx") {
            Some(g_idx) => self.order(g_idx, columns, group)?,
            None => None,
        };
        let (dtype, shape) = (if bits == 4 { TensorType::U4 } else { TensorType::U8 }, vec![rows, columns]);
        let Some(order) = order else {
            let viewed = tensor.viewed(shape, dtype);
            return Ok(Matrix::grouped(viewed.ok_or_else(|| self.wrong_shape(tensor, &[rows, words]))?, groups, None));
        };
        let bytes = pack(rows, columns, bits, |row, column| {
            let column = order[column] as usize;
            word(tensor.data(), row * words + column / a_word) >> (bits * (column % a_word)) & mask
        });
        let packed = MappedTensor::owned(tensor.name.clone(), shape, dtype, bytes);
        Ok(Matrix::grouped(packed, groups, Some(order)))
    }
}

/// The 32 bits at `index`.
fn word(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes([bytes[4 * index], bytes[4 * index + 1], bytes[4 * index + 2], bytes[4 * index + 3]])
}

/// A matrix `[rows, columns]` of 4 or 8 bits an element; `columns` must be even.
fn pack(rows: usize, columns: usize, bits: usize, code: impl Fn(usize, usize) -> u32 + Sync) -> Vec<u8> {
    let row_bytes = columns * bits / 8;
    let mut bytes = vec![0; rows * row_bytes];
    bytes.par_chunks_mut(STRIP * row_bytes).enumerate().for_each(|(strip, bytes)| {
        for column in 0..columns {
            for (row, bytes) in bytes.chunks_exact_mut(row_bytes).enumerate() {
                let code = code(strip * STRIP + row, column) as u8;
                match bits {
                    4 => bytes[column / 2] |= code << (4 * (column % 2)),
                    _ => bytes[column] = code,
                }
            }
        }
    });
    bytes
}

/// Scales `[groups, rows]` and zero points of `(group, row)` as the kernels want them: by row.
fn groups(scales: &[f32], zero: impl Fn(usize, usize) -> u32, rows: usize, columns: usize, group: usize) -> Groups {
    let count = columns.div_ceil(group);
    let places = (0..rows).flat_map(|row| (0..count).map(move |at| (at, row)));
    Groups {
        scales: places.clone().map(|(at, row)| scales[at * rows + row]).collect(),
        zeros: Some(places.map(|(at, row)| zero(at, row) as u8).collect()),
        rows: 1,
        columns: group,
    }
}
