//! Chat templates: the model's own Jinja, in the environment that Hugging Face renders it in
//! (<https://huggingface.co/docs/transformers/chat_templating>).
//!
//! minijinja, with filters, tests and methods of our own where Jinja2 has them otherwise, renders as Jinja2 does; the
//! differences that are left: unlike types are compared (`1 < "a"`), where Python refuses; ranges are lists;
//! `varargs` and unary plus are unknown; of `safe` texts, only `+` after one escapes.

mod clock;
mod dict;
mod filters;
mod iterators;
mod json;
mod python;
mod source;
mod untrusted;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use minijinja::{Environment, State, Value};
use serde_json::{Value as Json, json};

use self::untrusted::StandIns;
use super::{Checkpoint, Error, Tokenizer};
use crate::weights::Metadata;

/// What a template may cost: one for an instruction, and one for 64 bytes that it makes. Real ones take thousands, and
/// some go with the square of the messages; a runaway loop ends here, after a second or two and within 512 MB.
const FUEL: u64 = 8_000_000;
/// More of it for each byte of a long conversation, up to as much again four times.
const FUEL_PER_BYTE: u64 = 16;
/// Bytes of source: the longest that people publish have 20,000.
const SOURCE_LIMIT: usize = 256 << 10;
/// Room for all that so long a source and so much fuel can nest; only what is used of it costs.
const STACK_BYTES: usize = 512 << 20;
/// The thread that renders: a panic on it is told as the template's error.
pub const THREAD: &str = "template";
/// What fuel does not tell: operators that read a long text for one instruction.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Bytes that a template may write.
const OUTPUT_LIMIT: usize = 16 << 20;
/// Nested blocks and calls; a macro counts for several. It must fit the engine's thread.
const RECURSION: usize = 250;

/// A chat template, and those that go by a name beside it.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    named: Vec<(String, String)>,
    /// What errors mention.
    file: String,
}

/// What a template is told besides the messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TemplateOptions {
    /// Functions that the model may call, as OpenAI's API lists them: `{"type": "function", "function": {...}}`.
    pub tools: Vec<Json>,
    /// Texts to answer from: objects with `title` and `text`.
    pub documents: Vec<Json>,
    /// Whether the model may think before it answers; without it, as the template has it.
    pub thinking: Option<bool>,
    /// `low`, `medium` or `high`.
    pub reasoning_effort: Option<String>,
    /// The last message is the model's own and goes on: the prompt ends with its text, as with transformers'
    /// `continue_final_message`.
    pub continue_last: bool,
}

/// Marks where the text ends that is to go on: a private character, since what a template puts after it may look like it.
const END_OF_LAST: char = '\u{10fffd}';

/// A rendered conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    pub text: String,
    /// Byte ranges of `text` that came from outside: a control token that is spelled there is text.
    pub untrusted: Vec<Range<usize>>,
}

impl ChatTemplate {
    /// The template of a model, if it has one.
    pub fn open(checkpoint: &Checkpoint) -> Result<Option<ChatTemplate>, Error> {
        Ok(match checkpoint {
            Checkpoint::Gguf(gguf) => ChatTemplate::from_gguf(&gguf.metadata, &gguf.file),
            Checkpoint::Folder { tensors, .. } => ChatTemplate::from_folder(&tensors.folder),
        })
    }

    /// `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` for each of `tokenizer.chat_templates`.
    pub fn from_gguf(metadata: &Metadata, file: &str) -> Option<ChatTemplate> {
        let mut found = Vec::new();
        if let Some(source) = metadata.str("tokenizer.chat_template") {
            found.push(("default".to_owned(), source.to_owned()));
        }
        for name in metadata.array("tokenizer.chat_templates").unwrap_or_default().iter().filter_map(|n| n.as_str()) {
            if let Some(source) = metadata.str(&format!("tokenizer.chat_template.{name}")) {
                found.push((name.to_owned(), source.to_owned()));
            }
        }
        ChatTemplate::of(found, file)
    }

