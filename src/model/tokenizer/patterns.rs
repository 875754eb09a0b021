//! How byte-level vocabularies cut text into words before they join bytes: a row for each name that
//! `tokenizer.ggml.pre` can have.
//!
//! The names are those of llama.cpp's converter (`conversion/base.py`, `get_vocab_base_pre`); the patterns are
//! those of the models' own `tokenizer.json`, which the names stand for.

use fancy_regex::Regex;

/// What a name stands for.
pub(super) struct PreTokenizer {
    names: &'static [&'static str],
    /// Applied one after the other, each to the pieces that the one before made.
    pub patterns: &'static [&'static str],
    /// Whether a word that is in the vocabulary is taken whole, whatever the merges say.
    pub whole_words: bool,
    /// Whether BOS and EOS are put around a text where the metadata do not say.
    pub around: (bool, bool),
    pub spaces: Spaces,
}

/// What becomes of white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spaces {
    /// It is bytes like any other.
    Bytes,
    /// It is `▁`, and a character that is no token falls back to `<0x00>`…; runs of line breaks are taken whole.
    Underscores,
    /// It only separates words, and characters are not spelled as bytes.
    Dropped,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const JAIS2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const NO_CONTRACTIONS: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const MINICPM5: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const YOUTU_SCRIPTS: &str = r"[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KIMI_K2: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK_V3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const SPARK: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"##;
const ASIAN_SCRIPTS: &str = r"[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+";
const CJK: &str = r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
const CJK_AND_HANGUL: &str = r"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
/// Letters that have a case, as DeepSeek LLM's own pattern lists them.
const CASED_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
const DEEPSEEK_PUNCTUATION: &str = r"\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
const UP_TO_PUNCTUATION: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
const LINE_BREAK: &str = r"[\r\n]";
const LINES: &str = r"[^\n]+|[\n]+";
const DIGIT: &str = r"\p{N}";
const DIGITS: &str = r"\p{N}+";
const UP_TO_THREE_DIGITS: &str = r"\p{N}{1,3}";
/// Groups of three counted from the end of a number, as thousands are.
const THOUSANDS: &str = r"\d{1,3}(?=(?:\d{3})*\b)";
const THREE_DIGITS: &str = r"[0-9][0-9][0-9]";

const BYTES: PreTokenizer =
    PreTokenizer { names: &[], patterns: &[GPT2], whole_words: false, around: (false, false), spaces: Spaces::Bytes };

