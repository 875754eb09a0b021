//! The ways in which GGUF can tell a vocabulary, the likeliest first.

use std::path::Path;

use ahash::AHashMap;

use super::super::Tokenizer;
use super::super::detokenizer::Spelling;
use super::super::from_folder::{Files, read};
use super::super::sentence_piece::{Algorithm, TokenKind};
use super::super::sentence_piece_file::{self, SentencePieceFile};
use super::check;
use crate::weights::Value;

/// Scores and kinds by the texts of the tokens.
type Known = AHashMap<String, (f32, TokenKind)>;

/// One way to tell a vocabulary.
pub(super) struct Form {
    /// `tokenizer.ggml.model`.
    pub model: &'static str,
    /// The other keys that only this way has, without `tokenizer.ggml.`.
    pub keys: Vec<(&'static str, Value)>,
    /// What the vocabulary's file says of its tokens, where scores tell how text is joined.
    pub known: Option<Known>,
}

impl Form {
    /// Whether a control token is shown all the same: Gemma 4's marks of thoughts and tools, which llama.cpp reads.
    pub fn shows(&self, text: &str) -> bool {
        const SHOWN: [&str; 7] = [
            "<|channel>",
            "<channel|>",
            "<|tool_call>",
            "<tool_call|>",
            "<|tool_response>",
            "<tool_response|>",
            "<|\"|>",
        ];
        self.model == "gemma4" && SHOWN.contains(&text)
    }
}

/// What of `tokenizer.json` tells how text is joined.
#[derive(serde::Deserialize)]
struct Json {
    model: JsonModel,
}

#[derive(serde::Deserialize)]
struct JsonModel {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    merges: Vec<Merge>,
    ignore_merges: Option<bool>,
    unk_token: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair(String, String),
}

impl Merge {
    /// `left right`; a space inside a part is `Ġ`, as GGUF files have it.
    fn line(&self) -> String {
        match self {
            Merge::Line(line) => line.clone(),
            Merge::Pair(left, right) => format!("{} {}", left.replace(' ', "Ġ"), right.replace(' ', "Ġ")),
        }
    }

