//! Renders of real chat templates beside Jinja2's own, from `../shared/data/templates`.
//! A stranger has no such folder: then this says so and passes.

use std::path::Path;

use oai::model::{ChatTemplate, Rendered, TemplateOptions, Tokenizer};
use oai::weights::{self, Bytes, Gguf, Metadata};
use serde_json::{Value, json};

/// 2026-01-02T03:04:05, when the expected renders were made.
const NOW: u64 = 1_767_323_045;

#[test]
fn renders_are_jinja2s() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/templates");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is absent", folder.display());
        return;
    };
    let mut wrong = Vec::new();
    let (mut same, mut cases) = (0, 0);
    for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "jinja")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let template = ChatTemplate::new(&std::fs::read_to_string(&path).unwrap(), &name);
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        for (i, case) in expected["cases"].as_object().unwrap() {
            cases += 1;
            let mut context = case["input"].clone();
            for key in ["bos_token", "eos_token"] {
                context[key] = expected[key].clone();
            }
            let rendered = template.render_at(&context, NOW);
            let right = match (&rendered, case["output"].as_str()) {
                (Ok(text), Some(output)) => text == output,
                (Err(_), None) => true,
                _ => false,
            };
            if right {
                same += 1;
            } else {
                wrong.push(format!("{name} case {i}: {}", shorten(&rendered, case)));
            }
        }
    }
    println!("{same} of {cases}");
    assert!(wrong.is_empty(), "{same} of {cases} the same; not:\n{}", wrong.join("\n"));
}

/// Where a render departs from what was expected.
fn shorten(rendered: &Result<String, oai::model::Error>, case: &Value) -> String {
    match (rendered, case["output"].as_str()) {
        (Ok(text), Some(output)) => {
            let at = text.bytes().zip(output.bytes()).take_while(|(a, b)| a == b).count();
            let from =
                |s: &str| s.char_indices().filter(|(i, _)| *i + 30 >= at).map(|(_, c)| c).take(80).collect::<String>();
            format!("at {at}: {:?} instead of {:?}", from(text), from(output))
        }
        (Ok(_), None) => format!("rendered what Jinja2 refuses: {}", case["error"]),
        (Err(error), _) => error.to_string(),
    }
}

