//! The activations that a product reads, in the forms that weights of each kind meet.

use std::sync::OnceLock;

use super::aligned::Aligned;
use super::format::{CHUNK, Format};
use super::tile::FLOAT_CHUNK;
use crate::kernels::by_isa;
use crate::kernels::cpu::Isa;
use crate::kernels::pool::{self, Shared};

/// So few tokens each meet a row of weights as it is read, and what one gets does not depend on the others: checking
/// tokens that were guessed gives what computing them one by one would. Of more, products take [`GROUP`] together.
pub const FEW: usize = 12;
/// Tokens whose sums a product keeps in registers; what is left over makes groups of 4, 2 and 1.
pub const GROUP: usize = 6;

/// `[tokens, columns]` activations, quantized to 8 bits once for all products that read them.
///
/// Weights in blocks of 256 meet activations with a scale for each 256 columns, those in blocks of 32 activations with
/// a scale for each 32: `x = scale * quant`, with quants from -127 to 127.
pub struct Input<'a> {
    pub x: &'a [f32],
    pub tokens: usize,
    pub columns: usize,
    pub isa: Isa,
    rows: [OnceLock<Vec<Owned>>; 2],
    panels: [OnceLock<Panel>; 2],
    floats: OnceLock<Vec<f32>>,
}

/// One token's quantized activations, padded with zeros to whole chunks.
struct Owned {
    quants: Aligned<i8>,
    /// `quants` with the second and third of each four runs of 32 exchanged: those whose weights share bytes in Q4_K
    /// and Q5_K come apart.
    paired: Aligned<i8>,
    /// Of each 16 quants, and of each 32.
    sums16: Aligned<i16>,
    sums32: Aligned<i16>,
    scales: Aligned<f32>,
    /// Only with a scale for 32 columns: of each four quants the negated sum, and the scale.
    minus_quads: Aligned<i32>,
    lane_scales: Aligned<f32>,
}

/// What a product of one row of weights reads.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub quants: &'a [i8],
    pub paired: &'a [i8],
    pub sums16: &'a [i16],
    pub sums32: &'a [i16],
    pub scales: &'a [f32],
    pub minus_quads: &'a [i32],
    pub lane_scales: &'a [f32],
}

/// Quantized activations of many tokens: chunk after chunk, in each group after group, and of each group four bytes
/// of every token side by side: `[chunk][group][depth / 4][tokens][4]`.
pub struct Panel {
    pub quants: Vec<i8>,
    /// Of each 16 quants: `[chunk][group][depth / 16][tokens]`.
    pub sums: Vec<i32>,
    /// `[chunk][group][scales of a chunk][tokens]`.
    pub scales: Vec<f32>,
}

/// First token and size of each group.
pub fn groups(tokens: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let size = match tokens - first {
            0 => return None,
            left if left >= GROUP => GROUP,
            left if left >= 4 => 4,
            left => left.min(2),
        };
        first += size;
        Some((first - size, size))
    })
}

/// Columns that share a scale, for weights in blocks of so many elements.
const fn scale_columns(block: usize) -> usize {
    if block == CHUNK { CHUNK } else { 32 }
}

