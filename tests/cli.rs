//! What the command line must survive, and what it promises to scripts.

mod common;

use std::process::Stdio;

use common::{GUIDE, Home, assert_error, finish};
use oai::weights::{Bytes, Gguf, GgufWriter};
use serde_json::Value;

#[test]
fn json_has_the_promised_shape() {
    let args = ["ask", "--json", "--logprobs", "2", "-t", "0", "-n", "5", "how do I list models"];
    let (code, stdout, _) = Home::new().run(&args);
    assert_eq!((code, stdout.lines().count()), (0, 1));
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&json["model"], &json["finish"]), (&"guide".into(), &"length".into()));
    assert_eq!(json["usage"]["completion_tokens"], 5);
    let prompt_tokens = json["usage"]["prompt_tokens"].as_u64().unwrap() as usize;
    assert_eq!(json["prompt_ids"].as_array().unwrap().len(), prompt_tokens);
    for key in ["load_ms", "prefill_ms", "decode_ms", "time_to_first_token_ms", "prefill_tokens_per_s"] {
        assert!(json["timings"][key].is_number(), "{key}");
    }
    let ids = json["token_ids"].as_array().unwrap();
    for (id, token) in ids.iter().zip(json["logprobs"].as_array().unwrap()) {
        // Greedy: the chosen token is the likeliest.
        assert_eq!((&token["id"], &token["logprobs"][0]["id"]), (id, id));
        let best: Vec<f64> =
            token["logprobs"].as_array().unwrap().iter().map(|t| t["logprob"].as_f64().unwrap()).collect();
        assert!(best.len() == 2 && best[0] >= best[1] && best[0] <= 0.0, "{best:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_another() {
    let home = Home::new();
    let text = |seed: &str| {
        home.run(&["ask", "-t", "5", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--seed", seed, "-n", "20", "hi"])
            .1
    };
    assert_eq!(text("1"), text("1"));
    assert_ne!(text("1"), text("2"));
}

#[test]
fn prompts_come_from_words_files_and_standard_input() {
    let home = Home::new();
    let file = home.path().join("note.txt");
    std::fs::write(&file, "Filed").unwrap();
    let file = file.to_str().unwrap();
    let ids = |args: &[&str], stdin: &str| -> Value {
        let mut command = home.oai(&[&["ask", "--json", "--logprobs", "1", "-n", "1", "--raw"], args].concat());
        let (code, stdout, stderr) = finish(command.write_stdin(stdin));
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<Value>(&stdout).unwrap()["prompt_ids"].clone()
    };
    let expected = ids(&["one two\n\nFiled\n\npiped"], "");
    assert_eq!(ids(&["one", "two", "-f", file], "piped\n"), expected);
    assert_eq!(ids(&["-f", file], ""), ids(&[], "Filed"));
}

#[test]
fn stop_strings_and_limits_end_an_answer() {
    let home = Home::new();
    let question = "How do I resume a pull?";
    let whole = home.run(&["ask", question]).1;
    let cut = home.run(&["ask", "--stop", "pull", question]).1;
    assert!(whole.starts_with(cut.trim_end()) && !cut.contains("pull"), "{cut:?} of {whole:?}");
    let (_, stdout, stderr) = home.run(&["ask", "-n", "0", "--stats", question]);
    assert_eq!(stdout, "");
    assert!(stderr.contains("tokens/s") && stderr.contains("first token after"), "{stderr}");
}

#[test]
fn damaged_and_foreign_files_are_one_line_errors() {
    let home = Home::new();
    let write = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ask = |model: &str| home.run(&["ask", "-m", model, "hi"]);
    assert_error(ask("./missing.gguf"), 3, &["missing.gguf"]);
    assert_error(ask(&write("cut.gguf", &GUIDE[..GUIDE.len() / 2])), 4, &["cut.gguf", "truncated"]);
    assert_error(ask(&write("head.gguf", &GUIDE[..100])), 4, &["head.gguf"]);
    assert_error(ask(&write("page.gguf", b"<html>no</html>")), 4, &["page.gguf", "not a GGUF file"]);
    assert_error(ask(&write("empty.gguf", b"")), 4, &["empty.gguf"]);
    let mut lying = GUIDE.to_vec();
    lying[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_error(ask(&write("lying.gguf", &lying)), 4, &["lying.gguf"]);
    // The architecture's name, five letters for five.
    let at = GUIDE.windows(20).position(|w| w == b"general.architecture").unwrap() + 20 + 4 + 8;
    let mut foreign = GUIDE.to_vec();
    foreign[at..at + 5].copy_from_slice(b"bloom");
    assert_error(ask(&write("foreign.gguf", &foreign)), 4, &["\"bloom\"", "oai show --architectures"]);
}

#[test]
fn a_folder_without_its_tokenizer_says_so() {
    let home = Home::new();
    let folder = home.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    assert_error(home.run(&["show", folder.to_str().unwrap()]), 4, &["config.json"]);
    let config = r#"{"model_type": "zebra", "hidden_size": 8}"#;
    std::fs::write(folder.join("config.json"), config).unwrap();
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend_from_slice(&[0; 4]);
    std::fs::write(folder.join("model.safetensors"), &file).unwrap();
    assert_error(home.run(&["show", folder.to_str().unwrap()]), 4, &["\"zebra\""]);
    std::fs::write(folder.join("model.safetensors"), &file[..30]).unwrap();
    assert_error(home.run(&["show", folder.to_str().unwrap()]), 4, &["model.safetensors"]);
}

#[test]
fn a_prompt_longer_than_the_context_says_both_numbers() {
    let home = Home::new();
    let long = "word ".repeat(2000);
    let (code, stdout, stderr) = finish(home.oai(&["ask"]).write_stdin(long));
    assert_error((code, stdout, stderr.lines().last().unwrap().to_owned()), 5, &["the context 512", "tokens"]);
    let small = home.run(&["ask", "-m", "guide", "--context", "8", "how do I pull a model from the hub to my machine"]);
    assert_error(small, 5, &["the context 8", "raise --context", "512"]);
    assert_error(home.run(&["ask", "-m", "guide", "--context", "100000", "hi"]), 2, &["100000", "512"]);
}

#[test]
fn input_that_is_not_text_is_refused() {
    let home = Home::new();
    assert_error(finish(home.oai(&["ask"]).write_stdin(b"ab\xff".to_vec())), 7, &["standard input", "byte 2"]);
    assert_error(home.run(&["ask", "-f", "/nonexistent", "x"]), 7, &["/nonexistent"]);
    assert_error(home.run(&["ask"]), 2, &["nothing to ask"]);
}

#[test]
fn usage_errors_name_the_flag() {
    let home = Home::new();
    for args in [
        &["ask", "--nonsense", "x"][..],
        &["ask", "--top-p", "7", "x"],
        &["frobnicate"],
        &["ask", "--logprobs", "2", "x"],
    ] {
        let (code, stdout, stderr) = home.run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    assert_error(home.run(&["ask", "-t", "hot", "x"]), 2, &["--temperature", "hot"]);
}

#[test]
fn configuration_is_layered_and_its_mistakes_are_named() {
    let home = Home::new();
    let folder = home.path().join(".config/oai");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "model = \"guide\"\n[sampling]\ntop_k = 3\nseed = 9\n").unwrap();
    let (_, stdout, _) = finish(home.oai(&["config", "--json"]).env("OAI_TOP_K", "4"));
    let settings = &serde_json::from_str::<Value>(&stdout).unwrap()["settings"];
    assert_eq!((&settings["top_k"]["value"], &settings["top_k"]["origin"]), (&4.into(), &"OAI_TOP_K".into()));
    assert_eq!(settings["seed"]["value"], 9);
    assert!(settings["seed"]["origin"].as_str().unwrap().ends_with("config.toml"));
    assert_eq!(settings["min_p"]["origin"], "default");
    // A configured model is chosen knowingly: no note.
    assert_eq!(home.run(&["ask", "hello"]).2, "");

    assert_error(finish(home.oai(&["config"]).env("OAI_SEED", "x")), 8, &["OAI_SEED", "seed"]);
    std::fs::write(folder.join("config.toml"), "[sampling]\nheat = 1\n").unwrap();
    assert_error(home.run(&["config"]), 8, &["config.toml", "sampling.heat"]);
    // Help does not need a sound configuration.
    assert_eq!(home.run(&["completions", "bash"]).0, 0);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = Home::new();
    let binary = assert_cmd::cargo::cargo_bin("oai");
    let mut child = std::process::Command::new(binary)
        .args(["ask", "-m", "guide", "list of exit codes"])
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_at_once_and_keeps_what_was_printed() {
    use std::io::Read;
    let home = Home::new();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"))
        // So hot that the answer goes on to the end of the context.
        .args(["ask", "-m", "guide", "-t", "90", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--seed", "1", "hi"])
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 1];
    stdout.read_exact(&mut first).unwrap();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()),
        (Some(130), String::new())
    );
    assert_eq!(rest.last(), Some(&b'\n'), "what was printed ends in a line break");
}

#[test]
fn every_command_has_help_with_examples() {
    let home = Home::new();
    for command in
        ["pull", "list", "show", "rm", "ask", "chat", "perplexity", "bench", "tune", "config", "completions", "man"]
    {
        let (code, stdout, _) = home.run(&[command, "--help"]);
        assert_eq!(code, 0);
        assert!(stdout.contains("Examples:") && stdout.contains(&format!("oai {command}")), "{stdout}");
    }
}

#[test]
fn show_and_list_know_the_guide() {
    let home = Home::new();
    let (code, stdout, _) = home.run(&["show", "guide"]);
    assert_eq!(code, 0);
    for words in ["llama", "Q8_0", "512 tokens", "MIT OR Apache-2.0"] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    assert!(home.run(&["show", "guide", "--template"]).1.contains("<|assistant|>"));
    assert!(home.run(&["list"]).1.contains("guide"));
    assert_error(home.run(&["rm", "-y", "guide"]), 2, &["guide"]);
}

#[test]
fn a_small_training_makes_a_model_that_answers() {
    let home = Home::new();
    let corpus = home.path().join("faq.toml");
    let text = "[[topic]]\nid = \"a\"\nanswer = \"blue\"\nquestions = [\"(which|what) colour\"]\n";
    std::fs::write(&corpus, text).unwrap();
    let out = home.path().join("faq.gguf");
    let (corpus, out) = (corpus.to_str().unwrap(), out.to_str().unwrap());
    let small = ["--steps", "60", "--vocab", "300", "--dim", "32", "--heads", "1", "--ffn", "32", "--layers", "1"];
    let args = [&["tune", "--from-scratch", corpus, "-o", out, "--batch", "4", "--learning-rate", "0.02"], &small[..]];
    let (code, _, stderr) = home.run(&args.concat());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(home.run(&["ask", "-t", "0", "-m", out, "which colour?"]).1, "blue\n");
    std::fs::write(corpus, "[[topic]]\nid = 3").unwrap();
    assert_error(home.run(&["tune", "--from-scratch", corpus, "-o", out]), 7, &["faq.toml"]);
}

#[test]
fn weights_that_are_no_numbers_are_an_error_of_the_model() {
    let home = Home::new();
    let guide = Gguf::from_bytes(Bytes::from_static(GUIDE), "guide").unwrap();
    let mut writer = GgufWriter::new(guide.metadata);
    for tensor in &guide.tensors {
        let mut data = tensor.data().to_vec();
        if tensor.name == "output_norm.weight" {
            data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        }
        writer.tensor(&tensor.name, &tensor.shape, tensor.dtype, data);
    }
    let path = home.path().join("infinite.gguf");
    writer.write(&path).unwrap();
    let path = path.to_str().unwrap();
    for args in [&["ask", "-m", path, "hi"][..], &["ask", "-t", "0", "-m", path, "hi"]] {
        assert_error(home.run(args), 4, &["guide", "no number"]);
    }
    let (code, stdout, stderr) =
        finish(home.oai(&["perplexity", path, "--whole"]).write_stdin("How do I resume a pull?"));
    assert_error((code, stdout, stderr), 4, &["no number"]);
}
