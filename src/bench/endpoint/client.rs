//! How requests are put, and what answers that are none mean.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{ROUND, TokensOfWords, prompt};
use super::stream::{self, Answer, Usage};
use super::{Error, Target};
use crate::hub::http::{builder, root_cause};
use crate::hub::{self, HubSettings};

/// A list of models is at hand, or the server is not there.
const LIST_PATIENCE: Duration = Duration::from_secs(30);
/// How often a request goes out that finds its connection closed.
const TRIES: u32 = 3;
/// What is read of a refusal, in bytes, and shown of it, in characters.
const MOST_REFUSAL: usize = 64 << 10;
const MOST_SHOWN: usize = 200;

/// What this server understands of the protocol and of what others have added to it.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    /// It has no `completions`, only `chat/completions`.
    chat: bool,
    /// It takes `ignore_eos`, by which answers have their full length (llama-server, vLLM).
    ignore_eos: bool,
    /// It takes `stream_options`, by which a stream ends with counts of tokens.
    stream_options: bool,
}

/// A server that is being talked to.
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<HeaderValue>,
    dialect: Dialect,
    pub model: String,
    seed: u64,
    patience: Duration,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

#[derive(Deserialize)]
struct Whole {
    usage: Option<Usage>,
}

impl Client {
    /// A client that knows its model.
    pub async fn new(target: &Target, network: &HubSettings) -> Result<Client, Error> {
        let base = base(&target.url)?;
        let local = is_this_machine(&base);
        if network.offline && !local {
            return Err(hub::Error::Offline.into());
        }
        let network = HubSettings { no_proxy: network.no_proxy || local, ..network.clone() };
        let wrong = |e: reqwest::Error| Error::Connection { url: base.to_string(), reason: root_cause(&e) };
        // HTTP/1.1, so that every stream has a connection of its own.
        let http = builder(&network)?.read_timeout(target.patience).redirect(Policy::none()).http1_only();
        let http = http.build().map_err(wrong)?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        let key = match &target.key {
            Some(key) => Some(bearer(key).ok_or_else(|| Error::Key { url: base.clone() })?),
            None => None,
        };
        let dialect = Dialect { chat: false, ignore_eos: true, stream_options: true };
        let (seed, patience) = (target.seed, target.patience);
        let mut client = Client { http, base, key, dialect, model: String::new(), seed, patience };
        client.model = match &target.model {
            Some(model) => model.clone(),
            None => client.only_model().await?,
        };
        Ok(client)
    }

    pub fn url(&self) -> &str {
        &self.base
    }

    /// The name of the model, if there is just one.
    async fn only_model(&self) -> Result<String, Error> {
        let models: Models = serde_json::from_slice(&self.models().await?).map_err(|e| self.malformed(&e))?;
        match models.data.as_slice() {
            [] => Err(Error::NoModel { url: self.base.clone() }),
            [model] => Ok(model.id.clone()),
            several => {
                let mut names: Vec<&str> = several.iter().take(8).map(|model| model.id.as_str()).collect();
                names.extend((several.len() > 8).then_some("..."));
                Err(Error::SeveralModels { url: self.base.clone(), models: names.join(", ") })
            }
        }
    }

    /// The list of models, as it came.
    async fn models(&self) -> Result<Vec<u8>, Error> {
        let patience = LIST_PATIENCE.min(self.patience);
        let list = async {
            let (response, _) = self.send(self.http.get(format!("{}/models", self.base)).timeout(patience)).await?;
            self.whole(response).await
        };
        list.await.map_err(|e| match e {
            Error::Silent { url, .. } => Error::Silent { url, seconds: patience.as_secs() },
            other => other,
        })
    }

    /// Opens a connection, so that the first request of a stream does not pay for it.
    pub async fn open(&self) {
        // Who cannot answer this may still answer what counts.
        let _ = self.models().await;
    }

