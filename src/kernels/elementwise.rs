//! What layers do to each token or element alone: norms and activations.

use super::attention::math;
use super::attention::simd::{LANES, Simd};
use super::by_isa;
use super::cpu::Isa;
use super::pool::{self, Shared};

/// Elements of a task.
const TASK: usize = 32 << 10;

/// RMSNorm (Zhang and Sennrich, 2019, <https://arxiv.org/abs/1910.07467>) of each row of as many elements as `weight`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    rows(x, weight.len(), out, |isa, x, out| by_isa!(isa, rms_norm(x, weight, eps, out)));
}

/// LayerNorm (Ba et al., 2016, <https://arxiv.org/abs/1607.06450>) of each row of as many elements as `weight`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    rows(x, weight.len(), out, |isa, x, out| by_isa!(isa, layer_norm(x, weight, bias, eps, out)));
}

/// Calls `norm` with each row of `x` and of `out`.
fn rows(x: &[f32], size: usize, out: &mut [f32], norm: impl Fn(Isa, &[f32], &mut [f32]) + Sync) {
    assert_eq!(x.len(), out.len(), "a norm of another shape");
    let isa = Isa::best();
    let step = (TASK / size.max(1)).max(1) * size.max(1);
    pool::for_each_chunk(out, step, |index, out| {
        let x = &x[index * step..][..out.len()];
        for (x, out) in x.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
            norm(isa, x, out);
        }
    });
}

/// What of a value and its gate is computed in vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `g / (1 + e^-g) * x`.
    Silu,
    /// `g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2 * x` (Hendrycks and Gimpel, 2016,
    /// <https://arxiv.org/abs/1606.08415>).
    GeluTanh,
}

/// Makes of each element of `gates` what it lets through of that of `x`; of 1 where there is no `x`.
pub fn gate(kind: Gate, gates: &mut [f32], x: Option<&[f32]>) {
    assert!(x.is_none_or(|x| x.len() == gates.len()), "gates of another shape");
    let (isa, len) = (Isa::best(), gates.len());
    let shared = Shared::new(gates);
    pool::run(len.div_ceil(TASK), |index| {
        let start = index * TASK;
        // SAFETY: parts are disjoint, and each is one task's.
        let gates = unsafe { shared.slice(start, TASK.min(len - start)) };
        let x = x.map(|x| &x[start..start + gates.len()]);
        by_isa!(isa, gate(kind, gates, x));
    });
}

/// Adds `b` to `a`.
pub fn add(a: &mut [f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "a sum of different shapes");
    pool::for_each_chunk(a, TASK, |index, a| {
        let b = &b[index * TASK..][..a.len()];
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    });
}

/// A vector of up to [`LANES`] elements, zeros behind them.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
unsafe fn load<S: Simd>(x: &[f32]) -> S::Vector {
    // SAFETY: by the caller.
    unsafe {
        match x.len() {
            LANES => S::load(x.as_ptr()),
            len => {
                let mut whole = [0f32; LANES];
                whole[..len].copy_from_slice(x);
                S::load(whole.as_ptr())
            }
        }
    }
}

/// The reverse of [`load`].
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
unsafe fn store<S: Simd>(out: &mut [f32], value: S::Vector) {
    // SAFETY: by the caller.
    unsafe {
        match out.len() {
            LANES => S::store(out.as_mut_ptr(), value),
            len => {
                let mut whole = [0f32; LANES];
                S::store(whole.as_mut_ptr(), value);
                out.copy_from_slice(&whole[..len]);
            }
        }
    }
}

/// [`rms_norm`] of one row.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
pub unsafe fn rms_norm_row<S: Simd>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    // SAFETY: by the caller.
    unsafe {
        let mut squares = S::splat(0.0);
        for part in x.chunks(LANES) {
            let part = load::<S>(part);
            squares = S::mul_add(part, part, squares);
        }
        let scale = S::splat(1.0 / (S::sum(squares) / x.len() as f32 + eps).sqrt());
        for ((x, weight), out) in x.chunks(LANES).zip(weight.chunks(LANES)).zip(out.chunks_mut(LANES)) {
            store::<S>(out, S::mul(S::mul(load::<S>(x), scale), load::<S>(weight)));
        }
    }
}

