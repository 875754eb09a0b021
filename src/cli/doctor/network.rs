//! Whether the hub can be reached, and as whom.

use std::time::Duration;

use serde_json::{Value, json};

use super::Report;
use crate::cli::{model, process};
use crate::config::Settings;
use crate::hub::{self, HubSettings};

/// A hub that takes longer is as good as away.
const PATIENCE: Duration = Duration::from_secs(6);

pub fn check(report: &mut Report, settings: &Settings) {
    let hub = HubSettings { retries: 0, ..model::hub_settings(settings) };
    let token = settings.hub_token_origin.as_ref().map(ToString::to_string);
    let mut lines = Vec::new();
    let mut value = json!({ "endpoint": hub.endpoint, "token_from": token, "offline": hub.offline });
    let endpoint = hub.endpoint.clone();
    if hub.offline {
        lines.push(("hub", format!("{endpoint}: not asked, offline")));
    } else {
        let asked = hub.clone();
        match process::within(PATIENCE, move || hub::reach(&asked)) {
            Some(Ok((took, status))) => {
                let ms = took.as_millis() as u64;
                value["latency_ms"] = json!(ms);
                value["status"] = json!(status.as_u16());
                lines.push(("hub", format!("{endpoint}: answers in {ms} ms")));
                if status.is_server_error() {
                    report.problem(format!("{endpoint} answers with status {}; try again later", status.as_u16()));
                }
            }
            Some(Err(error)) => {
                lines.push(("hub", format!("{endpoint}: not reached")));
                report.problem(error.to_string());
            }
            None => {
                lines.push(("hub", format!("{endpoint}: not reached")));
                let seconds = PATIENCE.as_secs();
                report.problem(format!(
                    "{endpoint} does not answer within {seconds} s; check the connection, HF_ENDPOINT and HTTPS_PROXY"
                ));
            }
        }
    }
    let reached = value["latency_ms"].is_number();
    let accepted = hub.token.as_ref().filter(|_| reached).map(|token| accepts(&hub, token));
    let verdict = match &accepted {
        None => String::new(),
        Some(Ok(())) => ", accepted".to_owned(),
        Some(Err(reason)) => {
            report.problem(reason.clone());
            ", not accepted".to_owned()
        }
    };
    value["token_accepted"] = accepted.map_or(Value::Null, |accepted| json!(accepted.is_ok()));
    lines.push(("token", token.map_or("none".to_owned(), |from| format!("from {from}{verdict}"))));
    lines.extend(surroundings(report, settings, &mut value));
    report.part("hub", value, lines);
}

fn accepts(hub: &HubSettings, token: &str) -> Result<(), String> {
    let (hub, token) = (hub.clone(), token.to_owned());
    match process::within(PATIENCE, move || hub::whoami(&hub, &token)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the hub does not say whether it accepts the token; try again later".to_owned()),
    }
}

/// Proxies and certificates that are in use.
fn surroundings(report: &mut Report, settings: &Settings, value: &mut Value) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut proxies = serde_json::Map::new();
    for names in [
        ["HTTPS_PROXY", "https_proxy"],
        ["HTTP_PROXY", "http_proxy"],
        ["ALL_PROXY", "all_proxy"],
        ["NO_PROXY", "no_proxy"],
    ] {
        if let Some((name, proxy)) = settings.surrounding(&names) {
            proxies.insert(name.to_owned(), json!(proxy));
            lines.push(("proxy", format!("{name} = {proxy}")));
        }
    }
    value["proxies"] = Value::Object(proxies);
    let mut certificates = Vec::new();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| settings.surrounding(&[name]));
    let ours = settings.text("certificates").map(|path| ("certificates", path));
    for (name, path) in named.chain(ours) {
        lines.push(("certificates", format!("{name} = {path}")));
        if !std::path::Path::new(path).exists() {
            report.problem(format!("{name} is {path}, which is not there: connections will not be trusted; unset it"));
        }
        certificates.push(path.to_owned());
    }
    value["certificates"] = json!(certificates);
    lines
}
