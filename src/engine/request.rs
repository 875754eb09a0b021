//! What goes into the engine and what comes out: the types that everything above meets in.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::model::TemplateOptions;

/// Who says a message. The names are those of chat templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    /// What a called function returned.
    Tool,
}

/// One turn of a conversation, as OpenAI's API and the chat templates have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    #[serde(default)]
    pub content: String,
    /// What the model thought before it answered; whether it sees that again is the template's to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's message: the function, and the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    pub fn new(role: Role, content: impl Into<String>) -> Message {
        let (reasoning_content, name, tool_call_id) = (None, None, None);
        Message { role, content: content.into(), reasoning_content, tool_calls: Vec::new(), name, tool_call_id }
    }
}

/// A function that the model wants called. As JSON it is OpenAI's `{"id", "type": "function", "function": {"name",
/// "arguments"}}`, with the arguments as an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Json", try_from = "Json")]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: Json,
}

impl From<ToolCall> for Json {
    fn from(call: ToolCall) -> Json {
        json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
    }
}

impl TryFrom<Json> for ToolCall {
    type Error = &'static str;

    fn try_from(call: Json) -> Result<ToolCall, &'static str> {
        let name = call["function"]["name"].as_str().ok_or("a tool call needs function.name")?.to_owned();
        let arguments = match &call["function"]["arguments"] {
            Json::String(text) => serde_json::from_str(text).map_err(|_| "a tool call's arguments are not JSON")?,
            arguments => arguments.clone(),
        };
        Ok(ToolCall { id: call["id"].as_str().unwrap_or_default().to_owned(), name, arguments })
    }
}

/// What the model is asked to continue.
#[derive(Debug, Clone)]
pub enum Prompt {
    /// A conversation, rendered by the model's own chat template.
    Messages(Vec<Message>),
    /// Text as it is, without a template.
    Raw(String),
}

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    /// Keep the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probability reaches p; 1 keeps all.
    pub top_p: f32,
    /// Drop tokens less likely than `min_p` times the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divide (or multiply, if negative) the logits of recent tokens; 1 is off.
    pub repeat_penalty: f32,
    /// Subtracted once from the logit of each token that was generated.
    pub presence_penalty: f32,
    /// Subtracted for each time that a token was generated.
    pub frequency_penalty: f32,
    /// The same seed gives the same text; without one, a fresh seed is drawn.
    pub seed: Option<u64>,
}

/// One generation.
#[derive(Debug, Clone)]
pub struct Request {
    pub prompt: Prompt,
    /// What the chat template is told besides the messages.
    pub template: TemplateOptions,
    pub sampling: Sampling,
    /// Generation ends before any of these strings.
    pub stop: Vec<String>,
    /// At most this many generated tokens; without it, until the model ends or the context is full.
    pub max_tokens: Option<usize>,
    /// How many best log-probabilities to report for each generated token.
    pub logprobs: Option<usize>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// The token limit or the end of the context was reached.
    Length,
    /// The model ended its turn with calls of tools.
    #[serde(rename = "tool_calls")]
    ToolCalls,
    /// The caller cancelled.
    Cancelled,
}

/// A token and its natural log-probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprob {
    pub id: u32,
    pub logprob: f32,
}

/// Token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    /// Prompt tokens that were still in the KV cache and were not computed again.
    pub cached_tokens: usize,
}

/// Wall-clock times of one generation, in milliseconds and tokens per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub load_ms: f64,
    pub prefill_ms: f64,
    pub decode_ms: f64,
    /// From the request to the first token, loading not included.
    pub time_to_first_token_ms: f64,
    pub prefill_tokens_per_s: f64,
    pub decode_tokens_per_s: f64,
    /// Where tokens were guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speculation: Option<Speculation>,
}

/// Tokens that were guessed ahead, and how many of them were right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speculation {
    pub drafted: usize,
    pub accepted: usize,
}

/// What a generation emits, in order: one `Started`, any number of the others, one `Done`.
#[derive(Debug, Clone)]
pub enum Event {
    /// The prompt is tokenized; prefill begins.
    Started { prompt_ids: Vec<u32> },
    /// One generated token. `text` is what it adds to the answer; it may be empty (half a character, held back for a
    /// stop string or a marker, or no part of the answer).
    Token { id: u32, text: String, logprobs: Vec<TokenLogprob> },
    /// What the model thinks before it answers, without the markers around it.
    Reasoning { text: String },
    /// A whole call of a function that was given with the request.
    ToolCall(ToolCall),
    /// The end. `text` is what was still held back of the answer.
    Done { text: String, finish: Finish, usage: Usage, timings: Timings },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_and_writes_as_openais() {
        let json = json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]});
        let message: Message = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(message.tool_calls[0].arguments, json!({"a": 1}));
        assert_eq!(serde_json::to_value(&message).unwrap(), json);
        let as_text = json!({"id": "1", "function": {"name": "f", "arguments": "{\"a\": 1}"}});
        assert_eq!(serde_json::from_value::<ToolCall>(as_text).unwrap(), message.tool_calls[0]);
        assert!(serde_json::from_value::<ToolCall>(json!({"function": {"arguments": {}}})).is_err());
        assert_eq!(
            serde_json::to_value(Message::new(Role::Tool, "3")).unwrap(),
            json!({"role": "tool", "content": "3"})
        );
    }
}