    fn whole(&self) -> String {
        match self {
            Merge::Line(line) => line.split(' ').collect(),
            Merge::Pair(left, right) => format!("{left}{right}"),
        }
    }
}

/// Ways that are made when they are tried: their lists are long.
pub(super) type Forms = Box<dyn Iterator<Item = Form>>;

/// The ways to tell the vocabulary of `file`, which `tokenizer` was read from.
pub(super) fn forms(files: &Files, file: &Path, tokenizer: &Tokenizer) -> Result<Forms, String> {
    match file.file_name().and_then(|name| name.to_str()) {
        Some("tokenizer.json") => of_json(files, file, tokenizer),
        Some("tokenizer.model" | "spiece.model") => {
            let bytes = std::fs::read(file).map_err(|e| format!("cannot read it: {e}"))?;
            Ok(Box::new(std::iter::once(of_sentence_piece(sentence_piece_file::read(&bytes)?))))
        }
        Some("vocab.json") => {
            let text = read(&files.folder.join("merges.txt")).map_err(|e| format!("merges.txt beside it: {e}"))?;
            let merges = text.lines().filter(|line| !line.starts_with("#version")).map(str::to_owned);
            byte_level(tokenizer, merges.collect(), false)
        }
        Some("rwkv_vocab_v20230424.txt") => {
            Ok(Box::new(std::iter::once(Form { model: "rwkv", keys: Vec::new(), known: None })))
        }
        _ => Err("oai cannot write the vocabularies of encoders (WordPiece) into GGUF files".to_owned()),
    }
}

fn of_json(files: &Files, file: &Path, tokenizer: &Tokenizer) -> Result<Forms, String> {
    let Json { model } = serde_json::from_str(&read(file)?).map_err(|e| format!("its model is damaged ({e})"))?;
    let beside = ["tokenizer.model", "spiece.model"].iter().find_map(|name| {
        let bytes = std::fs::read(files.folder.join(name)).ok()?;
        sentence_piece_file::read(&bytes).ok()
    });
    let kind = model.kind.as_deref().unwrap_or("BPE");
    match (kind, &tokenizer.spelling) {
        ("BPE", Spelling::ByteLevel) => {
            let merges = model.merges.iter().map(Merge::line).collect();
            byte_level(tokenizer, merges, model.ignore_merges == Some(true))
        }
        ("BPE", Spelling::SentencePiece { strip }) => {
            let beside = beside.filter(|beside| beside.algorithm == Algorithm::Bpe);
            let mut forms = underscored(&model, *strip, beside);
            // By scores it would do as well, but llama.cpp knows Gemma 4 by the other name.
            if files.json("config.json")["model_type"].as_str().is_some_and(|name| name.starts_with("gemma4")) {
                forms.rotate_right(2);
            }
            Ok(Box::new(forms.into_iter()))
        }
        ("Unigram", Spelling::SentencePiece { .. }) => {
            let beside = beside.filter(|beside| beside.algorithm == Algorithm::Unigram);
            let beside = beside.ok_or("a GGUF file of it needs the SentencePiece file (spiece.model) beside it")?;
            Ok(Box::new(std::iter::once(of_sentence_piece(beside))))
        }
        _ => Err(format!("oai cannot write a vocabulary of this kind ({kind}) into GGUF files")),
    }
}

/// Bytes that are joined by merges inside of words.
fn byte_level(tokenizer: &Tokenizer, merges: Vec<String>, whole_words: bool) -> Result<Forms, String> {
    let merges = Value::Array(merges.into_iter().map(Value::String).collect());
    let names = check::nearest_patterns(tokenizer, whole_words)?;
    Ok(Box::new(names.into_iter().map(move |name| {
        let keys = vec![("pre", Value::String(name.to_owned())), ("merges", merges.clone())];
        Form { model: "gpt2", keys, known: None }
    })))
}

/// Characters that are joined, where a space is `▁`: by the scores of SentencePiece, or by merges.
fn underscored(model: &JsonModel, prefixed: bool, beside: Option<SentencePieceFile>) -> Vec<Form> {
    let mut known = beside.map_or_else(|| scores_of(&model.merges), known);
    if let Some(unknown) = &model.unk_token {
        known.insert(unknown.clone(), (0.0, TokenKind::Unknown));
    }
    let by_scores = |prefix: bool| {
        let keys = vec![("pre", Value::String("default".to_owned())), ("add_space_prefix", Value::Bool(prefix))];
        Form { model: "llama", keys, known: Some(known.clone()) }
    };
    let merges = ("merges", Value::Array(model.merges.iter().map(|merge| Value::String(merge.line())).collect()));
    let gemma4 = vec![("add_space_prefix", Value::Bool(false)), merges.clone()];
    let sarvam = vec![("pre", Value::String("sarvam-moe".to_owned())), merges];
    vec![
        by_scores(prefixed),
        by_scores(!prefixed),
        Form { model: "gemma4", keys: gemma4, known: None },
        Form { model: "gpt2", keys: sarvam, known: None },
    ]
}

/// Scores that join in the order of the merges, as SentencePiece numbers its own pieces.
fn scores_of(merges: &[Merge]) -> Known {
    let mut known = Known::default();
    for merge in merges {
        let score = -(known.len() as f32);
        known.entry(merge.whole()).or_insert((score, TokenKind::Normal));
    }
    known
}

fn known(file: SentencePieceFile) -> Known {
    file.tokens.into_iter().map(|token| (token.text, (token.score, token.kind))).collect()
}

fn of_sentence_piece(file: SentencePieceFile) -> Form {
    let unigram = file.algorithm == Algorithm::Unigram;
    let mut keys = vec![
        ("pre", Value::String("default".to_owned())),
        ("add_space_prefix", Value::Bool(file.normalization.space_prefix)),
    ];
    if unigram {
        keys.push(("remove_extra_whitespaces", Value::Bool(file.normalization.merge_spaces)));
    }
    if let Some(charsmap) = &file.normalization.charsmap {
        keys.push(("precompiled_charsmap", Value::Array(charsmap.bytes().into_iter().map(Value::U8).collect())));
    }
    Form { model: if unigram { "t5" } else { "llama" }, keys, known: Some(known(file)) }
}
