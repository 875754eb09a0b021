//! `@NAME`: presets of the configuration, through the real binary.

mod common;

use std::path::Path;

use common::{Home, assert_error, finish, write_model_with_memory};
use serde_json::Value;

const REVIEWER: &str = "[presets.reviewer]\nmodel = \"MODEL\"\nsystem_file = \"reviewer.md\"\n\
                        prompt = \"Look at this:\"\nfiles = [\"STYLE.md\"]\ntemperature = 0\nmax_tokens = 3\n\
                        [presets.gone]\nmodel = \"./gone.gguf\"\n";

/// A home with the preset `reviewer`, its files, and its model, which sees the whole conversation.
fn home() -> (Home, String) {
    let home = Home::new();
    let model = home.path().join("memory.gguf").display().to_string();
    write_model_with_memory(Path::new(&model));
    let folder = home.path().join(".config/oai");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), REVIEWER.replace("MODEL", &model)).unwrap();
    std::fs::write(folder.join("reviewer.md"), "You review code.\n").unwrap();
    std::fs::write(home.path().join("STYLE.md"), "Short names.\n").unwrap();
    (home, model)
}

/// What `ask` says in JSON, with the tokens of the prompt, run in the home folder with `input` piped in.
fn ask(home: &Home, input: &str, variables: &[(&str, &str)], args: &[&str]) -> Value {
    let all = [&["ask", "--json", "--logprobs", "0"], args].concat();
    let mut command = home.oai(&all);
    command.current_dir(home.path()).write_stdin(input).envs(variables.iter().copied());
    let (code, stdout, stderr) = finish(&mut command);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn a_preset_is_what_its_flags_would_be() {
    let (home, model) = home();
    let flags = ["-m", &model, "-s", "You review code.", "-t", "0", "-n", "3", "-f", "STYLE.md"];
    let typed = ask(&home, "fn f() {}\n", &[], &[&flags[..], &["Look at this:\n\nis it good?"]].concat());
    // The configuration's preset goes before the environment.
    let variables = [("OAI_MAX_TOKENS", "1"), ("OAI_MODEL", "nowhere/nothing")];
    let preset = ask(&home, "fn f() {}\n", &variables, &["@reviewer", "is", "it", "good?"]);
    for key in ["model", "prompt_ids", "token_ids", "text", "finish"] {
        assert_eq!(typed[key], preset[key], "{key}");
    }
    assert!(preset["prompt_ids"].as_array().unwrap().len() > 20, "{preset}");
    // Its prompt alone is a question.
    let alone = ask(&home, "", &[], &["@reviewer"]);
    assert_ne!(alone["prompt_ids"], preset["prompt_ids"]);
}

#[test]
fn flags_go_before_a_preset() {
    let (home, model) = home();
    let preset = ask(&home, "", &[], &["-n", "1", "-s", "You praise code.", "@reviewer", "hi"]);
    assert_eq!(preset["usage"]["completion_tokens"], 1);
    let flags = ["-m", &model, "-s", "You praise code.", "-t", "0", "-n", "1", "-f", "STYLE.md"];
    let typed = ask(&home, "", &[], &[&flags[..], &["Look at this:\n\nhi"]].concat());
    assert_eq!(typed["prompt_ids"], preset["prompt_ids"]);
    assert_error(home.run(&["ask", "@gone", "hi"]), 3, &["gone.gguf"]);
    assert_eq!(ask(&home, "", &[], &["-m", "guide", "@gone", "How do I pull a model?"])["model"], "guide");
}

#[test]
fn a_slip_in_a_presets_name_is_told_and_other_texts_are_asked() {
    let (home, _) = home();
    let words = ["no preset reviwer", "did you mean @reviewer", "@gone"];
    assert_error(home.run(&["ask", "@reviwer", "hi"]), 2, &words);
    assert_error(Home::new().run(&["ask", "@reviewer", "hi"]), 2, &["[presets.reviewer]", "config.toml"]);
    let asked = |args: &[&str]| ask(&home, "", &[], &[&["-m", "guide"], args].concat())["prompt_ids"].clone();
    assert_eq!(asked(&["@alice wrote: hi"]), asked(&["@alice wrote:", "hi"]));
    assert_eq!(asked(&["ask", "@reviewer"]), asked(&["ask @reviewer"]), "only the first argument names a preset");
    assert_error(home.run(&["ask", "--raw", "@reviewer", "hi"]), 2, &["--raw", "reviewer"]);
}

#[test]
fn config_shows_presets_and_their_mistakes() {
    let (home, model) = home();
    let (code, stdout, _) = home.run(&["config"]);
    assert!(
        code == 0 && stdout.contains(&format!("presets.reviewer  {model}, max_tokens 3, temperature 0")),
        "{stdout}"
    );
    let (_, stdout, _) = home.run(&["config", "--json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["presets"]["reviewer"]["prompt"], "Look at this:");
    assert_eq!(value["presets"]["reviewer"]["max_tokens"], 3);

    let file = home.path().join(".config/oai/config.toml");
    for (text, words) in [
        ("[presets.a]\ntemprature = 1\n", &["config.toml", "presets.a.temprature"][..]),
        ("[presets.a]\ntop_p = 3\n", &["config.toml", "presets.a.top_p = 3", "from 0 to 1"]),
        ("[presets.a]\nsystem = \"x\"\nsystem_file = \"y\"\n", &["config.toml", "presets.a", "system_file"]),
        ("[presets.\"a b\"]\n", &["config.toml", "presets.a b", "letters"]),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_error(home.run(&["config"]), 8, words);
        assert_error(home.run(&["ask", "-m", "guide", "hi"]), 8, words);
    }
    std::fs::write(&file, "[presets.a]\nsystem_file = \"nowhere.md\"\n").unwrap();
    assert_error(home.run(&["ask", "@a", "hi"]), 7, &["cannot read", "nowhere.md"]);
}
