//! The tokenizer of a model folder: `tokenizer.json`, or the files of older days that say as much.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use tokenizers::AddedToken;

use super::bpe::Merges;
use super::detokenizer::Spelling;
use super::from_gguf::bert;
use super::hugging_face::HuggingFace;
use super::models::Model;
use super::patterns::{Spaces, Splitter, pre_tokenizer};
use super::sentence_piece::{Algorithm, ScoredToken, SentencePiece, TokenKind};
use super::trie::Trie;
use super::{Added, END_TEXTS, Encoder, Tokenizer, rwkv_file, sentence_piece_file};
use crate::model::Error;

/// More tokens than any vocabulary has.
const MAX_TOKENS: u32 = 1 << 24;

/// Tokenizer classes whose words are cut by a pattern that has a name.
const PATTERN_OF_CLASS: &[(&str, &str)] = &[
    ("GPT2Tokenizer", "gpt-2"),
    ("GPTNeoXTokenizer", "gpt-2"),
    ("CodeGenTokenizer", "gpt-2"),
    ("RobertaTokenizer", "roberta-bpe"),
    ("BartTokenizer", "roberta-bpe"),
    ("WhisperTokenizer", "gpt-2"),
    ("Qwen2Tokenizer", "qwen2"),
];

/// Tokenizer classes that take a SentencePiece model's ids as they are.
const SENTENCE_PIECE_CLASSES: &[&str] = &["Llama", "Gemma", "Mistral", "T5", "InternLM", "Baichuan"];

pub(super) fn open(folder: &Path) -> Result<Tokenizer, Error> {
    let files = Files { folder };
    type Reader = fn(&Files, &Path) -> Result<Tokenizer, String>;
    let readers: [(&str, Reader); 7] = [
        ("tokenizer.json", tokenizer_json),
        ("tokenizer.model", sentence_piece),
        ("spiece.model", sentence_piece),
        ("rwkv_vocab_v20230424.txt", rwkv),
        ("vocab.json", vocab_and_merges),
        ("vocab.txt", vocab_txt),
        ("tiktoken.model", tiktoken),
    ];
    let found = readers.iter().map(|(name, read)| (folder.join(name), read)).find(|(path, _)| path.exists());
    let Some((path, read)) = found else {
        let names: Vec<&str> = readers.iter().map(|(name, _)| *name).take(6).collect();
        let reason = format!("a model folder needs one of {}", names.join(", "));
        return Err(Error::Tokenizer { file: folder.display().to_string(), reason });
    };
    let wrong = |reason: String| Error::Tokenizer { file: path.display().to_string(), reason };
    let mut tokenizer = read(&files, &path).map_err(wrong)?;
    files.ends(&mut tokenizer);
    Ok(tokenizer)
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read it: {e}"))
}

/// The files beside the vocabulary.
pub(super) struct Files<'a> {
    pub folder: &'a Path,
}

