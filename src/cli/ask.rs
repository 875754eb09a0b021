//! `oai ask`: one question, one answer.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::exit::{Input, Interrupted, Usage};
use super::preset::{self, Chosen};
use super::{generation, interrupt, model, output, sampling, speculation, text, thinking};
use crate::config::Settings;
use crate::engine::{Finish, Message, Prompt, Role, TemplateOptions};
use crate::session::fenced;

/// Ask a question and print the answer
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The answer, and only the answer, goes to standard output as it comes.\n\nExamples:\n  oai ask \"How do I resume a pull?\"\n  oai ask -m qwen3:0.6b \"Why is the sky blue?\"\n  git diff | oai ask \"write a commit message\"\n  git diff | oai ask @commit\n  oai ask -f src/main.rs \"what is wrong here?\"\n  oai ask < prompt.txt\n  oai ask --think off \"What is 17 * 23?\"\n  oai ask --tools tools.json --json \"Weather in Oslo?\" | jq .tool_calls\n  oai ask --json -t 0 \"Name a prime\" | jq .usage"
)]
pub struct Args {
    /// The question; standard input, when piped, is added after it. @NAME before it is a preset of the configuration
    #[arg(value_name = "PROMPT")]
    prompt: Vec<String>,
    /// The model: an alias, org/repo[:TAG], a path, or guide
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Add a text file to the prompt (repeatable)
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// The system message
    #[arg(short, long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Send the prompt as it is, without the chat template
    #[arg(long)]
    raw: bool,
    /// Print speeds and times on standard error
    #[arg(long)]
    stats: bool,
    /// With --json: token ids, and the N best log-probabilities of each generated token
    #[arg(long, value_name = "N", requires = "json", value_parser = clap::value_parser!(u16).range(0..=1000))]
    logprobs: Option<u16>,
    /// Functions that the model may call: a JSON list as in OpenAI's API; calls are printed as JSON, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "raw")]
    tools: Option<PathBuf>,
    /// Texts to answer from, for models that cite: a JSON list of objects with title and text
    #[arg(long, value_name = "FILE", conflicts_with = "raw")]
    documents: Option<PathBuf>,
    #[command(flatten)]
    pub sampling: sampling::SamplingArgs,
    #[command(flatten)]
    pub thinking: thinking::ThinkingArgs,
    #[command(flatten)]
    pub speculation: speculation::SpeculationArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::install()?;
    let mut settings = settings.clone();
    let named = args.prompt.first().and_then(|word| preset::named(word));
    let chosen = named.map(|name| preset::choose(name, &mut settings)).transpose()?.unwrap_or_default();
    let settings = &settings;
    if let (true, Some(_), Some(name)) = (args.raw, &chosen.system, named) {
        return Err(Usage(format!("--raw sends no system message, and the preset {name} has one")).into());
    }
    let words = args.prompt.get(usize::from(named.is_some())..).unwrap_or_default();
    let text = prompt(args, words, &chosen)?;
    let objects = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Vec::new()), objects);
    let (tools, documents) = (objects(&args.tools)?, objects(&args.documents)?);
    let tools = tools.into_iter().map(function).collect();
    let loaded = model::load_chosen(args.model.as_deref(), settings)?;
    let prompt = if args.raw {
        Prompt::Raw(text)
    } else {
        let system =
            args.system.as_ref().or(chosen.system.as_ref()).into_iter().map(|text| Message::new(Role::System, text));
        Prompt::Messages(system.chain([Message::new(Role::User, text)]).collect())
    };
    let mut request = generation::request(prompt, settings, loaded.is_guide(), &args.sampling.stop);
    request.template = TemplateOptions { tools, documents, ..request.template };
    request.logprobs = args.logprobs.map(usize::from);
    let answer = generation::run(&loaded.engine, request, (!args.json).then_some(settings))?;
    if args.json {
        let mut object = json!({
            "model": loaded.name,
            "text": answer.text,
            "reasoning": Some(&answer.reasoning).filter(|text| !text.is_empty()),
            "tool_calls": answer.tool_calls,
            "finish": answer.finish,
            "usage": answer.usage,
            "timings": answer.timings,
        });
        if args.logprobs.is_some() {
            object["prompt_ids"] = json!(answer.prompt_ids);
            object["token_ids"] = answer.tokens.iter().map(|t| t.id).collect();
            object["logprobs"] = json!(answer.tokens);
        }
        output::line(&output::json(&object)?)?;
    }
    if args.stats {
        output::note(&generation::stats(&answer));
    }
    let only_thought = answer.text.is_empty() && !answer.reasoning.is_empty();
    if answer.finish == Finish::Length && only_thought && !args.json && !thinking::shown(settings) {
        output::note(
            "oai: the answer ended while the model was thinking (-n N sets the limit, --think show prints its thoughts)",
        );
    }
    if answer.finish == Finish::Cancelled { Err(Interrupted.into()) } else { Ok(()) }
}

/// The preset's prompt and the words of the command line, then the preset's files and those of the command line, then
/// standard input.
fn prompt(args: &Args, words: &[String], chosen: &Chosen) -> Result<String> {
    let words = words.join(" ");
    let texts = chosen.prompt.iter().chain([&words]).filter(|text| !text.is_empty());
    let mut parts: Vec<String> = texts.cloned().collect();
    for path in chosen.files.iter().chain(&args.file) {
        let text = text::of_file(path)?;
        parts.push(if args.raw { text } else { fenced(&path.display().to_string(), &text) });
    }
    if !output::stdin_is_terminal() {
        let text = text::of_stdin()?;
        let text = text::without_last_break(&text);
        if !text.is_empty() {
            parts.push(text.to_owned());
        }
    }
    // A preset's files always come along: they are no question.
    if parts.len() == chosen.files.len() {
        return Err(Usage(
            "nothing to ask: give a prompt (oai ask \"why?\"), a file (-f FILE) or pipe text in".to_owned(),
        )
        .into());
    }
    Ok(parts.join("\n\n"))
}

/// The objects of a JSON list in a file.
fn objects(path: &Path) -> Result<Vec<Json>, Input> {
    let name = path.display();
    let list: Json =
        serde_json::from_str(&text::of_file(path)?).map_err(|e| Input(format!("{name} is not JSON: {e}")))?;
    match list {
        Json::Array(items) if !items.is_empty() && items.iter().all(Json::is_object) => Ok(items),
        _ => Err(Input(format!("{name} must hold a JSON list of objects, at least one"))),
    }
}

/// A function as OpenAI's API lists it, also if only the function itself was given.
fn function(tool: Json) -> Json {
    if tool["function"].is_object() || !tool["name"].is_string() {
        return tool;
    }
    json!({"type": "function", "function": tool})
}
