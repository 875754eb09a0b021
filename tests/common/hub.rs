//! A hub on the loopback interface that behaves like huggingface.co, faults included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use futures_util::StreamExt;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong with the bytes of large files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// The connection breaks after so many bytes of the answer.
    CutAfter(usize),
    /// One byte is another.
    Corrupt,
    /// Metadata are served, the file itself is refused with a page of HTML.
    Forbidden,
}

struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    fault: Mutex<Fault>,
    /// `METHOD path range` of every request for a file.
    log: Mutex<Vec<String>>,
    token: Option<String>,
}

pub struct Hub {
    pub endpoint: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl Hub {
    /// Serves `files` as the repository `org/repo`; with `token`, only to who has it.
    pub fn start(files: &[(&str, &[u8])], token: Option<&str>) -> Hub {
        let shared = Arc::new(Shared {
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
            fault: Mutex::new(Fault::None),
            log: Mutex::new(Vec::new()),
            token: token.map(str::to_owned),
        });
        let app = Router::new()
            .route("/api/models/org/repo/tree/{revision}", get(tree))
            .route("/org/repo/resolve/{revision}/{*path}", get(resolve))
            .with_state(Arc::clone(&shared));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Hub { endpoint, shared, _runtime: runtime }
    }

    pub fn fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.log.lock().unwrap())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Large files are LFS: named by SHA-256; small ones by git.
fn is_lfs(path: &str) -> bool {
    path.ends_with(".gguf") || path.ends_with(".safetensors")
}

fn etag(path: &str, bytes: &[u8]) -> String {
    if is_lfs(path) {
        return hex(&Sha256::digest(bytes));
    }
    let mut sha = Sha1::new();
    sha.update(format!("blob {}\0", bytes.len()));
    sha.update(bytes);
    hex(&sha.finalize())
}

fn refused(shared: &Shared, headers: &HeaderMap) -> Option<Response<Body>> {
    let token = shared.token.as_ref()?;
    let sent = headers.get("authorization").and_then(|v| v.to_str().ok());
    (sent != Some(&format!("Bearer {token}"))).then(|| answer(StatusCode::UNAUTHORIZED, "no access"))
}

fn answer(status: StatusCode, text: &str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(text.to_owned())).unwrap()
}

async fn tree(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response<Body> {
    if let Some(refusal) = refused(&shared, &headers) {
        return refusal;
    }
    let entries: Vec<serde_json::Value> = shared
        .files
        .iter()
        .map(|(path, bytes)| serde_json::json!({ "type": "file", "oid": "00", "size": bytes.len(), "path": path }))
        .collect();
    let body = serde_json::to_string(&entries).unwrap();
    Response::builder().header("content-type", "application/json").body(Body::from(body)).unwrap()
}

async fn resolve(
    State(shared): State<Arc<Shared>>,
    Path((_revision, path)): Path<(String, String)>,
    method: axum::http::Method,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(refusal) = refused(&shared, &headers) {
        return refusal;
    }
    let Some(bytes) = shared.files.get(&path) else { return answer(StatusCode::NOT_FOUND, "no such file") };
    let range = headers.get("range").and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    shared.log.lock().unwrap().push(format!("{method} {path} {range}"));
    let fault = if is_lfs(&path) { *shared.fault.lock().unwrap() } else { Fault::None };
    let tag = etag(&path, bytes);
    let mut response = Response::builder().header("etag", format!("\"{tag}\"")).header("x-repo-commit", COMMIT);
    if is_lfs(&path) {
        response = response.header("x-linked-etag", format!("\"{tag}\"")).header("x-linked-size", bytes.len());
    }
    if method == axum::http::Method::HEAD {
        return response.header("content-length", bytes.len()).body(Body::empty()).unwrap();
    }
    if fault == Fault::Forbidden {
        return answer(StatusCode::FORBIDDEN, "<html>You shall not pass</html>");
    }
    let mut bytes = bytes.clone();
    if fault == Fault::Corrupt {
        bytes[1000] ^= 1;
    }
    let (start, end) = match range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) {
        Some((start, end)) => (start.parse().unwrap(), end.parse::<usize>().map_or(bytes.len(), |end| end + 1)),
        None => (0, bytes.len()),
    };
    let part = bytes[start..end].to_vec();
    let status = if range.is_empty() { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut response = response.status(status).header("content-length", part.len());
    if !range.is_empty() {
        response = response.header("content-range", format!("bytes {start}-{}/{}", end - 1, bytes.len()));
    }
    let Fault::CutAfter(n) = fault else { return response.body(Body::from(part)).unwrap() };
    let pieces = [Ok(part[..n.min(part.len())].to_vec()), Err(std::io::Error::other("cut"))];
    // A pause, or the bytes before the cut never leave the server.
    let pieces = futures_util::stream::iter(pieces).then(async |piece: std::io::Result<Vec<u8>>| {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        piece
    });
    response.body(Body::from_stream(pieces)).unwrap()
}
