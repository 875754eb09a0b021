//! What people name: schemes for a whole model, types for single tensors, and patterns of tensors' names.

use fancy_regex::{Regex, RegexBuilder};

use crate::tensor_type::TensorType;

macro_rules! schemes {
    ($($variant:ident = $file_type:literal, $name:literal, $base:ident, $bits:literal bits;)*) => {
        /// How a whole model is quantized: most tensors as one type, and those that matter more as a finer one
        /// (`mix.rs` has which).
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Scheme { $($variant),* }

        impl Scheme {
            /// All of them, from few bits to many.
            pub const ALL: &[Scheme] = &[$(Scheme::$variant),*];

            /// The field's name for it, as in `Q4_K_M`.
            pub fn name(self) -> &'static str {
                match self { $(Scheme::$variant => $name),* }
            }

            /// The number under `general.file_type`: `enum llama_ftype` of
            /// <https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h>.
            pub fn file_type(self) -> u32 {
                match self { $(Scheme::$variant => $file_type),* }
            }

            /// The type of most tensors.
            pub fn base(self) -> TensorType {
                match self { $(Scheme::$variant => TensorType::$base),* }
            }

            /// Bits that a weight takes in the mean, about: those of Llama 3.1 8B, and for MXFP4, which is for
            /// experts, those of Qwen3 30B-A3B.
            pub fn bits(self) -> f64 {
                match self { $(Scheme::$variant => $bits),* }
            }
        }
    };
}

schemes! {
    Q2_K_S = 21, "Q2_K_S", Q2K, 2.97 bits;
    Q2_K = 10, "Q2_K", Q2K, 3.16 bits;
    Q3_K_S = 11, "Q3_K_S", Q3K, 3.64 bits;
    Q3_K_M = 12, "Q3_K_M", Q3K, 4.0 bits;
    Q3_K_L = 13, "Q3_K_L", Q3K, 4.3 bits;
    IQ4_XS = 30, "IQ4_XS", IQ4_XS, 4.46 bits;
    MXFP4 = 38, "MXFP4", MXFP4, 4.47 bits;
    Q4_0 = 2, "Q4_0", Q4_0, 4.64 bits;
    Q4_K_S = 14, "Q4_K_S", Q4K, 4.67 bits;
    IQ4_NL = 25, "IQ4_NL", IQ4_NL, 4.68 bits;
    Q4_K_M = 15, "Q4_K_M", Q4K, 4.89 bits;
    Q4_1 = 3, "Q4_1", Q4_1, 5.1 bits;
    Q5_0 = 8, "Q5_0", Q5_0, 5.57 bits;
    Q5_K_S = 16, "Q5_K_S", Q5K, 5.57 bits;
    Q5_K_M = 17, "Q5_K_M", Q5K, 5.7 bits;
    Q5_1 = 9, "Q5_1", Q5_1, 6.04 bits;
    Q6_K = 18, "Q6_K", Q6K, 6.56 bits;
    Q8_0 = 7, "Q8_0", Q8_0, 8.5 bits;
    F16 = 1, "F16", F16, 16.0 bits;
    BF16 = 32, "BF16", BF16, 16.0 bits;
    F32 = 0, "F32", F32, 32.0 bits;
}

/// Other names that llama-quantize takes.
const ALSO: &[(&str, Scheme)] =
    &[("Q3_K", Scheme::Q3_K_M), ("Q4_K", Scheme::Q4_K_M), ("Q5_K", Scheme::Q5_K_M), ("MXFP4_MOE", Scheme::MXFP4)];

impl Scheme {
    /// The scheme of a name, in upper or lower case.
    ///
    /// # Errors
    /// What to tell who typed it: the name that was meant, and all of them with their bits.
    pub fn parse(text: &str) -> Result<Scheme, String> {
        let own = Scheme::ALL.iter().map(|scheme| (scheme.name(), *scheme));
        let found = own.chain(ALSO.iter().copied()).find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, scheme)| scheme).ok_or_else(|| {
            let meant = meant(text, Scheme::ALL.iter().map(|scheme| scheme.name()));
            let all: Vec<String> = Scheme::ALL.iter().map(|s| format!("{} {:.1}", s.name(), s.bits())).collect();
            format!(
                "there is no type {text:?}{meant}; those that are, with about so many bits a weight: {}",
                all.join(", ")
            )
        })
    }
}

/// The types that tensors can be written as.
const WRITTEN: &[TensorType] = &[
    TensorType::Q2K,
    TensorType::Q3K,
    TensorType::IQ4_XS,
    TensorType::MXFP4,
    TensorType::Q4_0,
    TensorType::IQ4_NL,
    TensorType::Q4K,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5K,
    TensorType::Q5_1,
    TensorType::Q6K,
    TensorType::Q8_0,
    TensorType::F16,
    TensorType::BF16,
    TensorType::F32,
];

