//! A hub on the loopback interface that speaks as huggingface.co does, and its content network on
//! a second port, as it is a second host. What goes wrong is set while it runs.
//!
//! Protocol: <https://huggingface.co/docs/hub/api>, the headers that huggingface_hub reads
//! (`file_download.py`, `utils/_http.py`), and what the hub answers to `curl -I`.

#![allow(clippy::result_large_err)] // a refusal is an answer, as large as any

mod api;
mod body;
mod fault;
mod network;
mod refusal;
mod repo;
mod resolve;
mod tls;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::{self, Next};
use axum::routing::get;
use axum::{Router, serve};
use tokio::net::TcpListener;

use fault::Faults;
pub use fault::{ALWAYS, At, Fault};
use network::Signed;
pub use repo::{Access, COMMIT, Repo, git_hash, sha256};

/// What opens private and gated repositories.
pub const TOKEN: &str = "hf_secret";
/// A token of someone whom gated repositories do not let in.
pub const STRANGER: &str = "hf_stranger";

/// How the hub does its work.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Large files come from the content network; false as mirrors do, which serve them themselves.
    pub network: bool,
    /// `blobs=true` gives sizes and hashes; false as old mirrors do.
    pub hashes: bool,
    /// How often a signed address of the content network is good, and how long.
    pub uses: usize,
    pub lives: Duration,
    /// Bytes a second over all connections.
    pub rate: Option<u64>,
    /// Entries of a page of the tree.
    pub page: usize,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `hub` or `network`.
    pub host: &'static str,
    pub method: String,
    pub path: String,
    pub query: String,
    pub range: String,
    pub authorized: bool,
}

impl Asked {
    /// Whether bytes of files were asked for, not what is known of them.
    pub fn is_for_bytes(&self) -> bool {
        let file = self.host == "network" || self.path.contains("/resolve/") || self.path.contains("/resolve-cache/");
        file && self.method == "GET"
    }
}

pub struct Hub {
    pub endpoint: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    endpoint: String,
    network: String,
    repos: Mutex<BTreeMap<String, Repo>>,
    ways: Mutex<Ways>,
    faults: Faults,
    asked: Mutex<Vec<Asked>>,
    signed: Mutex<Vec<Signed>>,
    sent_bytes: AtomicU64,
    sending: AtomicUsize,
    peak: AtomicUsize,
    /// When the next bytes may leave.
    next: Mutex<Instant>,
}

impl Hub {
    /// Serves `files` as the repository `org/repo`, itself, as mirrors do; with `token`, which is
    /// [`TOKEN`], only to who has it.
    pub fn start(files: &[(&str, &[u8])], token: Option<&str>) -> Hub {
        let mut repo = Repo::new("org/repo");
        for (path, bytes) in files {
            repo = repo.file(path, bytes.to_vec());
        }
        if let Some(token) = token {
            assert_eq!(token, TOKEN);
            repo.access = Access::Private;
        }
        let hub = Hub::of(repo);
        hub.set(|ways| ways.network = false);
        hub
    }

    /// A hub with one repository and a content network.
    pub fn of(repo: Repo) -> Hub {
        Hub::over(repo, false)
    }

    /// The same over TLS, with the certificate of `tests/common/tls`.
    pub fn of_tls(repo: Repo) -> Hub {
        Hub::over(repo, true)
    }

    fn over(repo: Repo, secure: bool) -> Hub {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (hub, network) = (bind(), bind());
        let scheme = if secure { "https" } else { "http" };
        let address = |listener: &TcpListener| format!("{scheme}://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            endpoint: address(&hub),
            network: address(&network),
            repos: Mutex::new(BTreeMap::new()),
            ways: Mutex::new(Ways {
                network: true,
                hashes: true,
                uses: usize::MAX,
                lives: Duration::from_secs(3600),
                rate: None,
                page: 1000,
            }),
            faults: Faults::default(),
            asked: Mutex::new(Vec::new()),
            signed: Mutex::new(Vec::new()),
            sent_bytes: AtomicU64::new(0),
            sending: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            next: Mutex::new(Instant::now()),
        });
        let of_hub = Router::new()
            .route("/api/whoami-v2", get(api::whoami))
            .route("/api/models", get(api::search))
            .route("/api/models/{org}/{repo}", get(api::newest))
            .route("/api/models/{org}/{repo}/revision/{revision}", get(api::info))
            .route("/api/models/{org}/{repo}/tree/{revision}", get(api::tree))
            .route("/api/resolve-cache/models/{org}/{repo}/{revision}/{*path}", get(resolve::small))
            .route("/{org}/{repo}/resolve/{revision}/{*path}", get(resolve::resolve))
            .with_state(Arc::clone(&shared));
        // Some mirrors live below a path.
        let of_hub = Router::new().nest("/mirror", of_hub.clone()).merge(of_hub);
        let of_hub = of_hub.layer(middleware::from_fn_with_state(("hub", Arc::clone(&shared)), note));
        let of_network = Router::new()
            .fallback(network::answer)
            .layer(middleware::from_fn_with_state(("network", Arc::clone(&shared)), note))
            .with_state(Arc::clone(&shared));
        for (listener, app) in [(hub, of_hub), (network, of_network)] {
            if secure {
                let listener = runtime.block_on(async { tls::Listener::new(listener) });
                runtime.spawn(async move { serve(listener, app).await.unwrap() });
            } else {
                runtime.spawn(async move { serve(listener, app).await.unwrap() });
            }
        }
        let hub = Hub { endpoint: shared.endpoint.clone(), shared, _runtime: runtime };
        hub.add(repo);
        hub
    }

    /// One more repository, or a new commit of one.
    pub fn add(&self, repo: Repo) {
        self.shared.repos.lock().unwrap().insert(repo.name.clone(), repo);
    }

    pub fn set(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.shared.ways.lock().unwrap());
    }

    /// The next `n` requests of this kind meet `fault`; faults of one kind come in the order in
    /// which they were set.
    pub fn fault(&self, at: At, fault: Fault, n: usize) {
        self.shared.faults.add(at, fault, n);
    }

    pub fn heal(&self) {
        self.shared.faults.clear();
    }

    /// What was asked since the last call.
    pub fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }

    /// Bytes of files that were handed out, whether or not they arrived.
    pub fn sent_bytes(&self) -> u64 {
        self.shared.sent_bytes.load(Ordering::Relaxed)
    }

    /// The most files and ranges that were on their way at once.
    pub fn peak(&self) -> usize {
        self.shared.peak.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes were handed out; whether they were within `limit`.
    pub fn wait_for_bytes(&self, bytes: u64, limit: Duration) -> bool {
        let start = Instant::now();
        while self.sent_bytes() < bytes && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.sent_bytes() >= bytes
    }
}

impl Shared {
    fn ways(&self) -> Ways {
        self.ways.lock().unwrap().clone()
    }
}

type OfHub = State<Arc<Shared>>;

async fn note(
    State((host, shared)): State<(&'static str, Arc<Shared>)>,
    request: Request,
    next: Next,
) -> Response<Body> {
    shared.asked.lock().unwrap().push(Asked {
        host,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        range: header(request.headers(), "range"),
        authorized: request.headers().contains_key("authorization"),
    });
    next.run(request).await
}

/// A header's text; empty without it.
fn header(headers: &axum::http::HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn json(value: &serde_json::Value) -> Response<Body> {
    Response::builder().header("content-type", "application/json").body(Body::from(value.to_string())).unwrap()
}
