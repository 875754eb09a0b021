//! A pull from a hub that answers as huggingface.co does: it tells a large file's hash, size and
//! commit only on the redirect to its content network, and redirects small files within itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use futures_util::StreamExt;
use oai::hub::{self, HubSettings, LocalModel, ModelRef, PullOptions};
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const GIT_HASH: &str = "9e26dfeeb6e641a33dae4961196235bdb965b21b";

/// A hub and its content network on two ports, as they are two hosts.
struct TwoHosts {
    endpoint: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    weights: Vec<u8>,
    network: SocketAddr,
    /// The content network breaks off at this byte of the file.
    cut_at: Mutex<Option<usize>>,
    /// `METHOD path range` of every request.
    log: Mutex<Vec<String>>,
}

impl TwoHosts {
    fn start(weights: Vec<u8>) -> TwoHosts {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let bind = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (hub, network) = (bind(), bind());
        let endpoint = format!("http://{}", hub.local_addr().unwrap());
        let shared = Arc::new(Shared {
            weights,
            network: network.local_addr().unwrap(),
            cut_at: Mutex::new(None),
            log: Mutex::new(Vec::new()),
        });
        let hub_app = Router::new().fallback(hub_answer).with_state(Arc::clone(&shared));
        let network_app = Router::new().fallback(network_answer).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(hub, hub_app).await.unwrap() });
        runtime.spawn(async move { axum::serve(network, network_app).await.unwrap() });
        TwoHosts { endpoint, shared, _runtime: runtime }
    }

    fn pull(&self, cache: &Path, name: &str) -> Result<LocalModel, hub::Error> {
        let settings = HubSettings {
            endpoint: self.endpoint.clone(),
            token: Some("hf_secret".to_owned()),
            cache_dir: cache.to_owned(),
            offline: false,
            retries: 0,
            connections: 8,
            read_timeout: Duration::from_secs(30),
            certificates: None,
        };
        hub::pull(&settings, &ModelRef::parse(name).unwrap(), &PullOptions::default(), &mut |_| {})
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.log.lock().unwrap())
    }
}

fn note(shared: &Shared, host: &str, request: &Request) -> String {
    let range = request.headers().get("range").and_then(|range| range.to_str().ok()).unwrap_or("").to_owned();
    let line = format!("{host} {} {} {range}", request.method(), request.uri().path());
    shared.log.lock().unwrap().push(line);
    range
}

fn status(code: StatusCode) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

async fn hub_answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    note(&shared, "hub", &request);
    let path = request.uri().path().to_owned();
    let answer = Response::builder().header("x-repo-commit", COMMIT);
    if path.starts_with("/api/models/org/repo/tree/") {
        let list = ["config.json", "tokenizer.json", "model.safetensors"]
            .map(|path| serde_json::json!({ "type": "file", "oid": "00", "size": 2, "path": path }));
        return answer
            .header("content-type", "application/json")
            .body(Body::from(serde_json::Value::from(list.to_vec()).to_string()))
            .unwrap();
    }
    if let Some(file) = path.strip_prefix("/api/resolve-cache/") {
        let body = if request.method() == Method::HEAD { Body::empty() } else { Body::from("{}") };
        assert!(file.ends_with(".json"));
        return answer.header("etag", format!("\"{GIT_HASH}\"")).header("content-length", 2).body(body).unwrap();
    }
    let Some(file) = path.strip_prefix("/org/repo/resolve/").and_then(|rest| rest.split_once('/')).map(|(_, f)| f)
    else {
        return status(StatusCode::NOT_FOUND);
    };
    if file.ends_with(".json") {
        let to = format!("/api/resolve-cache/{file}");
        return answer.status(307).header("location", to).body(Body::empty()).unwrap();
    }
    let hash: String = Sha256::digest(&shared.weights).iter().map(|byte| format!("{byte:02x}")).collect();
    answer
        .status(302)
        .header("location", format!("http://{}/{hash}", shared.network))
        .header("x-linked-etag", format!("\"{hash}\""))
        .header("x-linked-size", shared.weights.len())
        .header("x-xet-hash", "a".repeat(64))
        .body(Body::from("Found. Redirecting"))
        .unwrap()
}

/// A store of bytes that knows nothing of hubs: another ETag, no commit.
async fn network_answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let range = note(&shared, "network", &request);
    // The token is for the hub alone.
    if request.headers().contains_key("authorization") {
        return status(StatusCode::BAD_REQUEST);
    }
    let length = shared.weights.len();
    let (start, end) = match range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) {
        Some((start, end)) => (start.parse().unwrap(), end.parse().map_or(length, |end: usize| end + 1)),
        None => (0, length),
    };
    let mut answer = Response::builder().header("etag", "\"of-the-network\"").header("content-length", end - start);
    if !range.is_empty() {
        answer = answer.status(206).header("content-range", format!("bytes {start}-{}/{length}", end - 1));
    }
    if request.method() == Method::HEAD {
        return answer.body(Body::empty()).unwrap();
    }
    let cut_at = *shared.cut_at.lock().unwrap();
    match cut_at {
        Some(cut_at) => {
            let sent = shared.weights[start..cut_at.max(start)].to_vec();
            let pieces = [Ok(sent), Err(std::io::Error::other("cut"))];
            // A pause, or the bytes before the cut never leave the server.
            let pieces = futures_util::stream::iter(pieces).then(async |piece: std::io::Result<Vec<u8>>| {
                tokio::time::sleep(Duration::from_millis(100)).await;
                piece
            });
            answer.body(Body::from_stream(pieces)).unwrap()
        }
        None => answer.body(Body::from(shared.weights[start..end].to_vec())).unwrap(),
    }
}

fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_file_behind_a_redirect_is_checked_against_what_the_hub_said() {
    let (cache, hosts) = (tempfile::tempdir().unwrap(), TwoHosts::start(weights()));
    hosts.pull(cache.path(), "org/repo").unwrap();
    let snapshot = cache.path().join("models--org--repo/snapshots").join(COMMIT);
    assert_eq!(std::fs::read(snapshot.join("model.safetensors")).unwrap(), weights());
    assert_eq!(std::fs::read(snapshot.join("config.json")).unwrap(), b"{}");
    let log = hosts.log();
    // Plain HTTP only: nothing is asked of xet's servers, nothing is reported.
    assert!(log.iter().all(|line| line.contains(" GET /") || line.contains(" HEAD /")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("xet")), "{log:#?}");

    hosts.pull(cache.path(), "org/repo").unwrap();
    let log = hosts.log();
    assert!(!log.iter().any(|line| line.starts_with("network GET")), "fetched again: {log:#?}");
}

#[test]
fn a_cut_behind_a_redirect_is_resumed() {
    let (cache, hosts) = (tempfile::tempdir().unwrap(), TwoHosts::start(weights()));
    *hosts.shared.cut_at.lock().unwrap() = Some(100_000);
    assert!(hosts.pull(cache.path(), "org/repo").is_err());
    *hosts.shared.cut_at.lock().unwrap() = None;
    let blobs = std::fs::read_dir(cache.path().join("models--org--repo/blobs")).unwrap();
    let part = blobs.map(|blob| blob.unwrap()).find(|blob| blob.file_name().to_string_lossy().ends_with(".incomplete"));
    let have = part.unwrap().metadata().unwrap().len();
    assert!(have > 0 && have <= 100_000, "{have}");
    hosts.log();
    hosts.pull(cache.path(), "org/repo").unwrap();
    let log = hosts.log();
    let resumed = format!("bytes={have}-");
    assert!(log.iter().any(|line| line.starts_with("network GET") && line.contains(&resumed)), "{log:#?}");
}
