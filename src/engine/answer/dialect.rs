//! How a family of models marks its thoughts and its calls of tools, told from the chat template's source.

/// A pair of markers, and what of a template's source betrays that its family uses them.
struct Row {
    betrays: &'static str,
    open: &'static str,
    close: &'static str,
}

const fn row(betrays: &'static str, open: &'static str, close: &'static str) -> Row {
    Row { betrays, open, close }
}

/// Thoughts. The first row that fits is taken; most families have the last.
const REASONING: &[Row] = &[
    row("<|START_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|>"), // Command A, R7B
    row("[THINK]", "[THINK]", "[/THINK]"),                               // Magistral, Ministral 3
    row("<seed:think>", "<seed:think>", "</seed:think>"),                // Seed-OSS
    row("<mm:think>", "<mm:think>", "</mm:think>"),                      // MiniMax M3
    row("<|channel>thought", "<|channel>thought", "<channel|>"),         // Gemma 4
    row("<|inner_prefix|>", "<|inner_prefix|>", "<|inner_suffix|>"),     // Apertus
    row("assistant<|think|>", "<|think|>", "<|end|>"),                   // Solar Open
    row("[BEGIN FINAL RESPONSE]", "Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"), // Apriel
    row("Here is my thought process:", "Here is my thought process:", "Here is my response:"), // Granite 3.2
    row("<thought>", "<thought>", "</thought>"),                         // EXAONE Deep
    row("think>", "<think>", "</think>"),
];

/// Calls of tools; without a closing marker they go on to the end of the answer. All rows that fit are watched for.
const CALLS: &[Row] = &[
    row("<tool_call>", "<tool_call>", "</tool_call>"), // Hermes, Qwen (also Coder's), GLM, Granite 4, Nemotron 3
    row("[TOOL_CALLS]", "[TOOL_CALLS]", ""),           // Mistral
    row("<|python_tag|>", "<|python_tag|>", ""),       // Llama 3
    row("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"), // DeepSeek V3, R1
    row("DSML｜", "<｜DSML｜function_calls>", "</｜DSML｜function_calls>"), // DeepSeek V3.2
    row("<|tool_calls_section_begin|>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"), // Kimi K2
    row("<|tool_call|>", "<|tool_call|>", ""),         // Granite 3
    row("<|START_ACTION|>", "<|START_ACTION|>", "<|END_ACTION|>"), // Command A, R7B
    row("<|tool_call_start|>", "<|tool_call_start|>", "<|tool_call_end|>"), // LFM2
    row("<minimax:tool_call>", "<minimax:tool_call>", "</minimax:tool_call>"), // MiniMax M2
    row("<seed:tool_call>", "<seed:tool_call>", "</seed:tool_call>"), // Seed-OSS
    row("<|tool_call>call:", "<|tool_call>", "<tool_call|>"), // Gemma 4
    row("<tool_calls>", "<tool_calls>", "</tool_calls>"), // MiniMax M1, Apriel
    row("<TOOLCALL>", "<TOOLCALL>", "</TOOLCALL>"),    // Nemotron Nano 2
    row("<|tools_prefix|>", "<|tools_prefix|>", "<|tools_suffix|>"), // Apertus
    row("<function=", "<function=", "</function>"),    // Functionary 3.1, Llama's custom tools
    row("functools[", "functools", ""),                // Firefunction
];

/// Marks around the answer itself, which are no part of it.
const FRAMES: &[&str] = &[
    "<response>",
    "</response>",
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|START_TEXT|>",
    "<|END_TEXT|>",
    "<|begin|>assistant<|content|>",
    "[END FINAL RESPONSE]",
];

/// What to watch for in an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dialect {
    /// gpt-oss: every message names its channel
    /// (<https://cookbook.openai.com/articles/openai-harmony>); the rest is empty then.
    pub harmony: bool,
    pub reasoning: Option<(&'static str, &'static str)>,
    pub calls: Vec<(&'static str, &'static str)>,
    pub frames: Vec<&'static str>,
    /// Llama 3: an answer that is nothing but `{"name": ..., "parameters": ...}` is a call.
    pub bare_calls: bool,
}

impl Dialect {
    /// The dialect of a model with this template. Calls are looked for only where tools were given; `knows` says whether
    /// a token of this spelling is in the vocabulary, for templates that do not mention what their model writes.
    pub fn of(source: &str, tools: bool, knows: impl Fn(&str) -> bool) -> Dialect {
        if source.contains("<|channel|>") && source.contains("analysis") {
            return Dialect { harmony: true, ..Dialect::default() };
        }
        let reasoning = REASONING.iter().find(|row| source.contains(row.betrays));
        let silent = || (knows("<think>") && knows("</think>")).then_some(("<think>", "</think>"));
        let mut calls: Vec<_> =
            CALLS.iter().filter(|row| tools && (source.contains(row.betrays) || knows(row.open))).collect();
        // Coder's `<function=` stands inside a marker of its own, and examples of it in prompts.
        if calls.len() > 1 {
            calls.retain(|row| row.open != "<function=");
        }
        // Llama 3.1 and 3.2 describe the form in words.
        let bare_calls = tools && source.contains("\"parameters\": dictionary");
        let calls = calls.into_iter().map(|row| (row.open, row.close)).collect();
        Dialect {
            harmony: false,
            reasoning: reasoning.map(|row| (row.open, row.close)).or_else(silent),
            calls,
            frames: FRAMES.iter().copied().filter(|frame| source.contains(frame)).collect(),
            bare_calls,
        }
    }

    /// Whether an answer to `prompt` begins inside a thought, which the template opened.
    pub fn begins_inside(&self, prompt: &str) -> bool {
        self.reasoning.is_some_and(|(open, _)| prompt.trim_end().ends_with(open))
    }

    /// Whether a control token of this spelling may be part of a marker, and must be seen.
    pub fn watches(&self, piece: &str) -> bool {
        const HARMONY: [&str; 7] =
            ["<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"];
        // Inside a call there are more: DeepSeek's and Kimi's separators, Mistral's.
        const SEPARATORS: [&str; 10] = [
            "<｜tool▁call▁begin｜>",
            "<｜tool▁sep｜>",
            "<｜tool▁call▁end｜>",
            "<|tool_call_begin|>",
            "<|tool_call_argument_begin|>",
            "<|tool_call_end|>",
            "[ARGS]",
            "[CALL_ID]",
            "｜DSML｜",
            "<|\"|>",
        ];
        if self.harmony {
            return HARMONY.contains(&piece);
        }
        let pair = |(open, close): &(&str, &str)| open.contains(piece) || close.contains(piece);
        self.reasoning.iter().any(pair)
            || self.calls.iter().any(pair)
            || self.frames.iter().any(|frame| frame.contains(piece))
            || !self.calls.is_empty() && SEPARATORS.contains(&piece)
    }
}
