//! `x · Wᵀ` with W where it lies in its file.

use candle_core::quantized::k_quants::{self as k, GgmlType};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::{Groups, blocks, dequantize_rows};
use crate::tensor_type::TensorType;

/// Rows of W that one task converts and multiplies: enough to feed the product, few enough that
/// the converted tile stays in the second-level cache.
const TILE_ROWS: usize = 32;

/// The custom op `[tokens, in] -> [tokens, out]` for a weight `[out, in]` of type `dtype`.
///
/// The quantized weights that candle knows meet activations quantized to 8 bits, as in llama.cpp; all
/// others are widened tile by tile and meet f32 activations. Each output row depends on its own input row
/// only, so that prefill and decode give the same logits.
pub struct MatMulTransposed<'a> {
    pub dtype: TensorType,
    pub weight: &'a [u8],
    /// Scales that lie apart; not for the types that candle knows.
    pub groups: Option<&'a Groups>,
    pub out_features: usize,
    pub in_features: usize,
}

impl CustomOp1 for MatMulTransposed<'_> {
    fn name(&self) -> &'static str {
        "matmul-transposed"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, in_features) = layout.shape().dims2()?;
        let CpuStorage::F32(values) = storage else {
            bail!("activations must be f32");
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("activations must be contiguous");
        };
        if in_features != self.in_features {
            bail!("a weight of {} input features met {in_features}", self.in_features);
        }
        let x = &values[start..end];
        let mut out = vec![0f32; tokens * self.out_features];
        use TensorType::*;
        match self.dtype {
            Q4_0 => self.quantized::<k::BlockQ4_0>(x, tokens, &mut out)?,
            Q4_1 => self.quantized::<k::BlockQ4_1>(x, tokens, &mut out)?,
            Q5_0 => self.quantized::<k::BlockQ5_0>(x, tokens, &mut out)?,
            Q5_1 => self.quantized::<k::BlockQ5_1>(x, tokens, &mut out)?,
            Q8_0 => self.quantized::<k::BlockQ8_0>(x, tokens, &mut out)?,
            Q2K => self.quantized::<k::BlockQ2K>(x, tokens, &mut out)?,
            Q3K => self.quantized::<k::BlockQ3K>(x, tokens, &mut out)?,
            Q4K => self.quantized::<k::BlockQ4K>(x, tokens, &mut out)?,
            Q5K => self.quantized::<k::BlockQ5K>(x, tokens, &mut out)?,
            Q6K => self.quantized::<k::BlockQ6K>(x, tokens, &mut out)?,
            _ => self.widened(x, tokens, &mut out),
        }
        Ok((CpuStorage::F32(out), Shape::from((tokens, self.out_features))))
    }
}