/// The type of a single tensor by its name, in upper or lower case: one of those that can be written.
///
/// # Errors
/// What to tell who typed it: the name that was meant, and all of them.
pub fn tensor_type(text: &str) -> Result<TensorType, String> {
    let found = WRITTEN.iter().find(|dtype| dtype.name().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let meant = meant(text, WRITTEN.iter().map(|dtype| dtype.name()));
        let all: Vec<&str> = WRITTEN.iter().map(|dtype| dtype.name()).collect();
        format!("a tensor cannot be written as {text:?}{meant}; it can be: {}", all.join(", "))
    })
}

/// Names less alike than this are not offered.
const ALIKE: f64 = 0.6;

fn meant(text: &str, names: impl Iterator<Item = &'static str>) -> String {
    let scored = names.map(|name| (strsim::normalized_damerau_levenshtein(&text.to_uppercase(), name), name));
    let nearest = scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or(String::new(), |(_, name)| format!("; did you mean {name}?"))
}

/// A pattern of tensors' names: a regular expression that is searched for anywhere in a name, case ignored, as
/// llama-quantize has it. So a plain word such as `attn_v` is one. A `*` that has nothing to repeat but a letter, a
/// digit or a `_` stands for any characters, as in a glob: `*.ffn_down.weight`, `attn_v*`, `blk.1*.ffn_up`.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// # Errors
    /// What to tell who typed it.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("a pattern of tensor names is empty; give one such as ffn_down".to_owned());
        }
        let built = RegexBuilder::new(&stars_as_in_globs(text)).case_insensitive(true).build();
        match built {
            Ok(regex) => Ok(Pattern { text: text.to_owned(), regex }),
            Err(e) => {
                Err(format!("{text:?} is no pattern of tensor names: {e}; give one such as ffn_down or blk.*.attn_v"))
            }
        }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, name: &str) -> bool {
        // A search that gives up has found nothing.
        self.regex.is_match(name).unwrap_or(false)
    }
}

fn stars_as_in_globs(text: &str) -> String {
    let mut regex = String::with_capacity(text.len() + 2);
    // What stands before, and whether a backslash makes it something else.
    let (mut before, mut escaped) = (None, false);
    for c in text.chars() {
        let plain = !escaped && before.is_none_or(|before: char| before.is_alphanumeric() || "_-*".contains(before));
        if c == '*' && plain {
            regex.push('.');
        }
        regex.push(c);
        escaped = before == Some('\\') && !escaped;
        before = Some(c);
    }
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_have_the_names_that_llama_quantize_takes() {
        for (text, scheme) in [
            ("q4_k_m", Scheme::Q4_K_M),
            ("Q4_K", Scheme::Q4_K_M),
            ("q3_k", Scheme::Q3_K_M),
            ("mxfp4_moe", Scheme::MXFP4),
            ("bf16", Scheme::BF16),
        ] {
            assert_eq!(Scheme::parse(text), Ok(scheme), "{text}");
        }
        assert!(Scheme::ALL.iter().all(|scheme| Scheme::parse(scheme.name()) == Ok(*scheme)));
        let error = Scheme::parse("Q4KM").unwrap_err();
        assert!(error.contains("did you mean Q4_K_M?") && error.contains("Q8_0 8.5"), "{error}");
    }

    #[test]
    fn only_types_that_can_be_written_are_types_of_tensors() {
        assert_eq!((tensor_type("q6_k"), tensor_type("F32")), (Ok(TensorType::Q6K), Ok(TensorType::F32)));
        let error = tensor_type("Q4_K_M").unwrap_err();
        assert!(error.contains("did you mean Q4_K?"), "{error}");
        assert!(tensor_type("IQ2_XXS").is_err());
    }

    #[test]
    fn a_pattern_may_be_a_word_a_glob_or_a_regular_expression() {
        let down = "blk.12.ffn_down.weight";
        for (pattern, name, matches) in [
            ("ffn_down", down, true),
            ("FFN_down", down, true),
            ("blk.*.ffn_down.weight", down, true),
            ("*.ffn_down.weight", down, true),
            ("blk.1*.ffn_down", down, true),
            ("blk.2*.ffn_down", down, false),
            ("blk.1.ffn_down", down, false),
            // Would be every `attn_` if `*` repeated the v.
            ("attn_v*", "blk.0.attn_q.weight", false),
            ("attn_*.weight", "blk.0.attn_q.weight", true),
            (r"blk\.(1[0-9]|2)\.ffn_(up|down)", down, true),
            (r"^blk\.\d*\.ffn", down, true),
            (r"ffn_.*_exps", "blk.0.ffn_up_exps.weight", true),
            (r"ffn_(?!down)", down, false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), matches, "{pattern} of {name}");
        }
        assert!(Pattern::parse("blk.(").is_err() && Pattern::parse("").is_err());
    }
}
