//! Attention over a cache of keys and values, in one pass over it.
//!
//! Scores are never kept beyond a block of positions: the weights of a block are relative to the greatest score so far,
//! and what was summed before is scaled when a greater one comes (Milakov and Gimelshein, 2018,
//! <https://arxiv.org/abs/1805.02867>; Dao et al., 2022, <https://arxiv.org/abs/2205.14135>). All queries that share a KV
//! head meet each of its keys together, so that the cache is read once. For few tokens its positions are divided among
//! the threads, and the parts put together (flash-decoding: Dao et al., 2023,
//! <https://crfm.stanford.edu/2023/10/12/flashdecoding.html>).

pub(super) mod math;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
mod product;
pub(super) mod simd;
mod store;
#[cfg(test)]
mod tests;
mod tile;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

use std::cell::RefCell;

pub use simd::LANES;
pub use store::Store;

use super::cpu::Isa;
use super::matmul::FEW;
use super::pool::{self, Shared};
use tile::{BLOCK, Job, Scratch};

/// Dimensions that share a scale in Q8_0.
const GROUP: usize = 32;
/// Rows of a task, fewer where they are wide: queries, sums and a block of keys and values stay in the second-level cache.
const TILE_ROWS: usize = 96;
const WIDE_TILE_ROWS: usize = 48;
const WIDE: usize = 512;
/// Of few tokens, tasks are so many positions each, counted from the first of all: what a token finds depends neither on the
/// tokens beside it nor on the number of threads.
pub const CHUNK: usize = 2 * BLOCK;
/// So few multiplications are done sooner than other threads have come.
const ALONE: usize = 1 << 17;

/// The type of keys and values in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvType {
    F32,
    #[default]
    F16,
    /// Bytes with an f16 scale for each 32 dimensions of a position.
    Q8_0,
}

impl KvType {
    /// By its name; `None` if it is none.
    pub fn of_name(name: &str) -> Option<KvType> {
        Some(match name {
            "f32" => KvType::F32,
            "f16" => KvType::F16,
            "q8_0" => KvType::Q8_0,
            _ => return None,
        })
    }

    /// What 32 elements take.
    pub fn bytes_of_32(self) -> u64 {
        match self {
            KvType::F32 => 128,
            KvType::F16 => 64,
            KvType::Q8_0 => 34,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
        }
    }
}

/// The sizes of a layer's keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub kv_heads: usize,
    pub k_dim: usize,
    pub v_dim: usize,
    /// `v_dim` up to whole vectors.
    v_lanes: usize,
}

impl Shape {
    pub fn new(kv_heads: usize, k_dim: usize, v_dim: usize) -> Shape {
        Shape { kv_heads, k_dim, v_dim, v_lanes: v_dim.next_multiple_of(LANES) }
    }
}

/// How queries weigh keys.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// What products of queries and keys are multiplied with.
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub cap: Option<f32>,
    /// How many positions (its own included) a token sees; `None` is all.
    pub window: Option<usize>,
    /// A score of each head that takes part in the softmax and weighs nothing, `[heads]` (attention sinks: Xiao et al.,
    /// 2023, <https://arxiv.org/abs/2309.17453>, learned in gpt-oss).
    pub sinks: Option<Vec<f32>>,
}

