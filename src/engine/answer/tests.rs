//! Samples of every dialect, cut wherever they can be cut.

use super::*;
use serde_json::json;

fn tools() -> Vec<Json> {
    let properties = json!({"city": {"type": "string"}, "days": {"type": "integer"}});
    vec![json!({"type": "function", "function": {"name": "weather", "parameters": {"properties": properties}}})]
}

/// Answer, thoughts and calls of a text that comes in `parts`.
fn parsed(template: &str, tools: &[Json], prompt: &str, parts: &[&str]) -> (String, String, Vec<(String, Json)>) {
    let dialect = Dialect::of(template, !tools.is_empty(), |_| false);
    let mut parser = Parser::new(dialect, tools, prompt, 0);
    let mut pieces: Vec<Piece> = parts.iter().flat_map(|part| parser.push(part)).collect();
    pieces.extend(parser.finish());
    let (mut answer, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Answer(text) => answer += &text,
            Piece::Reasoning(text) => reasoning += &text,
            Piece::Call(call) => {
                assert!(!call.id.is_empty());
                calls.push((call.name, call.arguments));
            }
        }
    }
    (answer, reasoning, calls)
}

/// A sample: what betrays the dialect, the end of the prompt, the model's text; answer, thoughts, calls.
type Sample = (&'static str, &'static str, &'static str, &'static str, &'static str, usize);

const SAMPLES: &[Sample] = &[
    ("</think>", "", "<think>\nHm, <b>\n\nso.\n</think>\n\nHello < you\n", "Hello < you\n", "Hm, <b>\n\nso.", 0),
    ("</think>", "assistant\n<think>\n", "Hm\n</think>\nHello", "Hello", "Hm", 0),
    ("</think>", "<think>\n\n</think>\n\n", "Hello </thin", "Hello </thin", "", 0),
    ("</think>", "<think>", "cut off ", "", "cut off", 0),
    ("[THINK]", "", "[THINK]a[1][/THINK]b", "b", "a[1]", 0),
    ("<seed:think>", "", "<seed:think>a</seed:think>b", "b", "a", 0),
    (
        "<|START_THINKING|> <|START_TEXT|> <|END_TEXT|>",
        "<|START_THINKING|>",
        "a<|END_THINKING|><|START_TEXT|>b<|END_TEXT|>",
        "b",
        "a",
        0,
    ),
    (
        "<|START_THINKING|><|START_RESPONSE|><|END_RESPONSE|>",
        "",
        "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>",
        "b",
        "a",
        0,
    ),
    ("<|channel>thought <channel|>", "", "<|channel>thought\na\n<channel|>b", "b", "a", 0),
    ("think> <response> </response>", "", "<think>a</think><response>b</response>", "b", "a", 0),
    (
        "assistant<|think|> <|begin|>assistant<|content|>",
        "<|think|>",
        "a<|end|><|begin|>assistant<|content|>b",
        "b",
        "a",
        0,
    ),
    (
        "<tool_call> think>",
        "",
        "<think>t</think>\n\nI look.\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}\n</tool_call>\n",
        "I look.",
        "t",
        2,
    ),
    (
        "<tool_call>",
        "",
        "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
        "",
        "",
        1,
    ),
    (
        "<tool_call>",
        "",
        "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key><arg_value>2</arg_value></tool_call>",
        "",
        "",
        1,
    ),
    (
        "<tool_call>",
        "",
        "See <tool_call>{\"name\": oops}</tool_call> there",
        "See <tool_call>{\"name\": oops}</tool_call> there",
        "",
        0,
    ),
    ("<tool_call>", "", "no <tool_ at  all \n", "no <tool_ at  all \n", "", 0),
    (
        "\"parameters\": dictionary",
        "",
        "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}",
        "",
        "",
        1,
    ),
    ("\"parameters\": dictionary", "", "{\"names\": 1} is JSON", "{\"names\": 1} is JSON", "", 0),
    ("\"parameters\": dictionary", "", "{\"name\": \"weather\"", "{\"name\": \"weather\"", "", 0),
    ("<tool_call>", "", "<tool_call>hello</tool_call>", "<tool_call>hello</tool_call>", "", 0),
    ("\"parameters\": dictionary", "", "{\"name\": \"Bo\", \"age\": 3}", "{\"name\": \"Bo\", \"age\": 3}", "", 0),
    (
        "<|python_tag|>",
        "",
        "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}",
        "",
        "",
        1,
    ),
    (
        "[TOOL_CALLS]",
        "",
        "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}]",
        "",
        "",
        1,
    ),
    (
        "[TOOL_CALLS]",
        "",
        "I look.[TOOL_CALLS]weather[ARGS]{\"city\": \"Oslo\", \"days\": 2}[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{\"city\": \"Oslo\", \"days\": 2}",
        "I look.",
        "",
        2,
    ),
    (
        "<|channel|>analysis",
        "<|start|>assistant",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        "Hello",
        "Hm.",
        0,
    ),
    (
        "<|channel|>analysis",
        "<|start|>assistant",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\": \"Oslo\", \"days\": 2}<|call|>",
        "",
        "Hm.",
        1,
    ),
    (
        "<|channel|>analysis",
        "<|start|>assistant",
        "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.weather<|channel|>commentary json<|message|>{\"city\": \"Oslo\", \"days\": 2}",
        "I look.",
        "",
        1,
    ),
    ("<|channel|>analysis", "<|start|>assistant", "assist me", "assist me", "", 0),
    (
        "<｜tool▁calls▁begin｜> think>",
        "<think>",
        "t</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"Oslo\", \"days\": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "",
        "t",
        1,
    ),
    (
        "<｜tool▁calls▁begin｜>",
        "",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\": \"Oslo\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "",
        "",
        1,
    ),
    (
        "DSML｜",
        "",
        "ok\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">2</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        "ok",
        "",
        1,
    ),
    (
        "<minimax:tool_call>",
        "",
        "<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Oslo</parameter>\n<parameter name=\"days\">2</parameter>\n</invoke>\n</minimax:tool_call>",
        "",
        "",
        1,
    ),
    (
        "<|tool_calls_section_begin|>",
        "",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\": \"Oslo\", \"days\": 2}<|tool_call_end|><|tool_calls_section_end|>",
        "",
        "",
        1,
    ),
    ("<|tool_call>call:", "", "<|tool_call>call:weather{city:<|\"|>Oslo<|\"|>,days:2}<tool_call|>", "", "", 1),
    ("<|tool_call_start|>", "", "<|tool_call_start|>[weather(city='Oslo', days=2)]<|tool_call_end|>", "", "", 1),
    (
        "<|START_ACTION|>",
        "",
        "<|START_ACTION|>[\n{\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 2}}\n]<|END_ACTION|>",
        "",
        "",
        1,
    ),
    (
        "<|tools_prefix|>",
        "",
        "<|tools_prefix|>[{\"weather\": {\"city\": \"Oslo\", \"days\": 2}}]<|tools_suffix|>",
        "",
        "",
        1,
    ),
    ("<function=", "", "<function=weather>{\"city\": \"Oslo\", \"days\": 2}</function>", "", "", 1),
    (
        "<TOOLCALL>",
        "",
        "<TOOLCALL>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}]</TOOLCALL>",
        "",
        "",
        1,
    ),
];

#[test]
fn samples_of_all_dialects_part_the_same_wherever_they_are_cut() {
    for (template, prompt, text, answer, reasoning, calls) in SAMPLES {
        let call = ("weather".to_owned(), json!({"city": "Oslo", "days": 2}));
        let expected = ((*answer).to_owned(), (*reasoning).to_owned(), vec![call; *calls]);
        let check = |parts: &[&str]| assert_eq!(parsed(template, &tools(), prompt, parts), expected, "{parts:?}");
        check(&[text]);
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        cuts.iter().for_each(|at| check(&[&text[..*at], &text[*at..]]));
        check(&text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect::<Vec<_>>());
    }
}

#[test]
fn random_markers_part_the_same_wherever_they_are_cut() {
    // Numerical Recipes' generator.
    let mut seed = 1u32;
    let mut draw = move |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize % n
    };
    let common = [
        "a",
        " ",
        "\n",
        "<",
        "{",
        "}",
        "{\"name\":",
        "[",
        "é",
        "weather",
        "<|end|>",
        "assistant",
        "to=functions.weather ",
    ];
    for (template, prompt, text, ..) in SAMPLES {
        let mut parts: Vec<&str> = text.split_inclusive(['>', ']', '\n']).collect();
        parts.extend(common);
        for _ in 0..40 {
            let text: String = (0..draw(12)).map(|_| parts[draw(parts.len())]).collect();
            let whole = parsed(template, &tools(), prompt, &[&text]);
            let cuts: Vec<&str> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
            assert_eq!(parsed(template, &tools(), prompt, &cuts), whole, "{template} {text:?}");
        }
    }
}

