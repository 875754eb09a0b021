//! A linear layer and an embedding over mapped weights.

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{CpuStorage, Device, Result, Storage, Tensor};

use crate::kernels::{self, Groups, Input, Product, Weights};
use crate::weights::MappedTensor;

/// A matrix `[rows, columns]` in its file.
#[derive(Clone)]
pub struct Matrix {
    tensor: MappedTensor,
    /// Scales that the file keeps apart.
    groups: Option<Arc<Groups>>,
    /// Which column of the model each stored one is, where the file stores them in an order of its own.
    order: Option<Arc<Vec<u32>>>,
}

impl Matrix {
    /// The checkpoint has checked shape and type.
    pub(super) fn new(tensor: MappedTensor) -> Matrix {
        Matrix { tensor, groups: None, order: None }
    }

    /// The same with scales apart, as many as the shape asks for, and with columns in an order of their own.
    pub(super) fn grouped(tensor: MappedTensor, groups: Groups, order: Option<Vec<u32>>) -> Matrix {
        Matrix { tensor, groups: Some(Arc::new(groups)), order: order.map(Arc::new) }
    }

    pub fn rows(&self) -> usize {
        self.tensor.shape[0]
    }

    /// The tensor, where its elements are those of the matrix: without scales of their own, and in the model's order.
    pub(super) fn stored(&self) -> Option<&MappedTensor> {
        (self.groups.is_none() && self.order.is_none()).then_some(&self.tensor)
    }

    pub fn columns(&self) -> usize {
        self.tensor.shape[1]
    }

    /// Rows `ids` as f32: `[ids, columns]`. An id past the end is an error.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let columns = self.columns();
        let row_bytes = self.tensor.data().len() / self.rows();
        let mut out = vec![0f32; ids.len() * columns];
        for (id, out) in ids.iter().zip(out.chunks_mut(columns)) {
            let start = *id as usize * row_bytes;
            let Some(bytes) = self.tensor.data().get(start..start + row_bytes) else {
                candle_core::bail!("token {id} is outside the vocabulary of {}", self.rows());
            };
            kernels::dequantize_rows(self.tensor.dtype, bytes, out);
            if let Some(groups) = &self.groups {
                groups.apply(*id as usize, columns, out);
            }
        }
        if let Some(order) = &self.order {
            // Each stored column goes back to where the model has it.
            let stored = out.clone();
            for (stored, out) in stored.chunks(columns).zip(out.chunks_mut(columns)) {
                stored.iter().zip(order.iter()).for_each(|(value, place)| out[*place as usize] = *value);
            }
        }
        Tensor::from_vec(out, (ids.len(), columns), &Device::Cpu)
    }

    /// `x` with its columns as the file has them; `None` where that is the model's order.
    fn in_order(&self, x: &[f32]) -> Option<Vec<f32>> {
        let order = self.order.as_ref()?;
        Some(x.chunks(order.len()).flat_map(|x| order.iter().map(|place| x[*place as usize])).collect())
    }

    /// `x` `[tokens, columns]` to `[tokens, rows]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let out = with_floats(&x.contiguous()?, |x| products(&[(self, None, 0)], &[(x, tokens)]))?.remove(0);
        Tensor::from_vec(out, (tokens, self.rows()), &Device::Cpu)
    }

    fn weights(&self) -> Weights<'_> {
        Weights {
            dtype: self.tensor.dtype,
            bytes: self.tensor.data(),
            groups: self.groups.as_deref(),
            rows: self.rows(),
            columns: self.columns(),
        }
    }
}

type Observer = dyn Fn(&[(&[u8], usize)], &[(&[f32], usize)]);

thread_local! {
    static OBSERVER: RefCell<Option<Box<Observer>>> = const { RefCell::new(None) };
}

/// Does `work` and tells `observer` of all products that this thread asks for meanwhile: of each matrix its bytes and which
/// of the inputs it reads; and the inputs `[tokens, columns]`, each with its tokens.
pub fn observe<R>(observer: impl Fn(&[(&[u8], usize)], &[(&[f32], usize)]) + 'static, work: impl FnOnce() -> R) -> R {
    let before = OBSERVER.replace(Some(Box::new(observer)));
    let result = work();
    OBSERVER.set(before);
    result
}

