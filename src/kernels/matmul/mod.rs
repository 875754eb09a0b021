//! `x · Wᵀ` with W where it lies in its file: no second copy in memory.
//!
//! Of a few tokens, each row of W meets each token as it is read: that takes as long as reading W. Of many, a tile of
//! rows is unpacked once and meets all tokens ([`tile`]). Quantized types meet activations quantized to 8 bits
//! ([`input`]); types that are not [`format::Format`]s are widened to f32. Each output depends on its own token only, so
//! that prefill and decode give the same logits but for the order of sums.

mod aligned;
pub mod format;
pub mod input;
pub mod lanes;
#[cfg(test)]
mod tests;
pub mod tile;

use std::cell::RefCell;

pub use input::{FEW, Input};

use self::format::with_format;
use super::pool::{self, Shared};
use super::rows::dequantize_rows;
use super::{Groups, by_isa};
use crate::tensor_type::TensorType;

/// Bytes of weights that a task of a product with few tokens reads.
const TASK_BYTES: usize = 64 << 10;
/// Tokens that meet a row as it is read; more come in as many turns as it takes, while the row is in the cache.
const TOGETHER: usize = 4;

/// A matrix `[rows, columns]` in its file.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    pub dtype: TensorType,
    pub bytes: &'a [u8],
    /// Scales that lie apart, of types that have none of their own.
    pub groups: Option<&'a Groups>,
    pub rows: usize,
    pub columns: usize,
}

/// A product to compute: `out` `[tokens, rows]` becomes `input` `[tokens, columns]` times the weights, transposed.
pub struct Product<'a> {
    pub weights: Weights<'a>,
    pub input: &'a Input<'a>,
    pub out: &'a mut [f32],
}

/// A product as its tasks see it.
pub struct Job<'a> {
    weights: Weights<'a>,
    input: &'a Input<'a>,
    rows: usize,
    columns: usize,
    row_bytes: usize,
    out: Shared<'a, f32>,
    /// Rows of a task, and how many tasks there are.
    step: usize,
    tasks: usize,
}

impl Job<'_> {
    /// A row of weights; the last one for those past the end.
    #[inline(always)]
    fn row(&self, row: usize) -> &[u8] {
        let start = row.min(self.rows - 1) * self.row_bytes;
        &self.weights.bytes[start..start + self.row_bytes]
    }

    /// Copies `sums` `[tokens][rows]` to the output's columns from `first` on, without those past the end.
    ///
    /// # Safety
    /// Only one task may write these columns.
    #[inline(always)]
    unsafe fn store(&self, first: usize, rows: usize, sums: &[f32]) {
        let count = rows.min(self.rows - first);
        for (token, sums) in sums.chunks_exact(rows).enumerate() {
            // SAFETY: by the caller.
            let out = unsafe { self.out.slice(token * self.rows + first, count) };
            match (out.first_chunk_mut::<32>(), sums.first_chunk::<32>()) {
                // A copy of a size that is known is no call.
                (Some(out), Some(sums)) if count == 32 => *out = *sums,
                _ => out.copy_from_slice(&sums[..count]),
            }
        }
    }
}

/// What a thread reuses from task to task.
#[derive(Default)]
pub struct Scratch {
    /// Of a tile, `[tokens][rows]`.
    sums: Vec<f32>,
    /// Widened rows.
    rows: Vec<f32>,
    tile: Box<tile::Quantized>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Computes all `products`, over the threads.
///
/// # Panics
/// Where shapes do not match, or a type is one that [`super::supports`] denies: both are refused when a model is loaded.
pub fn multiply(products: &mut [Product]) {
    let jobs: Vec<Job> = products.iter_mut().map(job).collect();
    let tasks = jobs.iter().map(|job| job.tasks).sum();
    pool::run(tasks, |mut task| {
        for job in &jobs {
            if task < job.tasks {
                return SCRATCH.with_borrow_mut(|scratch| compute(job, task * job.step, scratch));
            }
            task -= job.tasks;
        }
    });
}

fn job<'a>(product: &'a mut Product) -> Job<'a> {
    let Product { weights, input, out } = product;
    let Weights { dtype, bytes, rows, columns, .. } = *weights;
    assert_eq!(input.columns, columns, "a weight met activations of another size");
    assert_eq!(out.len(), input.tokens * rows, "a product of another shape");
    let row_bytes = bytes.len() / rows;
    if with_format!(dtype, W => input.prepare::<W>()).is_none() && input.tokens > input::FEW {
        input.floats();
    }
    let step = match input.tokens <= input::FEW {
        true => (TASK_BYTES / row_bytes.max(1)).max(1),
        false => by_isa!(input.isa, tile_rows()),
    };
    let tasks = rows.div_ceil(step);
    Job { weights: *weights, input, rows, columns, row_bytes, out: Shared::new(out), step, tasks }
}