    /// Finds out what the server understands, and how many tokens words are; `None` if it does not count.
    pub async fn learn(&mut self) -> Result<Option<TokensOfWords>, Error> {
        let one_round = self.learn_dialect().await?;
        let two_rounds = self.count(&self.prompt(2 * ROUND, u64::MAX - 1)).await?;
        let counts = one_round.zip(two_rounds);
        loop {
            match self.ask(&self.prompt(8, u64::MAX - 2), 2).await {
                Ok(_) | Err(Error::Empty { .. }) => break,
                Err(e) if is_about_a_field(&e) && self.dialect.stream_options => self.dialect.stream_options = false,
                Err(e) => return Err(e),
            }
        }
        Ok(counts.and_then(|(one, two)| TokensOfWords::learn(one, two)))
    }

    async fn learn_dialect(&mut self) -> Result<Option<u64>, Error> {
        loop {
            match self.count(&self.prompt(ROUND, u64::MAX)).await {
                Ok(tokens) => return Ok(tokens),
                Err(e) if matches!(e.status(), Some(404 | 405 | 501)) && !self.dialect.chat => self.dialect.chat = true,
                Err(e) if is_about_a_field(&e) && self.dialect.ignore_eos => self.dialect.ignore_eos = false,
                Err(e) => return Err(e),
            }
        }
    }

    /// The prompt of this number, of so many words.
    pub fn prompt(&self, words: usize, number: u64) -> String {
        prompt(words, self.seed.wrapping_add(number))
    }

    /// How many tokens a prompt is, if the server says so.
    async fn count(&self, prompt: &str) -> Result<Option<u64>, Error> {
        let (response, _) = self.post(prompt, 1, false).await?;
        let whole: Whole = serde_json::from_slice(&self.whole(response).await?).map_err(|e| self.malformed(&e))?;
        Ok(whole.usage.and_then(|usage| usage.prompt_tokens).filter(|tokens| *tokens > 0))
    }

    /// A streamed answer of `tokens` tokens at most.
    pub async fn ask(&self, prompt: &str, tokens: usize) -> Result<Answer, Error> {
        let (response, sent) = self.post(prompt, tokens, true).await?;
        stream::read(self, response, sent).await
    }

    async fn post(&self, prompt: &str, tokens: usize, streamed: bool) -> Result<(Response, Instant), Error> {
        let Dialect { chat, ignore_eos, stream_options } = self.dialect;
        let mut body = json!({ "model": self.model, "max_tokens": tokens, "temperature": 0, "stream": streamed });
        if chat {
            body["messages"] = json!([{ "role": "user", "content": prompt }]);
        } else {
            body["prompt"] = prompt.into();
        }
        if ignore_eos {
            body["ignore_eos"] = true.into();
        }
        if streamed && stream_options {
            body["stream_options"] = json!({ "include_usage": true });
        }
        let path = if chat { "chat/completions" } else { "completions" };
        self.send(self.http.post(format!("{}/{path}", self.base)).json(&body)).await
    }

    /// An answer of success, and when it was asked for; or what its status means.
    async fn send(&self, request: RequestBuilder) -> Result<(Response, Instant), Error> {
        let mut request = match &self.key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        };
        let mut again = TRIES;
        let (mut response, sent) = loop {
            again -= 1;
            let copy = request.try_clone().filter(|_| again > 0);
            let sent = Instant::now();
            match (request.send().await, copy) {
                (Ok(response), _) => break (response, sent),
                (Err(e), Some(copy)) if was_closed(&e) => request = copy,
                (Err(e), _) => return Err(self.broken(&e)),
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok((response, sent));
        }
        let target = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let target = target.map(|to| format!(" ({to})")).unwrap_or_default();
        let mut body = Vec::new();
        // What it says besides its status is a help, no more.
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() > MOST_REFUSAL {
                break;
            }
        }
        let said = serde_json::from_slice(&body).ok().and_then(|body| said(&body));
        let said = said.map_or(target, |said| format!(": {said}"));
        Err(Error::Status { url: self.base.clone(), status: status.as_u16(), said })
    }

    async fn whole(&self, response: Response) -> Result<Vec<u8>, Error> {
        Ok(response.bytes().await.map_err(|e| self.broken(&e))?.to_vec())
    }

    /// What a connection that failed means.
    pub fn broken(&self, error: &reqwest::Error) -> Error {
        let url = self.base.clone();
        if error.is_timeout() && !error.is_connect() {
            return Error::Silent { url, seconds: self.patience.as_secs() };
        }
        Error::Connection { url, reason: root_cause(error) }
    }

    pub fn malformed(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Malformed { url: self.base.clone(), why: why.to_string() }
    }

    /// What a reader should know of how this server was asked.
    pub fn notes(&self) -> Vec<String> {
        let Dialect { chat, ignore_eos, .. } = self.dialect;
        let chat = chat.then(|| "it has no /v1/completions: prompts are messages of a chat".to_owned());
        let ends = (!ignore_eos).then(|| "it does not take ignore_eos: answers may end early".to_owned());
        chat.into_iter().chain(ends).collect()
    }
}

