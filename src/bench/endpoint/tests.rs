//! A server on the loopback interface that answers as it is told to.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// How the server answers.
#[derive(Clone)]
struct Ways {
    models: Vec<&'static str>,
    completions: bool,
    /// A field that it refuses.
    refuses: Vec<&'static str>,
    /// Counts in whole answers, and in streams.
    counts: (bool, bool),
    /// Events of an answer, and the tokens of each.
    events: usize,
    tokens_an_event: usize,
    first_ms: u64,
    next_ms: u64,
    /// What becomes of every second answer to a long prompt.
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    TooMany,
    Breaks,
    Fails,
    NoJson,
    Silence,
    WebPage,
}

const WELL: Ways = Ways {
    models: Vec::new(),
    completions: true,
    refuses: Vec::new(),
    counts: (true, true),
    events: 5,
    tokens_an_event: 1,
    first_ms: 20,
    next_ms: 10,
    fault: Fault::None,
};

struct Server {
    url: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    ways: Ways,
    asked: Mutex<Vec<(String, Option<String>, Value)>>,
    measured: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Server {
    fn start(ways: Ways) -> Server {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let none = || AtomicUsize::new(0);
        let shared = Shared { ways, asked: Mutex::default(), measured: none(), at_once: none(), most_at_once: none() };
        let shared = Arc::new(shared);
        let router = axum::Router::new().fallback(answer).with_state(shared.clone());
        runtime.spawn(async { axum::serve(listener, router).await });
        Server { url, shared, _runtime: runtime }
    }

    fn connect(&self) -> Result<Endpoint, Error> {
        connect(&self.target(), &network())
    }

    fn target(&self) -> Target {
        // Nothing here is slow but what is told to be.
        let patience = if self.shared.ways.fault == Fault::Silence { 300 } else { 20_000 };
        let patience = Duration::from_millis(patience);
        Target { url: self.url.clone(), model: Some("m".to_owned()), key: None, seed: 7, patience }
    }

    fn run(&self, load: Load) -> Result<EndpointRow, Error> {
        self.connect()?.run(&load, &mut |_| ())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let ways = &shared.ways;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap_or(Value::Null);
    let key = parts.headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
    shared.asked.lock().unwrap().push((path.clone(), key, body.clone()));
    let refusal = |status: u16, said: &str| whole(status, &json!({ "error": { "message": said } }));
    let prompt = match path.as_str() {
        "/v1/models" => {
            let models: Vec<Value> = ways.models.iter().map(|id| json!({ "id": id })).collect();
            return whole(200, &json!({ "data": models }));
        }
        "/v1/completions" if ways.completions => body["prompt"].as_str().unwrap(),
        "/v1/chat/completions" => body["messages"][0]["content"].as_str().unwrap(),
        _ => return refusal(404, "no such page"),
    };
    if let Some(field) = ways.refuses.iter().find(|field| body.get(**field).is_some()) {
        return refusal(400, &format!("unknown field {field}"));
    }
    // A first token, and two a word.
    let words = prompt.split(' ').count();
    let prompt_tokens = 1 + 2 * words;
    if body["stream"] == false {
        let usage = json!({ "prompt_tokens": prompt_tokens, "completion_tokens": 1 });
        return whole(200, &json!({ "usage": if ways.counts.0 { usage } else { Value::Null } }));
    }
    // Long prompts are those that are measured, after the one to warm up.
    let fault = words > 8 && shared.measured.fetch_add(1, Ordering::SeqCst) % 2 == 1;
    let fault = if fault { ways.fault } else { Fault::None };
    match fault {
        Fault::TooMany => return refusal(429, "slow down"),
        Fault::WebPage => return Response::new(Body::from("<html>hello</html>")),
        _ => {}
    }
    let is_chat = body.get("messages").is_some();
    let piece = |text: &str| match is_chat {
        true => json!({ "choices": [{ "delta": { "content": text }, "finish_reason": null }] }),
        false => json!({ "choices": [{ "text": text, "finish_reason": null }] }),
    };
    let event = |data: &Value| format!("data: {data}\n\n").into_bytes();
    // A chat begins with who speaks, which is no token.
    let mut events = vec![(0, event(&piece("")))];
    let most = ways.events.min(body["max_tokens"].as_u64().unwrap() as usize);
    for number in 0..most {
        events.push((if number == 0 { ways.first_ms } else { ways.next_ms }, event(&piece("ü€"))));
    }
    let middle = events.len() / 2;
    match fault {
        Fault::Breaks => events.truncate(middle),
        Fault::Silence => events[middle].0 = 5000,
        Fault::Fails => events[middle].1 = event(&json!({ "error": { "message": "out of memory" } })),
        Fault::NoJson => events[middle].1 = b"data: {\"choices\": [\n\n".to_vec(),
        _ => {
            events.push((0, event(&json!({ "choices": [{ "text": "", "finish_reason": "length" }] }))));
            if ways.counts.1 && body["stream_options"]["include_usage"] == true {
                let usage = json!({ "prompt_tokens": prompt_tokens, "completion_tokens": most * ways.tokens_an_event });
                events.push((0, event(&json!({ "choices": [], "usage": usage }))));
            }
            events.push((0, b"data: [DONE]\n\n".to_vec()));
        }
    }
    let now = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_at_once.fetch_max(now, Ordering::SeqCst);
    // Every event comes in two parts, cut in the middle of its first letter beyond ASCII.
    let parts = events.into_iter().flat_map(|(delay_ms, bytes)| {
        let cut = bytes.iter().position(|byte| *byte > 127).map_or(3, |at| at + 1);
        let (start, end) = bytes.split_at(cut);
        [(delay_ms, Bytes::copy_from_slice(start)), (0, Bytes::copy_from_slice(end))]
    });
    let rest = parts.collect::<Vec<_>>().into_iter();
    let bytes = stream::unfold((rest, shared.clone()), |(mut rest, shared)| async move {
        let Some((delay_ms, bytes)) = rest.next() else {
            shared.at_once.fetch_sub(1, Ordering::SeqCst);
            return None;
        };
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        Some((Ok::<_, Infallible>(bytes), (rest, shared)))
    });
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(bytes)).unwrap()
}

fn whole(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn network() -> HubSettings {
    HubSettings {
        endpoint: String::new(),
        token: None,
        cache_dir: Default::default(),
        offline: true,
        retries: 0,
        connections: 1,
        read_timeout: Duration::from_secs(30),
        no_proxy: false,
        certificates: None,
    }
}

const LOAD: Load = Load { prompt_tokens: 101, generated_tokens: 5, concurrency: 2, requests: 2 };

#[test]
fn a_load_runs_as_asked_and_is_measured() {
    let server = Server::start(WELL);
    let mut endpoint = server.connect().unwrap();
    let mut steps = Vec::new();
    let row = endpoint.run(&LOAD, &mut |progress| steps.push((progress.done_runs, progress.total_runs))).unwrap();
    assert_eq!(steps, [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
    assert_eq!((row.test.as_str(), row.requests, row.errors, row.notes.len()), ("pp101+tg5 x2", 4, 0, 0), "{row:?}");
    assert_eq!((row.prompt_tokens, row.generated_tokens), (Some(101.0), 5.0));
    assert!(row.ttft_ms_p50 >= 20.0 && row.ttft_ms_p95 >= row.ttft_ms_p50);
    // What comes late once comes early after that: only the sum is sure, and nearly.
    let decode = row.tokens_per_s.unwrap();
    assert!(decode > 1.0 && decode < 200.0 && row.samples_tokens_per_s.len() == 4, "{row:?}");
    assert!(row.prefill_tokens_per_s.unwrap() <= 101.0 / 0.02);
    // Each stream takes 60 ms twice.
    assert!(row.wall_s >= 0.12 && row.total_tokens_per_s.unwrap() <= (4.0 * 106.0) / 0.12);
    assert_eq!(server.shared.most_at_once.load(Ordering::SeqCst), 2);
    endpoint.run(&LOAD, &mut |_| ()).unwrap();
    let asked = server.shared.asked.lock().unwrap();
    let long: Vec<&Value> = asked.iter().map(|asked| &asked.2).filter(|body| body["max_tokens"] == 5).collect();
    let prompts: HashSet<&str> = long.iter().map(|body| body["prompt"].as_str().unwrap()).collect();
    assert_eq!((long.len(), prompts.len()), (10, 10), "no prompt twice");
    assert!(long.iter().all(|body| body["ignore_eos"] == true && body["temperature"] == 0 && body["model"] == "m"));
}

#[test]
fn a_server_that_understands_less_is_asked_for_less() {
    let refuses = vec!["ignore_eos", "stream_options"];
    let server = Server::start(Ways { completions: false, refuses, events: 3, ..WELL });
    let row = server.run(LOAD).unwrap();
    assert_eq!((row.requests, row.prompt_tokens, row.generated_tokens), (4, Some(101.0), 3.0));
    let said = ["no /v1/completions", "ignore_eos", "an event counts as one", "about 101 tokens", "after 3 tokens"];
    assert_eq!(row.notes.len(), said.len(), "{:?}", row.notes);
    assert!(row.notes.iter().zip(said).all(|(note, said)| note.contains(said)), "{:?}", row.notes);
}

#[test]
fn a_server_that_counts_nothing_gets_words() {
    let row = Server::start(Ways { counts: (false, false), ..WELL }).run(LOAD).unwrap();
    assert_eq!((row.prompt_tokens, row.prefill_tokens_per_s, row.total_tokens_per_s), (None, None, None));
    assert!(row.samples_prefill_tokens_per_s.is_empty() && row.generated_tokens == 5.0);
    assert!(row.notes[1].contains("they have 101 words"), "{:?}", row.notes);
}

#[test]
fn tokens_that_come_together_are_counted_by_the_server() {
    let load = Load { generated_tokens: 15, ..LOAD };
    let row = Server::start(Ways { tokens_an_event: 3, ..WELL }).run(load).unwrap();
    assert_eq!((row.generated_tokens, row.notes.len()), (15.0, 1), "{:?}", row.notes);
    assert!(row.notes[0].contains("3.0 tokens an event"));
}

#[test]
fn requests_that_fail_are_counted_and_the_first_is_told() {
    for (fault, said) in [
        (Fault::TooMany, "status 429: slow down; it takes no more requests now"),
        (Fault::Breaks, "broke off after 3 events: it ended in the middle"),
        (Fault::Fails, "in the middle of an answer: out of memory"),
        (Fault::NoJson, "not one of OpenAI's protocol: EOF"),
        (Fault::Silence, "was silent for 0 s"),
        (Fault::WebPage, "it is no stream of events"),
    ] {
        let server = Server::start(Ways { fault, ..WELL });
        let row = server.run(LOAD).unwrap();
        assert_eq!((row.requests, row.errors), (2, 2), "{said}: {row:?}");
        let error = row.error.unwrap();
        assert!(error.contains(said) && error.contains(&server.url), "{error}");
        assert_eq!(row.samples_tokens_per_s.len(), 2);
        // The second of all, after the one to warm up, is the only one.
        let error = server.run(Load { concurrency: 1, requests: 1, ..LOAD }).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// Answers the first request of each connection, which it says to keep, and closes it at the second.
fn answer_once(mut connection: std::net::TcpStream) -> std::io::Result<()> {
    let body = "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";
    for answer in [Some(body), None] {
        let mut request = Vec::new();
        // A request without a body ends in an empty line, and a body, which is a JSON object, in a brace.
        let end: fn(&[u8]) -> bool = |request| match request.starts_with(b"GET") {
            true => request.ends_with(b"\r\n\r\n"),
            false => request.ends_with(b"}"),
        };
        while !end(&request) {
            let mut byte = [0];
            connection.read_exact(&mut byte)?;
            request.extend(byte);
        }
        let whole = String::from_utf8_lossy(&request).contains("\"stream\":false");
        if let Some(body) = answer.map(|body| if whole { "{}" } else { body }) {
            write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        }
    }
    Ok(())
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_no_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            std::thread::spawn(|| answer_once(connection.unwrap()));
        }
    });
    let target = Target { url, model: Some("m".to_owned()), key: None, seed: 0, patience: Duration::from_secs(20) };
    let row = connect(&target, &network()).unwrap().run(&LOAD, &mut |_| ()).unwrap();
    assert_eq!((row.requests, row.errors), (4, 0), "{row:?}");
}

#[test]
fn the_model_is_the_only_one_or_must_be_named() {
    let model = |models: &[&'static str], key: Option<&str>| {
        let server = Server::start(Ways { models: models.to_vec(), ..WELL });
        let target = Target { model: None, key: key.map(str::to_owned), ..server.target() };
        let connected = connect(&target, &network()).map(|endpoint| endpoint.model().to_owned());
        (connected.map_err(|e| e.to_string()), server)
    };
    let (found, server) = model(&["stories"], Some("sk-1"));
    assert_eq!(found.unwrap(), "stories");
    let asked = server.shared.asked.lock().unwrap();
    assert!(asked.len() > 3 && asked.iter().all(|asked| asked.1.as_deref() == Some("Bearer sk-1")));
    assert!(model(&[], None).0.unwrap_err().ends_with("name the model"));
    assert!(model(&["a", "b"], None).0.unwrap_err().ends_with("has several models: a, b; name one"));
    assert!(model(&["a"], Some("sk 1\n")).0.unwrap_err().contains("characters that no key has"));
}

#[test]
fn what_is_not_there_or_not_to_be_reached_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = |url: &str| {
        let patience = Duration::from_secs(20);
        let target = Target { url: url.to_owned(), model: None, key: None, seed: 0, patience };
        connect(&target, &network()).err().unwrap().to_string()
    };
    assert!(error(&url).contains(&format!("cannot reach http://{url}/v1: ")), "{}", error(&url));
    assert!(error("http://192.0.2.1:8080").starts_with("offline: "), "{}", error("http://192.0.2.1:8080"));
    let server = Server::start(Ways { models: vec!["m"], ..WELL });
    let error = error(&format!("{}/elsewhere", server.url));
    assert!(error.contains("status 404: no such page; see that it speaks"), "{error}");
}