/// What each matrix makes of its input, all at once: `[tokens, rows]`, with its bias added where it has one. A matrix says
/// which of `inputs` `[tokens, columns]` it reads, each of which comes with its tokens.
fn products(matrices: &[(&Matrix, Option<&[f32]>, usize)], inputs: &[(&[f32], usize)]) -> Vec<Vec<f32>> {
    OBSERVER.with_borrow(|observer| {
        if let Some(observer) = observer {
            let weights: Vec<_> = matrices.iter().map(|(matrix, _, input)| (matrix.tensor.data(), *input)).collect();
            observer(&weights, inputs);
        }
    });
    let input_of = |x, tokens: usize| Input::new(x, tokens, <[f32]>::len(x) / tokens.max(1));
    let shared: Vec<Input> = inputs.iter().map(|(x, tokens)| input_of(x, *tokens)).collect();
    let ordered: Vec<Option<Vec<f32>>> =
        matrices.iter().map(|(matrix, _, input)| matrix.in_order(inputs[*input].0)).collect();
    let own: Vec<Option<Input>> = ordered
        .iter()
        .zip(matrices)
        .map(|(x, (_, _, input))| x.as_ref().map(|x| input_of(x, inputs[*input].1)))
        .collect();
    let mut outs: Vec<Vec<f32>> =
        matrices.iter().map(|(matrix, _, input)| vec![0f32; inputs[*input].1 * matrix.rows()]).collect();
    let mut products: Vec<Product> = matrices
        .iter()
        .zip(&own)
        .zip(&mut outs)
        .map(|(((matrix, _, input), own), out)| Product {
            weights: matrix.weights(),
            input: own.as_ref().unwrap_or(&shared[*input]),
            out,
        })
        .collect();
    kernels::multiply(&mut products);
    drop(products);
    for ((matrix, bias, _), out) in matrices.iter().zip(&mut outs) {
        if let Some(bias) = bias {
            for row in out.chunks_exact_mut(matrix.rows()) {
                row.iter_mut().zip(*bias).for_each(|(value, bias)| *value += bias);
            }
        }
    }
    outs
}

/// Calls `f` with the elements of a contiguous tensor of f32.
pub(super) fn with_floats<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => candle_core::bail!("activations must be contiguous and f32"),
    }
}

/// A matrix and perhaps a bias `[rows]`.
#[derive(Clone)]
pub struct Linear {
    pub weight: Matrix,
    pub bias: Option<Arc<Vec<f32>>>,
}

impl Linear {
    /// `x` `[tokens, in]` to `[tokens, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let out = with_floats(&x.contiguous()?, |x| Linear::all([self], x, tokens))?;
        Tensor::from_vec(out.into_iter().next().unwrap_or_default(), (tokens, self.weight.rows()), &Device::Cpu)
    }

    /// What each layer makes of `x` `[tokens, in]`, computed together: `[tokens, out]` each.
    pub fn all<const N: usize>(layers: [&Linear; N], x: &[f32], tokens: usize) -> [Vec<f32>; N] {
        let parts = layers.map(|layer| (&layer.weight, layer.bias(), 0));
        products(&parts, &[(x, tokens)]).try_into().unwrap_or_else(|_| unreachable!("a product for each layer"))
    }

    /// The same of layers that read different inputs: each comes with the number of its own among `inputs`, of which each
    /// comes with its tokens.
    pub fn each(layers: &[(&Linear, usize)], inputs: &[(&[f32], usize)]) -> Vec<Vec<f32>> {
        let parts: Vec<_> = layers.iter().map(|(layer, input)| (&layer.weight, layer.bias(), *input)).collect();
        products(&parts, inputs)
    }

    fn bias(&self) -> Option<&[f32]> {
        self.bias.as_ref().map(|bias| &bias[..])
    }
}