impl Files<'_> {
    /// A file's JSON; null where there is none.
    pub fn json(&self, name: &str) -> Json {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Json::Null)
    }

    /// The text of the token that `tokenizer_config.json` calls `key`.
    pub fn token(&self, key: &str) -> Option<String> {
        let named = |json: &Json| json[key].as_str().or(json[key]["content"].as_str()).map(str::to_owned);
        named(&self.json("tokenizer_config.json")).or_else(|| named(&self.json("special_tokens_map.json")))
    }

    /// Added tokens by id, as the older files list them.
    fn added(&self, id_of: impl Fn(&str) -> Option<u32>) -> BTreeMap<u32, AddedToken> {
        let mut added = BTreeMap::new();
        for key in ["unk_token", "bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token"] {
            if let Some(text) = self.token(key)
                && let Some(id) = id_of(&text)
            {
                added.insert(id, AddedToken::from(text, true).normalized(false));
            }
        }
        if let Json::Object(listed) = self.json("added_tokens.json") {
            for (text, id) in listed {
                if let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) {
                    added.entry(id).or_insert(AddedToken::from(text, false).normalized(false));
                }
            }
        }
        if let Json::Object(listed) = &self.json("tokenizer_config.json")["added_tokens_decoder"] {
            for (id, token) in listed {
                if let (Ok(id), Some(text)) = (id.parse::<u32>(), token["content"].as_str()) {
                    let flag = |key: &str| token[key].as_bool().unwrap_or(false);
                    let token = AddedToken::from(text, flag("special")).normalized(false);
                    let token = token.lstrip(flag("lstrip")).rstrip(flag("rstrip")).single_word(flag("single_word"));
                    added.insert(id, token);
                }
            }
        }
        added.retain(|id, token| *id < MAX_TOKENS && !token.content.is_empty());
        added
    }

    /// Completes a tokenizer of our own models: the added tokens `known` and those of the files, and what goes
    /// around a text where they do not say.
    fn finish(
        &self,
        model: Model,
        spelling: Spelling,
        mut pieces: Vec<Option<String>>,
        known: Vec<(u32, AddedToken)>,
        (bos, eos): (bool, bool),
    ) -> Result<Tokenizer, String> {
        let id_of = |text: &str| pieces.iter().position(|p| p.as_deref() == Some(text)).map(|id| id as u32);
        let mut added: BTreeMap<u32, AddedToken> =
            known.into_iter().map(|(id, token)| (id, token.normalized(false))).collect();
        added.extend(self.added(id_of));
        for (id, token) in &added {
            if pieces.len() <= *id as usize {
                pieces.resize(*id as usize + 1, None);
            }
            pieces[*id as usize] = Some(token.content.clone());
        }
        let mut tokenizer = Tokenizer::own(model, spelling, pieces, added.into_iter().collect())?;
        let id = |key: &str| self.token(key).and_then(|text| tokenizer.id(&text));
        let settings = self.json("tokenizer_config.json");
        let put = |flag: &str, default: bool, id: Option<u32>| {
            id.filter(|_| settings[flag].as_bool().unwrap_or(default)).into_iter().collect::<Vec<u32>>()
        };
        let around = (put("add_bos_token", bos, id("bos_token")), put("add_eos_token", eos, id("eos_token")));
        tokenizer.around = around;
        Ok(tokenizer)
    }

    /// What begins a text and what ends a turn.
    fn ends(&self, tokenizer: &mut Tokenizer) {
        let id = |key: &str| self.token(key).and_then(|text| tokenizer.id(&text));
        let (bos, eos) = (id("bos_token"), id("eos_token"));
        tokenizer.bos = bos;
        tokenizer.eos = eos;
        tokenizer.ends.extend(eos);
        for name in ["config.json", "generation_config.json"] {
            match &self.json(name)["eos_token_id"] {
                Json::Array(ids) => tokenizer.ends.extend(ids.iter().filter_map(Json::as_u64).map(|id| id as u32)),
                id => tokenizer.ends.extend(id.as_u64().map(|id| id as u32)),
            }
        }
    }

    /// Which class of `transformers` reads the vocabulary, where the files say so.
    fn class(&self) -> Option<String> {
        let name = self.json("tokenizer_config.json")["tokenizer_class"].as_str()?.to_owned();
        Some(name.strip_suffix("Fast").unwrap_or(&name).to_owned())
    }
}

/// What of `tokenizer.json` is read a second time.
#[derive(serde::Deserialize)]
struct Head {
    #[serde(default)]
    decoder: Json,
    #[serde(default)]
    pre_tokenizer: Json,
    #[serde(default)]
    normalizer: Json,
    #[serde(default)]
    post_processor: Json,
}

/// Refuses a post-processor that puts a token it does not know: the `tokenizers` crate would panic.
fn known_specials(processor: &Json) -> Result<(), String> {
    for part in ["single", "pair"].iter().filter_map(|key| processor[*key].as_array()).flatten() {
        if let Some(id) = part["SpecialToken"]["id"].as_str()
            && processor["special_tokens"].get(id).is_none()
        {
            return Err(format!("its post-processor names {id:?}, which is no special token of it"));
        }
    }
    processor["processors"].as_array().into_iter().flatten().try_for_each(known_specials)
}

