//! `x · Wᵀ` with W where it lies in its file.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::k_quants;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::{blocks, dequantize_rows, with_block_type};

/// Rows of W that one task converts and multiplies: enough to feed the product, few enough that
/// the converted tile stays in the second-level cache.
const TILE_ROWS: usize = 32;

/// The custom op `[tokens, in] -> [tokens, out]` for a weight `[out, in]` of type `dtype`.
///
/// Quantized weights meet activations quantized to 8 bits, as in llama.cpp; F16 and BF16 weights
/// are widened tile by tile and meet f32 activations. Each output row depends on its own input row
/// only, so that prefill and decode give the same logits.
pub struct MatMulTransposed<'a> {
    pub dtype: GgmlDType,
    pub weight: &'a [u8],
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
        with_block_type!(self.dtype, Block => {
            let mkn = (tokens, self.in_features, self.out_features);
            k_quants::matmul(mkn, x, blocks::<Block>(self.weight), &mut out)?;
        }, else self.plain(x, tokens, &mut out));
        Ok((CpuStorage::F32(out), Shape::from((tokens, self.out_features))))
    }
}

impl MatMulTransposed<'_> {
    /// F32, F16 and BF16: tiles of rows over the threads, each an f32 product.
    fn plain(&self, x: &[f32], tokens: usize, out: &mut [f32]) {
        let row_bytes = self.weight.len() / self.out_features;
        let out = OutPointer(out.as_mut_ptr());
        self.weight.par_chunks(TILE_ROWS * row_bytes).enumerate().for_each_init(
            || vec![0f32; TILE_ROWS * self.in_features],
            |tile, (index, bytes)| {
                let rows = bytes.len() / row_bytes;
                let tile = &mut tile[..rows * self.in_features];
                dequantize_rows(self.dtype, bytes, tile);
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

// SAFETY: see `plain`: no two tasks write the same element, and nobody reads before all are done.
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
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    #[test]
    fn every_type_multiplies_like_its_own_dequantized_matrix() {
        let device = Device::Cpu;
        let (out_features, in_features, tokens) = (50, 256, 3);
        let ramp = |n: usize, step: f32| -> Vec<f32> { (0..n).map(|i| (i as f32 * step).sin()).collect() };
        let weight = Tensor::from_vec(ramp(out_features * in_features, 0.37), (out_features, in_features), &device);
        let x = Tensor::from_vec(ramp(tokens * in_features, 0.11), (tokens, in_features), &device).unwrap();
        use GgmlDType::*;
        for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
            let quantized = QTensor::quantize(weight.as_ref().unwrap(), dtype).unwrap();
            let bytes = quantized.data().unwrap();
            let op = MatMulTransposed { dtype, weight: &bytes, out_features, in_features };
            let ours = x.apply_op1_no_bwd(&op).unwrap();
            let dense = quantized.dequantize(&device).unwrap();
            let expected = x.matmul(&dense.t().unwrap()).unwrap();
            let difference = (&ours - &expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            let scale = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            let bound = if matches!(dtype, F32 | F16 | BF16) { 1e-5 } else { 2e-2 };
            assert!(difference <= bound * scale, "{dtype:?}: {difference} of {scale}");
            let mut row = vec![0f32; in_features];
            dequantize_rows(dtype, &bytes[..bytes.len() / out_features], &mut row);
            assert_eq!(row, dense.get(0).unwrap().to_vec1::<f32>().unwrap(), "{dtype:?}");
        }
    }
}