impl<'a> Input<'a> {
    /// `x` is `[tokens, columns]`.
    pub fn new(x: &'a [f32], tokens: usize, columns: usize) -> Input<'a> {
        Input::on(Isa::best(), x, tokens, columns)
    }

    pub(super) fn on(isa: Isa, x: &'a [f32], tokens: usize, columns: usize) -> Input<'a> {
        assert_eq!(x.len(), tokens * columns, "activations of another shape");
        let (rows, panels) = Default::default();
        Input { x, tokens, columns, isa, rows, panels, floats: OnceLock::new() }
    }

    /// Makes what weights of the format need, before the threads read it.
    pub fn prepare<W: Format>(&self) {
        if self.tokens <= FEW {
            self.rows::<W>();
        } else {
            self.panel::<W>();
        }
    }

    fn rows<W: Format>(&self) -> &[Owned] {
        let by = scale_columns(W::ELEMENTS);
        self.rows[usize::from(by == 32)]
            .get_or_init(|| self.x.chunks_exact(self.columns).map(|x| Owned::new(self.isa, x, by)).collect())
    }

    /// # Panics
    /// Where [`prepare`](Self::prepare) has not been called.
    pub fn row<W: Format>(&self, token: usize) -> Row<'_> {
        let rows = self.rows[usize::from(scale_columns(W::ELEMENTS) == 32)].get().expect("prepared before");
        let Owned { quants, paired, sums16, sums32, scales, minus_quads, lane_scales } = &rows[token];
        Row { quants, paired, sums16, sums32, scales, minus_quads, lane_scales }
    }

    pub fn panel<W: Format>(&self) -> &Panel {
        let by = scale_columns(W::ELEMENTS);
        self.panels[usize::from(by == 32)].get_or_init(|| self.make_panel(by))
    }

    fn make_panel(&self, by: usize) -> Panel {
        let Input { tokens, columns, isa, .. } = *self;
        let per_chunk = CHUNK / by;
        let mut panel = Panel {
            quants: vec![0; tokens * columns],
            sums: vec![0; tokens * columns / 16],
            scales: vec![0.0; tokens * columns.div_ceil(by)],
        };
        let (quants, sums, scales) =
            (Shared::new(&mut panel.quants), Shared::new(&mut panel.sums), Shared::new(&mut panel.scales));
        let groups: Vec<(usize, usize)> = groups(tokens).collect();
        pool::run(groups.len(), |index| {
            let (first, size) = groups[index];
            for chunk in 0..columns.div_ceil(CHUNK) {
                let depth = CHUNK.min(columns - chunk * CHUNK);
                let of_scales = depth.div_ceil(by);
                // SAFETY: each group has a part of each chunk to itself.
                let (quants, sums, scales) = unsafe {
                    (
                        quants.slice(chunk * CHUNK * tokens + first * depth, size * depth),
                        sums.slice((chunk * CHUNK * tokens + first * depth) / 16, size * depth / 16),
                        scales.slice(chunk * per_chunk * tokens + first * of_scales, size * of_scales),
                    )
                };
                for token in 0..size {
                    let start = (first + token) * columns + chunk * CHUNK;
                    let mut row = [0i8; CHUNK];
                    let mut row_sums = [0i16; CHUNK / 16];
                    let mut row_scales = [0f32; CHUNK / 32];
                    let x = &self.x[start..start + depth];
                    by_isa!(isa, quantize(x, by, &mut row, &mut row_sums, &mut row_scales));
                    for (at, quad) in row[..depth].as_chunks::<4>().0.iter().enumerate() {
                        let to = 4 * (at * size + token);
                        quants[to..to + 4].copy_from_slice(quad);
                    }
                    for (at, sum) in row_sums[..depth / 16].iter().enumerate() {
                        sums[at * size + token] = i32::from(*sum);
                    }
                    for (at, scale) in row_scales[..of_scales].iter().enumerate() {
                        scales[at * size + token] = *scale;
                    }
                }
            }
        });
        panel
    }

    /// The activations as they are, `[chunk][group][depth][tokens]`.
    pub fn floats(&self) -> &[f32] {
        let Input { tokens, columns, x, .. } = *self;
        self.floats.get_or_init(|| {
            let mut floats = vec![0f32; tokens * columns];
            let shared = Shared::new(&mut floats);
            let groups: Vec<(usize, usize)> = groups(tokens).collect();
            pool::run(groups.len(), |index| {
                let (first, size) = groups[index];
                for chunk in 0..columns.div_ceil(FLOAT_CHUNK) {
                    let depth = FLOAT_CHUNK.min(columns - chunk * FLOAT_CHUNK);
                    // SAFETY: each group has a part of each chunk to itself.
                    let out = unsafe { shared.slice(chunk * FLOAT_CHUNK * tokens + first * depth, size * depth) };
                    for token in 0..size {
                        let start = (first + token) * columns + chunk * FLOAT_CHUNK;
                        for (at, value) in x[start..start + depth].iter().enumerate() {
                            out[at * size + token] = *value;
                        }
                    }
                }
            });
            floats
        })
    }
}

impl Owned {
    fn new(isa: Isa, x: &[f32], by: usize) -> Owned {
        let padded = x.len().next_multiple_of(CHUNK);
        let lanes = if by == 32 { padded / 4 } else { 0 };
        let mut owned = Owned {
            quants: Aligned::zeros(padded),
            paired: Aligned::zeros(if by == 32 { 0 } else { padded }),
            sums16: Aligned::zeros(padded / 16),
            sums32: Aligned::zeros(padded / 32),
            scales: Aligned::zeros(padded / by),
            minus_quads: Aligned::zeros(lanes),
            lane_scales: Aligned::zeros(lanes),
        };
        by_isa!(isa, quantize(x, by, &mut owned.quants, &mut owned.sums16, &mut owned.scales));
        for (sum, [a, b]) in owned.sums32.iter_mut().zip(owned.sums16.as_chunks::<2>().0) {
            *sum = a + b;
        }
        if by == 32 {
            for (minus, quad) in owned.minus_quads.iter_mut().zip(owned.quants.as_chunks::<4>().0) {
                *minus = -quad.iter().map(|q| i32::from(*q)).sum::<i32>();
            }
            for (lanes, scale) in owned.lane_scales.chunks_mut(8).zip(owned.scales.iter()) {
                lanes.fill(*scale);
            }
        } else {
            let runs = owned.quants.as_chunks::<128>().0;
            for (paired, quants) in owned.paired.as_chunks_mut::<128>().0.iter_mut().zip(runs) {
                for (place, run) in [0, 2, 1, 3].into_iter().enumerate() {
                    paired[32 * place..32 * place + 32].copy_from_slice(&quants[32 * run..32 * run + 32]);
                }
            }
        }
        owned
    }
}

/// Quantizes `x`, whose length is a multiple of 32, with a scale for each `by` columns.
#[inline(always)]
pub fn quantize(x: &[f32], by: usize, quants: &mut [i8], sums: &mut [i16], scales: &mut [f32]) {
    for (part, scale) in x.chunks(by).zip(scales.iter_mut()) {
        // As bits, magnitudes compare like whole numbers; what is no number is the largest and stays.
        let largest = part.iter().fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff));
        *scale = f32::from_bits(largest) / 127.0;
    }
    for ((part, quants), scale) in x.chunks(by).zip(quants.chunks_mut(by)).zip(scales.iter()) {
        let inverse = if *scale == 0.0 { 0.0 } else { 1.0 / scale };
        for (quant, x) in quants.iter_mut().zip(part) {
            // Adding 1.5 * 2^23 rounds to the nearest whole number and leaves it in the low bits.
            *quant = (x * inverse + 12_582_912.0).to_bits() as i8;
        }
    }
    for (sum, part) in sums.iter_mut().zip(quants[..x.len()].as_chunks::<16>().0) {
        *sum = part.iter().map(|quant| i16::from(*quant)).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_take_each_token_once() {
        for tokens in 0..40 {
            let mut next = 0;
            for (first, size) in groups(tokens) {
                assert_eq!(first, next);
                assert!([1, 2, 4, GROUP].contains(&size));
                next += size;
            }
            assert_eq!(next, tokens);
        }
    }

    #[test]
    fn quantized_activations_are_within_half_a_step() {
        let x: Vec<f32> = (0..512).map(|i| (i as f32 * 0.7).sin() * (i / 32) as f32).collect();
        for isa in Isa::available() {
            for by in [32, 256] {
                let (mut quants, mut sums, mut scales) = ([0i8; 512], [0i16; 32], vec![0f32; 512 / by]);
                by_isa!(isa, quantize(&x, by, &mut quants, &mut sums, &mut scales));
                for (i, x) in x.iter().enumerate() {
                    let scale = scales[i / by];
                    assert!((f32::from(quants[i]) * scale - x).abs() <= 0.5001 * scale, "{isa:?} {by} {i}");
                    assert!(quants[i] != -128);
                }
                assert_eq!(i32::from(sums[5]), quants[80..96].iter().map(|q| i32::from(*q)).sum::<i32>());
            }
        }
    }
}
