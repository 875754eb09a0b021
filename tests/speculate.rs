//! Tokens that are guessed ahead never change an answer.

mod common;

use std::path::{Path, PathBuf};

use common::{Home, assert_error, finish, parrot, write_model_with_memory};
use oai::engine::{Engine, Event, LoadOptions, Prompt, Request, Sampling, Speculation, TemplateOptions};
use oai::weights::{Gguf, GgufWriter, Source, Value};
use serde_json::Value as Json;

/// Token `id` of the models that [`with_letters`] writes.
fn letter(id: u32) -> char {
    char::from_u32(0x400 + id).unwrap()
}

/// Writes the model of `tests/families/gguf` with a vocabulary of single letters; its own turns no text into tokens.
fn with_letters(name: &str, folder: &Path) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/families/gguf/{name}.gguf"));
    let model = Gguf::open(&file).unwrap();
    let embedding = model.tensors.iter().find(|tensor| tensor.name == "token_embd.weight").unwrap();
    let count = embedding.shape[0] as u32;
    let token = |id: u32| Value::String(if id == 0 { "<unk>".to_owned() } else { letter(id).to_string() });
    let mut metadata = model.metadata;
    for (key, value) in [
        ("model", Value::String("llama".to_owned())),
        ("tokens", Value::Array((0..count).map(token).collect())),
        ("token_type", Value::Array((0..count).map(|id| Value::I32(if id == 0 { 2 } else { 1 })).collect())),
        ("scores", Value::Array((0..count).map(|_| Value::F32(0.0)).collect())),
        ("add_bos_token", Value::Bool(false)),
        ("add_space_prefix", Value::Bool(false)),
    ] {
        metadata.set(&format!("tokenizer.ggml.{key}"), value);
    }
    let mut writer = GgufWriter::new(metadata);
    for tensor in &model.tensors {
        writer.tensor(&tensor.name, &tensor.shape, tensor.dtype, tensor.data().to_vec());
    }
    let path = folder.join(format!("{name}.gguf"));
    writer.write(&path).unwrap();
    path
}

/// The tokens of an answer, and how the guesses went.
fn answered(engine: &Engine, prompt: &str, max_tokens: usize, temperature: f32) -> (Vec<u32>, Speculation) {
    let sampling = Sampling {
        temperature,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repeat_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        seed: Some(5),
    };
    let request = Request {
        prompt: Prompt::Raw(prompt.to_owned()),
        template: TemplateOptions::default(),
        sampling,
        stop: Vec::new(),
        max_tokens: Some(max_tokens),
        logprobs: None,
    };
    let (mut ids, mut speculation) = (Vec::new(), Speculation::default());
    for event in engine.generate(request) {
        match event.unwrap() {
            Event::Token { id, .. } => ids.push(id),
            Event::Done { timings, .. } => speculation = timings.speculation.unwrap_or_default(),
            _ => {}
        }
    }
    (ids, speculation)
}

