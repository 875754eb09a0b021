//! FP8, INT8, NF4 and MXFP4: a byte or half of one for each element, with scales.

use serde_json::Value as Json;

use super::{BLOCKS, Checkpoint, pair, plain};
use crate::kernels::{Groups, NF4_LEVELS};
use crate::model::Error;
use crate::model::decoder::linear::Matrix;
use crate::weights::{MappedTensor, TensorType};

impl Checkpoint {
    pub(super) fn scaled(&self, tensor: &MappedTensor, block: Option<[usize; 2]>) -> Result<Matrix, Error> {
        let [rows, columns] = self.sides(tensor, tensor.dtype)?;
        let ends = [("weight_scale_inv", 1.0), ("weight_scale", 1.0), ("SCB", 1.0 / 127.0)];
        let found = ends.into_iter().find_map(|(end, unit)| Some((self.beside(tensor, "weight", end)?, unit)));
        // What was cast and not scaled has none.
        let Some((stored, unit)) = found else { return Ok(Matrix::new(tensor.clone())) };
        let scales: Vec<f32> = self.floats(stored)?.iter().map(|scale| scale * unit).collect();
        let candidates = [Some([rows, columns]), Some([1, columns]), block];
        let fits = |block: &[usize; 2]| match (*block, &stored.shape[..]) {
            ([r, c], [a, b]) => [*a, *b] == [rows.div_ceil(r), columns.div_ceil(c)],
            ([r, c], _) => scales.len() == rows.div_ceil(r) * columns.div_ceil(c),
        };
        let Some([r, c]) = candidates.into_iter().flatten().find(fits) else {
            return Err(self.wrong(stored, format!("shape {:?} for a weight {:?}", stored.shape, tensor.shape)));
        };
        Ok(Matrix::grouped(tensor.clone(), Groups { scales, zeros: None, rows: r, columns: c }, None))
    }

    pub(super) fn nf4(&self, tensor: &MappedTensor) -> Result<Matrix, Error> {
        let part = |end: &str| self.required_beside(tensor, "", end);
        let state = part(".quant_state.bitsandbytes__nf4")?;
        let state: Json = serde_json::from_slice(state.data())
            .map_err(|e| self.wrong(state, format!("a description that is not JSON ({e})")))?;
        let block = state["blocksize"].as_u64().unwrap_or(0) as usize;
        let shape = pair(&state["shape"]);
        let (Some([rows, columns]), true) = (shape, block > 0) else {
            return Err(self.wrong(tensor, format!("blocks of {block} in a shape {}", state["shape"])));
        };
        let count = rows.saturating_mul(columns);
        let levels = self.floats(part(".quant_map")?)?;
        if levels.len() != 16 || levels.iter().zip(NF4_LEVELS).any(|(a, b)| (a - b).abs() > 1e-6) {
            return Err(self.wrong(tensor, "levels that are not those of NF4".to_owned()));
        }
        let absmax = part(".absmax")?;
        let mut scales = self.floats(absmax)?;
        if absmax.dtype == TensorType::U8 {
            // The scales are quantized themselves.
            let (levels, outer) = (self.floats(part(".nested_quant_map")?)?, self.floats(part(".nested_absmax")?)?);
            let outer_block = state["nested_blocksize"].as_u64().filter(|n| *n > 0).unwrap_or(256) as usize;
            let offset = state["nested_offset"].as_f64().unwrap_or(0.0) as f32;
            if levels.len() != 256 || outer.len() != scales.len().div_ceil(outer_block) {
                return Err(self.wrong(absmax, format!("{} levels, {} scales", levels.len(), outer.len())));
            }
            for (i, scale) in scales.iter_mut().enumerate() {
                *scale = levels[*scale as usize] * outer[i / outer_block] + offset;
            }
        }
        if scales.len() != count.div_ceil(block) {
            return Err(self.wrong_shape(absmax, &[count.div_ceil(block)]));
        }
        let groups = Groups { scales, zeros: None, rows: 1, columns: block };
        if columns % block == 0 {
            let viewed = tensor.viewed(vec![rows, columns], TensorType::NF4);
            let viewed = viewed.ok_or_else(|| self.wrong_shape(tensor, &[count / 2, 1]))?;
            return Ok(Matrix::grouped(viewed, groups, None));
        }
        // Groups that begin within a row: a copy in f32.
        let flat = tensor.viewed(vec![1, count], TensorType::NF4);
        let mut values = self.floats(&flat.ok_or_else(|| self.wrong_shape(tensor, &[count / 2, 1]))?)?;
        groups.apply(0, count, &mut values);
        Ok(Matrix::new(plain(&tensor.name, vec![rows, columns], &values)))
    }

    /// Blocks `[.., groups, 16]`, two elements that follow one another in a byte, with exponents `[.., groups]`.
    pub(super) fn mxfp4(&self, tensor: &MappedTensor) -> Result<MappedTensor, Error> {
        let exponents = self.required_beside(tensor, BLOCKS, "_scales")?;
        let whole = [tensor, exponents].iter().all(|t| t.dtype == TensorType::U8);
        let [outer @ .., groups, 16] = &tensor.shape[..] else {
            return Err(self.wrong(tensor, format!("shape {:?}, not [.., 16]", tensor.shape)));
        };
        if !whole || exponents.shape != tensor.shape[..tensor.shape.len() - 1] {
            return Err(self.wrong_shape(exponents, &tensor.shape[..tensor.shape.len() - 1]));
        }
        let mut bytes = Vec::with_capacity(17 * exponents.elements());
        for (block, exponent) in tensor.data().as_chunks::<16>().0.iter().zip(exponents.data()) {
            let element = |i: usize| block[i / 2] >> (4 * (i % 2)) & 15;
            bytes.push(*exponent);
            bytes.extend((0..16).map(|i| element(i) | element(i + 16) << 4));
        }
        let shape = [outer, &[groups * 32]].concat();
        Ok(MappedTensor::owned(tensor.name.clone(), shape, TensorType::MXFP4, bytes))
    }
}
