//! Every GGUF block type beside the `gguf` package: `dequantize/make.py` says how `expected.json` was made.

use std::collections::BTreeMap;

use oai::kernels::dequantize_rows;
use oai::weights::TensorType;
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Expected {
    first: Vec<Option<f32>>,
    sha256: String,
}

fn pseudo_random(count: usize) -> Vec<u8> {
    let next = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), next).skip(1).map(|x| (x >> 24) as u8).take(count).collect()
}

#[test]
fn every_block_type_is_bit_for_bit_that_of_its_definition() {
    let expected: BTreeMap<String, Expected> = serde_json::from_str(include_str!("dequantize/expected.json")).unwrap();
    assert_eq!(expected.len(), 22);
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let dtype = (0..64).filter_map(TensorType::from_gguf_id).find(|t| t.name() == name).unwrap();
        let mut values = vec![0f32; 1000 * dtype.block_elements()];
        dequantize_rows(dtype, &pseudo_random(1000 * dtype.block_bytes()), &mut values);
        let first: Vec<Option<f32>> = values[..64].iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
        let mut hash = Sha256::new();
        for value in values {
            let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
            hash.update(bits.to_le_bytes());
        }
        let hash: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        if first != expected.first {
            wrong.push(format!("{name}: {first:?}, not {:?}", expected.first));
        } else if hash != expected.sha256 {
            wrong.push(format!("{name}: the first values are right, others are not"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