impl Params {
    /// The first position that a token sees which sees none from `end` on.
    fn first_seen(&self, end: usize) -> usize {
        self.window.map_or(0, |window| end.saturating_sub(window))
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    /// The parts of results that chunks of positions give.
    static PARTS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    /// The values that the queries `q` `[tokens, heads, k_dim]` of the positions from `past` on find, each over the
    /// positions up to its own, into `out` `[tokens, heads, v_dim]`. Keys and values must have been appended for them.
    ///
    /// # Panics
    /// Where the store has no such positions, or shapes differ.
    pub fn attend(&self, q: &[f32], heads: usize, past: usize, params: &Params, out: &mut [f32], isa: Isa) {
        let Shape { kv_heads, k_dim, v_dim, v_lanes } = self.shape;
        let tokens = q.len() / (heads * k_dim);
        assert!(q.len() == tokens * heads * k_dim && out.len() == tokens * heads * v_dim, "queries unlike results");
        assert!(heads.is_multiple_of(kv_heads) && past + tokens <= self.capacity(), "queries without keys");
        assert!(params.sinks.as_ref().is_none_or(|sinks| sinks.len() == heads), "sinks of other heads");
        if tokens == 0 {
            return;
        }
        let group = heads / kv_heads;
        let rows = if k_dim + v_dim > WIDE { WIDE_TILE_ROWS } else { TILE_ROWS };
        let end = past + tokens;
        let (tile, start, chunk) = match tokens <= FEW {
            true => (tokens, params.first_seen(past + 1) / CHUNK * CHUNK, CHUNK),
            false => ((rows / group).max(1), params.first_seen(past + 1) / LANES * LANES, end),
        };
        let tiles = tokens.div_ceil(tile);
        let chunks = (end - start).div_ceil(chunk);
        let job = |index: usize| {
            // The last tiles see the most positions: they come first.
            let (part, kv_head) = (index / kv_heads, index % kv_heads);
            let first = (tiles - 1 - part / chunks) * tile;
            let from = start + part % chunks * chunk;
            let tokens = first..tokens.min(first + tile);
            Job { store: self, kv_head, q, heads, tokens, past, positions: from..end.min(from + chunk), params }
        };
        let work = tokens * heads * (end - start) * (k_dim + v_dim);
        let run = |tasks: usize, task: &(dyn Fn(usize) + Sync)| match work < ALONE {
            true => (0..tasks).for_each(task),
            false => pool::run(tasks, task),
        };
        let out = Shared::new(out);
        // Of a row of a job: `[v_dim]` of the result, and what the head's sink is.
        let place = |job: &Job, row: usize| {
            let head = job.kv_head * group + row % group;
            let at = ((job.tokens.start + row / group) * heads + head) * v_dim;
            // SAFETY: each row of the result is of one job alone, or of all the chunks of a KV head, which one task puts
            // together.
            (unsafe { out.slice(at, v_dim) }, params.sinks.as_ref().map(|sinks| sinks[head]))
        };
        if chunks == 1 {
            return run(kv_heads * tiles, &|index| {
                let job = job(index);
                SCRATCH.with_borrow_mut(|scratch| {
                    simd::attend(&job, scratch, isa);
                    for row in 0..job.rows() {
                        let (out, sink) = place(&job, row);
                        let share = share(scratch.largest[row], scratch.sum[row], sink);
                        for (out, value) in out.iter_mut().zip(&scratch.out[row * v_lanes..]) {
                            *out = value * share;
                        }
                    }
                });
            });
        }
        // Of each row of each chunk of each KV head: the values, the greatest score and the sum.
        let (rows, width) = (tokens * group, v_lanes + 2);
        let mut parts = PARTS.take();
        parts.resize(kv_heads * chunks * rows * width, 0.0);
        let shared = Shared::new(&mut parts);
        run(kv_heads * chunks, &|index| {
            let job = job(index);
            SCRATCH.with_borrow_mut(|scratch| {
                simd::attend(&job, scratch, isa);
                // SAFETY: each task has a part of its own.
                let parts = unsafe { shared.slice(index * rows * width, rows * width) };
                for (row, part) in parts.chunks_exact_mut(width).enumerate() {
                    part[..v_lanes].copy_from_slice(&scratch.out[row * v_lanes..(row + 1) * v_lanes]);
                    part[v_lanes] = scratch.largest[row];
                    part[v_lanes + 1] = scratch.sum[row];
                }
            });
        });
        run(kv_heads, &|kv_head| {
            let job = job(kv_head);
            for row in 0..rows {
                let part = |chunk: usize| {
                    let at = ((chunk * kv_heads + kv_head) * rows + row) * width;
                    &parts[at..at + width]
                };
                let largest = (0..chunks).fold(f32::NEG_INFINITY, |most, chunk| most.max(part(chunk)[v_lanes]));
                let faded = |chunk: usize| match part(chunk)[v_lanes] {
                    of_chunk if of_chunk == largest => 1.0,
                    of_chunk => (of_chunk - largest).exp(),
                };
                let sum = (0..chunks).map(|chunk| part(chunk)[v_lanes + 1] * faded(chunk)).sum();
                let (out, sink) = place(&job, row);
                let share = share(largest, sum, sink);
                out.fill(0.0);
                for chunk in 0..chunks {
                    let share = share * faded(chunk);
                    for (out, value) in out.iter_mut().zip(part(chunk)) {
                        *out += value * share;
                    }
                }
            }
        });
        PARTS.set(parts);
    }
}

/// What values that were summed by weights relative to `largest` are multiplied with: one through the sum of all weights.
fn share(largest: f32, sum: f32, sink: Option<f32>) -> f32 {
    let Some(sink) = sink else { return sum.recip() };
    let reference = largest.max(sink);
    let faded = (largest - reference).exp();
    faded / (sum * faded + (sink - reference).exp())
}
