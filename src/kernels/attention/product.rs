//! The product of a few rows with a few vectors of columns, which scores and averages are made of.

use super::simd::{Element, LANES, Simd};

/// Rows of a [`Product`] at most.
pub const ROWS: usize = 6;
/// Bytes that come from memory together.
const LINE: usize = 64;

/// `out[r, n] (+)= scales[n] * (a[r, ..] * b[.., n])` for `R` rows and `N` vectors of columns.
pub struct Product<E> {
    pub a: *const f32,
    pub a_row: usize,
    pub b: *const E,
    /// From a vector of `b` to the next of the same columns, and to the next columns.
    pub b_step: usize,
    pub b_column: usize,
    pub depth: usize,
    /// Bits of f16 for each column, `scale_column` from vector to vector; null for ones.
    pub scales: *const u16,
    pub scale_column: usize,
    pub out: *mut f32,
    pub out_row: usize,
    pub add: bool,
    /// What is read after this, as many bytes as of `b`: it is fetched from memory meanwhile. Null for nothing.
    pub next: *const u8,
}

impl<E: Element> Product<E> {
    /// # Safety
    /// The pointers must be good for what is read and written; the processor must have the instructions.
    #[allow(clippy::needless_range_loop)] // `r` and `n` are places in memory too
    #[inline(always)]
    pub unsafe fn compute<S: Simd, const R: usize, const N: usize>(&self) {
        // SAFETY: by the caller.
        unsafe {
            let mut sums = [[S::splat(0.0); N]; R];
            let (mut b, mut next) = (self.b, self.next);
            let bytes = N * LANES * size_of::<E>();
            for step in 0..self.depth {
                if !next.is_null() {
                    for _ in 0..bytes.div_ceil(LINE) {
                        S::prefetch(next);
                        next = next.wrapping_add(LINE.min(bytes));
                    }
                }
                let mut columns = [S::splat(0.0); N];
                for n in 0..N {
                    columns[n] = E::load::<S>(b.wrapping_add(n * self.b_column));
                }
                for r in 0..R {
                    let a = S::splat(*self.a.add(r * self.a_row + step));
                    for n in 0..N {
                        sums[r][n] = S::mul_add(a, columns[n], sums[r][n]);
                    }
                }
                b = b.wrapping_add(self.b_step);
            }
            for n in 0..N {
                let scale = match self.scales.is_null() {
                    true => S::splat(1.0),
                    false => S::load_f16(self.scales.wrapping_add(n * self.scale_column)),
                };
                for r in 0..R {
                    let out = self.out.add(r * self.out_row + n * LANES);
                    let before = if self.add { S::load(out) } else { S::splat(0.0) };
                    S::store(out, S::mul_add(sums[r][n], scale, before));
                }
            }
        }
    }

    /// With `rows`, at most [`ROWS`], and `columns` vectors of columns, as [`next_columns`] gives them.
    ///
    /// # Safety
    /// As of [`compute`](Self::compute).
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, rows: usize, columns: usize) {
        // SAFETY: by the caller.
        unsafe {
            match columns {
                8 if rows == 1 => S::product::<E, 1, 8>(self),
                8 => S::product::<E, 2, 8>(self),
                4 => self.of_rows::<S, 4>(rows),
                2 => self.of_rows::<S, 2>(rows),
                _ => self.of_rows::<S, 1>(rows),
            }
        }
    }

    /// # Safety
    /// As of [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_rows<S: Simd, const N: usize>(&self, rows: usize) {
        // SAFETY: by the caller.
        unsafe {
            match rows {
                1 => S::product::<E, 1, N>(self),
                2 => S::product::<E, 2, N>(self),
                3 => S::product::<E, 3, N>(self),
                4 => S::product::<E, 4, N>(self),
                5 => S::product::<E, 5, N>(self),
                _ => S::product::<E, 6, N>(self),
            }
        }
    }
}

/// How many vectors of columns a [`Product`] takes of those that are left: 1, 2, 4, or with up to two rows 8.
#[inline(always)]
pub fn next_columns<S: Simd>(rows: usize, left: usize) -> usize {
    // Few rows leave room for more columns, which are longer runs of memory and more sums under way.
    let mut columns = if rows <= 2 { 2 * S::COLUMNS } else { S::COLUMNS };
    while columns > left {
        columns /= 2;
    }
    columns
}