#[test]
fn families_say_the_same_with_and_without() {
    let home = Home::new();
    let mut accepted = 0;
    // Windows, keys of other layers, latent attention, experts, long positions that turn on the way.
    for name in ["llama", "gemma3", "gemma4-shared", "deepseek-v3", "gpt-oss", "qwen3-moe", "cohere2", "phi3-longrope"]
    {
        let path = with_letters(name, home.path());
        let source = Source::Path(path);
        let load = |speculate: bool, draft: Option<&Source>| {
            let options = LoadOptions { speculate, draft: draft.cloned(), ..LoadOptions::default() };
            Engine::load(&source, &options).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        let (plain, copies, drafts) = (load(false, None), load(true, None), load(true, Some(&source)));
        let once: String = [5, 9, 60, 33, 8, 5, 9, 61].map(letter).iter().collect();
        for prompt in [once.clone(), once.repeat(4)] {
            let (expected, none) = answered(&plain, &prompt, 60, 0.0);
            assert_eq!(none, Speculation::default());
            // Twice: the second finds in the cache what the first left there.
            for _ in 0..2 {
                let (ids, speculation) = answered(&copies, &prompt, 60, 0.0);
                assert_eq!(ids, expected, "{name}, copied: {speculation:?}");
                accepted += speculation.accepted;
                let (ids, speculation) = answered(&drafts, &prompt, 60, 0.0);
                assert_eq!(ids, expected, "{name}, drafted: {speculation:?}");
                assert!(
                    speculation.drafted > 0 && speculation.accepted * 10 >= speculation.drafted * 9,
                    "{speculation:?}"
                );
            }
            // Copies change nothing that a seed gives.
            let sampled = |engine: &Engine| answered(engine, &prompt, 40, 0.3).0;
            assert_eq!(sampled(&copies), sampled(&plain), "{name}");
            // The draws of a draft model come from the seed too.
            assert_eq!(sampled(&drafts), sampled(&drafts), "{name}");
        }
    }
    assert!(accepted >= 120, "{accepted}");
}

#[test]
fn layers_that_cannot_go_back_are_not_guessed_for() {
    let home = Home::new();
    for name in ["mamba", "jamba", "lfm2"] {
        let source = Source::Path(with_letters(name, home.path()));
        let options = LoadOptions { speculate: true, ..LoadOptions::default() };
        let engine = Engine::load(&source, &options).unwrap();
        let prompt: String = [5, 9, 60].repeat(6).into_iter().map(letter).collect();
        let (ids, speculation) = answered(&engine, &prompt, 20, 0.0);
        assert!(!ids.is_empty() && speculation == Speculation::default(), "{name}: {speculation:?}");
        let options = LoadOptions { draft: Some(source.clone()), ..options };
        let error = Engine::load(&source, &options).err().unwrap().to_string();
        assert!(error.contains("--speculate off") && error.contains(name), "{error}");
    }
}

fn json_of(home: &Home, args: &[&str]) -> Json {
    let (code, stdout, stderr) = home.run(&[&["ask", "--json"], args].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// Everything of two answers but times and guesses.
#[track_caller]
fn assert_same(one: &Json, other: &Json) {
    for key in ["text", "finish", "usage", "token_ids", "reasoning"] {
        assert_eq!(one[key], other[key], "{key}");
    }
    for (a, b) in one["logprobs"].as_array().unwrap().iter().zip(other["logprobs"].as_array().unwrap()) {
        for (a, b) in a["logprobs"].as_array().unwrap().iter().zip(b["logprobs"].as_array().unwrap()) {
            let difference = a["logprob"].as_f64().unwrap() - b["logprob"].as_f64().unwrap();
            assert!(a["id"] == b["id"] && difference.abs() < 1e-3, "{a} and {b}");
        }
    }
}

/// What was said once is likelier, so that the answer repeats itself.
const REPEATS: &[&str] = &["--raw", "-n", "80", "--presence-penalty", "-5", "oai ask"];
const QUESTION: &str = "how do I quote `oai ask -f src/main.rs \"what is wrong here?\"`, oai ask -f src/main.rs \"what";

#[test]
fn answers_of_the_guide_are_the_same_and_say_how_the_guesses_went() {
    let home = Home::new();
    for args in [
        REPEATS,
        &["--stop", "list", "--raw", "-n", "80", "--presence-penalty", "-5", "oai ask"],
        &["-n", "13", "--raw", "--presence-penalty", "-5", "oai ask"],
        &["How do I resume a pull?"],
        &[QUESTION],
        &["--raw", "-n", "60", "-t", "0.7", "--seed", "3", QUESTION],
        &["--raw", "-n", "60", "--repeat-penalty", "0.9", "--frequency-penalty", "-0.2", QUESTION],
    ] {
        let ask = |how: &[&str]| json_of(&home, &[&["--logprobs", "2"], how, args].concat());
        let (auto, off) = (ask(&[]), ask(&["--speculate", "off"]));
        assert_same(&auto, &off);
        assert!(off["timings"].get("speculation").is_none(), "{off}");
        if !args.contains(&"0.7") {
            assert_same(&ask(&["--draft", "guide"]), &off);
        }
    }
    let answer = json_of(&home, REPEATS);
    let count = |key: &str| answer["timings"]["speculation"][key].as_u64().unwrap();
    assert!(count("accepted") > 10 && count("accepted") <= count("drafted"), "{}", answer["timings"]);
    let (_, _, stderr) = home.run(&[&["ask", "--stats"], REPEATS].concat());
    let said = format!("({} of {} drafted tokens accepted)", count("accepted"), count("drafted"));
    assert!(stderr.contains(&said), "{stderr}");
    let (_, _, stderr) = finish(home.oai(&[&["ask", "--stats"], REPEATS].concat()).env("OAI_SPECULATE", "off"));
    assert!(!stderr.contains("drafted"), "{stderr}");
}

#[test]
fn a_model_that_drafts_for_itself_is_nearly_always_right() {
    let home = Home::new();
    for temperature in ["0", "0.8"] {
        let args = [&["--draft", "guide", "-t", temperature, "--seed", "1"], REPEATS].concat();
        let answer = json_of(&home, &args);
        let count = |key: &str| answer["timings"]["speculation"][key].as_u64().unwrap();
        assert!(count("drafted") > 20 && count("accepted") * 10 >= count("drafted") * 9, "{}", answer["timings"]);
        assert_eq!(json_of(&home, &args)["text"], answer["text"]);
    }
}

#[test]
fn a_draft_model_must_speak_the_same_tokens() {
    let home = Home::new();
    let parrot = home.path().join("parrot.gguf");
    parrot::write(&parrot, "{{ messages[0].content }}<|a|>", "<|a|>", &["ok"]);
    let ask = |draft: &str| home.run(&["ask", "-m", "guide", "--draft", draft, "hi"]);
    assert_error(ask(parrot.to_str().unwrap()), 4, &["parrot", "guide", "vocabulary"]);
    assert_error(ask("./missing.gguf"), 3, &["missing.gguf"]);
    let off = ["ask", "-m", "guide", "--draft", "./missing.gguf", "--speculate", "off", "hi"];
    assert_eq!(home.run(&off).0, 0);
    assert_eq!(home.run(&["ask", "--speculate", "always", "hi"]).0, 2);
}

#[test]
fn a_talk_goes_on_the_same() {
    let home = Home::new();
    let model = home.path().join("memory.gguf");
    write_model_with_memory(&model);
    let talk = |more: &[&str]| {
        let args = [&["chat", "-t", "0", "-n", "60", model.to_str().unwrap()], more].concat();
        let turns = "How do I resume a pull?\nHow do I resume a pull?\nagain: how do I resume a pull?\n";
        let (code, stdout, stderr) = finish(home.oai(&args).write_stdin(turns));
        assert_eq!(code, 0, "{stderr}");
        stdout
    };
    let off = talk(&["--speculate", "off"]);
    assert!(off.lines().count() >= 3, "{off}");
    assert_eq!(talk(&[]), off);
    assert_eq!(talk(&["--draft", model.to_str().unwrap()]), off);
}
