//! The command line: one file a subcommand, each with its clap `Args` and its `run`.

mod ask;
mod bench;
mod chat;
mod choice;
mod completions;
mod compute;
mod config;
mod doctor;
mod du;
mod embed;
mod exit;
mod fit;
mod generation;
mod history;
mod import;
mod interrupt;
mod list;
mod lock;
mod login;
mod man;
mod model;
mod output;
mod perplexity;
mod preset;
mod process;
mod provenance;
mod prune;
mod pull;
mod quantize;
mod rm;
mod sampling;
mod search;
mod show;
mod speculation;
mod text;
mod theme;
mod thinking;
mod tokenize;
mod top;
mod tune;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Settings;
use crate::weights;

/// Open-weight language models on your own machine, from the terminal
#[derive(Debug, Parser)]
#[command(
    name = "oai",
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:\n  oai ask \"How do I resume a pull?\"\n  oai pull qwen3:0.6b\n  git diff | oai ask \"write a commit message\"\n  oai chat mistral-7b\n\nEvery command has examples of its own: oai COMMAND --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Open no connection to anywhere
    #[arg(long, global = true, help_heading = "Global options")]
    offline: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pull(pull::Args),
    Search(search::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Show(show::Args),
    Rm(rm::Args),
    Import(import::Args),
    Prune(prune::Args),
    Du(du::Args),
    Verify(verify::Args),
    Lock(lock::Args),
    Login(login::Login),
    Logout(login::Logout),
    Ask(ask::Args),
    Chat(chat::Args),
    History(history::Args),
    Tokenize(tokenize::Args),
    Embed(embed::Args),
    Quantize(quantize::Args),
    Perplexity(perplexity::Args),
    Bench(bench::Args),
    Fit(fit::Args),
    Top(top::Args),
    Doctor(doctor::Args),
    Tune(tune::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The definition that help, completions and man pages are made from.
fn definition() -> clap::Command {
    Cli::command()
}

/// The whole program: parses the command line, runs the command, and says in the exit code how it went.
pub fn main() -> ExitCode {
    exit::report_panics();
    weights::cut_short::end_process_with(exit::UNUSABLE);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_usage(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::of_error(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let command = cli.command;
    // What needs no configuration must not fail for a bad one.
    match command {
        Command::Completions(args) => return completions::run(&args),
        Command::Man(args) => return man::run(&args),
        _ => {}
    }
    let mut settings = Settings::load()?;
    settings.lay(&[("offline", "--offline", &cli.offline.then(|| "true".to_owned()))])?;
    match &command {
        Command::Ask(ask::Args { sampling, thinking, speculation, .. })
        | Command::Chat(chat::Args { sampling, thinking, speculation, .. }) => {
            sampling.apply(&mut settings)?;
            thinking.apply(&mut settings)?;
            speculation.apply(&mut settings)?;
        }
        Command::Embed(args) => args.apply(&mut settings)?,
        Command::Bench(args) => args.apply(&mut settings)?,
        Command::Perplexity(perplexity::Args { compute, .. })
        | Command::Quantize(quantize::Args { compute, .. })
        | Command::Fit(fit::Args { compute, .. }) => compute.apply(&mut settings)?,
        _ => {}
    }
    // Training runs parts of a batch side by side, each on one thread.
    process::prepare(if matches!(command, Command::Tune(_)) { Some(1) } else { settings.count("threads") });
    match command {
        Command::Pull(args) => pull::run(&args, &settings),
        Command::Search(args) => search::run(&args, &settings),
        Command::List(args) => list::run(&args, &settings),
        Command::Show(args) => show::run(&args, &settings),
        Command::Rm(args) => rm::run(&args, &settings),
        Command::Import(args) => import::run(&args, &settings),
        Command::Prune(args) => prune::run(&args, &settings),
        Command::Du(args) => du::run(&args, &settings),
        Command::Verify(args) => verify::run(&args, &settings),
        Command::Lock(args) => lock::run(&args, &settings),
        Command::Login(_) => login::login(&settings),
        Command::Logout(_) => login::logout(&settings),
        Command::Ask(args) => ask::run(&args, &settings),
        Command::Chat(args) => chat::run(&args, settings),
        Command::History(args) => history::run(&args, &settings),
        Command::Tokenize(args) => tokenize::run(&args, &settings),
        Command::Embed(args) => embed::run(&args, &settings),
        Command::Quantize(args) => quantize::run(&args, &settings),
        Command::Perplexity(args) => perplexity::run(&args, &settings),
        Command::Bench(args) => bench::run(&args, &settings),
        Command::Fit(args) => fit::run(&args, &settings),
        Command::Top(args) => top::run(&args, &settings),
        Command::Doctor(args) => doctor::run(&args, &settings),
        Command::Tune(args) => tune::run(&args),
        Command::Config(args) => config::run(&args, &settings),
        Command::Completions(_) | Command::Man(_) => Ok(()),
    }
}
