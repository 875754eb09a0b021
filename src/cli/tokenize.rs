//! `oai tokenize`: text as the model reads it, and back.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::exit::{Input, Usage};
use super::{model, output, text};
use crate::config::Settings;
use crate::engine;
use crate::model::Tokenizer;

/// Show the tokens of a text
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Standard input is taken byte for byte, its last line break included. Only the tokenizer is loaded: a GGUF file that holds nothing but a vocabulary will do.\n\nExamples:\n  oai tokenize -m qwen3:0.6b \"Hello world\"\n  oai tokenize -m ./vocab.gguf --ids --no-special < text.txt\n  oai tokenize --ids < text.txt | oai tokenize --decode\n  oai tokenize --json \"one two\" | jq .ids"
)]
pub struct Args {
    /// The text; without it and without -f, standard input
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    text: Vec<String>,
    /// The model: an alias, org/repo[:TAG], a path, or guide
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Read the text, or the ids, from a file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the ids on one line, with spaces between
    #[arg(long, conflicts_with = "json")]
    ids: bool,
    /// Print a JSON object: ids, and pieces as the vocabulary spells them
    #[arg(long)]
    json: bool,
    /// Take the text as nothing but text: no BOS or EOS around it, no control tokens in it; with --decode, leave control tokens out
    #[arg(long)]
    no_special: bool,
    /// The other way: read ids (between spaces, commas, or as JSON) and print their text, with nothing added (bytes that are no whole character as U+FFFD)
    #[arg(long, conflicts_with_all = ["ids", "json"])]
    decode: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let text = text(args)?;
    let model = model::find_chosen(args.model.as_deref(), settings)?;
    let tokenizer = Tokenizer::from_source(&model.source).map_err(engine::Error::from)?;
    if args.decode {
        return decode(&tokenizer, &text, args.no_special);
    }
    let special = !args.no_special;
    let ids = tokenizer.encode(&text, special, special).map_err(engine::Error::from)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let pieces: Vec<&str> = ids.iter().map(|id| tokenizer.piece(*id).unwrap_or_default()).collect();
        writeln!(out, "{}", output::json(&json!({ "ids": ids, "pieces": pieces }))?)?;
    } else if args.ids {
        for (i, id) in ids.iter().enumerate() {
            write!(out, "{}{id}", if i == 0 { "" } else { " " })?;
        }
        writeln!(out)?;
    } else {
        let width = tokenizer.vocab_size().saturating_sub(1).to_string().len();
        for id in &ids {
            let piece = output::neutralize(&escaped(&tokenizer.token_bytes(*id)));
            writeln!(out, "{id:>width$} -> '{piece}'")?;
        }
    }
    Ok(out.flush()?)
}

fn decode(tokenizer: &Tokenizer, text: &str, without_control: bool) -> Result<()> {
    let ids = ids(text)?;
    if let Some(id) = ids.iter().find(|id| tokenizer.piece(**id).is_none()) {
        let last = tokenizer.vocab_size().saturating_sub(1);
        return Err(Input(format!("the vocabulary has no token {id} (its last is {last})")).into());
    }
    let text = if without_control { tokenizer.decode(&ids) } else { tokenizer.decode_with_control(&ids) };
    let mut out = std::io::stdout().lock();
    // What a terminal would obey is made visible there, and only there.
    let text = if out.is_terminal() { output::neutralize(&text) } else { text };
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Ids with anything between them that a list may have, or the `ids` of what `--json` prints.
fn ids(text: &str) -> Result<Vec<u32>> {
    let wrong = |what: &str| Input(format!("{what:?} is not a token id; --decode reads numbers"));
    if text.trim_start().starts_with('{') {
        let json: Json = serde_json::from_str(text).map_err(|e| Input(format!("the ids are not JSON ({e})")))?;
        let list = json["ids"].as_array().ok_or_else(|| wrong("the JSON object without ids"))?;
        let id = |id: &Json| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| wrong(&id.to_string()));
        return Ok(list.iter().map(id).collect::<Result<_, _>>()?);
    }
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']')).filter(|word| !word.is_empty());
    Ok(words.map(|word| word.parse().map_err(|_| wrong(word))).collect::<Result<_, _>>()?)
}

/// The words of the command line, or a file, or standard input, to the last byte.
fn text(args: &Args) -> Result<String> {
    if !args.text.is_empty() {
        return Ok(args.text.join(" "));
    }
    if let Some(path) = &args.file {
        return Ok(text::of_file(path)?);
    }
    if output::stdin_is_terminal() {
        let what = "nothing to tokenize: give a text (oai tokenize \"Hello\"), a file (-f FILE) or pipe text in";
        return Err(Usage(what.to_owned()).into());
    }
    Ok(text::of_stdin()?)
}

/// Text on one line: line breaks and other control characters, quotes and backslashes escaped, and bytes that are
/// no whole character as `\xff`.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_any_list() {
        assert_eq!(ids(" 1 2,3\n[4, 5]").unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(ids("{\"ids\": [7, 8]}").unwrap(), [7, 8]);
        assert_eq!(ids("").unwrap(), [0; 0]);
        for wrong in ["1 x", "-1", "4294967296", "{\"a\": 1}", "{\"ids\": [1.5]}", "{"] {
            assert!(ids(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pieces_stay_on_their_line() {
        assert_eq!(escaped("a\n'\\é\t".as_bytes()), r"a\n\'\\é\t");
        assert_eq!(escaped(b"\xe2\x82x\x1b"), r"\xe2\x82x\u{1b}");
    }
}