    /// `chat_template.jinja` and `additional_chat_templates/NAME.jinja`, or `chat_template` of `chat_template.json` or
    /// of `tokenizer_config.json`: a text, or a list of named ones.
    pub fn from_folder(folder: &Path) -> Option<ChatTemplate> {
        let file = folder.join("chat_template.jinja");
        if let Ok(source) = std::fs::read_to_string(&file) {
            let mut found = vec![("default".to_owned(), source)];
            for entry in std::fs::read_dir(folder.join("additional_chat_templates")).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
                if let (Some(name), true, Ok(source)) =
                    (name, path.extension().is_some_and(|e| e == "jinja"), std::fs::read_to_string(&path))
                {
                    found.push((name, source));
                }
            }
            return ChatTemplate::of(found, &file.display().to_string());
        }
        ["chat_template.json", "tokenizer_config.json"].iter().find_map(|name| {
            let file = folder.join(name);
            let json: Json = serde_json::from_str(&std::fs::read_to_string(&file).ok()?).ok()?;
            let named = |t: &Json| Some((t["name"].as_str()?.to_owned(), t["template"].as_str()?.to_owned()));
            let found = match &json["chat_template"] {
                Json::String(source) => vec![("default".to_owned(), source.clone())],
                Json::Array(templates) => templates.iter().filter_map(named).collect(),
                _ => return None,
            };
            ChatTemplate::of(found, &file.display().to_string())
        })
    }

    /// The one called `default`, or the first, and the others by their names.
    fn of(mut found: Vec<(String, String)>, file: &str) -> Option<ChatTemplate> {
        let default = found.iter().position(|(name, _)| name == "default").unwrap_or(0);
        if found.is_empty() {
            return None;
        }
        let (_, source) = found.remove(default);
        Some(ChatTemplate { source, named: found, file: file.to_owned() })
    }

    pub fn new(source: &str, file: &str) -> ChatTemplate {
        ChatTemplate { source: source.to_owned(), named: Vec::new(), file: file.to_owned() }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Templates beside it, by name.
    pub fn named(&self) -> &[(String, String)] {
        &self.named
    }

    /// The source for a request: `tool_use` where there are tools and `rag` where there are documents, if it has them.
    pub fn source_for(&self, options: &TemplateOptions) -> &str {
        let wanted = match (options.tools.is_empty(), options.documents.is_empty()) {
            (false, _) => "tool_use",
            (true, false) => "rag",
            (true, true) => return &self.source,
        };
        self.named.iter().find(|(name, _)| name == wanted).map_or(&self.source, |(_, source)| source)
    }

    /// Renders `messages` (anything that serializes to a list of `role`, `content` and what else OpenAI's API has) and
    /// opens the assistant's turn.
    pub fn render(
        &self,
        messages: &impl serde::Serialize,
        options: &TemplateOptions,
        tokenizer: &Tokenizer,
    ) -> Result<Rendered, Error> {
        let source = self.source_for(options);
        let piece = |id: Option<u32>| id.and_then(|id| tokenizer.piece(id)).unwrap_or_default();
        let mut messages = serde_json::to_value(messages).unwrap_or_default();
        let last = messages.as_array_mut().and_then(|messages| messages.last_mut()).filter(|_| options.continue_last);
        if let Some(Json::String(text)) = last.and_then(|message| message.get_mut("content")) {
            text.push(END_OF_LAST);
        }
        let mut context = context(messages, options);
        let controls = (0..tokenizer.vocab_size() as u32).filter(|id| tokenizer.is_control(*id));
        let controls = controls.filter_map(|id| tokenizer.piece(id)).filter(|p| !p.is_empty()).map(str::to_owned);
        let stand_ins = StandIns::new(controls.collect(), &context, source);
        for key in ["messages", "tools", "documents"] {
            stand_ins.put(&mut context[key]);
        }
        context["bos_token"] = piece(tokenizer.bos()).into();
        context["eos_token"] = piece(tokenizer.eos()).into();
        let now = now();
        // Most templates take a call's arguments as an object, some only as the text that the API has; and some that
        // were written for tools fail where these are `None`, as transformers has it, but not where there is no word
        // of them.
        let mut rendered = self.render_source(source, &context, now);
        for otherwise in [arguments_as_text, without_none] {
            if rendered.is_err() && otherwise(&mut context) {
                rendered = self.render_source(source, &context, now).or(rendered);
            }
        }
        let rendered = rendered?;
        let (mut text, mut untrusted) = stand_ins.take(rendered);
        if options.continue_last {
            let hidden = || "it does not show the message that is to go on".to_owned();
            let end = text.rfind(END_OF_LAST);
            let end = end.ok_or_else(|| Error::Template { file: self.file.clone(), reason: hidden() })?;
            text.truncate(end);
            untrusted.retain(|range| range.end <= end);
        }
        Ok(Rendered { text, untrusted })
    }

    /// Renders with `context`'s keys as variables, and today's date.
    pub fn render_context(&self, context: &Json) -> Result<String, Error> {
        self.render_at(context, now())
    }

    /// Renders as if it were `now`, in seconds since 1970 (UTC).
    pub fn render_at(&self, context: &Json, now: u64) -> Result<String, Error> {
        self.render_source(&self.source, context, now)
    }

    /// On a thread of its own, since a stranger's template may nest until a usual stack is full, and may loop where
    /// nobody counts.
    fn render_source(&self, source: &str, context: &Json, now: u64) -> Result<String, Error> {
        let refused = |reason: String| Error::Template { file: self.file.clone(), reason };
        if source.len() > SOURCE_LIMIT {
            return Err(refused(format!("it is longer than {} KiB", SOURCE_LIMIT >> 10)));
        }
        let (send, rendered) = std::sync::mpsc::channel();
        let (source, context) = (source.to_owned(), context.clone());
        let work = move || {
            let done = catch_unwind(AssertUnwindSafe(|| render(&source, &context, now)));
            // Whoever waited too long is gone.
            let _ = send.send(done.unwrap_or_else(|_| Err("the template engine failed on it".to_owned())));
        };
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).stack_size(STACK_BYTES).spawn(work);
        thread.map_err(|e| refused(format!("there is no room to render it: {e}")))?;
        let late = || format!("it takes more than {} s", TIME_LIMIT.as_secs());
        // A render that notices the time itself says so first.
        let rendered = rendered.recv_timeout(TIME_LIMIT + Duration::from_secs(1)).unwrap_or_else(|_| Err(late()));
        rendered.map_err(refused)
    }
}

