//! What a repository offers, and which of it is meant.

use std::collections::BTreeMap;
use std::fmt;

use super::Error;
use super::api::RemoteFile;
use crate::units;

/// The tag of a safetensors set.
pub const SAFETENSORS: &str = "safetensors";

/// One model of a repository: a GGUF file with all its parts, or the safetensors set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// `Q4_K_M` as the file spells it, the file's name or path where that says no quantization or
    /// another file says the same; `safetensors` for the set.
    pub tag: String,
    pub files: Vec<RemoteFile>,
    pub size_bytes: u64,
}

/// What [`choose`] comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    One(Variant),
    /// Smallest first; never the safetensors set.
    Several(Vec<Variant>),
}

impl Variant {
    fn new(tag: &str, mut files: Vec<RemoteFile>) -> Variant {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let size_bytes = files.iter().fold(0, |sum, file| file.size_bytes.saturating_add(sum));
        Variant { tag: tag.to_owned(), files, size_bytes }
    }

    pub fn is_gguf(&self) -> bool {
        self.files.iter().all(|file| is_gguf_model(&file.path))
    }
}

/// `Q4_K_M (2.0 GB)`
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.tag, units::bytes(self.size_bytes))
    }
}

/// `Q4_K_M (2.0 GB), Q8_0 (3.4 GB)`
pub fn list(variants: &[Variant]) -> String {
    variants.iter().map(Variant::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether `tag` is the name of a quantization: `Q4_K_M`, `IQ4_XS`, `F16`, ….
pub fn is_quantization(tag: &str) -> bool {
    let tag = tag.to_uppercase();
    let plain = ["F16", "BF16", "F32", "FP16", "MXFP4", "MXFP4_MOE"].contains(&tag.as_str());
    let number = ["IQ", "TQ", "Q"].iter().find_map(|prefix| tag.strip_prefix(prefix));
    plain || number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The quantization that a GGUF file's name ends with, as the file spells it; with the mark of one
/// that was laid out by measuring (`UD-Q4_K_XL`).
pub fn quantization(file: &str) -> Option<&str> {
    let stem = stem(file);
    let start = stem.rfind(['-', '.']).map_or(0, |i| i + 1);
    if !is_quantization(&stem[start..]) {
        return None;
    }
    let marked = stem[..start].strip_suffix("UD-").map_or(start, str::len);
    Some(&stem[marked..])
}

/// The name without folder, `.gguf` and `-00001-of-00003`: the same for all parts of a model.
pub fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.strip_suffix(".gguf").unwrap_or(name);
    match name.rsplit_once("-of-").and_then(|(head, _)| head.rsplit_once('-')) {
        Some((head, part)) if part.len() == 5 && part.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => name,
    }
}

/// Whether a file is a GGUF model: not a vision projector, an importance matrix or a draft head.
pub fn is_gguf_model(file: &str) -> bool {
    let name = name(file).to_lowercase();
    name.ends_with(".gguf") && !name.contains("mmproj") && !name.contains("imatrix") && !name.starts_with("mtp-")
}

fn name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Whether a file belongs to a safetensors model, beside its weights.
fn is_part_of_folder(file: &str) -> bool {
    let kept = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        INDEX,
    ];
    // How sentence-transformers makes a vector of states: `modules.json`, and a folder for each module.
    let modules = ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"];
    let module = file.split_once('/').is_some_and(|(folder, name)| {
        let kind = folder.split_once('_').filter(|(index, _)| index.parse::<u32>().is_ok()).map(|(_, kind)| kind);
        kind.is_some() && (name == "config.json" || (kind == Some("Dense") && name == "model.safetensors"))
    });
    kept.contains(&file) || modules.contains(&file) || module
}

/// Says which file each tensor of a sharded model lies in.
const INDEX: &str = "model.safetensors.index.json";

/// What older repositories have instead of `tokenizer.json`.
const OLDER_TOKENIZERS: &[&str] = &[
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "added_tokens.json",
    "rwkv_vocab_v20230424.txt",
];

/// The weights among the files of a safetensors model. A repository may hold them twice: beside its
/// shards in one file, in Mistral's layout (`consolidated`), or in Meta's (`original/`).
fn safetensors(all: &[RemoteFile]) -> Vec<&RemoteFile> {
    let other = ["consolidated", "adapter_model"];
    let weights: Vec<&RemoteFile> = all
        .iter()
        .filter(|f| f.path.ends_with(".safetensors") && !f.path.contains('/'))
        .filter(|f| !other.iter().any(|prefix| f.path.starts_with(prefix)))
        .collect();
    // `model-00001-of-00003`, and `model.safetensors-00001-of-00003`
    let shard = |f: &&&RemoteFile| {
        let numbers = f.path.trim_end_matches(".safetensors").rsplit_once("-of-");
        numbers.is_some_and(|(head, last)| {
            let first = head.rsplit('-').next().unwrap_or_default();
            [first, last].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let shards: Vec<&RemoteFile> = weights.iter().filter(shard).copied().collect();
    // Those of another precision are `model.fp16-00001-of-00002`.
    let usual: Vec<&RemoteFile> =
        shards.iter().filter(|f| f.path.starts_with("model-") || f.path.starts_with("model.safe")).copied().collect();
    let whole = weights.iter().copied().find(|f| f.path == "model.safetensors");
    if !shards.is_empty() && (whole.is_none() || all.iter().any(|f| f.path == INDEX)) {
        return if usual.is_empty() { shards } else { usual };
    }
    whole.map_or(weights, |one| vec![one])
}

/// All that a repository offers, in any folder: its GGUF models, smallest first, and its safetensors set.
pub fn variants(all: &[RemoteFile]) -> Vec<Variant> {
    let mut models: BTreeMap<(&str, &str), Vec<RemoteFile>> = BTreeMap::new();
    for file in all.iter().filter(|f| is_gguf_model(&f.path)) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        models.entry((folder, stem(&file.path))).or_default().push(file.clone());
    }
    let tag_of = |stem: &str| quantization(stem).unwrap_or(stem).to_lowercase();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, stem) in models.keys() {
        let mut names = vec![tag_of(stem), stem.to_lowercase()];
        names.dedup();
        names.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    let mut variants: Vec<Variant> = models
        .into_iter()
        .map(|((folder, stem), files)| {
            if counts[&tag_of(stem)] == 1 {
                Variant::new(quantization(stem).unwrap_or(stem), files)
            } else if counts[&stem.to_lowercase()] == 1 || folder.is_empty() {
                Variant::new(stem, files)
            } else {
                Variant::new(&format!("{folder}/{stem}"), files)
            }
        })
        .collect();
    variants.sort_by(|a, b| (a.size_bytes, &a.tag).cmp(&(b.size_bytes, &b.tag)));
    let weights = safetensors(all);
    if !weights.is_empty() && all.iter().any(|f| f.path == "config.json") {
        let is_older = |f: &str| OLDER_TOKENIZERS.contains(&f) && !all.iter().any(|f| f.path == "tokenizer.json");
        let beside = all.iter().filter(|f| is_part_of_folder(&f.path) || is_older(&f.path));
        variants.push(Variant::new(SAFETENSORS, beside.chain(weights).cloned().collect()));
    }
    variants
}

/// What is meant of all that `repo` offers: what `tag` picks (in any case: a quantization, a file's
/// path or name, or words of its name), without one the GGUF models, without those the safetensors set.
pub fn choose(repo: &str, variants: &[Variant], tag: Option<&str>) -> Result<Choice, Error> {
    let chosen: Vec<&Variant> = match tag {
        Some(tag) => picked(variants, tag),
        None if variants.iter().any(Variant::is_gguf) => variants.iter().filter(|v| v.is_gguf()).collect(),
        None => variants.iter().collect(),
    };
    match (&chosen[..], tag) {
        ([one], _) => Ok(Choice::One((*one).clone())),
        ([], Some(tag)) if !variants.is_empty() => {
            Err(Error::NoSuchFile { repo: repo.to_owned(), wanted: tag.to_owned(), choices: list(variants) })
        }
        ([], _) => Err(Error::NoModel { repo: repo.to_owned() }),
        (several, _) => Ok(Choice::Several(several.iter().map(|v| (*v).clone()).collect())),
    }
}

/// Of several GGUF models of one repository the one of the quantization that most people take; none
/// where that is two, or none.
pub fn usual(several: &[Variant]) -> Option<&Variant> {
    let of = |tag: &&str| match picked(several, tag)[..] {
        [] => None,
        [one] => Some(Some(one)),
        _ => Some(None),
    };
    ["Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q6_K", "Q8_0", "F16", "BF16", "F32"].iter().find_map(of)?
}

/// The strictest way to read `tag` that picks anything, and what it picks.
fn picked<'a>(variants: &'a [Variant], tag: &str) -> Vec<&'a Variant> {
    // ollama's spelling.
    let tag = if tag.eq_ignore_ascii_case("fp16") { "f16" } else { tag };
    let lower = tag.to_lowercase();
    let plain = |text: &str| text.to_lowercase().replace("fp16", "f16");
    let stem_of = |v: &Variant| plain(v.files.first().map_or("", |f| stem(&f.path)));
    let has_path = |v: &Variant| v.files.iter().any(|f| f.path == tag);
    let is_named = |v: &Variant| {
        let file = |f: &RemoteFile| name(&f.path).to_lowercase() == lower && v.is_gguf();
        plain(&v.tag) == lower || stem_of(v) == lower || v.files.iter().any(file)
    };
    let ends = |v: &Variant| {
        let stem = stem_of(v);
        v.is_gguf() && stem.strip_suffix(&lower).is_some_and(|head| head.ends_with(['-', '.', '_']))
    };
    // Whole words: F16 is no part of BF16.
    let holds = |v: &Variant| {
        let path = plain(v.files.first().map_or("", |f| &f.path));
        let border = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let found = |(at, part): (usize, &str)| {
            border(path[..at].chars().next_back()) && border(path[at + part.len()..].chars().next())
        };
        v.is_gguf() && !lower.is_empty() && path.match_indices(&lower).any(found)
    };
    let readings: [&dyn Fn(&Variant) -> bool; 4] = [&has_path, &is_named, &ends, &holds];
    readings
        .iter()
        .map(|fits| variants.iter().filter(|v| fits(v)).collect::<Vec<_>>())
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Why a repository that offers nothing does.
pub fn no_model(repo: &str, all: &[RemoteFile]) -> Error {
    let has = |test: &dyn Fn(&str) -> bool| all.iter().find(|f| test(&f.path)).map(|f| f.path.clone());
    let repo = repo.to_owned();
    if has(&|f| name(f) == "adapter_config.json").is_some() {
        return Error::OnlyAdapter { repo };
    }
    let endings = [".bin", ".pth", ".pt", ".ckpt", ".h5", ".msgpack", ".onnx"];
    match has(&|f| endings.iter().any(|ending| f.ends_with(ending))) {
        Some(file) => Error::OtherFormat { repo, file },
        None => Error::NoModel { repo },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<RemoteFile> {
        let file = |(i, path): (usize, &&str)| RemoteFile {
            path: (*path).to_owned(),
            size_bytes: 1_000_000 * (i as u64 + 1),
            hash: None,
        };
        paths.iter().enumerate().map(file).collect()
    }

    fn tags(paths: &[&str]) -> Vec<String> {
        variants(&files(paths)).into_iter().map(|v| v.tag).collect()
    }

    /// The paths of what is chosen, or the tags of several.
    fn pick(paths: &[&str], tag: Option<&str>) -> Result<Vec<String>, Error> {
        Ok(match choose("o/r", &variants(&files(paths)), tag)? {
            Choice::One(one) => one.files.into_iter().map(|f| f.path).collect(),
            Choice::Several(several) => several.into_iter().map(|v| v.tag).collect(),
        })
    }

    #[test]
    fn a_repository_offers_its_models_and_nothing_else() {
        let all = ["m-Q8_0.gguf", "m-Q4_K_M.gguf", "mmproj-F16.gguf", "m-imatrix.gguf", "mtp-m-Q8_0.gguf", "README.md"];
        assert_eq!(tags(&all), ["Q8_0", "Q4_K_M"]);
        assert_eq!(
            tags(&["m-UD-Q4_K_XL.gguf", "m.i1-IQ3_M.gguf", "m-mxfp4.gguf", "bf16.gguf", "odd.gguf"]),
            ["UD-Q4_K_XL", "IQ3_M", "mxfp4", "bf16", "odd"]
        );
        // Where a tag says too little, the name does, and then the path.
        assert_eq!(tags(&["a-Q8_0.gguf", "b-q8_0.gguf", "b-F16.gguf"]), ["a-Q8_0", "b-q8_0", "F16"]);
        assert_eq!(tags(&["x/a-Q8_0.gguf", "y/a-Q8_0.gguf"]), ["x/a-Q8_0", "y/a-Q8_0"]);
        let parts = ["Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"];
        let one = &variants(&files(&parts))[0];
        assert_eq!((one.to_string(), one.files.len()), ("Q8_0 (3.0 MB)".to_owned(), 2));
        assert_eq!(tags(&["config.json", "model.safetensors", "m-Q8_0.gguf"]), ["Q8_0", SAFETENSORS]);
        assert!(tags(&["config.json", "adapter_model.safetensors"]).is_empty());
    }

    #[test]
    fn a_tag_picks() {
        let all = ["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m-Q4_K_S.gguf", "m-BF16.gguf", "config.json"];
        let all = [&all[..], &["model.safetensors", "d/other-1b-v2.fp16.gguf"]].concat();
        let one = |tag: &str| pick(&all, Some(tag)).unwrap();
        assert_eq!(one("q8_0"), ["m-Q8_0.gguf"]);
        assert_eq!(one("m-q8_0.GGUF"), ["m-Q8_0.gguf"]);
        assert_eq!(one("M-Q8_0"), ["m-Q8_0.gguf"]);
        assert_eq!(one("ud-q4_k_xl"), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(one("Q4_K_XL"), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(one("q4"), ["Q4_K_M", "UD-Q4_K_XL", "Q4_K_S"]);
        for tag in ["F16", "fp16", "v2", "d/other-1b-v2.fp16.gguf"] {
            assert_eq!(one(tag), ["d/other-1b-v2.fp16.gguf"], "{tag}");
        }
        assert_eq!(one("safetensors"), ["config.json", "model.safetensors"]);
        assert_eq!(one("model.safetensors"), ["config.json", "model.safetensors"]);
        for tag in ["Q2_K", "16", "gguff", ""] {
            let error = pick(&all, Some(tag)).unwrap_err().to_string();
            assert!(error.contains("Q8_0 (1.0 MB), Q4_K_M (2.0 MB)"), "{error}");
        }
        let parts = ["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"];
        assert_eq!(pick(&parts, Some("Q8_0")).unwrap(), parts);
        assert_eq!(pick(&parts, Some(parts[1])).unwrap(), parts);
    }

    #[test]
    fn without_a_tag_gguf_comes_first() {
        assert_eq!(pick(&["m-Q8_0.gguf", "config.json", "model.safetensors"], None).unwrap(), ["m-Q8_0.gguf"]);
        assert_eq!(pick(&["m-Q8_0.gguf", "m-Q4_0.gguf", "config.json"], None).unwrap(), ["Q8_0", "Q4_0"]);
        assert!(matches!(pick(&["README.md"], None), Err(Error::NoModel { .. })));
        assert!(matches!(pick(&["README.md"], Some("Q8_0")), Err(Error::NoModel { .. })));
    }

    #[test]
    fn a_safetensors_set_is_whole_and_no_more() {
        let folder = ["config.json", "model.safetensors", "consolidated.safetensors", "x.bin", "tokenizer.json"];
        assert_eq!(pick(&folder, None).unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);
        let older = ["config.json", "model.safetensors", "tokenizer.model", "vocab.txt"];
        assert_eq!(pick(&older, None).unwrap(), older);
        assert_eq!(pick(&[&older[..], &["tokenizer.json"]].concat(), None).unwrap().len(), 3);
        let modules = ["1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "modules.json"];
        let all = [&folder[..], &modules, &["onnx/config.json", "openvino/model.safetensors"]].concat();
        let mut expected = [&["config.json", "model.safetensors", "tokenizer.json"][..], &modules].concat();
        expected.sort_unstable();
        assert_eq!(pick(&all, None).unwrap(), expected);
        assert!(matches!(pick(&[&["config.json"], &modules[..]].concat(), None), Err(Error::NoModel { .. })));
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let beside = ["original/x.safetensors", "model.safetensors", "adapter_model.safetensors", "other.safetensors"];
        let halves = ["model.fp16-00001-of-00001.safetensors"];
        let all = [&["config.json"][..], &shards, &beside, &halves, &[INDEX]].concat();
        let mut expected = [&["config.json"][..], &shards, &[INDEX]].concat();
        expected.sort_unstable();
        assert_eq!(pick(&all, None).unwrap(), expected);
        let odd = ["config.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors", INDEX];
        assert_eq!(pick(&odd, None).unwrap().len(), 4);
    }

    #[test]
    fn why_there_is_nothing_is_said() {
        let why = |paths: &[&str]| no_model("o/r", &files(paths)).to_string();
        assert!(why(&["adapter_config.json", "adapter_model.safetensors"]).contains("adapter"));
        assert!(why(&["config.json", "pytorch_model.bin"]).contains("pytorch_model.bin"));
        assert!(why(&["README.md"]).contains("no GGUF"));
    }
}