/// A task: the rows from `first` on.
fn compute(job: &Job, first: usize, scratch: &mut Scratch) {
    let isa = job.input.isa;
    let few = job.input.tokens <= input::FEW;
    let known = with_format!(job.weights.dtype, W => match few {
        true => by_isa!(isa, rows::<W>(job, first)),
        false => by_isa!(isa, tile::<W>(job, first, scratch)),
    });
    match (known, few) {
        (Some(()), _) => {}
        (None, true) => by_isa!(isa, widened_rows(job, first, scratch)),
        (None, false) => by_isa!(isa, widened_tile(job, first, scratch)),
    }
}

/// The rows of a task, each with each token.
///
/// # Safety
/// The processor must have the instructions of `L`.
#[inline(always)]
pub unsafe fn quantized_rows<L: lanes::Lanes, W: format::Format>(job: &Job, first: usize) {
    for token in (0..job.input.tokens).step_by(TOGETHER) {
        // SAFETY: by the caller.
        unsafe {
            match job.input.tokens - token {
                1 => rows_with::<L, W, 1>(job, first, token),
                2 => rows_with::<L, W, 2>(job, first, token),
                3 => rows_with::<L, W, 3>(job, first, token),
                _ => rows_with::<L, W, TOGETHER>(job, first, token),
            }
        }
    }
}

/// The rows of a task, with the tokens `token .. token + T`.
///
/// # Safety
/// As [`quantized_rows`].
#[inline(always)]
unsafe fn rows_with<L: lanes::Lanes, W: format::Format, const T: usize>(job: &Job, first: usize, token: usize) {
    let x = std::array::from_fn::<_, T, _>(|i| job.input.row::<W>(token + i));
    for row in first..(first + job.step).min(job.rows) {
        // SAFETY: each task has columns of its own; instructions by the caller.
        unsafe {
            let products = L::dot_row::<W, T>(job.row(row), &x);
            for (i, product) in products.into_iter().enumerate() {
                job.out.write((token + i) * job.rows + row, product);
            }
        }
    }
}

/// As [`quantized_rows`], for weights that are widened to f32.
///
/// # Safety
/// As [`quantized_rows`].
#[inline(always)]
pub unsafe fn float_rows<L: lanes::Lanes>(job: &Job, first: usize, scratch: &mut Scratch) {
    let Job { columns, weights, .. } = *job;
    for row in first..(first + job.step).min(job.rows) {
        let bytes = job.row(row);
        let wide = &mut scratch.rows;
        wide.resize(columns, 0.0);
        if weights.dtype != TensorType::F16 {
            if matches!(weights.dtype, TensorType::F32 | TensorType::BF16) {
                // SAFETY: by the caller.
                unsafe { tile::widen::<L>(weights.dtype, bytes, 0, wide) };
            } else {
                dequantize_rows(weights.dtype, bytes, wide);
            }
            if let Some(groups) = weights.groups {
                groups.apply(row, columns, wide);
            }
        }
        for (token, x) in job.input.x.chunks_exact(columns).enumerate() {
            // SAFETY: each task has columns of its own; instructions by the caller.
            unsafe {
                let product = match weights.dtype {
                    TensorType::F16 => L::dot_f16(bytes, x),
                    _ => lanes::dot_f32::<L>(wide, x),
                };
                job.out.write(token * job.rows + row, product);
            }
        }
    }
}
