//! The tensors of what some layers have in place of attention.

use super::FormTensor;
use super::tensors::Tensors;
use crate::model::Error;
use crate::model::decoder::config::{DeltaNetShape, Selective, StateSpace};
use crate::model::decoder::family::{KeySharing, NormKind};

impl Tensors<'_> {
    pub fn short_conv(&mut self, index: usize, width: usize) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let name = |part: &str| format!("blk.{index}.shortconv.{part}");
        self.linear(&name("in_proj"), 3 * hidden, hidden, None)?;
        self.conv(&name("conv"), hidden, width, None)?;
        self.linear(&name("out_proj"), hidden, hidden, None)
    }

    pub fn mamba(&mut self, index: usize, shape: &Selective) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let Selective { inner, states, rank, conv_width, .. } = *shape;
        let name = |part: &str| format!("blk.{index}.{part}");
        self.linear(&name("ssm_in"), 2 * inner, hidden, None)?;
        self.conv(&name("ssm_conv1d"), inner, conv_width, None)?;
        self.linear(&name("ssm_x"), rank + 2 * states, inner, None)?;
        self.linear(&name("ssm_dt"), inner, rank, None)?;
        for (part, size) in [("ssm_dt_norm", rank), ("ssm_b_norm", states), ("ssm_c_norm", states)] {
            let weight = name(&format!("{part}.weight"));
            self.vector(&weight, &weight, size)?;
        }
        self.rates(&name("ssm_a"), &name("ssm_a"), &[inner, states], None)?;
        self.numbers(&name("ssm_d"), &[inner])?;
        self.linear(&name("ssm_out"), hidden, inner, None)
    }

    pub fn mamba2(&mut self, index: usize, shape: &StateSpace) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let (inner, mixed) = (shape.inner(), shape.mixed());
        let name = |part: &str| format!("blk.{index}.{part}");
        self.linear(&name("ssm_in"), inner + mixed + shape.heads, hidden, None)?;
        self.conv(&name("ssm_conv1d"), mixed, shape.conv_width, None)?;
        self.numbers(&name("ssm_dt.bias"), &[shape.heads])?;
        self.rates(&name("ssm_a"), &name("ssm_a"), &[shape.heads, 1], None)?;
        self.numbers(&name("ssm_d"), &[shape.heads, 1])?;
        self.numbers(&name("ssm_norm.weight"), &[shape.groups, inner / shape.groups])?;
        self.linear(&name("ssm_out"), hidden, inner, None)
    }

    pub fn delta_net(&mut self, index: usize, shape: &DeltaNetShape) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let DeltaNetShape { key_heads, value_heads, key_dim, value_dim, conv_width, .. } = *shape;
        let name = |part: &str| format!("blk.{index}.{part}");
        let (keys, values) = (2 * key_heads * key_dim, value_heads * value_dim);
        // Heads that share a key lie side by side in a folder, and one of each key after another in most files.
        let in_turn = self.config.family.delta_net == Some(KeySharing::InTurn) && key_heads != value_heads;
        let order = |size: usize| in_turn.then(|| taking_turns(key_heads, value_heads, size));
        let after_keys = order(value_dim)
            .map(|order| (0..keys as u32).chain(order.into_iter().map(|row| keys as u32 + row)).collect::<Vec<_>>());
        if self.checkpoint.has(&name("ssm_in.weight")) {
            let group = value_heads / key_heads * value_dim;
            let shape = [keys + 2 * values, hidden];
            let [qkv, gate] = unwoven(key_heads, key_dim, group);
            self.part_of(&name("ssm_in"), shape, &name("attn_qkv"), Some(qkv))?;
            self.part_of(&name("ssm_in"), shape, &name("attn_gate"), Some(gate))?;
        } else {
            self.linear(&name("attn_qkv"), keys + values, hidden, after_keys.clone())?;
            self.linear(&name("attn_gate"), values, hidden, order(value_dim))?;
        }
        if self.checkpoint.has(&name("ssm_ba.weight")) {
            self.linear(&name("ssm_ba"), 2 * value_heads, hidden, None)?;
        } else {
            self.linear(&name("ssm_beta"), value_heads, hidden, order(1))?;
            self.linear(&name("ssm_alpha"), value_heads, hidden, order(1))?;
        }
        self.conv(&name("ssm_conv1d"), keys + values, conv_width, after_keys)?;
        self.rates(&name("ssm_a.weight"), &name("ssm_a"), &[value_heads], order(1))?;
        let bias = self.checkpoint.values(&name("ssm_dt.bias"), value_heads)?;
        let bias = in_order(bias, 1, order(1).as_deref());
        self.all.push(FormTensor::values(name("ssm_dt.bias"), &[value_heads], bias));
        self.norm(&name("ssm_norm"), &name("ssm_norm"), value_dim, NormKind::Rms)?;
        self.linear(&name("ssm_out"), hidden, values, None)?;
        if let Some(order) = order(value_dim)
            && let Some(output) = self.all.pop()
        {
            self.all.push(output.with_columns(order));
        }
        Ok(())
    }

    /// A convolution's `[channels, width]`, and its bias where it has one; `order` says which channel each is.
    fn conv(&mut self, stem: &str, channels: usize, width: usize, order: Option<Vec<u32>>) -> Result<(), Error> {
        let weight = format!("{stem}.weight");
        let values = self.checkpoint.grid(&weight, channels, width)?.flatten_all()?.to_vec1()?;
        let values = in_order(values, width, order.as_deref());
        self.all.push(FormTensor::values(weight, &[channels, width], values));
        let bias = format!("{stem}.bias");
        if let Some(vector) = self.checkpoint.vector_if_any(&bias, channels)? {
            let values = in_order(vector.to_vec1()?, 1, order.as_deref());
            self.all.push(FormTensor::values(bias, &[channels], values));
        }
        Ok(())
    }

    /// How fast states forget: folders hold the logarithm of what is negative here.
    fn rates(&mut self, name: &str, gguf: &str, shape: &[usize], order: Option<Vec<u32>>) -> Result<(), Error> {
        let mut rates = self.checkpoint.values(name, shape.iter().product())?;
        rates.iter_mut().for_each(|rate| *rate = -rate.exp());
        let rates = in_order(rates, 1, order.as_deref());
        self.all.push(FormTensor::values(gguf.to_owned(), shape, rates));
        Ok(())
    }

    /// Numbers under the same name in either.
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<(), Error> {
        let values = self.checkpoint.values(name, shape.iter().product())?;
        self.all.push(FormTensor::values(name.to_owned(), shape, values));
        Ok(())
    }
}

