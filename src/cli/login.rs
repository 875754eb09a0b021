//! `oai login` and `oai logout`: the hub's token.

use std::io::Read;

use anyhow::Result;

use super::exit::Usage;
use super::{model, output};
use crate::config::{Origin, Settings};
use crate::hub;

/// Store an access token of the hub, for gated and private repositories
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The token is asked for on a terminal and read from standard input elsewhere, checked with the hub\n(not with --offline), and stored where Hugging Face's tools look for it, readable by you alone.\nMake one at https://huggingface.co/settings/tokens; reading is all that it needs to allow.\n\nExamples:\n  oai login\n  pass show huggingface | oai login"
)]
pub struct Login {}

/// Delete the stored access token of the hub
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai logout")]
pub struct Logout {}

pub fn login(settings: &Settings) -> Result<()> {
    let token = if output::stdin_is_terminal() {
        rpassword::prompt_password(format!("token ({}/settings/tokens): ", settings.hub_endpoint))?
    } else {
        let mut text = String::new();
        std::io::stdin().lock().take(10_000).read_to_string(&mut text)?;
        text
    };
    let token = token.trim();
    if !hub::is_token(token) {
        return Err(Usage("that is no token: one is a word like hf_...; see oai login --help".to_owned()).into());
    }
    let hub = model::hub_settings(settings);
    let file = &settings.paths.hf_token_file;
    let who = if hub.offline { None } else { Some(hub::whoami(&hub, token)?) };
    hub::store_token(file, token)?;
    let who = who.map_or("not checked, offline".to_owned(), |name| format!("logged in as {name}"));
    output::note(&format!("{who}; the token is in {}", file.display()));
    if let Some(Origin::Environment(name)) = &settings.hub_token_origin {
        output::note(&format!("{name} is set and goes before the stored token"));
    }
    Ok(())
}

pub fn logout(settings: &Settings) -> Result<()> {
    let file = &settings.paths.hf_token_file;
    let gone = hub::forget_token(file)?;
    output::note(&if gone { format!("deleted {}", file.display()) } else { "no token was stored".to_owned() });
    Ok(())
}