/// Whether the connection was closed before any answer. Servers close connections that they said to keep, and may do so
/// just as the next request leaves; llama-server often does after a stream.
fn was_closed(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}

/// Statuses by which servers say that they do not know a field.
fn is_about_a_field(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 422))
}

fn bearer(key: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| hub::is_token(key))?;
    value.set_sensitive(true);
    Some(value)
}

/// The address up to `/v1`.
fn base(typed: &str) -> Result<Url, Error> {
    let wrong = |why: &str| Error::Address { url: typed.to_owned(), why: why.to_owned() };
    let typed = typed.trim();
    let with_scheme = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    let mut url = Url::parse(&with_scheme).map_err(|e| wrong(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it is not http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // It is not to be shown either.
        let _ = (url.set_username(""), url.set_password(None));
        return Err(Error::Address { url: url.to_string(), why: "it came with a name or password".to_owned() });
    }
    url.set_query(None);
    url.set_fragment(None);
    let mut path = url.path().trim_end_matches('/');
    for end in ["/chat/completions", "/completions", "/models"] {
        path = path.strip_suffix(end).unwrap_or(path);
    }
    let path = format!("{}/v1", path.strip_suffix("/v1").unwrap_or(path));
    url.set_path(&path);
    Ok(url)
}

/// Whether no network is between.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// What an error says, as OpenAI and those who follow it put it, in one line that is not too long.
pub fn said(body: &Value) -> Option<String> {
    let places = [&body["error"]["message"], &body["error"], &body["message"], &body["detail"]];
    let text = places.iter().find_map(|place| place.as_str())?;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(MOST_SHOWN).collect();
    Some(if short.len() < line.len() { short + "..." } else { short })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (typed, expected) in [
            ("http://localhost:8080", "http://localhost:8080/v1"),
            ("localhost:8080", "http://localhost:8080/v1"),
            (" http://10.0.0.2:8000/v1/ ", "http://10.0.0.2:8000/v1"),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
            ("http://h/v1/chat/completions?x=1#y", "http://h/v1"),
            ("http://h/v1/models", "http://h/v1"),
            ("[::1]:11434", "http://[::1]:11434/v1"),
        ] {
            assert_eq!(base(typed).unwrap().as_str(), expected, "{typed}");
        }
        for typed in ["", "ftp://h", "http://", "http://h:99999", "http://me:secret@h"] {
            let error = base(typed).unwrap_err().to_string();
            assert!(error.contains("no server's address") && !error.contains("secret"), "{typed}: {error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, is) in
            [("localhost", true), ("127.0.0.9", true), ("[::1]", true), ("0.0.0.0", true), ("10.0.0.1", false)]
        {
            assert_eq!(is_this_machine(&base(host).unwrap()), is, "{host}");
        }
        assert!(!is_this_machine(&base("localhost.evil.org").unwrap()));
    }

    #[test]
    fn what_a_refusal_says_is_found_where_servers_put_it() {
        for body in [
            json!({ "error": { "message": "no\n such model", "code": 404 } }),
            json!({ "error": "no such model" }),
            json!({ "object": "error", "message": "no such model" }),
            json!({ "detail": "no such model" }),
        ] {
            assert_eq!(said(&body).as_deref(), Some("no such model"), "{body}");
        }
        assert_eq!(said(&json!({ "detail": [] })), None);
        assert_eq!(said(&json!({ "error": "ü".repeat(300) })).unwrap().chars().count(), MOST_SHOWN + 3);
    }
}
