//! A model that says a given text: whatever token comes last, it knows one that follows.

use std::path::Path;

use oai::weights::{GgufWriter, Metadata, TensorType, Value};

/// A llama of one layer without weights. A token's embedding is a direction of its own, and the output row of the token
/// that follows it looks that way. A piece of `script` between `‹` and `›` is a control token, and no piece may come
/// twice; the script begins after `start`, the last token of the rendered prompt, and ends with `<|end|>`.
pub fn write(path: &Path, template: &str, start: &str, script: &[&str]) {
    write_sized(path, template, start, script, 32);
}

/// A parrot with so wide a feed-forward layer: it changes nothing but takes its time.
pub fn write_sized(path: &Path, template: &str, start: &str, script: &[&str], feed_forward: usize) {
    let control = |piece: &str| piece.strip_prefix('‹').and_then(|p| p.strip_suffix('›')).map(str::to_owned);
    let mut tokens: Vec<(String, i32)> = vec![("<unk>".to_owned(), 2)];
    tokens.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), 6)));
    for piece in [start, "<|end|>"] {
        if piece.len() > 1 {
            tokens.push((piece.to_owned(), 3));
        }
    }
    for piece in script {
        match control(piece) {
            Some(piece) if tokens.iter().all(|(text, _)| *text != piece) => tokens.push((piece, 3)),
            Some(_) => {}
            None => tokens.push((piece.replace(' ', "▁"), 1)),
        }
    }
    let id = |piece: &str| {
        let text = control(piece).unwrap_or_else(|| match piece {
            "\n" => "<0x0A>".to_owned(),
            piece => piece.replace(' ', "▁"),
        });
        tokens.iter().position(|(token, _)| *token == text).unwrap()
    };
    let path_of_ids: Vec<usize> = [start].iter().chain(script).chain(&["<|end|>"]).map(|piece| id(piece)).collect();
    let mut distinct = path_of_ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), path_of_ids.len(), "a piece comes twice");

    let (vocabulary, hidden) = (tokens.len(), tokens.len().next_multiple_of(32));
    let text = |text: &str| Value::String(text.to_owned());
    let number = |n: usize| Value::U32(n as u32);
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("general.architecture", text("llama")),
        ("general.name", text("parrot")),
        ("llama.context_length", number(4096)),
        ("llama.embedding_length", number(hidden)),
        ("llama.block_count", number(1)),
        ("llama.feed_forward_length", number(feed_forward)),
        ("llama.attention.head_count", number(1)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.rope.dimension_count", number(hidden)),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.tokens", Value::Array(tokens.iter().map(|(token, _)| text(token)).collect())),
        ("tokenizer.ggml.token_type", Value::Array(tokens.iter().map(|(_, kind)| Value::I32(*kind)).collect())),
        ("tokenizer.ggml.unknown_token_id", number(0)),
        ("tokenizer.ggml.eos_token_id", number(id("<|end|>"))),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
        ("tokenizer.chat_template", text(template)),
    ] {
        metadata.set(key, value);
    }
    let matrix = |rows: usize, columns: usize, ones: &[(usize, usize)]| {
        let mut values = vec![0f32; rows * columns];
        ones.iter().for_each(|(row, column)| values[row * columns + column] = 1.0);
        values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()
    };
    let diagonal: Vec<(usize, usize)> = (0..vocabulary).map(|i| (i, i)).collect();
    let steps: Vec<(usize, usize)> = path_of_ids.windows(2).map(|pair| (pair[1], pair[0])).collect();
    let ones = |n: usize| vec![1f32; n].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let mut writer = GgufWriter::new(metadata);
    writer.tensor("token_embd.weight", &[vocabulary, hidden], TensorType::F32, matrix(vocabulary, hidden, &diagonal));
    writer.tensor("output.weight", &[vocabulary, hidden], TensorType::F32, matrix(vocabulary, hidden, &steps));
    for norm in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] {
        writer.tensor(&format!("{norm}.weight"), &[hidden], TensorType::F32, ones(hidden));
    }
    for (name, rows, columns) in [
        ("attn_q", hidden, hidden),
        ("attn_k", hidden, hidden),
        ("attn_v", hidden, hidden),
        ("attn_output", hidden, hidden),
        ("ffn_gate", feed_forward, hidden),
        ("ffn_up", feed_forward, hidden),
        ("ffn_down", hidden, feed_forward),
    ] {
        writer.tensor(&format!("blk.0.{name}.weight"), &[rows, columns], TensorType::F32, matrix(rows, columns, &[]));
    }
    writer.write(path).unwrap();
}
