//! A receiver of webhooks in the test's own process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// What it answers, in the order of requests; the last answer to all further ones.
pub enum Answer {
    /// Status line and headers, without the line ends.
    Status(&'static str),
    /// Nothing, ever.
    Silence,
}

/// A server on this machine that lives as long as the test.
pub struct Receiver {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub fn answering(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (heard, mut held) = (Arc::clone(&requests), Vec::new());
        thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&stream) else { continue };
                heard.lock().expect("a lock").push(request);
                match &answers[at.min(answers.len() - 1)] {
                    Answer::Status(status) => {
                        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    }
                    Answer::Silence => held.push(stream),
                }
            }
        });
        Self { address, requests }
    }

    pub fn ok() -> Self {
        Self::answering(vec![Answer::Status("200 OK")])
    }

    /// Its URL, with a path and a query that nobody may see.
    pub fn url(&self) -> String {
        format!("http://{}/services/HUSH?sig=HUSH", self.address)
    }

    /// What came until now.
    pub fn heard(&self) -> Vec<Request> {
        self.requests.lock().expect("a lock").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { headers, body: String::from_utf8(body).ok()? })
}
