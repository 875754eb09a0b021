//! What we ask of a hub: the listing of a repository (hf-hub), what a file is, and its bytes from
//! any offset.
//!
//! hf-hub 1.0.0 may store the body of a refusal as the model, checks no hash, cannot resume, and
//! loses a large file's hash and commit where the hub redirects to its content network. So files
//! come over plain HTTP: no xet session is made, and its telemetry never starts.

use std::time::Duration;

use futures_util::StreamExt;
use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFClient, HFError};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};

use super::{Error, HubSettings, RemoteFile};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that is silent for so long is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HOPS: usize = 8;

/// A file as the hub describes it before it sends it.
pub struct Head {
    pub size: u64,
    /// SHA-256 of large files, git's SHA-1 of small ones; the name of the blob.
    pub etag: String,
    pub commit: String,
}

/// A repository on a hub.
pub struct Client<'a> {
    settings: &'a HubSettings,
    repo: &'a str,
    api: HFClient,
    follow: reqwest::Client,
    /// The content network, where redirects lead, knows neither hash nor commit.
    stay: reqwest::Client,
}

impl<'a> Client<'a> {
    pub fn new(settings: &'a HubSettings, repo: &'a str) -> Result<Client<'a>, Error> {
        let wrong = |reason: String| Error::Connection { endpoint: settings.endpoint.clone(), reason };
        let http = |policy: Policy| {
            let builder = reqwest::Client::builder().user_agent(concat!("oai/", env!("CARGO_PKG_VERSION")));
            let builder = builder.connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).redirect(policy);
            builder.build().map_err(|e| wrong(root_cause(&e)))
        };
        let follow = http(Policy::limited(MAX_HOPS))?;
        let mut api = HFClient::builder()
            .endpoint(settings.endpoint.trim_end_matches('/'))
            .client(follow.clone())
            .cache_dir(&settings.cache_dir)
            .retry_max_attempts(2);
        if let Some(token) = &settings.token {
            api = api.token(token);
        }
        let api = api.build().map_err(|e| wrong(root_cause(&e)))?;
        Ok(Client { settings, repo, api, follow, stay: http(Policy::none())? })
    }

    /// The paths of all files at `revision`.
    pub async fn list(&self, revision: &str) -> Result<Vec<RemoteFile>, Error> {
        let failed = |e| self.listing_failed(e, revision);
        let (owner, name) = hf_hub::split_id(self.repo);
        let model = self.api.model(owner, name);
        let entries = model.list_tree().revision(revision).recursive(true).send().map_err(failed)?;
        let mut entries = std::pin::pin!(entries);
        let mut files = Vec::new();
        while let Some(entry) = entries.next().await {
            if let RepoTreeEntry::File { path, size, .. } = entry.map_err(failed)? {
                files.push(RemoteFile { path, size_bytes: size, hash: None });
            }
        }
        Ok(files)
    }

    /// Hash, commit and size of a file, from the hub itself.
    pub async fn head(&self, revision: &str, file: &str) -> Result<Head, Error> {
        let malformed = |what: &str| Error::Malformed { what: format!("{}/{file}", self.repo), why: what.to_owned() };
        let mut url = self.url(revision, file)?;
        let (mut etag, mut commit, mut size) = (None, None, None);
        for _ in 0..MAX_HOPS {
            let response = self.send(self.request(&self.stay, Method::HEAD, url.clone())).await?;
            let status = response.status();
            if !status.is_success() && !status.is_redirection() {
                return Err(self.refused(status.as_u16(), &format!("{file} in {}", self.repo)));
            }
            let headers = response.headers();
            etag = etag.or_else(|| text(headers, "x-linked-etag"));
            commit = commit.or_else(|| text(headers, "x-repo-commit"));
            size = size.or_else(|| text(headers, "x-linked-size"));
            // Small files and renamed repositories redirect within the hub: follow. Before it sends
            // us to another host it has said all it knows.
            let target = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
            if let Some(target) = target.filter(|_| status.is_redirection() && etag.is_none()) {
                if target.origin() != url.origin() {
                    return Err(malformed("redirects without saying its hash"));
                }
                url = target;
                continue;
            }
            let etag = etag.or_else(|| text(headers, ETAG.as_str())).ok_or_else(|| malformed("has no ETag"))?;
            let etag = etag.trim_start_matches("W/").trim_matches('"').to_lowercase();
            let size = size.or_else(|| text(headers, CONTENT_LENGTH.as_str()));
            let size = size.and_then(|n| n.parse().ok()).ok_or_else(|| malformed("has no size"))?;
            let commit = commit.ok_or_else(|| malformed("has no commit"))?;
            // Both become names of files: nothing but what a hash can be.
            let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
            if ![40, 64].contains(&etag.len()) || !hex(&etag) || commit.is_empty() || !hex(&commit) {
                return Err(malformed("has an ETag or commit that is no hash"));
            }
            return Ok(Head { size, etag, commit });
        }
        Err(malformed("redirects in circles"))
    }

    /// The bytes of a file from `offset`: status 206, or 200 from the start where the server does
    /// not know ranges.
    pub async fn get(&self, revision: &str, file: &str, offset: u64) -> Result<Response, Error> {
        let mut request = self.request(&self.follow, Method::GET, self.url(revision, file)?);
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            status => Err(self.refused(status.as_u16(), &format!("{file} in {}", self.repo))),
        }
    }

    fn request(&self, client: &reqwest::Client, method: Method, url: Url) -> RequestBuilder {
        let request = client.request(method, url);
        match &self.settings.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().await.map_err(|e| self.connection(&e))
    }

    fn url(&self, revision: &str, file: &str) -> Result<Url, Error> {
        let wrong = |reason: String| Error::Connection { endpoint: self.settings.endpoint.clone(), reason };
        let mut url = Url::parse(&self.settings.endpoint).map_err(|e| wrong(e.to_string()))?;
        // A revision is one segment, whatever slashes it has; a file's folders are segments.
        url.path_segments_mut()
            .map_err(|()| wrong("it is not an http address".to_owned()))?
            .pop_if_empty()
            .extend(self.repo.split('/').chain(["resolve", revision]).chain(file.split('/')));
        Ok(url)
    }

    fn connection(&self, error: &dyn std::error::Error) -> Error {
        Error::Connection { endpoint: self.settings.endpoint.clone(), reason: root_cause(error) }
    }

    /// The error of a status. The body is never read: it may be a web page.
    fn refused(&self, status: u16, what: &str) -> Error {
        let endpoint = self.settings.endpoint.clone();
        match status {
            401 | 403 => Error::Forbidden { repo: self.repo.to_owned(), status, endpoint },
            404 => Error::NotFound { endpoint, what: what.to_owned() },
            _ => Error::Status { what: what.to_owned(), status },
        }
    }

    fn listing_failed(&self, error: HFError, revision: &str) -> Error {
        match error {
            HFError::AuthRequired { .. } => self.refused(401, self.repo),
            HFError::Forbidden { .. } => self.refused(403, self.repo),
            HFError::RateLimited { .. } => self.refused(429, self.repo),
            HFError::Http { context } => self.refused(context.status.as_u16(), self.repo),
            HFError::RevisionNotFound { .. } => self.refused(404, &format!("revision {revision} of {}", self.repo)),
            HFError::RepoNotFound { .. } | HFError::EntryNotFound { .. } => self.refused(404, self.repo),
            other => self.connection(&other),
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The innermost cause says what happened; the outer ones repeat the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