/// Rows of `width` in another order.
fn in_order(values: Vec<f32>, width: usize, order: Option<&[u32]>) -> Vec<f32> {
    match order {
        None => values,
        Some(order) => order.iter().flat_map(|row| &values[*row as usize * width..][..width]).copied().collect(),
    }
}

/// Rows of heads of `size` that lie by the key that they share, so that they take the keys in turn.
fn taking_turns(key_heads: usize, value_heads: usize, size: usize) -> Vec<u32> {
    let group = value_heads / key_heads;
    let head = move |turn: usize, key: usize| (0..size).map(move |row| ((key * group + turn) * size + row) as u32);
    (0..group).flat_map(|turn| (0..key_heads).flat_map(move |key| head(turn, key))).collect()
}

/// Rows of queries, keys, values and gates that lie together for each key head: of the first three, one after another,
/// and of the last. A key head has `group` rows of values.
fn unwoven(key_heads: usize, key_dim: usize, group: usize) -> [Vec<u32>; 2] {
    let each = 2 * (key_dim + group);
    let part = |first: usize, count: usize| {
        (0..key_heads).flat_map(move |head| (0..count).map(move |row| (head * each + first + row) as u32))
    };
    let qkv = part(0, key_dim).chain(part(key_dim, key_dim)).chain(part(2 * key_dim, group)).collect();
    [qkv, part(2 * key_dim + group, group).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_go_where_gguf_has_them() {
        // Two keys, of three heads each, of two rows.
        assert_eq!(taking_turns(2, 6, 2), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        // Two key heads: a query, a key, two values and two gates each.
        assert_eq!(unwoven(2, 1, 2), [vec![0, 6, 1, 7, 2, 3, 8, 9], vec![4, 5, 10, 11]]);
        assert_eq!(in_order(vec![1.0, 2.0, 3.0, 4.0], 2, Some(&[1, 0])), [3.0, 4.0, 1.0, 2.0]);
    }
}
