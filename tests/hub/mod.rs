//! A hub of the project's own: speaks the protocol over real sockets, with a content host beside it, and does wrong
//! what a test asks it to do wrong.

#![allow(dead_code)] // Each test program uses some of these.

pub mod bench;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that every model of the hub is at, until [`Hub::advance`].
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One file of a model.
#[derive(Clone)]
pub struct Stored {
    pub bytes: Vec<u8>,
    /// In large-file storage, which redirects to the content host.
    pub large: bool,
}

impl Stored {
    pub fn etag(&self) -> String {
        if self.large {
            hex(&Sha256::digest(&self.bytes))
        } else {
            let mut hasher = Sha1::new();
            hasher.update(format!("blob {}\0", self.bytes.len()));
            hasher.update(&self.bytes);
            hex(&hasher.finalize())
        }
    }
}

/// What goes wrong with one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This many bytes of the body, then the end of the connection.
    CutAfter(usize),
    /// No answer to a range but the whole file.
    IgnoreRange,
    /// A body that is this much longer than it should be, or shorter, with a header that says so.
    Length(i64),
    /// More bytes than there are, without a header that says so.
    Overlong,
    /// The right length, one byte changed.
    WrongByte,
    /// This status and these headers, and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// The body in pieces of this size with pauses of this many milliseconds.
    Drip(usize, u64),
    /// No answer at all.
    Hang,
    /// Half the body, then silence.
    HangHalfway,
    /// A redirect to where the request came from.
    RedirectLoop,
    /// The end of the connection instead of an answer.
    Reset,
    /// A range that nobody asked for.
    WrongRange,
}

/// Which answers a fault is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum On {
    /// The list of files.
    Listing,
    /// The hub's answer for a file with this ending.
    Resolve(&'static str),
    /// The bytes of large files, from the content host.
    Content,
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whether the content host saw it, not the hub.
    pub at_content: bool,
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// Every model's files.
type Models = BTreeMap<String, BTreeMap<String, Stored>>;

#[derive(Default)]
struct State {
    models: Models,
    /// The commit that the branch is at.
    head: String,
    /// What the models were at earlier commits.
    history: BTreeMap<String, Models>,
    faults: Vec<(On, usize, Fault)>,
    seen: Vec<Seen>,
    /// Only requests with this token are answered.
    token: Option<String>,
    /// Names in the listing that no file has.
    stray: Vec<String>,
    /// The listing has no sizes and hashes, as those of some mirrors.
    bare: bool,
    /// Instead of the commit.
    false_commit: Option<String>,
    /// Instead of the size, in the listing.
    false_size: Option<u64>,
    /// Where large files are redirected to.
    content: String,
}

impl State {
    fn commit<'a>(&'a self, revision: &'a str) -> &'a str {
        if revision == "main" { &self.head } else { revision }
    }

    /// The files of the model `id` at `revision`, or the code of the hub's error.
    fn files(&self, id: &str, revision: &str) -> Result<&BTreeMap<String, Stored>, &'static str> {
        let commit = self.commit(revision);
        let models = if commit == self.head {
            &self.models
        } else {
            self.history.get(commit).ok_or("RevisionNotFound")?
        };
        models.get(id).ok_or("RepoNotFound")
    }
}

