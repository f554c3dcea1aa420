//! What the hub says of a model: the commit that a revision stands for, and the size and hash of each file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

use serde::Deserialize;
use ureq::http::{HeaderMap, header};

use super::cache;
use super::digest::Digest;
use super::files::Known;
use super::http::{Ask, Client};
use super::retry::Failure;
use crate::error::Result;

/// Largest listing of a repository that is read.
const MAX_LISTING: u64 = 32 << 20;

/// The files of one commit.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The commit.
    pub commit: String,
    /// Its files; with the facts where the hub gave them.
    pub files: BTreeMap<String, Option<Facts>>,
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Bytes in it.
    pub size: u64,
    /// The hash that names it.
    pub digest: Digest,
}

impl Listing {
    /// Whether the commit has `file`.
    #[must_use]
    pub fn known(&self, file: &str) -> Known {
        if self.files.contains_key(file) {
            Known::Present
        } else {
            Known::Absent
        }
    }
}

/// The answer of `api/models/{id}/revision/{revision}?blobs=true`.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Sibling {
    fn facts(&self) -> Option<Facts> {
        match &self.lfs {
            Some(large) => Some(Facts {
                size: large.size.or(self.size)?,
                digest: Digest::parse(large.sha256.as_deref()?)?,
            }),
            None => Some(Facts {
                size: self.size?,
                digest: Digest::parse(self.blob_id.as_deref()?)?,
            }),
        }
    }
}

/// Lists the files of `id` at `revision`.
///
/// # Errors
/// Of kind `Download` or `Aborted`.
pub fn list(client: &Client, id: &str, revision: &str) -> std::result::Result<Listing, Failure> {
    let address = client.address(&format!(
        "api/models/{id}/revision/{}?blobs=true",
        encoded(revision, "")
    ));
    let what = format!("the files of {id} at {revision}");
    let text = client.persist(|| read_text(client, &address, &what).map_err(|failure| (failure, false)))?;
    let answer: Answer = serde_json::from_slice(&text).map_err(|cause| {
        Failure::lasting(format!("The hub's answer for {what} has an unexpected form")).because(cause)
    })?;
    // It becomes the name of a folder.
    if !cache::is_commit(&answer.sha) {
        return Err(Failure::lasting(format!(
            "The hub gave no commit for {id} at {revision}"
        )));
    }
    if cache::is_commit(revision) && revision != answer.sha {
        return Err(Failure::lasting(format!(
            "Expected commit {revision} of {id} from the hub but received {}",
            answer.sha
        )));
    }
    Ok(Listing {
        commit: answer.sha,
        files: answer
            .siblings
            .into_iter()
            .map(|sibling| {
                let facts = sibling.facts();
                (sibling.rfilename, facts)
            })
            .collect(),
    })
}

fn read_text(client: &Client, address: &str, what: &str) -> std::result::Result<Vec<u8>, Failure> {
    let reply = client.send(address, Ask::Get { from: 0 }, what)?;
    let mut text = Vec::new();
    let (parts, body) = reply.response.into_parts();
    let expected: Option<usize> = number(&parts.headers, header::CONTENT_LENGTH.as_str());
    body.into_with_config()
        .limit(MAX_LISTING)
        .reader()
        .read_to_end(&mut text)
        .map_err(|cause| client.broken(cause, what))?;
    match expected {
        Some(expected) if expected != text.len() => Err(Failure::passing(format!(
            "The hub's answer for {what} is {} bytes long instead of {expected}",
            text.len()
        ))),
        _ => Ok(text),
    }
}

/// Asks for the facts of one file, where a mirror's listing has none.
///
/// # Errors
/// Of kind `Download` or `Aborted`.
pub fn facts(client: &Client, id: &str, commit: &str, file: &str) -> Result<Facts> {
    let address = file_address(client, id, commit, file);
    let what = format!("{file} of {id}");
    let asked = client.persist(|| {
        client
            .send(&address, Ask::Head, &what)
            .map_err(|failure| (failure, false))
    });
    let reply = asked.map_err(|failure| failure.error)?;
    let headers = &reply.hub_headers;
    let digest = ["x-linked-etag", "etag"]
        .iter()
        .find_map(|name| Digest::parse(headers.get(*name)?.to_str().ok()?));
    let size = number(headers, "x-linked-size").or_else(|| {
        let redirects = headers.contains_key(header::LOCATION);
        number(headers, header::CONTENT_LENGTH.as_str()).filter(|_| !redirects)
    });
    match (size, digest) {
        (Some(size), Some(digest)) => Ok(Facts { size, digest }),
        _ => Err(Failure::lasting(format!(
            "The hub did not give both size and hash of {what}, so it cannot be verified"
        ))
        .error),
    }
}

/// Where the bytes of `file` are asked for.
pub fn file_address(client: &Client, id: &str, commit: &str, file: &str) -> String {
    client.address(&format!("{id}/resolve/{commit}/{}", encoded(file, "/")))
}

/// The number in the header `name`.
pub fn number<N: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<N> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `text` with everything but unreserved characters and `kept` as percent escapes.
fn encoded(text: &str, kept: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-._~".contains(character) || kept.contains(character) {
            out.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_one_segment_of_an_address_and_a_file_keeps_its_folders() {
        assert_eq!(encoded("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encoded("onnx/modèle 1.onnx", "/"), "onnx/mod%C3%A8le%201.onnx");
        assert_eq!(encoded("main?x#y", ""), "main%3Fx%23y");
    }
}
