use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

struct Case {
    kv_heads: usize,
    group: usize,
    dims: (usize, usize),
    /// Tokens of each pass.
    passes: &'static [usize],
    cap: Option<f32>,
    window: Option<usize>,
    sinks: bool,
}

const PLAIN: Case =
    Case { kv_heads: 2, group: 3, dims: (32, 32), passes: &[40], cap: None, window: None, sinks: false };

const CASES: &[Case] = &[
    PLAIN,
    Case { kv_heads: 1, group: 1, dims: (1, 1), passes: &[1, 1, 1], ..PLAIN },
    Case { kv_heads: 2, group: 2, dims: (4, 4), passes: &[17, 1, 15, 1], ..PLAIN },
    Case { kv_heads: 3, group: 1, dims: (12, 20), passes: &[5, 140, 1], cap: Some(3.0), ..PLAIN },
    Case { kv_heads: 2, group: 4, dims: (64, 64), passes: &[129, 2, 1], window: Some(20), ..PLAIN },
    Case { kv_heads: 2, group: 4, dims: (40, 33), passes: &[300, 1, 7], sinks: true, ..PLAIN },
    Case { kv_heads: 1, group: 8, dims: (72, 64), passes: &[1, 30, 1], ..PLAIN },
    Case { kv_heads: 1, group: 5, dims: (128, 128), passes: &[600, 1], window: Some(333), sinks: true, ..PLAIN },
    Case { kv_heads: 2, group: 7, dims: (80, 48), passes: &[700, 1, 3], cap: Some(30.0), sinks: true, ..PLAIN },
    Case { kv_heads: 1, group: 14, dims: (96, 80), passes: &[300, 1, 2], window: Some(1), ..PLAIN },
    Case { kv_heads: 1, group: 50, dims: (576, 512), passes: &[33, 1], ..PLAIN },
];

/// Bounds of `|ours - exact|` relative to the largest value: f32 rounds; keys and values of f16 are off by at most 2^-11
/// of themselves, those of Q8_0 by at most 1/254 of the largest of their group.
const BOUNDS: [(KvType, f64); 3] = [(KvType::F32, 1e-5), (KvType::F16, 4e-3), (KvType::Q8_0, 4e-2)];

struct Sequence {
    shape: Shape,
    heads: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    params: Params,
}

impl Sequence {
    fn random(case: &Case, tokens: usize) -> Sequence {
        let mut random = StdRng::seed_from_u64(tokens as u64);
        let mut vector = |n: usize| -> Vec<f32> { (0..n).map(|_| random.random_range(-1.0..1.0)).collect() };
        let (k_dim, v_dim) = case.dims;
        let heads = case.kv_heads * case.group;
        let q = vector(tokens * heads * k_dim);
        let k = vector(tokens * case.kv_heads * k_dim);
        let v = vector(tokens * case.kv_heads * v_dim);
        let sinks = case.sinks.then(|| vector(heads));
        // Scores of about one, some of several.
        let params = Params { scale: 3.0 / (k_dim as f32).sqrt(), cap: case.cap, window: case.window, sinks };
        Sequence { shape: Shape::new(case.kv_heads, k_dim, v_dim), heads, q, k, v, params }
    }

    fn len(&self) -> usize {
        self.q.len() / (self.heads * self.shape.k_dim)
    }

    /// The definition, in f64: of position `at` and `head`, `[v_dim]`.
    fn exact(&self, at: usize, head: usize) -> Vec<f64> {
        let Shape { kv_heads, k_dim, v_dim, .. } = self.shape;
        let kv_head = head / (self.heads / kv_heads);
        let first = self.params.window.map_or(0, |window| (at + 1).saturating_sub(window));
        let scores: Vec<f64> = (first..=at)
            .map(|position| {
                let q = &self.q[(at * self.heads + head) * k_dim..][..k_dim];
                let k = &self.k[(position * kv_heads + kv_head) * k_dim..][..k_dim];
                let product: f64 = q.iter().zip(k).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                let score = product * f64::from(self.params.scale);
                self.params.cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
            })
            .collect();
        let sink = self.params.sinks.as_ref().map_or(0.0, |sinks| f64::from(sinks[head]).exp());
        let sum = scores.iter().map(|score| score.exp()).sum::<f64>() + sink;
        let mut out = vec![0.0; v_dim];
        for (position, score) in (first..=at).zip(scores) {
            let v = &self.v[(position * kv_heads + kv_head) * v_dim..][..v_dim];
            out.iter_mut().zip(v).for_each(|(out, v)| *out += score.exp() / sum * f64::from(*v));
        }
        out
    }

    fn append(&self, store: &mut Store, at: usize, from: usize, tokens: usize) {
        let Shape { kv_heads, k_dim, v_dim, .. } = self.shape;
        let part = |all: &[f32], size: usize| all[from * kv_heads * size..(from + tokens) * kv_heads * size].to_vec();
        store.append(at, &part(&self.k, k_dim), &part(&self.v, v_dim));
    }