/// A running hub.
pub struct Hub {
    pub url: String,
    pub port: u16,
    pub content_port: u16,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// A hub with the tiny BERT model of the fixtures as `tiny/bert`.
    pub fn start() -> Self {
        let (hub, content) = (listen(), listen());
        let served = Self {
            url: format!("http://127.0.0.1:{}", port(&hub)),
            port: port(&hub),
            content_port: port(&content),
            state: Arc::default(),
        };
        COMMIT.clone_into(&mut served.lock().head);
        // By another name, so that it is another host.
        served.set_content(&format!("http://localhost:{}", served.content_port));
        for (listener, at_content) in [(hub, false), (content, true)] {
            let state = Arc::clone(&served.state);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    thread::spawn(move || {
                        // A client that went away is its own business.
                        let _ = serve(stream, at_content, &state);
                    });
                }
            });
        }
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("__test__/fixtures/bert");
        served.add("tiny/bert", &model);
        served
    }

    /// Serves the folder as the model `id`.
    pub fn add(&self, id: &str, folder: &Path) {
        let mut files = BTreeMap::new();
        collect(folder, folder, &mut files);
        files.insert(
            "README.md".to_owned(),
            Stored {
                bytes: b"not needed".to_vec(),
                large: false,
            },
        );
        files.insert(
            "pytorch_model.bin".to_owned(),
            Stored {
                bytes: vec![1; 4096],
                large: true,
            },
        );
        self.lock().models.insert(id.to_owned(), files);
    }

    /// Puts `bytes` at `path` of the model `id`.
    pub fn put(&self, id: &str, path: &str, bytes: &[u8]) {
        let file = Stored {
            bytes: bytes.to_vec(),
            large: path.starts_with("onnx/"),
        };
        self.lock()
            .models
            .entry(id.to_owned())
            .or_default()
            .insert(path.to_owned(), file);
    }

    /// Moves the branch to a new commit; what is changed from now on is not in the commit before.
    pub fn advance(&self, commit: &str) {
        let mut state = self.lock();
        let (before, models) = (std::mem::take(&mut state.head), state.models.clone());
        state.history.insert(before, models);
        commit.clone_into(&mut state.head);
    }

    /// Loses all commits but the newest.
    pub fn rewrite_history(&self) {
        self.lock().history.clear();
    }

    pub fn remove(&self, id: &str, path: &str) {
        self.lock().models.get_mut(id).unwrap().remove(path).unwrap();
    }

    pub fn file(&self, id: &str, path: &str) -> Stored {
        self.lock().models[id][path].clone()
    }

    /// Does `fault` to the next `times` answers of that kind.
    pub fn fail(&self, on: On, times: usize, fault: Fault) {
        self.lock().faults.push((on, times, fault));
    }

    /// Does nothing wrong any more.
    pub fn mend(&self) {
        self.lock().faults.clear();
    }

    pub fn require_token(&self, token: &str) {
        self.lock().token = Some(token.to_owned());
    }

    pub fn add_stray(&self, name: &str) {
        self.lock().stray.push(name.to_owned());
    }

    pub fn set_bare(&self, bare: bool) {
        self.lock().bare = bare;
    }

    pub fn set_false_commit(&self, commit: Option<&str>) {
        self.lock().false_commit = commit.map(str::to_owned);
    }

    /// The address of the content host as the hub tells it: where something stands before it, the address of that.
    pub fn set_content(&self, url: &str) {
        self.lock().content = url.to_owned();
    }

    pub fn set_false_size(&self, size: Option<u64>) {
        self.lock().false_size = size;
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub fn forget(&self) {
        self.lock().seen.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Stored>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            let large = name.contains(".onnx") || name == "tokenizer.json";
            let bytes = fs::read(&path).unwrap();
            files.insert(name, Stored { bytes, large });
        }
    }
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => {
                return Ok(Some(Request {
                    method,
                    path,
                    headers,
                }));
            }
        };
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    on: Option<On>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            on: None,
        }
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

fn serve(mut stream: TcpStream, at_content: bool, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read_request(&stream)? else {
        return Ok(());
    };
    let (answer, fault) = {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen {
            at_content,
            method: request.method.clone(),
            path: request.path.clone(),
            range: request.headers.get("range").cloned(),
            authorization: request.headers.get("authorization").cloned(),
        });
        let answer = if at_content {
            from_content(&state, &request)
        } else {
            from_hub(&state, &request)
        };
        let fault = answer.on.and_then(|on| {
            let applies = |wanted: &On| match (wanted, on) {
                (On::Resolve(ending), On::Resolve(_)) => request.path.ends_with(ending),
                (wanted, on) => *wanted == on,
            };
            let position = state
                .faults
                .iter()
                .position(|(on, left, _)| *left > 0 && applies(on))?;
            state.faults[position].1 -= 1;
            Some(state.faults[position].2.clone())
        });
        (answer, fault)
    };
    answer_with(&mut stream, &request, answer, fault)
}

fn answer_with(
    stream: &mut TcpStream,
    request: &Request,
    mut answer: Answer,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let whole = answer.body.clone();
    let range = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.strip_suffix('-'))
        .and_then(|from| from.parse::<usize>().ok());
    if let (Some(from), 200) = (range, answer.status)
        && fault != Some(Fault::IgnoreRange)
    {
        if from >= whole.len() {
            answer.status = 416;
            answer.body.clear();
        } else {
            let from = if fault == Some(Fault::WrongRange) {
                from + 1
            } else {
                from
            };
            answer.status = 206;
            answer.body = whole[from..].to_vec();
            let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
            answer = answer.with("Content-Range", range);
        }
    }
    let mut length = Some(answer.body.len());
    match &fault {
        Some(Fault::Reset) => return stream.shutdown(Shutdown::Both),
        Some(Fault::Hang) => {
            wait_for_end(stream);
            return Ok(());
        }
        Some(Fault::Status(status, headers)) => {
            answer = headers
                .iter()
                .fold(Answer::new(*status), |answer, (name, value)| {
                    answer.with(name, value)
                });
            length = Some(0);
        }
        Some(Fault::RedirectLoop) => {
            answer = Answer::new(302).with("Location", &request.path);
            length = Some(0);
        }
        Some(Fault::Length(more)) => {
            let size = (answer.body.len() as i64 + more) as usize;
            answer.body.resize(size, b'x');
            length = Some(size);
        }
        Some(Fault::Overlong) => {
            answer.body.extend_from_slice(b"and more");
            length = None;
        }
        Some(Fault::WrongByte) => {
            let middle = answer.body.len() / 2;
            answer.body[middle] ^= 0x55;
        }
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {} .\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = length {
        head += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    if request.method == "HEAD" {
        return Ok(());
    }
    match fault {
        Some(Fault::CutAfter(bytes)) => {
            stream.write_all(&answer.body[..bytes.min(answer.body.len())])?;
            return stream.shutdown(Shutdown::Both);
        }
        Some(Fault::HangHalfway) => {
            stream.write_all(&answer.body[..answer.body.len() / 2])?;
            wait_for_end(stream);
        }
        Some(Fault::Drip(size, pause)) => {
            for piece in answer.body.chunks(size) {
                stream.write_all(piece)?;
                thread::sleep(Duration::from_millis(pause));
            }
        }
        _ => stream.write_all(&answer.body)?,
    }
    stream.shutdown(Shutdown::Write)
}

/// Says nothing until the client gives up.
fn wait_for_end(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 16]);
}