/// [`layer_norm`] of one row.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
pub unsafe fn layer_norm_row<S: Simd>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    // SAFETY: by the caller.
    unsafe {
        let mut sum = S::splat(0.0);
        for part in x.chunks(LANES) {
            sum = S::add(sum, load::<S>(part));
        }
        let mean = S::sum(sum) / x.len() as f32;
        let mut squares = 0f32;
        let mut whole = S::splat(0.0);
        for part in x.chunks(LANES) {
            if part.len() < LANES {
                squares += part.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>();
            } else {
                let off = S::sub(S::load(part.as_ptr()), S::splat(mean));
                whole = S::mul_add(off, off, whole);
            }
        }
        let scale = S::splat(1.0 / ((S::sum(whole) + squares) / x.len() as f32 + eps).sqrt());
        let parts = x.chunks(LANES).zip(weight.chunks(LANES)).zip(bias.chunks(LANES)).zip(out.chunks_mut(LANES));
        for (((x, weight), bias), out) in parts {
            let normed = S::mul(S::sub(load::<S>(x), S::splat(mean)), scale);
            store::<S>(out, S::mul_add(normed, load::<S>(weight), load::<S>(bias)));
        }
    }
}

/// [`gate`] of a part.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
pub unsafe fn gate_part<S: Simd>(kind: Gate, gates: &mut [f32], x: Option<&[f32]>) {
    // SAFETY: by the caller.
    unsafe {
        let one = S::splat(1.0);
        for (index, gates) in gates.chunks_mut(LANES).enumerate() {
            let g = load::<S>(gates);
            let open = match kind {
                Gate::Silu => {
                    // `exp` takes no more than 88; where the bound counts the result is below 1e-35.
                    let power = math::exp::<S>(S::min(S::splat(87.0), S::sub(S::splat(0.0), g)));
                    S::div(g, S::add(one, power))
                }
                Gate::GeluTanh => {
                    let cube = S::mul(S::mul(g, g), g);
                    let inner = S::mul_add(cube, S::splat(0.044_715), g);
                    let tanh = math::tanh::<S>(S::mul(inner, S::splat(0.797_884_6)));
                    S::mul(S::mul(g, S::splat(0.5)), S::add(one, tanh))
                }
            };
            let through = match x {
                Some(x) => S::mul(open, load::<S>(&x[index * LANES..][..gates.len()])),
                None => open,
            };
            store::<S>(gates, through);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin() * 4.0 + 0.5).collect()
    }

    fn close(a: &[f32], b: &[f64], what: &str) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((f64::from(*a) - b).abs() <= 2e-6 * b.abs().max(1.0), "{what}: {a} for {b}");
        }
    }

    #[test]
    fn norms_are_their_formulas_with_every_set_of_instructions() {
        for isa in Isa::available() {
            for size in [1, 5, 16, 33, 128] {
                let (x, weight, bias) = (ramp(size, 0.7), ramp(size, 0.3), ramp(size, 0.9));
                let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let mean_of = |values: &[f64]| values.iter().sum::<f64>() / size as f64;
                let squares = |mean: f64| mean_of(&wide.iter().map(|x| (x - mean).powi(2)).collect::<Vec<_>>());
                let mut out = vec![0f32; size];
                by_isa!(isa, rms_norm(&x, &weight, 1e-5, &mut out));
                let scale = (squares(0.0) + 1e-5).sqrt();
                let of = |i: usize| wide[i] / scale * f64::from(weight[i]);
                close(&out, &(0..size).map(of).collect::<Vec<_>>(), "rms");
                by_isa!(isa, layer_norm(&x, &weight, &bias, 1e-2, &mut out));
                let mean = mean_of(&wide);
                let scale = (squares(mean) + 1e-2).sqrt();
                let of = |i: usize| (wide[i] - mean) / scale * f64::from(weight[i]) + f64::from(bias[i]);
                close(&out, &(0..size).map(of).collect::<Vec<_>>(), "layer");
            }
        }
    }

    #[test]
    fn gates_are_their_formulas_with_every_set_of_instructions() {
        let (gates, x) = (ramp(100, 0.31).iter().map(|g| g * 20.0).collect::<Vec<f32>>(), ramp(100, 0.17));
        let silu = |g: f64| g / (1.0 + (-g).exp());
        let gelu =
            |g: f64| g * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044_715 * g.powi(3))).tanh()) / 2.0;
        for isa in Isa::available() {
            for (kind, exact) in [(Gate::Silu, &silu as &dyn Fn(f64) -> f64), (Gate::GeluTanh, &gelu)] {
                for x in [None, Some(&x[..])] {
                    let mut out = gates.clone();
                    by_isa!(isa, gate(kind, &mut out, x));
                    let of = |i: usize| exact(f64::from(gates[i])) * x.map_or(1.0, |x| f64::from(x[i]));
                    close(&out, &(0..100).map(of).collect::<Vec<_>>(), "gate");
                }
            }
        }
    }
}
