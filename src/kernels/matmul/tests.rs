use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::*;
use crate::kernels::cpu::Isa;
use TensorType::*;

fn ramp(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

/// The largest difference of a product from that of the f32 matrix `dense`, over the product of the lengths of row and
/// activations.
fn difference(isa: Isa, weights: Weights, dense: &[f32], tokens: usize) -> f64 {
    let x = ramp(tokens * weights.columns, 0.11);
    let mut out = vec![f32::NAN; tokens * weights.rows];
    multiply(&mut [Product { weights, input: &Input::on(isa, &x, tokens, weights.columns), out: &mut out }]);
    let mut worst = 0f64;
    for (x, out) in x.chunks(weights.columns).zip(out.chunks(weights.rows)) {
        for (row, out) in dense.chunks(weights.columns).zip(out) {
            let expected: f64 = row.iter().zip(x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let length = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let off = (f64::from(*out) - expected).abs() / (length(row) * length(x));
            worst = if off.is_nan() { f64::INFINITY } else { worst.max(off) };
        }
    }
    worst
}

fn weights(dtype: TensorType, bytes: &[u8], rows: usize, columns: usize) -> Weights<'_> {
    Weights { dtype, bytes, groups: None, rows, columns }
}

const QUANTIZED: [(TensorType, GgmlDType); 10] = [
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
];

#[test]
fn quantized_types_multiply_like_their_dequantized_matrix_with_every_set_of_instructions() {
    for (dtype, of_candle) in QUANTIZED {
        for (rows, columns) in [(50, 256), (33, 768), (3, 1024), (33, 96), (5, 160), (2, 32)] {
            if columns % dtype.block_elements() != 0 {
                continue;
            }
            let dense = Tensor::from_vec(ramp(rows * columns, 0.37), (rows, columns), &Device::Cpu).unwrap();
            let quantized = QTensor::quantize(&dense, of_candle).unwrap();
            let bytes = quantized.data().unwrap();
            let dense: Vec<f32> = quantized.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let mut row = vec![0f32; columns];
            dequantize_rows(dtype, &bytes[..bytes.len() / rows], &mut row);
            assert_eq!(row, dense[..columns], "{dtype:?}");
            for isa in Isa::available() {
                for tokens in [1, 2, 3, 9, 13, 20] {
                    let off = difference(isa, weights(dtype, &bytes, rows, columns), &dense, tokens);
                    assert!(off < 4e-3, "{dtype:?} {isa:?} {rows}x{columns}, {tokens} tokens: {off}");
                }
            }
        }
    }
}

#[test]
fn random_bytes_give_what_plain_loops_give() {
    // Any bytes are weights; scales whose bits are all set would be no numbers.
    let (rows, columns) = (37, 512);
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for (dtype, _) in QUANTIZED {
        let len = dtype.storage_bytes(rows * columns, columns).unwrap();
        let mut bytes: Vec<u8> = (0..len).map(|_| random()).collect();
        let scales_at: &[usize] = match dtype {
            Q6K => &[208],
            Q3K => &[108],
            Q2K => &[80, 82],
            Q4_0 | Q5_0 | Q8_0 => &[0],
            _ => &[0, 2],
        };
        for block in bytes.chunks_mut(dtype.block_bytes()) {
            for at in scales_at {
                block[at + 1] &= 0x3f;
            }
        }
        for tokens in [1, 7, 15, 16] {
            // Activations that 8 bits hold exactly: the only differences left are those of the order of sums.
            let x: Vec<f32> = (0..tokens * columns)
                .map(|i| if i % 32 == 0 { 127.0 } else { f32::from(random() as i8 / 2) })
                .collect();
            let product = |isa: Isa| {
                let mut out = vec![f32::NAN; tokens * rows];
                let input = &Input::on(isa, &x, tokens, columns);
                multiply(&mut [Product { weights: weights(dtype, &bytes, rows, columns), input, out: &mut out }]);
                out
            };
            let plain = product(Isa::Portable);
            let mut dense = vec![0f32; rows * columns];
            dequantize_rows(dtype, &bytes, &mut dense);
            let terms = |token: usize, row: usize| {
                let x = &x[token * columns..(token + 1) * columns];
                dense[row * columns..(row + 1) * columns].iter().zip(x).map(|(a, b)| f64::from(*a) * f64::from(*b))
            };
            for isa in Isa::available() {
                for (i, (out, plain)) in product(isa).iter().zip(&plain).enumerate() {
                    let scale: f64 = terms(i / rows, i % rows).map(f64::abs).sum();
                    let exact: f64 = terms(i / rows, i % rows).sum();
                    assert!(f64::from((out - plain).abs()) <= 1e-5 * scale, "{dtype:?} {isa:?}: {out} for {plain}");
                    assert!((f64::from(*out) - exact).abs() <= 2e-5 * scale, "{dtype:?} {isa:?}: {out} for {exact}");
                }
            }
        }
    }
}

#[test]
fn plain_types_multiply_like_f32_at_every_width() {
    for (dtype, of_candle) in [(F32, GgmlDType::F32), (F16, GgmlDType::F16), (BF16, GgmlDType::BF16)] {
        for (rows, columns) in [(50, 4), (7, 100), (33, 160), (1, 301)] {
            let dense = Tensor::from_vec(ramp(rows * columns, 0.37), (rows, columns), &Device::Cpu).unwrap();
            let stored = QTensor::quantize(&dense, of_candle).unwrap();
            let dense: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let bytes = stored.data().unwrap();
            for isa in Isa::available() {
                for tokens in [1, 2, 5, 12, 19] {
                    let off = difference(isa, weights(dtype, &bytes, rows, columns), &dense, tokens);
                    assert!(off < 1e-6, "{dtype:?} {isa:?} {rows}x{columns}, {tokens} tokens: {off}");
                }
            }
        }
    }
}

#[test]
fn our_own_types_multiply_like_their_dequantized_matrix() {
    let (rows, columns) = (50, 512);
    for dtype in [IQ4_NL, IQ4_XS, IQ3_XXS, IQ3_S, IQ2_XXS, IQ2_XS, IQ2_S, IQ1_S, IQ1_M, TQ1_0, TQ2_0, MXFP4, U4] {
        let len = dtype.storage_bytes(rows * columns, columns).unwrap();
        // Bits 4 to 6 are never all set: no scale is infinite or no number.
        let bytes: Vec<u8> = (0..len).map(|i| ((i * i + 31 * i) % 251) as u8 & 0x5f).collect();
        let mut dense = vec![0f32; rows * columns];
        dequantize_rows(dtype, &bytes, &mut dense);
        assert!(dense.iter().all(|v| v.is_finite()) && dense.iter().any(|v| *v != 0.0), "{dtype:?}");
        for tokens in [1, 3, 15] {
            let off = difference(Isa::best(), weights(dtype, &bytes, rows, columns), &dense, tokens);
            assert!(off <= 1e-6, "{dtype:?}, {tokens} tokens: {off}");
        }
    }
}

#[test]
fn groups_scale_by_row_and_column() {
    let (rows, columns) = (50, 40);
    let bytes: Vec<u8> = (0..rows * columns).map(|i| (i * 7 % 256) as u8).collect();
    let mut groups = Groups { scales: Vec::new(), zeros: None, rows: 16, columns: 12 };
    let count = groups.count(rows, columns);
    assert_eq!(count, 4 * 4);
    groups.scales = ramp(count, 1.3);
    groups.zeros = Some((0..count as u8).collect());
    let dense: Vec<f32> = (0..rows * columns)
        .map(|i| {
            let group = i / columns / 16 * 4 + i % columns / 12;
            (f32::from(bytes[i]) - group as f32) * groups.scales[group]
        })
        .collect();
    for tokens in [1, 3, 15] {
        let weights = Weights { groups: Some(&groups), ..weights(U8, &bytes, rows, columns) };
        let off = difference(Isa::best(), weights, &dense, tokens);
        assert!(off <= 1e-6, "{tokens} tokens: {off}");
    }
}

#[test]
fn several_products_share_their_activations() {
    let (tokens, columns) = (4, 64);
    let x = ramp(tokens * columns, 0.3);
    let input = Input::new(&x, tokens, columns);
    let matrix = |rows: usize| ramp(rows * columns, 0.7).iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (a, b) = (matrix(70), matrix(3));
    let (mut both_a, mut both_b) = (vec![0f32; tokens * 70], vec![0f32; tokens * 3]);
    multiply(&mut [
        Product { weights: weights(F32, &a, 70, columns), input: &input, out: &mut both_a },
        Product { weights: weights(F32, &b, 3, columns), input: &input, out: &mut both_b },
    ]);
    let mut alone = vec![0f32; tokens * 3];
    multiply(&mut [Product { weights: weights(F32, &b, 3, columns), input: &input, out: &mut alone }]);
    assert_eq!(both_b, alone);
    assert!(both_a.iter().all(|v| v.is_finite()));
}

#[test]
fn what_a_token_gets_does_not_depend_on_the_few_beside_it() {
    let (rows, columns) = (35, 768);
    let dense = Tensor::from_vec(ramp(rows * columns, 0.37), (rows, columns), &Device::Cpu).unwrap();
    for (dtype, of_candle) in QUANTIZED.into_iter().chain([(F16, GgmlDType::F16)]) {
        let bytes = QTensor::quantize(&dense, of_candle).unwrap().data().unwrap().into_owned();
        let x = ramp(input::FEW * columns, 0.13);
        for isa in Isa::available() {
            let product = |x: &[f32]| {
                let tokens = x.len() / columns;
                let mut out = vec![f32::NAN; tokens * rows];
                let input = &Input::on(isa, x, tokens, columns);
                multiply(&mut [Product { weights: weights(dtype, &bytes, rows, columns), input, out: &mut out }]);
                out
            };
            let alone: Vec<f32> = x.chunks(columns).flat_map(product).collect();
            for tokens in 2..=input::FEW {
                assert_eq!(product(&x[..tokens * columns]), alone[..tokens * rows], "{dtype:?} {isa:?} {tokens}");
            }
        }
    }
}