fn from_content(state: &State, request: &Request) -> Answer {
    let name = request
        .path
        .trim_start_matches("/large/")
        .split('?')
        .next()
        .unwrap();
    let found = state
        .history
        .values()
        .chain([&state.models])
        .flat_map(BTreeMap::values)
        .flat_map(BTreeMap::values)
        .find(|file| file.large && file.etag() == name);
    let mut answer = match found {
        Some(file) => {
            let mut answer = Answer::new(200).with("ETag", "\"the-content-host's-own\"");
            answer.body = file.bytes.clone();
            answer
        }
        None => Answer::new(404),
    };
    answer.on = Some(On::Content);
    answer
}

fn from_hub(state: &State, request: &Request) -> Answer {
    let authorized = match &state.token {
        Some(token) => request.headers.get("authorization") == Some(&format!("Bearer {token}")),
        None => true,
    };
    if !authorized {
        return Answer::new(401).with("X-Error-Code", "RepoNotFound");
    }
    let path = request.path.split('?').next().unwrap().replace("%2F", "/");
    if let Some(rest) = path.strip_prefix("/api/models/") {
        return listing(state, rest);
    }
    let Some((id, rest)) = path.trim_start_matches('/').split_once("/resolve/") else {
        return Answer::new(404);
    };
    let (revision, file) = rest.split_once('/').unwrap_or_default();
    let files = match state.files(id, revision) {
        Ok(files) => files,
        Err(code) => return Answer::new(404).with("X-Error-Code", code),
    };
    let mut answer = match files.get(file) {
        None => Answer::new(404).with("X-Error-Code", "EntryNotFound"),
        Some(stored) if stored.large => Answer::new(302)
            .with(
                "Location",
                format!(
                    "{}/large/{}?signature=secret-signature",
                    state.content,
                    stored.etag()
                ),
            )
            .with("ETag", "\"of-the-pointer\"")
            .with("X-Linked-Etag", format!("\"{}\"", stored.etag()))
            .with("X-Linked-Size", stored.bytes.len()),
        Some(stored) => {
            let mut answer = Answer::new(200).with("ETag", format!("\"{}\"", stored.etag()));
            answer.body = stored.bytes.clone();
            answer
        }
    };
    answer.on = Some(On::Resolve(""));
    answer.with("X-Repo-Commit", state.commit(revision))
}

/// `{id}`, `{id}/revision/{revision}` and `{id}/tree/{revision}`.
fn listing(state: &State, rest: &str) -> Answer {
    let words: Vec<_> = rest.split('/').collect();
    let id = words.iter().take(2).copied().collect::<Vec<_>>().join("/");
    let revision = words.get(3).copied().unwrap_or("main");
    let files = match state.files(&id, revision) {
        Ok(files) => files,
        Err(code) => return Answer::new(404).with("X-Error-Code", code),
    };
    let size = |stored: &Stored| state.false_size.unwrap_or(stored.bytes.len() as u64);
    let body = if words.get(2) == Some(&"tree") {
        let entries = files.iter().map(|(path, stored)| {
            let mut entry =
                json!({ "type": "file", "path": path, "size": stored.bytes.len(), "oid": stored.etag() });
            if stored.large {
                entry["oid"] = json!("f".repeat(40));
                entry["lfs"] =
                    json!({ "oid": stored.etag(), "size": stored.bytes.len(), "pointerSize": 130 });
            }
            entry
        });
        entries.collect()
    } else {
        let mut siblings: Vec<_> = files
            .iter()
            .map(|(path, stored)| match (state.bare, stored.large) {
                (true, _) => json!({ "rfilename": path }),
                (false, true) => json!({
                    "rfilename": path,
                    "size": size(stored),
                    "blobId": "f".repeat(40),
                    "lfs": { "sha256": stored.etag(), "size": size(stored), "pointerSize": 130 },
                }),
                (false, false) => json!({
                    "rfilename": path,
                    "size": stored.bytes.len(),
                    "blobId": stored.etag(),
                }),
            })
            .collect();
        siblings.extend(
            state
                .stray
                .iter()
                .map(|name| json!({ "rfilename": name, "size": 1, "blobId": "e".repeat(40) })),
        );
        let sha = state
            .false_commit
            .as_deref()
            .unwrap_or_else(|| state.commit(revision));
        json!({ "id": id, "modelId": id, "sha": sha, "private": false, "siblings": siblings, "tags": [], "downloads": 0, "likes": 0 })
    };
    let mut answer = Answer::new(200).with("Content-Type", "application/json");
    answer.body = body.to_string().into_bytes();
    answer.on = Some(On::Listing);
    answer
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
