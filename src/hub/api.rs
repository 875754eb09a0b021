//! What the hub knows of a repository, from one request
//! (<https://huggingface.co/docs/hub/api>), and of a file, from a `HEAD`.
//!
//! hf-hub 1.0.0 drops the hashes of large files from its listings and cannot ask for those of small
//! ones, may store the body of a refusal as the model, and cannot resume. So repositories and files
//! come over plain HTTP: no xet session is made, and its telemetry never starts. Searching and
//! accounts are hf-hub's.

use reqwest::Method;
use serde::Deserialize;

use super::http::{Failure, Http, What};
use super::{Error, HubSettings, http};

/// A file of a repository on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    pub path: String,
    pub size_bytes: u64,
    /// SHA-256 of large files (64 hex digits), git's SHA-1 of small ones (40): the name of the blob.
    /// None where a mirror does not tell; [`head`] asks for it then.
    pub hash: Option<String>,
}

/// A repository at a commit.
#[derive(Debug, Clone)]
pub struct Repository {
    /// `org/name`, as the hub spells it.
    pub name: String,
    pub commit: String,
    pub files: Vec<RemoteFile>,
    pub license: Option<String>,
    /// What it was made from.
    pub base_models: Vec<String>,
    pub gguf: Option<GgufSummary>,
}

/// What the hub read in a repository's GGUF files.
#[derive(Debug, Clone, Deserialize)]
pub struct GgufSummary {
    pub architecture: Option<String>,
    pub context_length: Option<u64>,
    /// Number of parameters.
    #[serde(rename = "total")]
    pub parameters: Option<u64>,
}

#[derive(Deserialize)]
struct Info {
    id: Option<String>,
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: serde_json::Value,
    gguf: Option<GgufSummary>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

/// The repository `repo` at `revision`, with all its files.
pub async fn repository(
    http: &Http<'_>,
    repo: &str,
    revision: &str,
    retried: &mut dyn FnMut(&str, std::time::Duration, u32),
) -> Result<Repository, Error> {
    let what = What { repo, revision, file: None };
    let mut url = http.url(["api", "models"].into_iter().chain(repo.split('/')).chain(["revision", revision]));
    url.set_query(Some("blobs=true"));
    let body = http
        .retry(retried, async || {
            let (response, ..) = http.send(Method::GET, url.clone(), None, &what).await?;
            response.bytes().await.map_err(|e| http.broken(&e))
        })
        .await?;
    let info: Info = serde_json::from_slice(&body).map_err(|_| what.malformed("is not a description of a model"))?;
    let commit = info.sha.filter(|sha| is_hex(sha)).ok_or_else(|| what.malformed("has no commit"))?;
    let files = info.siblings.into_iter().map(RemoteFile::from).collect();
    Ok(Repository {
        name: info.id.filter(|id| is_repository(id)).unwrap_or_else(|| repo.to_owned()),
        commit,
        files,
        license: strings(&info.card["license"]).into_iter().next(),
        base_models: strings(&info.card["base_model"]),
        gguf: info.gguf,
    })
}

impl From<Sibling> for RemoteFile {
    fn from(sibling: Sibling) -> RemoteFile {
        let lfs = sibling.lfs;
        let size = lfs.as_ref().and_then(|lfs| lfs.size).or(sibling.size);
        let hash = match lfs {
            Some(lfs) => lfs.sha256,
            None => sibling.blob_id,
        };
        let hash = hash.map(|hash| hash.to_lowercase()).filter(|hash| is_hash(hash) && size.is_some());
        RemoteFile { path: sibling.rfilename, size_bytes: size.unwrap_or(0), hash }
    }
}

/// Size and hash of a file whose listing lacks them.
pub async fn head(
    http: &Http<'_>,
    repo: &str,
    commit: &str,
    path: &str,
    retried: &mut dyn FnMut(&str, std::time::Duration, u32),
) -> Result<RemoteFile, Error> {
    let what = What { repo, revision: commit, file: Some(path) };
    let url = http.file_url(repo, commit, path);
    let told = http
        .retry(retried, async || {
            let (_, _, told) = http.send(Method::HEAD, url.clone(), None, &what).await?;
            Ok::<_, Failure>(told)
        })
        .await?;
    let etag = told.etag.ok_or_else(|| what.malformed("has no ETag"))?;
    let hash = etag.trim_start_matches("W/").trim_matches('"').to_lowercase();
    if !is_hash(&hash) {
        return Err(what.malformed("has an ETag that is no hash"));
    }
    let size = told.size.and_then(|size| size.parse().ok()).ok_or_else(|| what.malformed("has no size"))?;
    Ok(RemoteFile { path: path.to_owned(), size_bytes: size, hash: Some(hash) })
}

/// hf-hub's client with our settings.
pub fn hf_client(settings: &HubSettings) -> Result<hf_hub::HFClient, Error> {
    if settings.offline {
        return Err(Error::Offline);
    }
    let wrong = |reason: String| Error::Connection { endpoint: settings.endpoint.clone(), reason };
    let client = http::builder(settings)?.build().map_err(|e| wrong(http::root_cause(&e)))?;
    let mut api = hf_hub::HFClient::builder()
        .endpoint(settings.endpoint.trim_end_matches('/'))
        .client(client)
        .cache_dir(&settings.cache_dir)
        .retry_max_attempts(settings.retries.min(2) as usize);
    if let Some(token) = &settings.token {
        api = api.token(token);
    }
    api.build().map_err(|e| wrong(http::root_cause(&e)))
}

/// Whether a text can be a commit: it becomes the name of a folder.
pub fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text can be a hash: it becomes the name of a file.
pub fn is_hash(text: &str) -> bool {
    [40, 64].contains(&text.len()) && is_hex(text)
}

/// Whether a text can be a repository: `org/name` becomes the name of a folder.
pub fn is_repository(text: &str) -> bool {
    let word = |part: &str| {
        !["", ".", ".."].contains(&part) && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.split_once('/').is_some_and(|(org, name)| word(org) && word(name))
}

/// A string or a list of them.
fn strings(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}
