//! The tensors of latent attention: what widens a latent is a matrix for each head's keys, turned, and one for its values.

use super::tensors::Tensors;
use crate::model::Error;
use crate::model::decoder::checkpoint::Checkpoint;
use crate::model::decoder::config::{DecoderConfig, Latent};
use crate::model::decoder::family::NormKind;
use crate::weights::MappedTensor;

impl Tensors<'_> {
    pub fn latent_attention(&mut self, index: usize, latent: &Latent) -> Result<(), Error> {
        let DecoderConfig { hidden_size: hidden, heads, .. } = *self.config;
        let Latent { query_rank, rank, nope_dim, rope_dim, v_dim } = *latent;
        let name = |part: &str| format!("blk.{index}.{part}");
        let q_size = heads * (nope_dim + rope_dim);
        match query_rank {
            None => self.linear(&name("attn_q"), q_size, hidden, None)?,
            Some(rank) => {
                self.linear(&name("attn_q_a"), rank, hidden, None)?;
                self.norm(&name("attn_q_a_norm"), &name("attn_q_a_norm"), rank, NormKind::Rms)?;
                self.linear(&name("attn_q_b"), q_size, rank, None)?;
            }
        }
        self.linear(&name("attn_kv_a_mqa"), rank + rope_dim, hidden, None)?;
        self.norm(&name("attn_kv_a_norm"), &name("attn_kv_a_norm"), rank, NormKind::Rms)?;
        let widen = name("attn_kv_b.weight");
        let source: Vec<MappedTensor> = self.checkpoint.find(&widen).cloned().into_iter().collect();
        let (stem, dims) = (widen.clone(), (nope_dim, v_dim));
        let keys = move |checkpoint: &Checkpoint| Ok(checkpoint.keys_and_values(&stem, heads, dims, rank)?.0);
        let values = move |checkpoint: &Checkpoint| Ok(checkpoint.keys_and_values(&widen, heads, dims, rank)?.1);
        self.stacked(name("attn_k_b.weight"), [heads, rank, nope_dim], source.clone(), true, keys)?;
        self.stacked(name("attn_v_b.weight"), [heads, v_dim, rank], source, true, values)?;
        self.linear(&name("attn_output"), hidden, heads * v_dim, None)
    }
}