fn render(source: &str, context: &Json, now: u64) -> Result<String, String> {
    let mut env = environment();
    let more = (context.to_string().len() as u64).saturating_mul(FUEL_PER_BYTE).min(4 * FUEL);
    env.set_fuel(Some(FUEL + more));
    let until = Instant::now() + TIME_LIMIT;
    env.add_filter("_iterated", move |state: &State, list: &Value| {
        state.consume_fuel(list.len().unwrap_or(0) as u64)?;
        iterators::watched(list, until)
    });
    env.add_function("strftime_now", move |format: &str| clock::strftime(format, now));
    let source = source::prepare(source);
    let template = env.template_from_str(&source).map_err(|e| reason(&e))?;
    let mut out = Bounded(Vec::new());
    match template.render_captured_to(dict::value(context), &mut out) {
        Ok(_) => {}
        Err(_) if out.0.len() > OUTPUT_LIMIT => return Err(format!("it writes more than {} MiB", OUTPUT_LIMIT >> 20)),
        Err(error) => return Err(reason(&error)),
    }
    String::from_utf8(out.0).map_err(|_| "it wrote half a character".to_owned())
}

/// What is written until there is too much of it.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.0.len() > OUTPUT_LIMIT { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The variables of a request, as transformers names them; thinking goes by all the names that templates know.
fn context(mut messages: Json, options: &TemplateOptions) -> Json {
    for message in messages.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
        message.retain(|_, value| !value.is_null());
        if let Some(reasoning) = message.get("reasoning_content").cloned() {
            message.insert("reasoning".to_owned(), reasoning.clone());
            message.insert("thinking".to_owned(), reasoning);
        }
    }
    let list = |items: &[Json]| if items.is_empty() { Json::Null } else { items.into() };
    let mut context = json!({
        "messages": messages,
        "tools": list(&options.tools),
        "documents": list(&options.documents),
        "add_generation_prompt": !options.continue_last,
    });
    if let Some(on) = options.thinking {
        context["enable_thinking"] = on.into();
        context["thinking"] = on.into();
        context["thinking_mode"] = if on { "enabled" } else { "disabled" }.into();
        context["thinking_option"] = if on { "on" } else { "off" }.into();
        if !on {
            context["thinking_budget"] = 0.into();
        }
    }
    if let Some(effort) = &options.reasoning_effort {
        for name in ["reasoning_effort", "thinking_effort", "reasoning_strength"] {
            context[name] = effort.as_str().into();
        }
    }
    context
}

/// Takes away the variables that are `None`; whether there were any.
fn without_none(context: &mut Json) -> bool {
    let Some(variables) = context.as_object_mut() else { return false };
    let before = variables.len();
    variables.retain(|_, value| !value.is_null());
    variables.len() < before
}

