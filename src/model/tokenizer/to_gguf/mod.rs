//! A folder's tokenizer as the `tokenizer.*` keys of a GGUF file, by which llama.cpp and oai cut text as the folder says.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>; those that the page lacks, and which
//! added tokens count as control tokens, are as llama.cpp's converter has them (`gguf-py/gguf/vocab.py`,
//! `conversion/base.py`).

mod check;
mod form;
mod general;
mod model_card;
mod vocabulary;

use std::path::{Path, PathBuf};

pub use general::general;

use self::form::Form;
use super::from_folder::Files;
use super::sentence_piece::ScoredToken;
use super::{Added, END_TEXTS, Tokenizer};
use crate::model::{ChatTemplate, Error};
use crate::weights::{Metadata, Value};

/// Sets the `tokenizer.*` keys that describe the tokenizer of `folder`, chat templates included. The vocabulary gets as
/// many tokens as the embedding has `rows`: ids without a token become unused ones (`[PAD7]`).
///
/// What was written is read back and tried before it is believed: a tokenizer that GGUF's keys cannot tell (words cut
/// as no name says, a normalizer, WordPiece) is an error that names the file, and `metadata` stays as it was. Some things
/// no GGUF file tells, whoever writes it: that text is composed first (NFC), white space that belongs to a control token
/// (but Phi-3's, which goes by `phi-3` in `general.name`, if that is set before), more than one token put before a text,
/// and that a leading space is as good as the one which SentencePiece puts there (`Metaspace` with `first`).
pub fn to_gguf(folder: &Path, rows: usize, metadata: &mut Metadata) -> Result<(), Error> {
    let tokenizer = Tokenizer::from_folder(folder)?;
    let files = Files { folder };
    let file = vocabulary_file(folder);
    let wrong = |reason: String| Error::Tokenizer { file: file.display().to_string(), reason };
    let mut differs = None;
    for form in form::forms(&files, &file, &tokenizer).map_err(wrong)? {
        let mut made = metadata.clone();
        set_form(&tokenizer, &form, rows, &mut made).map_err(wrong)?;
        set_special(&tokenizer, &files, rows, &mut made);
        set_templates(folder, &mut made);
        respell_name(&tokenizer, &mut made);
        let read_back = Tokenizer::from_gguf(&made, &file.display().to_string())?;
        match check::difference(&tokenizer, &read_back, rows)? {
            None => {
                *metadata = made;
                return Ok(());
            }
            Some(text) => differs = differs.or(Some(text)),
        }
    }
    let text = differs.unwrap_or_default();
    Err(wrong(format!("GGUF files have no keys for the way it cuts text ({text:?}); run the folder as it is")))
}

/// The file that [`Tokenizer::from_folder`] reads.
fn vocabulary_file(folder: &Path) -> PathBuf {
    let names = ["tokenizer.json", "tokenizer.model", "spiece.model", "rwkv_vocab_v20230424.txt", "vocab.json"];
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| folder.join("vocab.txt"))
}

fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}

fn set_form(tokenizer: &Tokenizer, form: &Form, rows: usize, metadata: &mut Metadata) -> Result<(), String> {
    let tokens = vocabulary::tokens(tokenizer, form, rows)?;
    let array = |value: fn(&ScoredToken) -> Value| Value::Array(tokens.iter().map(value).collect());
    metadata.set(&key("model"), Value::String(form.model.to_owned()));
    for (name, value) in &form.keys {
        metadata.set(&key(name), value.clone());
    }
    metadata.set(&key("tokens"), array(|token| Value::String(token.text.clone())));
    metadata.set(&key("token_type"), array(|token| Value::I32(token.kind.number())));
    if form.known.is_some() {
        metadata.set(&key("scores"), array(|token| Value::F32(token.score)));
    }
    Ok(())
}

/// The tokens with a part to play: which they are, and whether they are put around a text.
fn set_special(tokenizer: &Tokenizer, files: &Files, rows: usize, metadata: &mut Metadata) {
    let config = files.json("config.json");
    let named = |name: &str| {
        let of_config = || {
            let number = |json: &serde_json::Value| json[format!("{name}_token_id")].as_u64();
            number(&config).or_else(|| number(&config["text_config"])).and_then(|id| u32::try_from(id).ok())
        };
        files.token(&format!("{name}_token")).and_then(|text| tokenizer.id(&text)).or_else(of_config)
    };
    // What is put around a text counts more than what a file calls BOS or EOS: GGUF's readers put those.
    let only = |ids: &[u32]| <[u32; 1]>::try_from(ids).ok().map(|[id]| id);
    let (before, after) = (only(&tokenizer.around.0), only(&tokenizer.around.1));
    let eos = after.or_else(|| named("eos"));
    let is_known_end = |id: u32| {
        let text = tokenizer.piece(id).unwrap_or_default();
        tokenizer.added.get(&id) == Some(&Added::Special) && END_TEXTS.contains(&text)
    };
    // Readers know most ends of a turn by their texts.
    let mut other_ends = tokenizer.ends.iter().copied().filter(|id| Some(*id) != eos && !is_known_end(*id));
    let ids = [
        ("bos", before.or_else(|| named("bos"))),
        ("eos", eos),
        ("eot", other_ends.next()),
        ("eom", other_ends.next()),
        ("unknown", named("unk")),
        ("seperator", named("sep")), // GGUF's own spelling
        ("padding", named("pad")),
        ("mask", named("mask")),
    ];
    for (name, id) in ids {
        if let Some(id) = id.filter(|id| (*id as usize) < rows) {
            metadata.set(&key(&format!("{name}_token_id")), Value::U32(id));
        }
    }
    metadata.set(&key("add_bos_token"), Value::Bool(before.is_some()));
    metadata.set(&key("add_eos_token"), Value::Bool(after.is_some()));
}

