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
const YOUTU_SCRIPTS: &str = r"[\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+|[\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}\x{ff1b}\x{ff0c}\x{3001}-\x{303f}\x{fe30}-\x{fe4f}]+|[\x{3105}-\x{312f}]+|[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KIMI_K2: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK_V3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const SPARK: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"##;
const ASIAN_SCRIPTS: &str = r"[\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{f900}-\x{faff}\x{3040}-\x{309f}\x{30a0}-\x{30ff}\x{ff65}-\x{ff9f}\x{2f00}-\x{2fdf}\x{0e00}-\x{0e7f}\x{0e80}-\x{0eff}\x{1780}-\x{17ff}\x{1000}-\x{109f}\x{aa60}-\x{aa7f}\x{a9e0}-\x{a9ff}\x{ac00}-\x{d7af}\x{1100}-\x{11ff}]+";
const CJK: &str = r"[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+";
const CJK_AND_HANGUL: &str = r"[\x{4e00}-\x{9fa5}\x{0800}-\x{4e00}\x{ac00}-\x{d7ff}]+";
/// Letters that have a case, as DeepSeek LLM's own pattern lists them.
const CASED_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
/// The model's own, which takes ASCII letters for punctuation.
const DEEPSEEK_PUNCTUATION: &str = r"\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+";
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

/// The rows, each under its first name; without the one of files that say none.
pub(super) fn pre_tokenizers() -> impl Iterator<Item = (&'static str, &'static PreTokenizer)> {
    PRE_TOKENIZERS.iter().filter_map(|row| Some((*row.names.first()?, row))).filter(|(name, _)| *name != "default")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, text: &str) -> Vec<String> {
        let splitter = Splitter::new(pre_tokenizer(name).unwrap().patterns).unwrap();
        let mut words = Vec::new();
        splitter.split(text, &mut |word| words.push(word.to_owned())).unwrap();
        assert_eq!(words.concat(), text, "{name}");
        words
    }

    #[test]
    fn every_pattern_compiles_and_loses_nothing() {
        let text = "I'm  99999 ПРИВЕТ, 漢字かな カナ 한국어\r\n\n\t x=1;\u{301}🚀 ไทย\0 O'Neil's ÉCOLE élan ";
        let mut names = 0;
        for name in PRE_TOKENIZERS.iter().flat_map(|row| row.names) {
            assert!(words(name, text).len() > 1, "{name}");
            assert_eq!(words(name, ""), [""; 0], "{name}");
            names += 1;
        }
        assert!(names > 80 && pre_tokenizer("no-such").is_none(), "{names}");
    }

    #[test]
    fn each_family_cuts_its_own_way() {
        let text = "I'M 12345 cafés  x\n\n y";
        let expected: &[(&str, &[&str])] = &[
            ("gpt-2", &["I", "'", "M", " 12345", " cafés", " ", " x", "\n\n", " y"]),
            ("llama-bpe", &["I", "'M", " ", "123", "45", " cafés", " ", " x", "\n\n", " y"]),
            ("qwen2", &["I", "'M", " ", "1", "2", "3", "4", "5", " cafés", " ", " x", "\n\n", " y"]),
            ("starcoder", &["I", "'", "M", " ", "1", "2", "3", "4", "5", " cafés", " ", " x", "\n\n", " y"]),
            ("falcon", &["I", "'", "M", " ", "123", "45", " cafés", " ", " x", "\n\n", " y"]),
            ("tekken", &["I", "'M", " ", "1", "2", "3", "4", "5", " cafés", " ", " x", "\n\n", " y"]),
            ("gpt-4o", &["I'M", " ", "123", "45", " cafés", " ", " x", "\n\n", " y"]),
            ("tiny_aya", &["I'M", " ", "12", "345", " cafés", " ", " x", "\n\n", " y"]),
            ("deepseek-v3", &["I", "'M", " ", "123", "45", " cafés", " ", " x", "\n\n", " y"]),
            ("deepseek-llm", &["I", "'", "M", " ", "12345", " caf", "é", "s", " ", " x", "\n", "\n", " y"]),
            ("bloom", &["I'M", " 12345", " cafés", " ", " x", "\n\n", " y"]),
            ("gemma4", &["I'M 12345 cafés  x", "\n\n", " y"]),
            ("superbpe", &["I'M ", "12", "345", " cafés  x\n\n y"]),
            ("viking", &["I'M", " ", "1", "2", "3", "4", "5", " cafés", " ", " x", "\n\n", " y"]),
        ];
        for (name, expected) in expected {
            assert_eq!(words(name, text), *expected, "{name}");
        }
    }

    #[test]
    fn scripts_and_marks_are_cut_as_their_models_do() {
        assert_eq!(words("deepseek-llm", "Été漢字!？я，b"), ["É", "t", "é", "漢字", "!？", "я", "，", "b"]);
        assert_eq!(words("deepseek-coder", "été漢字!？a，b"), ["été", "漢字", "!？", "a", "，", "b"]);
        assert_eq!(words("youtu", "ab，漢字x한국"), ["ab", "，", "漢字", "x", "한국"]);
        assert_eq!(words("kimi-k2", "abc漢字def 123漢"), ["abc", "漢字", "def", " ", "123", "漢"]);
        assert_eq!(words("deepseek-v3", "abc漢字かなdef"), ["abc", "漢字かな", "def"]);
        assert_eq!(words("tekken", "HelloWorld ÉCOLEs"), ["Hello", "World", " ÉCOLEs"]);
        assert_eq!(words("qwen2", "e\u{301}a"), ["e", "\u{301}a"]);
        assert_eq!(words("qwen35", "e\u{301}a"), ["e\u{301}a"]);
        assert_eq!(words("afmoe", "1234567 ไทย"), ["1", "234", "567", " ", "ไทย"]);
    }

    #[test]
    fn long_runs_of_one_character_are_no_trouble() {
        for name in ["gpt-2", "llama-bpe", "gpt-4o", "deepseek-v3", "jais-2", "kimi-k2"] {
            for c in [" ", "\n", "a", "1", "!", "漢", "\u{301}"] {
                words(name, &c.repeat(20_000));
            }
        }
    }
}