fn tokenizer_json(_: &Files, path: &Path) -> Result<Tokenizer, String> {
    let text = read(path)?;
    let head: Head = serde_json::from_str(&text).map_err(|e| format!("it is not JSON of a tokenizer ({e})"))?;
    known_specials(&head.post_processor)?;
    let mut inner: tokenizers::Tokenizer = text.parse().map_err(|e| format!("{e}"))?;
    // What a file says on truncation and padding is about batches.
    inner.with_truncation(None).map_err(|e| e.to_string())?;
    inner.with_padding(None);
    let spelling = Spelling::of_json(&head.decoder)?;
    let mut pieces: Vec<Option<String>> = Vec::new();
    for (text, id) in inner.get_vocab(true) {
        if id >= MAX_TOKENS {
            return Err(format!("token {text:?} has the id {id}"));
        }
        if pieces.len() <= id as usize {
            pieces.resize(id as usize + 1, None);
        }
        pieces[id as usize] = Some(text);
    }
    let mut added = std::collections::HashMap::new();
    let mut ends = std::collections::BTreeSet::new();
    for (id, token) in inner.get_added_tokens_decoder() {
        if token.special && END_TEXTS.contains(&token.content.as_str()) {
            ends.insert(id);
        }
        added.insert(id, if token.special { Added::Special } else { Added::Plain });
    }
    let prefixed = head.pre_tokenizer.to_string().contains("\"add_prefix_space\":true");
    let bytes = spelling == Spelling::ByteLevel && head.normalizer.is_null() && !prefixed;
    let bert = head.pre_tokenizer["type"] == "BertPreTokenizer" && head.normalizer["type"] == "BertNormalizer";
    let inner = HuggingFace::new(inner, bytes || bert)?;
    Ok(Tokenizer {
        around: inner.around().map_err(|e| e.to_string())?,
        encoder: Encoder::HuggingFace(Box::new(inner)),
        spelling,
        added,
        pieces,
        bos: None,
        eos: None,
        begins_template: false,
        ends,
    })
}

fn sentence_piece(files: &Files, path: &Path) -> Result<Tokenizer, String> {
    let class = files.class();
    if let Some(class) = class.as_ref().filter(|class| !SENTENCE_PIECE_CLASSES.iter().any(|c| class.contains(c))) {
        return Err(format!("{class} numbers this file's tokens anew; save the model with its tokenizer.json"));
    }
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read it: {e}"))?;
    let file = sentence_piece_file::read(&bytes)?;
    let unknown = file.tokens.iter().position(|token| token.kind == TokenKind::Unknown).map(|id| id as u32);
    let spelling = Spelling::SentencePiece { strip: file.normalization.space_prefix };
    let model = SentencePiece::new(&file.tokens, file.algorithm, unknown, file.normalization);
    // Before transformers 4.31 ("legacy") each piece after a control token got its space.
    let prefix_each = files.json("tokenizer_config.json")["legacy"] != false;
    let unigram = file.algorithm == Algorithm::Unigram;
    let control: Vec<(u32, AddedToken)> = file
        .tokens
        .iter()
        .zip(0..)
        .filter(|(token, _)| matches!(token.kind, TokenKind::Control | TokenKind::Unknown | TokenKind::UserDefined))
        .map(|(token, id)| (id, AddedToken::from(&*token.text, token.kind != TokenKind::UserDefined)))
        .collect();
    let pieces = file.tokens.into_iter().map(|token| Some(token.text)).collect();
    let model = Model::SentencePiece { model, prefix_each };
    files.finish(model, spelling, pieces, control, (!unigram, unigram))
}