    /// Attention of the tokens from `from` on, whose places in the store are from `at` on.
    fn attend(&self, store: &Store, at: usize, from: usize, tokens: usize, isa: Isa) -> Vec<f32> {
        let Shape { k_dim, v_dim, .. } = self.shape;
        let q = &self.q[from * self.heads * k_dim..(from + tokens) * self.heads * k_dim];
        let mut out = vec![f32::NAN; tokens * self.heads * v_dim];
        store.attend(q, self.heads, at, &self.params, &mut out, isa);
        out
    }

    /// That `out`, of the tokens from `from` on, is the definition's within `bound`.
    #[track_caller]
    fn check(&self, out: &[f32], from: usize, bound: f64, what: &str) {
        for (row, out) in out.chunks(self.shape.v_dim).enumerate() {
            // Rows of long passes by sample: the reference is slow.
            if out.len() * self.len() > 1 << 12 && row % 13 != 0 {
                continue;
            }
            let exact = self.exact(from + row / self.heads, row % self.heads);
            for (out, exact) in out.iter().zip(exact) {
                assert!((f64::from(*out) - exact).abs() <= bound, "{what}, row {row} from {from}: {out}, not {exact}");
            }
        }
    }
}

#[test]
fn every_type_and_set_of_instructions_is_near_the_definition() {
    for case in CASES {
        let sequence = Sequence::random(case, case.passes.iter().sum());
        for (kv_type, bound) in BOUNDS {
            for isa in Isa::available() {
                let mut store = Store::new(sequence.shape, kv_type);
                store.resize(sequence.len(), 0..0);
                let mut at = 0;
                for tokens in case.passes {
                    sequence.append(&mut store, at, at, *tokens);
                    let out = sequence.attend(&store, at, at, *tokens, isa);
                    sequence.check(&out, at, bound, &format!("{:?} {kv_type:?} {isa:?}", case.dims));
                    at += tokens;
                }
            }
        }
    }
}

#[test]
fn passes_of_any_length_give_the_same() {
    let sequence = Sequence::random(&CASES[8], 500);
    for isa in Isa::available() {
        let mut store = Store::new(sequence.shape, KvType::Q8_0);
        store.resize(500, 0..0);
        sequence.append(&mut store, 0, 0, 500);
        let whole = sequence.attend(&store, 0, 0, 500, isa);
        let row = whole.len() / 500;
        for at in (0..500).step_by(61) {
            let alone = sequence.attend(&store, at, at, 1, isa);
            for (a, b) in alone.iter().zip(&whole[at * row..]) {
                assert!((a - b).abs() <= 2e-6, "{isa:?}, {at}: {a} alone, {b} in a pass");
            }
        }
    }
}

#[test]
fn positions_are_overwritten_grown_and_rolled() {
    let case = Case { window: Some(50), ..PLAIN };
    let sequence = Sequence::random(&case, 300);
    for (kv_type, bound) in BOUNDS {
        let isa = Isa::best();
        let mut store = Store::new(sequence.shape, kv_type);
        store.resize(64, 0..0);
        // What other tokens were at the same places before must not show.
        store.append(0, &vec![f32::NAN; 64 * 2 * 32], &vec![f32::NAN; 64 * 2 * 32]);
        sequence.append(&mut store, 0, 0, 60);
        sequence.check(&sequence.attend(&store, 0, 0, 60, isa), 0, bound, "overwritten");
        store.resize(200, 0..60);
        sequence.append(&mut store, 60, 60, 130);
        sequence.check(&sequence.attend(&store, 60, 60, 130, isa), 60, bound, "grown");
        store.resize(200, 128..190);
        sequence.append(&mut store, 190 - 128, 190, 110);
        sequence.check(&sequence.attend(&store, 190 - 128, 190, 110, isa), 190, bound, "rolled");
    }
}

#[test]
fn what_is_no_number_stays_so() {
    for (kv_type, _) in BOUNDS {
        for isa in Isa::available() {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut store = Store::new(Shape::new(1, 16, 16), kv_type);
                store.resize(16, 0..0);
                let good = vec![0.5; 3 * 16];
                let mut k = good.clone();
                k[20] = bad;
                store.append(0, &k, &good);
                let mut out = vec![0f32; 16];
                store.attend(&good[..16], 1, 2, &Params { scale: 1.0, ..Params::default() }, &mut out, isa);
                assert!(out.iter().all(|x| x.is_nan()), "{kv_type:?} {isa:?} {bad}: {out:?}");
            }
        }
    }
}

#[test]
fn bytes_are_those_of_the_type() {
    let bytes = |kv_type| {
        let mut store = Store::new(Shape::new(4, 64, 128), kv_type);
        store.resize(100, 0..0);
        assert_eq!(store.capacity(), 112);
        store.bytes() as f64 / (112.0 * 4.0 * (64.0 + 128.0))
    };
    assert_eq!((bytes(KvType::F32), bytes(KvType::F16), bytes(KvType::Q8_0)), (4.0, 2.0, 1.0 + 2.0 / 32.0));
}
