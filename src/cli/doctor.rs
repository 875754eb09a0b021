//! `oai doctor`: what a bug report needs, safe to show in public.

mod files;
mod machine;
mod network;
mod private;
mod terminal;

use anyhow::Result;
use serde_json::{Map, Value, json};

use self::private::Private;
use super::output;
use crate::config::{Origin, Settings};

/// Check this installation, and show what a bug report needs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is printed can be shown in public: the home folder is ~, and neither a token nor a user's name is in it. With --offline the hub is not asked.\n\nThe exit code is 0 when all is well, and 1 when there is a problem.\n\nExamples:\n  oai doctor\n  oai doctor --offline\n  oai doctor --json | jq -r '.problems[]'"
)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What was found, line by line.
struct Report {
    lines: Vec<(&'static str, String)>,
    /// The same for programs.
    json: Map<String, Value>,
    /// What is wrong, and what to do.
    problems: Vec<String>,
}

impl Report {
    /// Adds a part: its key in the JSON object, and lines for people.
    fn part(&mut self, key: &str, value: Value, lines: impl IntoIterator<Item = (&'static str, String)>) {
        self.json.insert(key.to_owned(), value);
        self.lines.extend(lines);
    }

    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let mut report = Report { lines: Vec::new(), json: Map::new(), problems: Vec::new() };
    build(&mut report);
    machine::check(&mut report);
    files::check(&mut report, settings);
    changed(&mut report, settings);
    network::check(&mut report, settings);
    terminal::check(&mut report, settings);
    let private = Private::of(settings);
    let problems: Vec<String> = report.problems.iter().map(|problem| private.hide(problem)).collect();
    if args.json {
        report.json.insert("problems".to_owned(), json!(problems));
        output::line(&output::json(&private.hide_all(Value::Object(report.json)))?)?;
    } else {
        let lines = report.lines.iter().map(|(key, value)| (*key, private.hide(value)));
        let problems = problems.iter().map(|problem| ("problem", problem.clone()));
        let rows: Vec<Vec<String>> = lines
            .chain(problems)
            .map(|(key, value)| vec![key.to_owned(), output::neutralize(&value).replace('\n', " ")])
            .collect();
        output::line(output::table(&rows).trim_end())?;
    }
    match problems.len() {
        0 => Ok(()),
        1 => anyhow::bail!("1 problem was found"),
        n => anyhow::bail!("{n} problems were found"),
    }
}

fn build(report: &mut Report) {
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let environment = if cfg!(target_env = "musl") { "-musl" } else { "" };
    let target = format!("{}-{}{environment}", std::env::consts::ARCH, std::env::consts::OS);
    let line = format!("{version}, {profile} build for {target}");
    report.part("oai", json!({ "version": version, "profile": profile, "target": target }), [("oai", line)]);
}

/// The settings that somebody set; the value of none is secret.
fn changed(report: &mut Report, settings: &Settings) {
    let set = || settings.all().iter().filter(|setting| setting.origin != Origin::Default);
    let value = |setting: &crate::config::Setting| setting.value.as_ref().map_or(String::new(), ToString::to_string);
    let objects = set()
        .map(|setting| json!({ "key": setting.key, "value": setting.value, "origin": setting.origin.to_string() }));
    let lines = set().map(|setting| ("setting", format!("{} = {} ({})", setting.key, value(setting), setting.origin)));
    report.part("settings", objects.collect(), lines);
}
