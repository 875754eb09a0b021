//! Renders of real chat templates beside Jinja2's own, from `../shared/data/templates`.
//! A stranger has no such folder: then this says so and passes.

use std::path::Path;

use oai::model::ChatTemplate;
use serde_json::Value;

/// 2026-01-02T03:04:05, when the expected renders were made.
const NOW: u64 = 1_767_323_045;

/// Jinja2 escapes what is added to a `safe` string; minijinja does not, and no other template does it.
const KNOWN: &str = "meetkai-functionary-medium-v3.1 case tools";

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
            } else if format!("{name} case {i}") != KNOWN {
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
