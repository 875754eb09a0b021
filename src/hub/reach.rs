//! Whether the hub is there at all.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::http::{Failure, Http};
use super::pull::block_on;
use super::{Error, HubSettings};

/// How long the hub takes to answer, and with which status; one request, not tried again.
pub fn reach(settings: &HubSettings) -> Result<(Duration, StatusCode), Error> {
    let http = Http::new(settings)?;
    let started = Instant::now();
    match block_on(http.once(Method::HEAD, &http.url(["api", "models"]), None))? {
        Ok(response) => Ok((started.elapsed(), response.status())),
        Err(Failure::Final(error)) => Err(error),
        Err(Failure::Passing { error, .. }) => Err(error),
    }
}