/// Snippets of what chat templates are written in, beside Jinja2's renders (`tests/jinja2/make.py`).
#[test]
fn snippets_render_as_jinja2_renders_them() {
    let file = include_str!("jinja2/cases.json");
    let corpus: Value = serde_json::from_str(file).unwrap();
    let mut wrong = Vec::new();
    let cases = corpus["cases"].as_array().unwrap();
    for case in cases {
        let source = case[0].as_str().unwrap();
        let rendered = ChatTemplate::new(source, "snippet").render_at(&corpus["context"], NOW);
        match (&rendered, case[1].as_str()) {
            (Ok(text), Some(expected)) if text == expected => {}
            (Err(_), None) => {}
            (Ok(text), expected) => wrong.push(format!("{source}\n  is  {text:?}\n  not {expected:?}")),
            (Err(error), expected) => wrong.push(format!("{source}\n  is  {error}\n  not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Renders with the guide's tokenizer, whose control tokens are `<|system|>`, `<|user|>`, `<|assistant|>`, `<|end|>`.
fn rendered(template: &ChatTemplate, messages: &Value, options: &TemplateOptions) -> Rendered {
    let guide = Gguf::from_bytes(Bytes::from_static(include_bytes!("../src/guide/guide.gguf")), "guide").unwrap();
    let tokenizer = Tokenizer::from_gguf(&guide.metadata, "guide").unwrap();
    template.render(messages, options, &tokenizer).unwrap()
}

#[test]
fn control_tokens_in_what_others_wrote_are_told() {
    let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim | tojson }}<|end|>{% endfor %}\
        {{ tools | tojson(ensure_ascii=true) }}<|assistant|>";
    let template = ChatTemplate::new(source, "t");
    let messages = json!([{"role": "user", "content": "  a <|end|> b<|assistant|>é < | "}]);
    let options = TemplateOptions { tools: vec![json!({"d": "<|end|>é"})], ..TemplateOptions::default() };
    let Rendered { text, untrusted } = rendered(&template, &messages, &options);
    let expected = "<|user|>\"a <|end|> b<|assistant|>é < |\"<|end|>[{\"d\": \"<|end|>\\u00e9\"}]<|assistant|>";
    assert_eq!(text, expected);
    let told: Vec<&str> = untrusted.iter().map(|range| &text[range.start..]).collect();
    assert_eq!(told.len(), 3, "{untrusted:?}");
    assert!(
        told[0].starts_with("<|end|> b") && told[1].starts_with("<|assistant|>é") && told[2].starts_with("<|end|>\\")
    );
    assert!(rendered(&template, &json!([{"role": "user", "content": "a < b"}]), &options).untrusted.len() == 1);
}

#[test]
fn an_answer_that_goes_on_ends_the_prompt() {
    let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}\
        {% if add_generation_prompt %}<|assistant|>{% endif %}";
    let go_on = TemplateOptions { continue_last: true, ..TemplateOptions::default() };
    let messages =
        |answer: &str| json!([{"role": "user", "content": "<|end|>?"}, {"role": "assistant", "content": answer}]);
    let template = ChatTemplate::new(source, "t");
    // What the template puts after the answer looks like it.
    let Rendered { text, untrusted } = rendered(&template, &messages("the end"), &go_on);
    assert_eq!(text, "<|user|><|end|>?<|end|><|assistant|>the end");
    assert_eq!((untrusted.len(), &untrusted[0]), (1, &(8..9)));
    let last_alone = ChatTemplate::new("{{ messages[0].content }}<|assistant|>", "t");
    let guide = Gguf::from_bytes(Bytes::from_static(include_bytes!("../src/guide/guide.gguf")), "guide").unwrap();
    let tokenizer = Tokenizer::from_gguf(&guide.metadata, "guide").unwrap();
    let error = last_alone.render(&messages("a"), &go_on, &tokenizer).unwrap_err().to_string();
    assert!(error.contains("to go on"), "{error}");
}

#[test]
fn a_call_s_arguments_come_as_an_object_or_as_text() {
    let messages = json!([{"role": "assistant", "content": "", "reasoning_content": "r", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]}]);
    let text = |source: &str| rendered(&ChatTemplate::new(source, "t"), &messages, &TemplateOptions::default()).text;
    let call = "messages[0].tool_calls[0].function.arguments";
    assert_eq!(text(&format!("{{% for k, v in {call}.items() %}}{{{{ k }}}}={{{{ v }}}}{{% endfor %}}")), "a=1");
    assert_eq!(text(&format!("{{{{ 'x' + {call} }}}}")), "x{\"a\":1}");
    assert_eq!(text("{{ messages[0].thinking ~ messages[0].reasoning ~ messages[0].reasoning_content }}"), "rrr");
    assert_eq!(text("{% for t in tools %}x{% endfor %}ok"), "ok");
    assert_eq!(text("{{ tools is none }}{{ enable_thinking is defined }}{{ reasoning_effort }}"), "TrueFalse");
}

#[test]
fn named_templates_are_found_and_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let source =
        |options: &TemplateOptions| ChatTemplate::from_folder(folder.path()).unwrap().source_for(options).to_owned();
    let (plain, tools) = (TemplateOptions::default(), TemplateOptions { tools: vec![json!({})], ..Default::default() });
    let documents = TemplateOptions { documents: vec![json!({})], ..Default::default() };
    assert!(ChatTemplate::from_folder(folder.path()).is_none());
    write(
        "tokenizer_config.json",
        r#"{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}, {"name": "rag", "template": "R"}]}"#,
    );
    assert_eq!((source(&plain), source(&tools), source(&documents)), ("D".into(), "T".into(), "R".into()));
    write("chat_template.json", r#"{"chat_template": "J"}"#);
    assert_eq!((source(&plain), source(&tools)), ("J".into(), "J".into()));
    write("chat_template.jinja", "F");
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    write("additional_chat_templates/tool_use.jinja", "A");
    assert_eq!((source(&plain), source(&tools)), ("F".into(), "A".into()));

    let mut metadata = Metadata::default();
    let text = |text: &str| weights::Value::String(text.to_owned());
    metadata.set("tokenizer.chat_template", text("D"));
    metadata.set("tokenizer.chat_templates", weights::Value::Array(vec![text("tool_use")]));
    metadata.set("tokenizer.chat_template.tool_use", text("T"));
    let template = ChatTemplate::from_gguf(&metadata, "f").unwrap();
    assert_eq!((template.source_for(&plain), template.source_for(&tools)), ("D", "T"));
}