/// Writes the arguments of tool calls as JSON text; whether there were any.
fn arguments_as_text(context: &mut Json) -> bool {
    let mut any = false;
    for message in context["messages"].as_array_mut().into_iter().flatten() {
        for call in message.get_mut("tool_calls").and_then(Json::as_array_mut).into_iter().flatten() {
            if let Some(arguments) = call.pointer_mut("/function/arguments").filter(|a| a.is_object()) {
                *arguments = arguments.to_string().into();
                any = true;
            }
        }
    }
    any
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    if let Ok(syntax) = syntax {
        env.set_syntax(syntax);
    }
    env.set_recursion_limit(RECURSION);
    env.set_unknown_method_callback(python::method);
    env.set_formatter(|out, _, value| {
        // An undefined value prints as nothing.
        if !value.is_undefined() {
            match value.as_str() {
                Some(text) => out.write_str(text)?,
                None => out.write_str(&python::text(value)?)?,
            }
        }
        Ok(())
    });
    filters::add(&mut env);
    iterators::add(&mut env);
    env
}

/// The innermost message: what `raise_exception` said, or what is wrong with the template.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, context: &Json) -> Result<String, Error> {
        // 2026-01-02T03:04:05
        ChatTemplate::new(source, "test").render_at(context, 1_767_323_045)
    }

    #[test]
    fn templates_that_nest_deep_or_break_the_engine_do_not_end_the_program() {
        assert_eq!(render(&format!("{{{{ {} 0 }}}}", "not ".repeat(20_000)), &json!({})).unwrap(), "False");
        let nested = "{% set n = namespace(x=[]) %}{% for i in range(50000) %}{% set n.x = [n.x] %}{% endfor %}ok";
        assert_eq!(render(nested, &json!({})).unwrap(), "ok");
        let broken = render("{% for x in [1] %}{{ loop.cycle() }}{% endfor %}", &json!({})).unwrap_err();
        assert!(broken.to_string().contains("failed on it"), "{broken}");
        let long = render(&" ".repeat(SOURCE_LIMIT + 1), &json!({})).unwrap_err();
        assert!(long.to_string().contains("256 KiB"), "{long}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = render("{{ strftime_now('%d %b %Y|%A|%-d|%H:%M:%S') }}", &json!({})).unwrap();
        assert_eq!(date, "02 Jan 2026|Friday|2|03:04:05");
    }

    #[test]
    fn tojson_is_pythons() {
        let context = json!({"x": {"b": [1, "é<"], "a": null, "e": []}});
        assert_eq!(render("{{ x | tojson }}", &context).unwrap(), r#"{"b": [1, "é<"], "a": null, "e": []}"#);
        let indented = "{\n  \"b\": [\n    1,\n    \"é<\"\n  ],\n  \"a\": null,\n  \"e\": []\n}";
        assert_eq!(render("{{ x | tojson(indent=2) }}", &context).unwrap(), indented);
    }

    #[test]
    fn exceptions_are_errors() {
        let raised = render("{{ raise_exception('roles must alternate') }}", &json!({})).unwrap_err();
        assert!(raised.to_string().contains("roles must alternate"), "{raised}");
    }

    #[test]
    fn a_template_can_fill_neither_memory_nor_stack_nor_time() {
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
        let nested = format!("{}x{}", "{% if true %}".repeat(3000), "{% endif %}".repeat(3000));
        for source in [
            "{{ 'x' * 10**9 }}",
            "{{ ['x'] * 10**9 | join }}",
            "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% for i in range(10**9) %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
            "{% set x = 'x' * 10**6 %}{% for i in range(99) %}{{ x }}{% endfor %}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{% macro f(x) %}{% call f(x) %}{{ caller() }}{% endcall %}{% endmacro %}{% call f(1) %}{% endcall %}",
            "{{ '{:999999999}'.format(1) }}",
            "{{ '%999999999d' % 1 }}",
            "{{ 'x'.center(10**9) }}{{ 'x'.ljust(10**9) }}",
            "{{ 'a\n' * 10**5 | indent(10**5) }}",
            "{{ 'aaaa'.replace('', 'b' * 10**7).replace('b', 'c' * 10**7) }}",
            "{{ ('x' * 10**7).join(['a'] * 10**3) }}",
            &deep,
            &nested,
        ] {
            let error = render(source, &json!({})).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn generation_tags_leave_no_trace() {
        assert_eq!(render("a {%- generation -%} b{% endgeneration %}\nc", &json!({})).unwrap(), "abc");
    }
}
