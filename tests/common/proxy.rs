//! A forward proxy: passes requests on and counts them.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

pub struct Proxy {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The first line of each request and `Proxy-Authorization`, if it came.
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    pub fn start() -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&log)));
            }
        });
        Proxy { address, asked, _runtime: runtime }
    }

    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// One request: a tunnel (`CONNECT host:port`), or an address in full, which the server gets as a
/// path on a connection that ends after it.
async fn pass(mut client: TcpStream, log: Arc<Mutex<Vec<String>>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (first, rest) = head.split_once("\r\n").unwrap_or_default();
    let permission = rest.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization:"));
    log.lock().unwrap().push([first, permission.unwrap_or_default()].join(" ").trim().to_owned());
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let mut server = TcpStream::connect(target).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let (host, path) = target.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let mut server = TcpStream::connect(host).await?;
    let lines: Vec<&str> = rest.lines().filter(|line| !line.to_lowercase().starts_with("proxy-")).collect();
    let request = format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n{}\r\n", lines.join("\r\n"));
    server.write_all(request.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
