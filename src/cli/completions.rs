//! `oai completions`: for the Tab key.

use anyhow::Result;
use clap_complete::Shell;
use std::io::Write;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  source <(oai completions bash)\n  oai completions zsh > ~/.zfunc/_oai\n  oai completions fish > ~/.config/fish/completions/oai.fish"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::definition(), "oai", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}