fn set_templates(folder: &Path, metadata: &mut Metadata) {
    let Some(template) = ChatTemplate::from_folder(folder) else { return };
    metadata.set("tokenizer.chat_template", Value::String(template.source().to_owned()));
    let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let names: Vec<String> = template.named().iter().map(|(name, _)| plain(name)).collect();
    for (name, (_, source)) in names.iter().zip(template.named()) {
        metadata.set(&format!("tokenizer.chat_template.{name}"), Value::String(source.clone()));
    }
    if !names.is_empty() {
        metadata.set("tokenizer.chat_templates", Value::Array(names.into_iter().map(Value::String).collect()));
    }
}

/// Where the name says Phi-3, llama.cpp asks for tokens of Phi-3's and opens no file without them.
fn respell_name(tokenizer: &Tokenizer, metadata: &mut Metadata) {
    let Some(name) = metadata.str("general.name").filter(|name| {
        let name = name.to_lowercase();
        name.contains("phi-3") || name.contains("phi3")
    }) else {
        return;
    };
    if ["<unk>", "<s>", "</s>", "<|endoftext|>"].iter().any(|text| tokenizer.id(text).is_none()) {
        let other = ["hi-3", "hi3"].iter().fold(name.to_owned(), |name, part| name.replace(part, "hi 3"));
        let other = ["HI-3", "HI3"].iter().fold(other, |name, part| name.replace(part, "HI 3"));
        metadata.set("general.name", Value::String(other));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::detokenizer::byte_level_character;
    use super::*;

    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const TEXT: &str = "<|im_start|>the 1234 then's\n\n  <think>The é end";

    fn folder(files: &[(&str, &Json)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, json) in files {
            std::fs::write(dir.path().join(name), json.to_string()).unwrap();
        }
        dir
    }

    /// Bytes and a few merges, words cut by `pattern`; 262 to 264 are added tokens.
    fn byte_level(pattern: &str) -> Json {
        let merges = ["Ġ t", "h e", "Ġt he", "1 2", "12 3", "Ċ Ċ"];
        let bytes = (0..=255u8).map(|byte| byte_level_character(byte).to_string());
        let tokens = bytes.chain(merges.iter().map(|merge| merge.replace(' ', "")));
        let vocab: serde_json::Map<String, Json> = tokens.zip(0..).map(|(token, id)| (token, json!(id))).collect();
        let added = |id: u32, text: &str, special: bool| {
            json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": special})
        };
        let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
        json!({
            "added_tokens": [added(262, "<|im_start|>", true), added(263, "<think>", false), added(264, "<|x|>", false)],
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes.clone()]},
            "post_processor": null,
            "decoder": bytes,
            "model": {"type": "BPE", "vocab": vocab, "merges": merges},
        })
    }

    /// Characters, bytes and a few merges, as Llama 2 was saved without its SentencePiece file.
    fn underscored() -> Json {
        let merges = [["▁", "t"], ["h", "e"], ["▁t", "he"], ["n", "d"]];
        let bytes = (0..=255u8).map(|byte| format!("<0x{byte:02X}>"));
        let own = ["<unk>", "<s>", "▁", "t", "h", "e", "n", "d"].map(str::to_owned).into_iter();
        let tokens = own.chain(bytes).chain(merges.iter().map(|pair| pair.concat()));
        let vocab: serde_json::Map<String, Json> = tokens.zip(0..).map(|(token, id)| (token, json!(id))).collect();
        let added = |id: u32, text: &str| {
            json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        };
        json!({
            "added_tokens": [added(0, "<unk>"), added(1, "<s>")],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": null,
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                "vocab": vocab, "merges": merges},
        })
    }

    fn made(folder: &Path, rows: usize) -> Metadata {
        let mut metadata = Metadata::default();
        to_gguf(folder, rows, &mut metadata).unwrap();
        let of_folder = Tokenizer::from_folder(folder).unwrap().encode(TEXT, true, true).unwrap();
        let read_back = Tokenizer::from_gguf(&metadata, "made").unwrap();
        assert_eq!(read_back.encode(TEXT, true, true).unwrap(), of_folder);
        metadata
    }

    fn kinds(metadata: &Metadata) -> Vec<i64> {
        metadata.array("tokenizer.ggml.token_type").unwrap().iter().filter_map(Value::as_i64).collect()
    }

    #[test]
    fn words_go_by_the_name_of_their_pattern() {
        let config = json!({"eos_token": "<|im_start|>", "chat_template": [
            {"name": "default", "template": "A"}, {"name": "tool use", "template": "B"}]});
        let qwen2 = byte_level(&LLAMA3.replace("{1,3}", ""));
        let dir = folder(&[("tokenizer.json", &qwen2), ("tokenizer_config.json", &config)]);
        let metadata = made(dir.path(), 267);
        assert_eq!(metadata.str("tokenizer.ggml.model"), Some("gpt2"));
        assert_eq!(metadata.str("tokenizer.ggml.pre"), Some("qwen2"));
        assert_eq!(metadata.u64("tokenizer.ggml.eos_token_id"), Some(262));
        assert_eq!(metadata.bool("tokenizer.ggml.add_eos_token"), Some(false));
        assert_eq!(metadata.str("tokenizer.chat_template"), Some("A"));
        assert_eq!(metadata.str("tokenizer.chat_template.tool_use"), Some("B"));
        // A control token, one that is shown, one that only looks like control; two rows without a token.
        assert_eq!(kinds(&metadata)[261..], [1, 3, 4, 3, 5, 5]);
        let tokens = metadata.array("tokenizer.ggml.tokens").unwrap();
        assert_eq!(tokens[266].as_str(), Some("[PAD266]"));

        let dir = folder(&[("tokenizer.json", &byte_level(LLAMA3))]);
        assert_eq!(made(dir.path(), 265).str("tokenizer.ggml.pre"), Some("dbrx"));
        let mut whole_words = byte_level(LLAMA3);
        whole_words["model"]["ignore_merges"] = json!(true);
        let dir = folder(&[("tokenizer.json", &whole_words)]);
        assert_eq!(made(dir.path(), 265).str("tokenizer.ggml.pre"), Some("llama-bpe"));
        // Rows that the added tokens have no place in.
        assert_eq!(kinds(&made(dir.path(), 264)).len(), 264);
    }

    #[test]
    fn merges_become_scores() {
        let dir = folder(&[("tokenizer.json", &underscored())]);
        let mut metadata = made(dir.path(), 268);
        assert_eq!(metadata.str("tokenizer.ggml.model"), Some("llama"));
        // It has no <|endoftext|>, so that it must not be called so.
        metadata.set("general.name", Value::String("My-Phi-3-tiny".to_owned()));
        to_gguf(dir.path(), 268, &mut metadata).unwrap();
        assert_eq!(metadata.str("general.name"), Some("My-Phi 3-tiny"));
        assert_eq!(metadata.bool("tokenizer.ggml.add_space_prefix"), Some(true));
        assert_eq!(metadata.bool("tokenizer.ggml.add_bos_token"), Some(true));
        assert_eq!(metadata.u64("tokenizer.ggml.bos_token_id"), Some(1));
        let scores = metadata.array("tokenizer.ggml.scores").unwrap();
        assert_eq!(scores[264..], [0.0, -1.0, -2.0, -3.0].map(Value::F32));
        assert_eq!((kinds(&metadata)[..3].to_vec(), kinds(&metadata)[8]), (vec![2, 3, 1], 6));

        let mut gemma = underscored();
        gemma["normalizer"] = gemma["normalizer"]["normalizers"][1].clone();
        gemma["decoder"] = json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]});
        let dir = folder(&[("tokenizer.json", &gemma)]);
        assert_eq!(made(dir.path(), 268).bool("tokenizer.ggml.add_space_prefix"), Some(false));
        let dir = folder(&[("tokenizer.json", &gemma), ("config.json", &json!({"model_type": "gemma4"}))]);
        let metadata = made(dir.path(), 268);
        assert_eq!(metadata.str("tokenizer.ggml.model"), Some("gemma4"));
        assert!(metadata.get("tokenizer.ggml.scores").is_none());
    }

    #[test]
    fn what_gguf_cannot_tell_is_refused() {
        let mut metadata = Metadata::default();
        let mut refused = |dir: &tempfile::TempDir, rows: usize| {
            let error = to_gguf(dir.path(), rows, &mut metadata).unwrap_err().to_string();
            assert!(metadata.0.is_empty() && !error.contains('\n') && error.contains(dir.path().to_str().unwrap()));
            error
        };
        let mut lowered = byte_level(LLAMA3);
        lowered["normalizer"] = json!({"type": "Lowercase"});
        let error = refused(&folder(&[("tokenizer.json", &lowered)]), 265);
        assert!(error.contains("hello"), "{error}");
        // The pattern joins digits and letters.
        let error = refused(&folder(&[("tokenizer.json", &byte_level(r"\S+|\s+"))]), 265);
        assert!(error.contains("run the folder as it is"), "{error}");
        let error = refused(&folder(&[("tokenizer.json", &byte_level(LLAMA3))]), 200);
        assert!(error.contains("200 rows"), "{error}");
        let mut words = byte_level(LLAMA3);
        words["model"] = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"});
        let error = refused(&folder(&[("tokenizer.json", &words)]), 265);
        assert!(error.contains("WordLevel"), "{error}");
    }
}