#[test]
fn without_tools_a_call_is_text() {
    let text = "<tool_call>{\"name\": \"weather\", \"arguments\": {}}</tool_call>";
    assert_eq!(parsed("<tool_call>", &[], "", &[text]).0, text);
    let harmony = "<|channel|>commentary to=functions.weather<|message|>{}";
    assert_eq!(parsed("<|channel|>analysis", &[], "", &[harmony]).0, "{}");
}

#[test]
fn only_what_may_be_a_marker_is_held_back() {
    let mut parser = Parser::new(Dialect::of("think> <tool_call>", true, |_| false), &tools(), "", 0);
    assert_eq!(parser.push("a <"), [Piece::Answer("a".to_owned())]);
    assert_eq!(parser.push("b "), [Piece::Answer(" <b".to_owned())]);
    assert_eq!(parser.push("<tool_call>{"), []);
    assert_eq!(parser.push("}"), []);
    assert_eq!(parser.finish(), [Piece::Answer(" <tool_call>{}".to_owned())]);
}

#[test]
fn an_end_inside_a_thought_ends_the_thought_alone() {
    let mut parser = Parser::new(Dialect::of("<|channel|>analysis", false, |_| false), &[], "", 0);
    parser.push("<|channel|>analysis<|message|>a");
    assert!(parser.goes_on_after("<|end|>") && !parser.goes_on_after("<|return|>"));
    parser.push("<|end|><|start|>assistant<|channel|>final<|message|>b");
    assert!(!parser.goes_on_after("<|end|>"));
}