static PRE_TOKENIZERS: &[PreTokenizer] = &[
    PreTokenizer { names: &["default"], patterns: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, DIGITS, THREE_DIGITS], ..BYTES },
    PreTokenizer {
        names: &[
            "gpt-2",
            "gpt2",
            "phi-2",
            "olmo",
            "mpt",
            "jais",
            "trillion",
            "granite-docling",
            "gigachat",
            "exaone4",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
        ],
        ..BYTES
    },
    PreTokenizer { names: &["roberta-bpe", "jina-v1-en", "jina-v2-code", "jina-en"], ..BYTES },
    PreTokenizer {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        patterns: &[LLAMA3],
        whole_words: true,
        around: (true, false),
        ..BYTES
    },
    PreTokenizer { names: &["dbrx", "smaug-bpe", "chatglm-bpe"], patterns: &[LLAMA3], ..BYTES },
    PreTokenizer { names: &["glm4", "glm5"], patterns: &[LLAMA3], whole_words: true, ..BYTES },
    PreTokenizer { names: &["minicpm5"], patterns: &[UP_TO_THREE_DIGITS, MINICPM5], whole_words: true, ..BYTES },
    PreTokenizer { names: &["jais-2"], patterns: &[JAIS2], ..BYTES },
    PreTokenizer {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        patterns: &[QWEN2],
        ..BYTES
    },
    PreTokenizer { names: &["qwen35"], patterns: &[QWEN35], ..BYTES },
    PreTokenizer { names: &["ufakzeka"], patterns: &[NO_CONTRACTIONS], ..BYTES },
    PreTokenizer { names: &["laguna"], patterns: &[LINES, QWEN2], ..BYTES },
    PreTokenizer { names: &["seed-coder"], patterns: &[SEED_CODER], ..BYTES },
    PreTokenizer { names: &["bailingmoe", "bailingmoe2", "llada-moe"], patterns: &[BAILING], ..BYTES },
    PreTokenizer { names: &["exaone-moe"], patterns: &[EXAONE_MOE], ..BYTES },
    PreTokenizer { names: &["tekken"], patterns: &[TEKKEN], whole_words: true, around: (true, false), ..BYTES },
    PreTokenizer { names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], patterns: &[GPT4O], ..BYTES },
    PreTokenizer { names: &["granite-embed-multi-97m"], patterns: &[GPT4O], whole_words: true, ..BYTES },
    PreTokenizer { names: &["tiny_aya", "cohere2moe"], patterns: &[THOUSANDS, GPT4O], ..BYTES },
    PreTokenizer { names: &["youtu"], patterns: &[YOUTU_SCRIPTS, YOUTU], whole_words: true, ..BYTES },
    PreTokenizer { names: &["kimi-k2"], patterns: &[KIMI_K2], ..BYTES },
    PreTokenizer {
        names: &["deepseek-llm"],
        patterns: &[LINE_BREAK, CASED_LETTERS, DEEPSEEK_PUNCTUATION, r"\s+$", CJK_AND_HANGUL, DIGITS],
        ..BYTES
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        patterns: &[LINE_BREAK, r"\s?\p{L}+", r"\s?\p{P}+", CJK_AND_HANGUL, DIGIT],
        ..BYTES
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        patterns: &[UP_TO_THREE_DIGITS, CJK, DEEPSEEK_V3],
        ..BYTES
    },
    PreTokenizer { names: &["spark2_5"], patterns: &[UP_TO_THREE_DIGITS, CJK, SPARK, DIGIT], ..BYTES },
    PreTokenizer { names: &["afmoe"], patterns: &[THOUSANDS, ASIAN_SCRIPTS, DEEPSEEK_V3], ..BYTES },
    PreTokenizer { names: &["falcon"], patterns: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, THREE_DIGITS], ..BYTES },
    PreTokenizer {
        names: &["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"],
        patterns: &[DIGIT, GPT2],
        ..BYTES
    },
    PreTokenizer { names: &["poro-chat", "bloom", "gpt3-finnish"], patterns: &[UP_TO_PUNCTUATION], ..BYTES },
    PreTokenizer { names: &["viking"], patterns: &[UP_TO_PUNCTUATION, DIGIT], ..BYTES },
    PreTokenizer { names: &["superbpe"], patterns: &[DIGITS, r"(?=(\d{3})+(?!\d))"], ..BYTES },
    PreTokenizer {
        names: &["chameleon"],
        patterns: &[
            r"<sentinel:[0-9]+>",
            r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
            r"([\t\n]|    |  )",
            DIGIT,
            r"[\p{P}!-/:-@\[-`{-~]",
            GPT2,
        ],
        around: (true, false),
        ..BYTES
    },
    PreTokenizer {
        names: &["gemma4", "granite-embed-multi-311m"],
        patterns: &[LINES],
        around: (true, false),
        spaces: Spaces::Underscores,
        ..BYTES
    },
    PreTokenizer { names: &["sarvam-moe"], patterns: &[LINES], spaces: Spaces::Underscores, ..BYTES },
    PreTokenizer { names: &["whitespace"], patterns: &[r"\S+"], spaces: Spaces::Dropped, ..BYTES },
];

/// What `name` stands for.
pub(super) fn pre_tokenizer(name: &str) -> Option<&'static PreTokenizer> {
    PRE_TOKENIZERS.iter().find(|row| row.names.contains(&name))
}

/// Cuts text into words, by one pattern after the other.
pub(super) struct Splitter(Vec<Regex>);

impl Splitter {
    pub fn new(patterns: &[&str]) -> Result<Splitter, String> {
        let regex = |pattern: &&str| fancy_regex::RegexBuilder::new(pattern).backtrack_limit(usize::MAX).build();
        Ok(Splitter(patterns.iter().map(regex).collect::<Result<_, _>>().map_err(|e| e.to_string())?))
    }

    /// Calls `word` with the words of `text` in their order; what no pattern matches is a word as well.
    pub fn split<'t>(&self, text: &'t str, word: &mut impl FnMut(&'t str)) -> Result<(), String> {
        split(&self.0, text, word)
    }
}

fn split<'t>(patterns: &[Regex], text: &'t str, word: &mut impl FnMut(&'t str)) -> Result<(), String> {
    let Some((first, rest)) = patterns.split_first() else {
        if !text.is_empty() {
            word(text);
        }
        return Ok(());
    };
    let mut done = 0;
    for found in first.find_iter(text) {
        let found = found.map_err(|e| e.to_string())?;
        split(rest, &text[done..found.start()], word)?;
        split(rest, found.as_str(), word)?;
        done = found.end();
    }
    split(rest, &text[done..], word)
}