impl MatMulTransposed<'_> {
    fn quantized<Block: GgmlType>(&self, x: &[f32], tokens: usize, out: &mut [f32]) -> Result<()> {
        k::matmul((tokens, self.in_features, self.out_features), x, blocks::<Block>(self.weight), out)
    }

    /// Tiles of rows over the threads, each an f32 product.
    fn widened(&self, x: &[f32], tokens: usize, out: &mut [f32]) {
        let row_bytes = self.weight.len() / self.out_features;
        let out = OutPointer(out.as_mut_ptr());
        self.weight.par_chunks(TILE_ROWS * row_bytes).enumerate().for_each_init(
            || vec![0f32; TILE_ROWS * self.in_features],
            |tile, (index, bytes)| {
                let rows = bytes.len() / row_bytes;
                let tile = &mut tile[..rows * self.in_features];
                dequantize_rows(self.dtype, bytes, tile);
                if let Some(groups) = self.groups {
                    groups.apply(index * TILE_ROWS, self.in_features, tile);
                }
                let columns = self.in_features as isize;
                // SAFETY: `x` is [tokens, in] and `tile` [rows, in], both whole; the output block
                // is columns `index * TILE_ROWS ..` of [tokens, out], which no other task writes.
                unsafe {
                    gemm::gemm(
                        tokens,
                        rows,
                        self.in_features,
                        out.at(index * TILE_ROWS),
                        1,
                        self.out_features as isize,
                        false,
                        x.as_ptr(),
                        1,
                        columns,
                        tile.as_ptr(),
                        columns,
                        1,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            },
        );
    }
}

/// The output, shared by tasks that write disjoint columns of it.
struct OutPointer(*mut f32);

// SAFETY: see `widened`: no two tasks write the same element, and nobody reads before all are done.
unsafe impl Sync for OutPointer {}

impl OutPointer {
    /// # Safety
    /// `offset` must lie within the output.
    unsafe fn at(&self, offset: usize) -> *mut f32 {
        // SAFETY: by the caller.
        unsafe { self.0.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TensorType::*;
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    fn ramp(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    /// The largest difference of the product from that of the f32 matrix `dense`, and the largest product.
    fn difference(op: &MatMulTransposed, dense: Vec<f32>) -> (f32, f32) {
        let tokens = 3;
        let x = Tensor::from_vec(ramp(tokens * op.in_features, 0.11), (tokens, op.in_features), &Device::Cpu).unwrap();
        let dense = Tensor::from_vec(dense, (op.out_features, op.in_features), &Device::Cpu).unwrap();
        let ours = x.apply_op1_no_bwd(op).unwrap();
        let expected = x.matmul(&dense.t().unwrap()).unwrap();
        let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        (largest(&(&ours - &expected).unwrap()), largest(&expected))
    }

    #[test]
    fn the_types_that_candle_knows_multiply_like_their_dequantized_matrix() {
        let (out_features, in_features) = (50, 256);
        let weight =
            Tensor::from_vec(ramp(out_features * in_features, 0.37), (out_features, in_features), &Device::Cpu);
        let weight = weight.unwrap();
        for (dtype, of_candle) in [
            (F32, GgmlDType::F32),
            (F16, GgmlDType::F16),
            (BF16, GgmlDType::BF16),
            (Q4_0, GgmlDType::Q4_0),
            (Q4_1, GgmlDType::Q4_1),
            (Q5_0, GgmlDType::Q5_0),
            (Q5_1, GgmlDType::Q5_1),
            (Q8_0, GgmlDType::Q8_0),
            (Q2K, GgmlDType::Q2K),
            (Q3K, GgmlDType::Q3K),
            (Q4K, GgmlDType::Q4K),
            (Q5K, GgmlDType::Q5K),
            (Q6K, GgmlDType::Q6K),
        ] {
            let quantized = QTensor::quantize(&weight, of_candle).unwrap();
            let bytes = quantized.data().unwrap();
            let dense = quantized.dequantize(&Device::Cpu).unwrap();
            let op = MatMulTransposed { dtype, weight: &bytes, groups: None, out_features, in_features };
            let (difference, scale) = difference(&op, dense.flatten_all().unwrap().to_vec1().unwrap());
            let bound = if matches!(dtype, F32 | F16 | BF16) { 1e-5 } else { 2e-2 };
            assert!(difference <= bound * scale, "{dtype:?}: {difference} of {scale}");
            let mut row = vec![0f32; in_features];
            dequantize_rows(dtype, &bytes[..bytes.len() / out_features], &mut row);
            assert_eq!(row, dense.get(0).unwrap().to_vec1::<f32>().unwrap(), "{dtype:?}");
        }
    }

    #[test]
    fn our_own_types_multiply_like_their_dequantized_matrix() {
        let (out_features, in_features) = (50, 512);
        for dtype in [IQ4_NL, IQ4_XS, IQ3_XXS, IQ3_S, IQ2_XXS, IQ2_XS, IQ2_S, IQ1_S, IQ1_M, TQ1_0, TQ2_0, MXFP4, U4] {
            let len = dtype.storage_bytes(out_features * in_features, in_features).unwrap();
            // Bits 4 to 6 are never all set: no scale is infinite or no number.
            let bytes: Vec<u8> = (0..len).map(|i| ((i * i + 31 * i) % 251) as u8 & 0x5f).collect();
            let mut dense = vec![0f32; out_features * in_features];
            dequantize_rows(dtype, &bytes, &mut dense);
            assert!(dense.iter().all(|v| v.is_finite()) && dense.iter().any(|v| *v != 0.0), "{dtype:?}");
            let op = MatMulTransposed { dtype, weight: &bytes, groups: None, out_features, in_features };
            let (difference, scale) = difference(&op, dense);
            assert!(difference <= 1e-5 * scale, "{dtype:?}: {difference} of {scale}");
        }
    }

    #[test]
    fn groups_scale_by_row_and_column() {
        let (out_features, in_features) = (50, 40);
        let bytes: Vec<u8> = (0..out_features * in_features).map(|i| (i * 7 % 256) as u8).collect();
        let mut groups = Groups { scales: Vec::new(), zeros: None, rows: 16, columns: 12 };
        let count = groups.count(out_features, in_features);
        assert_eq!(count, 4 * 4);
        groups.scales = ramp(count, 1.3);
        groups.zeros = Some((0..count as u8).collect());
        let dense = (0..out_features * in_features).map(|i| {
            let group = i / in_features / 16 * 4 + i % in_features / 12;
            (f32::from(bytes[i]) - group as f32) * groups.scales[group]
        });
        let op = MatMulTransposed { dtype: U8, weight: &bytes, groups: Some(&groups), out_features, in_features };
        let (difference, scale) = difference(&op, dense.collect());
        assert!(difference <= 1e-5 * scale, "{difference} of {scale}");
    }
}
