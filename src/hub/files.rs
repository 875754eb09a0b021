//! Which files of a repository make a model.

use super::Error;

/// The tag of a safetensors set.
pub const SAFETENSORS: &str = "safetensors";

/// Tried in this order when no quantization is asked for.
const PREFERRED: &[&str] = &["Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q6_K", "Q8_0", "F16", "BF16", "F32"];

/// Whether `tag` is the name of a quantization: `Q4_K_M`, `IQ4_XS`, `F16`, ….
pub fn is_quantization(tag: &str) -> bool {
    let tag = tag.to_uppercase();
    let plain = ["F16", "BF16", "F32", "FP16", "MXFP4"].contains(&tag.as_str());
    let number = ["IQ", "TQ", "Q"].iter().find_map(|prefix| tag.strip_prefix(prefix));
    plain || number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The quantization that a GGUF file's name ends with, as the file spells it.
pub fn quantization(file: &str) -> Option<&str> {
    let stem = stem(file);
    let (_, tag) = stem.rsplit_once(['-', '.'])?;
    is_quantization(tag).then_some(tag)
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

/// Whether a file is a GGUF model: not a vision projector, not an importance matrix.
pub fn is_gguf_model(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file).to_lowercase();
    name.ends_with(".gguf") && !name.contains("mmproj") && !name.contains("imatrix")
}

/// Whether a file belongs to a safetensors model.
fn is_part_of_folder(file: &str) -> bool {
    let kept = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        "model.safetensors.index.json",
    ];
    // How sentence-transformers makes a vector of states: `modules.json`, and a folder for each module.
    let modules = ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"];
    let module = file.split_once('/').is_some_and(|(folder, name)| {
        let kind = folder.split_once('_').filter(|(index, _)| index.parse::<u32>().is_ok()).map(|(_, kind)| kind);
        kind.is_some() && (name == "config.json" || (kind == Some("Dense") && name == "model.safetensors"))
    });
    // Mistral's repositories hold the same weights twice; `consolidated` is the other layout.
    let is_kept = kept.contains(&file) || modules.contains(&file) || module;
    is_kept || (file.ends_with(".safetensors") && !file.contains('/') && !file.starts_with("consolidated"))
}

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

/// The files of `all` to pull: the GGUF file (or parts) that `tag` names, the best known
/// quantization without one, or the safetensors set.
pub fn choose(repo: &str, all: &[String], tag: Option<&str>) -> Result<Vec<String>, Error> {
    let models: Vec<&String> = all.iter().filter(|f| is_gguf_model(f)).collect();
    let mut stems: Vec<&str> = models.iter().map(|f| stem(f)).collect();
    stems.sort_unstable();
    stems.dedup();
    let parts = |wanted: &str| models.iter().filter(|f| stem(f) == wanted).map(|f| (*f).clone()).collect();
    let with_tag = |tag: &str| -> Vec<&str> {
        let (tag, ending) = (tag.to_lowercase(), format!("-{}", tag.to_lowercase()));
        let fits = |stem: &str| {
            let stem = stem.to_lowercase();
            stem == tag || stem.ends_with(&ending) || stem.ends_with(&ending.replace('-', "."))
        };
        stems.iter().copied().filter(|stem| fits(stem)).collect()
    };
    let choices = || {
        let tags: Vec<&str> = stems.iter().map(|s| quantization(s).unwrap_or(s)).collect();
        if tags.is_empty() { "no GGUF file".to_owned() } else { tags.join(", ") }
    };
    if let Some(tag) = tag {
        if all.iter().any(|f| f == tag) {
            return Ok(vec![tag.to_owned()]);
        }
        return match with_tag(tag)[..] {
            [one] => Ok(parts(one)),
            [] => Err(Error::NoSuchFile { repo: repo.to_owned(), wanted: tag.to_owned(), choices: choices() }),
            ref several => Err(Error::Ambiguous { repo: repo.to_owned(), choices: several.join(", ") }),
        };
    }
    if let [one] = stems[..] {
        return Ok(parts(one));
    }
    if !stems.is_empty() {
        let best = PREFERRED.iter().map(|tag| with_tag(tag)).find(|found| !found.is_empty());
        return match best.as_deref() {
            Some([one]) => Ok(parts(one)),
            _ => Err(Error::Ambiguous { repo: repo.to_owned(), choices: choices() }),
        };
    }
    let is_tokenizer = |f: &str| OLDER_TOKENIZERS.contains(&f) && !all.iter().any(|f| f == "tokenizer.json");
    let folder: Vec<String> = all.iter().filter(|f| is_part_of_folder(f) || is_tokenizer(f)).cloned().collect();
    let whole = folder.iter().any(|f| f == "config.json")
        && folder.iter().any(|f| f.ends_with(".safetensors") && !f.contains('/'));
    if whole { Ok(folder) } else { Err(Error::NoModel { repo: repo.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(all: &[&str], tag: Option<&str>) -> Result<Vec<String>, Error> {
        choose("o/r", &all.iter().map(|f| f.to_string()).collect::<Vec<_>>(), tag)
    }

    #[test]
    fn a_quantization_is_chosen_or_named() {
        let all = ["README.md", "m-Q8_0.gguf", "m-Q4_K_M.gguf", "mmproj-F16.gguf", "m-Q4_K_S.gguf"];
        assert_eq!(pick(&all, None).unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(pick(&all, Some("q8_0")).unwrap(), ["m-Q8_0.gguf"]);
        let error = pick(&all, Some("Q2_K")).unwrap_err().to_string();
        assert!(error.contains("Q4_K_M, Q4_K_S, Q8_0"), "{error}");
        assert!(matches!(pick(&["a.gguf", "b.gguf"], None), Err(Error::Ambiguous { .. })));
    }

    #[test]
    fn parts_come_together_and_folders_whole() {
        let parts = ["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"];
        assert_eq!(pick(&parts, Some("Q8_0")).unwrap(), parts);
        let folder = ["config.json", "model.safetensors", "consolidated.safetensors", "x.bin", "tokenizer.json"];
        assert_eq!(pick(&folder, None).unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);
        let older = ["config.json", "model.safetensors", "tokenizer.model", "vocab.txt"];
        assert_eq!(pick(&older, None).unwrap(), older);
        assert_eq!(pick(&[&older[..], &["tokenizer.json"]].concat(), None).unwrap().len(), 3);
        let modules = ["modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"];
        let all = [&folder[..], &modules, &["onnx/config.json", "openvino/model.safetensors"]].concat();
        let expected = [&["config.json", "model.safetensors", "tokenizer.json"][..], &modules].concat();
        assert_eq!(pick(&all, None).unwrap(), expected);
        assert!(matches!(pick(&[&["config.json"], &modules[..]].concat(), None), Err(Error::NoModel { .. })));
        assert!(matches!(pick(&["README.md"], None), Err(Error::NoModel { .. })));
    }
}
