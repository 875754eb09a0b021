//! How we speak HTTP: which certificates and how long a silence, whom the token is for, and what a
//! refusal means.

use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Response, StatusCode, Url};

use super::{Error, HubSettings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_HOPS: usize = 8;
const AGENT: &str = concat!("oai/", env!("CARGO_PKG_VERSION"));

/// What a request came to nothing for.
#[derive(Debug)]
pub enum Failure {
    /// May be gone in a while; the server may say how long that is. `error` is what it is if not.
    Passing {
        reason: String,
        wait: Option<Duration>,
        error: Error,
    },
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Final(error)
    }
}

/// What the hub told on the way to a file's bytes.
#[derive(Debug, Default)]
pub struct Told {
    pub etag: Option<String>,
    pub commit: Option<String>,
    pub size: Option<String>,
}

/// A hub to talk to.
pub struct Http<'a> {
    pub settings: &'a HubSettings,
    endpoint: Url,
    /// HTTP/1.1, so that every range has a connection of its own. Redirects are followed by hand:
    /// the token goes to the hub alone.
    client: reqwest::Client,
}

impl<'a> Http<'a> {
    /// The only way to a socket: fails when the settings say offline.
    pub fn new(settings: &'a HubSettings) -> Result<Http<'a>, Error> {
        if settings.offline {
            return Err(Error::Offline);
        }
        if settings.token.as_deref().is_some_and(|token| !super::is_token(token)) {
            return Err(Error::Token { endpoint: settings.endpoint.clone() });
        }
        let wrong = |reason: String| Error::Connection { endpoint: settings.endpoint.clone(), reason };
        let endpoint = Url::parse(&settings.endpoint).map_err(|e| wrong(e.to_string()))?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(wrong("it is not an http address".to_owned()));
        }
        let client = builder(settings)?.redirect(Policy::none()).http1_only().build();
        Ok(Http { settings, endpoint, client: client.map_err(|e| wrong(root_cause(&e)))? })
    }

    /// `ENDPOINT/a/b/c`: a part is one segment, whatever slashes it has.
    pub fn url<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        url
    }

    /// The address of a file at a revision.
    pub fn file_url(&self, repo: &str, revision: &str, path: &str) -> Url {
        self.url(repo.split('/').chain(["resolve", revision]).chain(path.split('/')))
    }

    pub fn is_hub(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// One request without following; the token goes along if it is for the hub.
    pub async fn once(&self, method: Method, url: &Url, range: Option<(u64, u64)>) -> Result<Response, Failure> {
        let mut request = self.client.request(method, url.clone());
        if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(url)) {
            request = request.bearer_auth(token);
        }
        if let Some((start, end)) = range {
            request = request.header(RANGE, format!("bytes={start}-{}", end - 1));
        }
        request.send().await.map_err(|e| self.broken(&e))
    }

    /// A request and its redirects, to an answer of success. Returns where it was found and what
    /// the hub told on the way.
    pub async fn send(
        &self,
        method: Method,
        mut url: Url,
        range: Option<(u64, u64)>,
        what: &What<'_>,
    ) -> Result<(Response, Url, Told), Failure> {
        let mut told = Told::default();
        for _ in 0..MAX_HOPS {
            let response = self.once(method.clone(), &url, range).await?;
            if self.is_hub(&url) {
                told.learn(response.headers());
            }
            if !response.status().is_redirection() {
                return self.check(response, what).map(|response| (response, url, told));
            }
            let target = text(response.headers(), LOCATION.as_str()).and_then(|to| url.join(&to).ok());
            let target = target.ok_or_else(|| what.malformed("redirects to nowhere"))?;
            if url.scheme() == "https" && target.scheme() != "https" {
                return Err(what.malformed("redirects to an address without TLS").into());
            }
            // Before it sends us to another host the hub has said all it knows.
            if method == Method::HEAD && !self.is_hub(&target) {
                return Ok((response, url, told));
            }
            url = target;
        }
        Err(what.malformed("redirects in circles").into())
    }

    /// Success, or what its status means. The body of a refusal is never read: it may be a web page.
    pub fn check(&self, response: Response, what: &What<'_>) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let endpoint = self.settings.endpoint.clone();
        let repo = what.repo.to_owned();
        let told = |name| text(response.headers(), name).unwrap_or_default();
        // The content network knows nothing of permissions.
        let code = if self.is_hub(response.url()) { told("x-error-code") } else { "Elsewhere".to_owned() };
        let error = match (status, code.as_str()) {
            (_, "GatedRepo") => Error::Gated { repo, endpoint, login: self.settings.token.is_none() },
            (_, "RepoNotFound") => Error::NotFound { endpoint, what: repo },
            (_, "RevisionNotFound") => {
                Error::NotFound { endpoint, what: format!("revision {} of {repo}", what.revision) }
            }
            (_, "DisabledRepo") => Error::Disabled { repo },
            // That this is no matter of permission is told in words alone.
            (StatusCode::FORBIDDEN, "") if told("x-error-message").contains("disabled") => Error::Disabled { repo },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code) if code != "Elsewhere" => {
                Error::Forbidden { repo, status: status.as_u16(), endpoint }
            }
            (StatusCode::NOT_FOUND, _) => Error::NotFound { endpoint, what: what.to_string() },
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                return Err(passing(&response, what));
            }
            (status, _) if status.is_server_error() => return Err(passing(&response, what)),
            (status, _) => Error::Status { what: what.to_string(), status: status.as_u16() },
        };
        Err(error.into())
    }

    /// What a broken connection means.
    pub fn broken(&self, error: &reqwest::Error) -> Failure {
        let reason = root_cause(error);
        // A wrong certificate stays wrong.
        if reason.contains("certificate") {
            return Error::Certificate { endpoint: self.settings.endpoint.clone(), reason }.into();
        }
        let silence = self.settings.read_timeout.as_secs();
        let reason = if error.is_timeout() && !error.is_connect() { format!("silent for {silence} s") } else { reason };
        let error = Error::Connection { endpoint: self.settings.endpoint.clone(), reason: reason.clone() };
        Failure::Passing { reason, wait: None, error }
    }

    /// An answer that is not the one it should be, this time.
    pub fn odd(&self, reason: &str) -> Failure {
        let reason = reason.to_owned();
        let error = Error::Connection { endpoint: self.settings.endpoint.clone(), reason: reason.clone() };
        Failure::Passing { reason, wait: None, error }
    }

    /// Tries until it works, fails for good, or has failed `retries` times.
    pub async fn retry<T>(
        &self,
        told: &mut dyn FnMut(&str, Duration, u32),
        mut attempt: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut failures = 0;
        loop {
            let (reason, wait, error) = match attempt().await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { reason, wait, error }) => (reason, wait, error),
            };
            failures += 1;
            // Who has no network should not wait long to hear it.
            let most = if matches!(error, Error::Connection { .. }) { 2 } else { u32::MAX };
            if failures > self.settings.retries.min(most) {
                return Err(error);
            }
            let wait = wait.unwrap_or_else(|| backoff(failures));
            told(&reason, wait, failures);
            tokio::time::sleep(wait).await;
        }
    }
}