fn vocab_and_merges(files: &Files, path: &Path) -> Result<Tokenizer, String> {
    let class =
        files.class().ok_or("which pattern cuts words is not said (tokenizer_class in tokenizer_config.json)")?;
    let name = PATTERN_OF_CLASS.iter().find(|(known, _)| *known == class).map(|(_, name)| *name);
    let row = name.and_then(pre_tokenizer).ok_or_else(|| {
        format!("which pattern cuts words is not known for {class}; save the model with its tokenizer.json")
    })?;
    let vocab: BTreeMap<String, u32> =
        serde_json::from_str(&read(path)?).map_err(|e| format!("it is not a JSON object of ids ({e})"))?;
    let merges = read(&files.folder.join("merges.txt")).map_err(|e| format!("merges.txt beside it: {e}"))?;
    let lines = merges.lines().filter(|line| !line.starts_with("#version"));
    let known = vocab.iter().map(|(text, id)| (text.as_str(), *id));
    let merges = Merges::new(known, lines, row.whole_words, false, None);
    let mut pieces = Vec::new();
    for (text, id) in vocab {
        if id >= MAX_TOKENS {
            return Err(format!("token {text:?} has the id {id}"));
        }
        if pieces.len() <= id as usize {
            pieces.resize(id as usize + 1, None);
        }
        pieces[id as usize] = Some(text);
    }
    let model =
        Model::Bytes { splitter: Splitter::new(row.patterns)?, merges, spaces: Spaces::Bytes, lowercase: false };
    let roberta = name == Some("roberta-bpe");
    files.finish(model, Spelling::ByteLevel, pieces, Vec::new(), (roberta, roberta))
}

fn vocab_txt(files: &Files, path: &Path) -> Result<Tokenizer, String> {
    let text = read(path)?;
    let token = |text: &str| ScoredToken { text: text.to_owned(), score: 0.0, kind: TokenKind::Normal };
    let tokens: Vec<ScoredToken> = text.lines().map(token).collect();
    let id = |text: &str| tokens.iter().position(|token| token.text == text).map(|id| id as u32);
    let name = |key: &str, default: &str| files.token(key).unwrap_or_else(|| default.to_owned());
    let unknown = id(&name("unk_token", "[UNK]")).ok_or("it has no unknown token")?;
    let around = (id(&name("cls_token", "[CLS]")), id(&name("sep_token", "[SEP]")));
    let settings = files.json("tokenizer_config.json");
    let lowercase = settings["do_lower_case"].as_bool().unwrap_or(true);
    let inner = bert(&tokens, unknown, lowercase, settings["strip_accents"].as_bool())?;
    let special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"];
    let control = special.iter().filter_map(|text| id(text).map(|id| (id, AddedToken::from(*text, true)))).collect();
    let pieces = tokens.into_iter().map(|token| Some(token.text)).collect();
    let spelling = Spelling::Words { joins: Some("##".to_owned()), tidy: true };
    let model = Model::WordPiece(Box::new(inner));
    let mut tokenizer = files.finish(model, spelling, pieces, control, (false, false))?;
    tokenizer.around = (around.0.into_iter().collect(), around.1.into_iter().collect());
    Ok(tokenizer)
}

fn rwkv(files: &Files, path: &Path) -> Result<Tokenizer, String> {
    let tokens = rwkv_file::read(&read(path)?)?;
    let trie = Trie::new(tokens.iter().map(|(id, bytes)| (bytes.as_slice(), *id)).collect());
    let len = tokens.iter().map(|(id, _)| *id as usize + 1).max().unwrap_or(0);
    let mut pieces = vec![None; len];
    for (id, bytes) in &tokens {
        pieces[*id as usize] = Some(bytes.escape_ascii().to_string());
    }
    let control = vec![(0, AddedToken::from("<|rwkv_tokenizer_end_of_text|>", true))];
    files.finish(Model::Longest { trie, unknown: None }, Spelling::Escaped, pieces, control, (false, false))
}

fn tiktoken(_: &Files, _: &Path) -> Result<Tokenizer, String> {
    Err("a tiktoken file does not say which pattern cuts words; pull a GGUF file or a folder with tokenizer.json"
        .to_owned())
}
