//! `oai man`: the manual.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::exit::{CODES, Usage};

/// Print a man page
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  oai man | man -l -\n  oai man ask | man -l -\n  oai man --out ~/.local/share/man/man1"
)]
pub struct Args {
    /// A command; without one, the page of oai itself
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write all pages into a folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut root = super::definition();
    // Global parts such as --version reach the subcommands only once it is built.
    root.build();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for command in with_subcommands(&root) {
            let path = folder.join(format!("{}.1", title(command)));
            std::fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
        }
        return Ok(());
    }
    let command = match &args.command {
        None => &root,
        Some(name) => root
            .find_subcommand(name)
            .ok_or_else(|| Usage(format!("{name} is not a command of oai; oai --help lists them")))?,
    };
    std::io::stdout().lock().write_all(&page(command)?)?;
    Ok(())
}

/// A command and all below it.
fn with_subcommands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    std::iter::once(command).chain(below.flat_map(with_subcommands)).collect()
}

/// `oai`, `oai-ask`, `oai-history-search`.
fn title(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or("oai").replace(' ', "-")
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let title = title(command);
    let is_root = title == "oai";
    let renamed = command
        .clone()
        .name(title.clone())
        .display_name(title)
        .bin_name(command.get_bin_name().unwrap_or("oai").to_owned());
    let mut out = Vec::new();
    // The date would differ from build to build.
    clap_mangen::Man::new(renamed).date("").manual("oai").render(&mut out)?;
    if is_root {
        out.extend_from_slice(sections().as_bytes());
    } else {
        out.extend_from_slice(b".SH \"SEE ALSO\"\noai(1), which lists exit codes, files and environment variables\n");
    }
    Ok(out)
}

const FILES: &[(&str, &str)] = &[
    ("$XDG_CONFIG_HOME/oai/config.toml", "settings; usually ~/.config/oai/config.toml"),
    ("$XDG_CONFIG_HOME/oai/themes/NAME.toml", "themes of your own"),
    ("$XDG_DATA_HOME/oai/sessions.sqlite", "conversations; `oai history` lists them"),
    ("$XDG_DATA_HOME/oai/chat_history", "what was typed in chats that go line by line"),
    ("$HF_HOME/hub", "models, in the cache of Hugging Face's tools; usually ~/.cache/huggingface/hub"),
    ("$HF_HOME/token", "the access token that Hugging Face's tools store"),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "OAI_MODEL, OAI_THEME, OAI_COLOR, OAI_MOUSE, OAI_MONITOR, OAI_VI, OAI_TEMPERATURE, OAI_TOP_K, OAI_TOP_P, OAI_MIN_P, OAI_REPEAT_PENALTY, OAI_PRESENCE_PENALTY, OAI_FREQUENCY_PENALTY, OAI_SEED, OAI_MAX_TOKENS, OAI_CONTEXT, OAI_THREADS, OAI_KV_TYPE",
        "override the configuration file",
    ),
    ("OAI_CONFIG", "another configuration file"),
    ("HF_HOME, HF_HUB_CACHE", "where models are kept"),
    ("HF_TOKEN, HF_TOKEN_PATH", "the access token for gated and private repositories, or the file that holds it"),
    ("HF_ENDPOINT", "another hub"),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies for pulling"),
    ("NO_COLOR", "no colour"),
    ("VISUAL, EDITOR", "the editor that Ctrl-X opens in a chat; vi without them"),
];

fn sections() -> String {
    let list = |heading: &str, rows: &[(String, &str)]| {
        let items: String =
            rows.iter().map(|(term, text)| format!(".TP\n{}\n{}\n", escape(term), escape(text))).collect();
        format!(".SH \"{heading}\"\n{items}")
    };
    let named = |rows: &[(&str, &'static str)]| rows.iter().map(|(t, d)| ((*t).to_owned(), *d)).collect::<Vec<_>>();
    let codes: Vec<(String, &str)> = CODES.iter().map(|(code, text)| (code.to_string(), *text)).collect();
    list("EXIT STATUS", &codes) + &list("FILES", &named(FILES)) + &list("ENVIRONMENT", &named(ENVIRONMENT))
}

/// Backslashes, hyphens and a leading dot mean something to roff.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