/// What a request is for, in errors.
pub struct What<'a> {
    pub repo: &'a str,
    pub revision: &'a str,
    pub file: Option<&'a str>,
}

impl What<'_> {
    pub fn malformed(&self, what: &str) -> Error {
        Error::Malformed { what: self.to_string(), why: what.to_owned() }
    }
}

impl std::fmt::Display for What<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.file {
            Some(file) => write!(f, "{file} in {}", self.repo),
            None => f.write_str(self.repo),
        }
    }
}

impl Told {
    fn learn(&mut self, headers: &HeaderMap) {
        let first = |value: &mut Option<String>, name: &str| *value = value.take().or_else(|| text(headers, name));
        first(&mut self.etag, "x-linked-etag");
        first(&mut self.commit, "x-repo-commit");
        first(&mut self.size, "x-linked-size");
        // A redirect has an ETag and a length of its own, which say nothing of the file.
        if !headers.contains_key(LOCATION) {
            first(&mut self.etag, ETAG.as_str());
            first(&mut self.size, CONTENT_LENGTH.as_str());
        }
    }
}

/// A client as the settings have it; proxies are those of the environment.
pub fn builder(settings: &HubSettings) -> Result<reqwest::ClientBuilder, Error> {
    let builder = reqwest::Client::builder().user_agent(AGENT);
    let builder = builder.connect_timeout(CONNECT_TIMEOUT).read_timeout(settings.read_timeout);
    let builder = if settings.no_proxy { builder.no_proxy() } else { builder };
    Ok(match &settings.certificates {
        Some(file) => builder.tls_certs_merge(certificates(file)?),
        None => builder,
    })
}

/// The certificates of a PEM file.
fn certificates(file: &Path) -> Result<Vec<Certificate>, Error> {
    let wrong = |reason: String| Error::CertificateFile { path: file.to_owned(), reason };
    let bytes = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|e| wrong(root_cause(&e)))?;
    if found.is_empty() { Err(wrong("it holds no PEM certificate".to_owned())) } else { Ok(found) }
}

fn passing(response: &Response, what: &What<'_>) -> Failure {
    let wait = text(response.headers(), RETRY_AFTER.as_str()).and_then(|value| retry_after(&value, SystemTime::now()));
    let status = response.status().as_u16();
    let reason = format!("the hub answered with status {}", response.status());
    Failure::Passing { reason, wait, error: Error::Status { what: what.to_string(), status } }
}

/// `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). A server that asks for more
/// than ten minutes is asked again after ten.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let wait = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(Duration::from_secs(600)))
}

/// 0.5 s, doubled each time up to half a minute, a fifth of it random so that clients part.
pub fn backoff(failures: u32) -> Duration {
    let seconds = 0.5 * 2_f64.powi(failures.saturating_sub(1).min(6) as i32);
    Duration::from_secs_f64(seconds.min(30.0) * rand::random_range(0.8..1.0))
}

pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The innermost cause says what happened; the outer ones repeat the address.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_seconds_or_dates() {
        let now = httpdate::parse_http_date("Wed, 25 Nov 2026 10:00:00 GMT").unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 25 Nov 2026 10:01:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Wed, 25 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999", now), Some(Duration::from_secs(600)));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn waits_double_up_to_half_a_minute() {
        for (failures, most) in [(1, 0.5), (2, 1.0), (4, 4.0), (20, 30.0)] {
            let wait = backoff(failures).as_secs_f64();
            assert!((most * 0.8..=most).contains(&wait), "{failures}: {wait}");
        }
    }
}
