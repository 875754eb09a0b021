use TensorType::*;

use super::*;
use crate::kernels::{dequantize_rows, supports};

const COLUMNS: usize = 512;

/// Of [`values`], those that are alike.
const NORMAL: std::ops::Range<usize> = 9 * COLUMNS..21 * COLUMNS;

/// Pseudo-random numbers: <https://en.wikipedia.org/wiki/Linear_congruential_generator>, with Knuth's factor.
struct Random(u64);

impl Random {
    /// In `[0, 1)`, with 16 bits, so that sums are the same everywhere.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 48) as f32 / 65536.0
    }
}

/// Rows of near-normal numbers of very different sizes, among them rows of zeros, of few values and with an outlier.
fn values() -> Vec<f32> {
    let mut random = Random(1);
    let mut values = Vec::new();
    for row in 0..23 {
        for column in 0..COLUMNS {
            let normal = (0..4).map(|_| random.next()).sum::<f32>() - 2.0;
            values.push(match row {
                0 => [0.0, -0.0][column % 2],
                1 => (normal * 8.0).round(),
                2 => normal + if column % 100 == 7 { 50.0 } else { 0.0 },
                3 => normal * 1e-30,
                4 => normal.abs() + 1.0,
                5 => -1.5,
                6 => normal * 1e-40,
                7 => normal * 1e15,
                8 => normal * normal * normal,
                21 => normal * 1.5e18,
                22 => normal + if column % 283 == 18 { 1.2e19 } else { 0.0 },
                _ => normal * 0.03,
            });
        }
    }
    values
}

/// From 0 to 1, more of them near 0, and some 0.
fn importance() -> Vec<f32> {
    let mut random = Random(2);
    (0..COLUMNS).map(|column| if column % 11 == 3 { 0.0 } else { random.next() * random.next() }).collect()
}

fn written(isa: Isa, dtype: TensorType, values: &[f32], importance: Option<&[f32]>) -> Vec<u8> {
    let mut out = vec![0x55; dtype.storage_bytes(values.len(), COLUMNS).unwrap()];
    by_isa!(isa, encode(dtype, values, COLUMNS, importance, &mut out));
    out
}

fn read(dtype: TensorType, bytes: &[u8], len: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; len];
    dequantize_rows(dtype, bytes, &mut out);
    out
}

/// The weighted mean square of what is lost, over that of the values.
fn loss(dtype: TensorType, values: &[f32], importance: Option<&[f32]>, weights: &[f32]) -> f64 {
    let back = read(dtype, &written(Isa::best(), dtype, values, importance), values.len());
    let weights = weights.iter().cycle().map(|weight| f64::from(*weight));
    let sum = |of: Vec<f64>| of.iter().zip(weights.clone()).map(|(x, weight)| x * x * weight).sum::<f64>();
    let off = values.iter().zip(&back).map(|(x, back)| f64::from(*x) - f64::from(*back)).collect();
    sum(off) / sum(values.iter().map(|x| f64::from(*x)).collect())
}

/// Types, the CRC-32 of [`values`] as ggml's `ggml_quantize_chunk` writes them without and with [`importance`], and a bound of
/// the error of normal numbers: the root of the mean square, of that of the numbers.
const WRITTEN: [(TensorType, u32, u32, f64); 16] = [
    (F32, 0x92e2_cf83, 0x92e2_cf83, 0.0),
    (F16, 0x3c59_9324, 0x3c59_9324, 2.3e-4),
    (BF16, 0x4171_d67b, 0x4171_d67b, 1.8e-3),
    (Q8_0, 0x84f4_4c9c, 0x84f4_4c9c, 0.0055),
    (Q5_0, 0x9f2d_d2a0, 0x300e_6638, 0.044),
    (Q5_1, 0x932b_5aa9, 0x4b08_46c0, 0.039),
    (Q4_0, 0x8a63_52b8, 0xf0a5_d1fe, 0.088),
    (Q4_1, 0x6094_ddb2, 0x805a_cd61, 0.081),
    (IQ4_NL, 0x370d_5bc6, 0x2975_1fb6, 0.079),
    (IQ4_XS, 0xcc85_b3b2, 0xc816_0649, 0.08),
    (Q2K, 0x809b_61d4, 0xd754_d9e5, 0.31),
    (Q3K, 0x3f37_383d, 0xa765_f352, 0.156),
    (Q4K, 0x389b_a027, 0x7f65_0521, 0.075),
    (Q5K, 0x7fe5_ff89, 0xb298_7713, 0.037),
    (Q6K, 0x3ceb_49bd, 0xbde1_8d19, 0.0184),
    (MXFP4, 0xcd40_05b1, 0xcd40_05b1, 0.122),
];

#[test]
fn every_set_of_instructions_writes_the_bytes_that_ggml_writes() {
    let (values, importance) = (values(), importance());
    for isa in Isa::available() {
        for (dtype, plain, weighted, _) in WRITTEN {
            for (crc, importance) in [(plain, None), (weighted, Some(&importance[..]))] {
                let bytes = written(isa, dtype, &values, importance);
                assert_eq!(crc32fast::hash(&bytes), crc, "{dtype} with {} {}", isa.name(), importance.is_some());
            }
        }
    }
}

#[test]
fn what_is_written_reads_as_nearly_what_it_was() {
    let values = &values()[NORMAL];
    for (dtype, _, _, bound) in WRITTEN {
        let loss = loss(dtype, values, None, &[1.0]).sqrt();
        assert!(loss <= bound, "{dtype} is off by {loss}");
    }
}

#[test]
fn an_importance_lessens_the_error_where_it_matters_and_changes_no_other_type() {
    let (values, importance) = (&values()[NORMAL], importance());
    for (dtype, ..) in WRITTEN {
        let without = loss(dtype, values, None, &importance);
        let with = loss(dtype, values, Some(&importance), &importance);
        if heeds_importance(dtype) {
            assert!(with < without * 0.97, "{dtype}: {with} for {without}");
        } else {
            assert_eq!(with, without, "{dtype}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_those_beside_them() {
    let (values, importance) = (values(), importance());
    for (dtype, ..) in WRITTEN {
        for importance in [None, Some(&importance[..])] {
            let all = written(Isa::best(), dtype, &values, importance);
            let single: Vec<u8> =
                values.chunks(COLUMNS).flat_map(|row| written(Isa::best(), dtype, row, importance)).collect();
            assert!(all == single, "{dtype}");
        }
    }
}

#[test]
fn numbers_without_end_and_none_at_all_stop_nothing() {
    let mut values = values();
    for (i, odd) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN].into_iter().cycle().enumerate() {
        match values.get_mut(i * 37) {
            Some(value) => *value = odd,
            None => break,
        }
    }
    for isa in Isa::available() {
        for (dtype, ..) in WRITTEN {
            for importance in [None, Some(&importance()[..])] {
                written(isa, dtype, &values, importance);
                assert!(written(isa, dtype, &[], importance).is_empty());
            }
        }
    }
}

#[test]
fn every_type_that_is_promised_is_written_and_can_be_read() {
    for dtype in (0..64).filter_map(TensorType::from_gguf_id).filter(|dtype| quantizes(*dtype)) {
        let mut out = vec![0; dtype.storage_bytes(COLUMNS, COLUMNS).unwrap()];
        quantize_rows(dtype, &values()[NORMAL][..COLUMNS], COLUMNS, None, &mut out);
        assert!(supports(dtype) && out.iter().any(|byte| *byte != 0), "{dtype}");
    }
}
