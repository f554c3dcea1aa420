//! The way to the hub as the environment says it: certificates of a company's own authority, and its proxies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

mod hub;
mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use hub::Hub;
use processes::told;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// Names that no resolver knows: only through the proxy can they be reached.
const HUB: &str = "hub.test";
const CONTENT: &str = "content.test";

/// A certificate authority, and a folder for its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The file for `SSL_CERT_FILE`.
    fn file(&self) -> PathBuf {
        let file = self.folder.path().join("authority.pem");
        fs::write(&file, self.issuer.pem()).unwrap();
        file
    }

    /// A server's configuration, with a certificate for `names`.
    fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let configuration = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        Arc::new(configuration.unwrap())
    }
}

/// Does `serve` with every connection to a new port of this machine.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A client that went away, or does not trust us, is its own business.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    port
}

/// A port that speaks TLS before `port`, which does not.
fn behind_tls(configuration: Arc<ServerConfig>, port: u16) -> u16 {
    listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&configuration)).map_err(io::Error::other)?;
        let mut client = BufReader::new(StreamOwned::new(connection, stream));
        let request = read_head(&mut client)?;
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        let client = client.get_mut();
        client.write_all(&answer)?;
        client.conn.send_close_notify();
        client.flush()
    })
}

/// A hub, and the addresses of it and of its content host behind TLS.
fn tls_hub(authority: &Authority, names: [&str; 2]) -> (Hub, [u16; 2]) {
    let hub = Hub::start();
    let configuration = authority.server(&names);
    let ports = [hub.port, hub.content_port].map(|port| behind_tls(Arc::clone(&configuration), port));
    (hub, ports)
}

/// The lines of a request up to the empty one.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// A proxy that connects to the authorities that it knows, and what it was asked.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `routes` has the port of this machine for each authority; only who knows `password` may pass.
    fn start(routes: BTreeMap<String, u16>, password: Option<&str>) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        // "user:" and the password in Base64.
        let wanted = password.map(|encoded| format!("Proxy-Authorization: Basic {encoded}\r\n"));
        let noted = Arc::clone(&asked);
        let port = listen(move |stream| {
            let mut reader = BufReader::new(stream.try_clone()?);
            let head = read_head(&mut reader)?;
            let line = head.lines().next().unwrap_or_default().to_owned();
            noted.lock().unwrap().push(line.clone());
            let mut client = stream;
            if wanted
                .as_ref()
                .is_some_and(|wanted| !head.contains(wanted.as_str()))
            {
                return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
            }
            let known = line
                .strip_prefix("CONNECT ")
                .and_then(|rest| routes.get(rest.strip_suffix(" HTTP/1.1")?));
            let Some(port) = known else {
                return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
            };
            let server = TcpStream::connect(("127.0.0.1", *port))?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let mut back = (server.try_clone()?, client);
            thread::spawn(move || {
                let _ = io::copy(&mut back.0, &mut back.1);
                let _ = back.1.shutdown(Shutdown::Write);
            });
            io::copy(&mut reader, &mut &server)?;
            server.shutdown(Shutdown::Write)
        });
        Self {
            address: format!("127.0.0.1:{port}"),
            asked,
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// What a process of its own says that fetches the model with these `variables`.
fn fetch(cache: &Path, variables: &[(&str, &str)]) -> String {
    told(processes::start(cache, variables))
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere the system's own store of certificates decides, which a test must not change.
fn a_certificate_is_believed_if_its_authority_is_named_and_not_otherwise() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (hub, [port, content]) = tls_hub(&authority, ["127.0.0.1", "localhost"]);
    hub.set_content(&format!("https://localhost:{content}"));
    let endpoint = format!("https://127.0.0.1:{port}");
    let cache = tempfile::tempdir().unwrap();
    let with = |file: PathBuf, endpoint: &str| {
        let file = file.to_str().unwrap().to_owned();
        fetch(
            cache.path(),
            &[("HF_ENDPOINT", endpoint), ("SSL_CERT_FILE", &file)],
        )
    };

    let text = with(stranger.file(), &endpoint);
    assert!(
        text.contains("ERR_EMBED_DOWNLOAD") && text.contains("can be trusted"),
        "{text}"
    );
    assert!(
        hub.seen().is_empty(),
        "nothing is asked of a host that nobody vouches for"
    );
    // The right authority, but a certificate for another name.
    let (other, [wrong, _]) = tls_hub(&authority, ["localhost", "localhost"]);
    let text = with(authority.file(), &format!("https://127.0.0.1:{wrong}"));
    assert!(
        text.contains("ERR_EMBED_DOWNLOAD") && text.contains("can be trusted"),
        "{text}"
    );
    assert!(other.seen().is_empty());

    let text = with(authority.file(), &endpoint);
    assert!(text.contains("fetched"), "{text}");
    assert!(hub.seen().iter().any(|seen| seen.at_content));
}

#[test]
#[cfg(target_os = "linux")]
fn an_encrypted_hub_is_not_left_for_an_unencrypted_host() {
    let authority = Authority::new();
    let (hub, [port, _]) = tls_hub(&authority, ["127.0.0.1", "localhost"]);
    let (cache, file) = (tempfile::tempdir().unwrap(), authority.file());
    let variables = [
        ("HF_ENDPOINT", format!("https://127.0.0.1:{port}")),
        ("SSL_CERT_FILE", file.to_str().unwrap().to_owned()),
    ];
    let text = fetch(
        cache.path(),
        &variables.each_ref().map(|(name, value)| (*name, value.as_str())),
    );
    assert!(text.contains("ERR_EMBED_DOWNLOAD"), "{text}");
    assert!(text.contains("unencrypted address"), "{text}");
    assert!(!hub.seen().iter().any(|seen| seen.at_content));
}

#[test]
#[cfg(target_os = "linux")]
fn an_encrypted_hub_is_reached_through_a_proxy_that_alone_knows_its_name() {
    let authority = Authority::new();
    let (hub, [port, content]) = tls_hub(&authority, [HUB, CONTENT]);
    hub.set_content(&format!("https://{CONTENT}"));
    let routes = BTreeMap::from([(format!("{HUB}:443"), port), (format!("{CONTENT}:443"), content)]);
    let proxy = Proxy::start(routes.clone(), Some("dXNlcjpwYXNzd29yZA=="));
    let (endpoint, file) = (format!("https://{HUB}"), authority.file());
    let cache = tempfile::tempdir().unwrap();
    let through = |proxy: &str| {
        let variables = [
            ("HF_ENDPOINT", endpoint.as_str()),
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("HTTPS_PROXY", proxy),
        ];
        fetch(cache.path(), &variables)
    };

    let text = through(&format!("http://user:mistaken@{}", proxy.address));
    assert!(text.contains("ERR_EMBED_DOWNLOAD"), "{text}");
    assert!(text.contains("proxy"), "{text}");
    assert!(!text.contains("mistaken"), "{text}");
    assert_eq!(
        proxy.asked().len(),
        1,
        "a password does not get better by asking again"
    );
    assert!(hub.seen().is_empty());

    let text = through(&format!("http://user:password@{}", proxy.address));
    assert!(text.contains("fetched"), "{text}");
    for host in [HUB, CONTENT] {
        assert!(proxy.asked().contains(&format!("CONNECT {host}:443 HTTP/1.1")));
    }
    assert!(hub.seen().iter().any(|seen| seen.at_content));
}

/// Variables, and whether the hub and its content host are reached through the proxy with them.
type Case<'a> = (&'a [(&'a str, &'a str)], [bool; 2]);

#[test]
fn the_proxy_is_chosen_by_scheme_and_passed_by_for_hosts_that_no_proxy_names() {
    let hub = Hub::start();
    let authorities = [
        (format!("127.0.0.1:{}", hub.port), hub.port),
        (format!("localhost:{}", hub.content_port), hub.content_port),
    ];
    let proxy = Proxy::start(BTreeMap::from(authorities.clone()), None);
    let address = format!("http://{}", proxy.address);
    let cases: [Case<'_>; 5] = [
        (&[("http_proxy", &address)], [true, true]),
        (&[("ALL_PROXY", &address)], [true, true]),
        (&[("HTTPS_PROXY", &address)], [false, false]),
        (
            &[("HTTP_PROXY", &address), ("NO_PROXY", "localhost")],
            [true, false],
        ),
        (
            &[("HTTP_PROXY", &address), ("NO_PROXY", "127.0.0.1,localhost")],
            [false, false],
        ),
    ];
    for (variables, expected) in cases {
        let cache = tempfile::tempdir().unwrap();
        proxy.asked.lock().unwrap().clear();
        let mut variables = variables.to_vec();
        variables.push(("HF_ENDPOINT", &hub.url));
        let text = fetch(cache.path(), &variables);
        assert!(text.contains("fetched"), "{variables:?}: {text}");
        let asked = proxy.asked();
        for ((authority, _), expected) in authorities.iter().zip(expected) {
            let line = format!("CONNECT {authority} HTTP/1.1");
            assert_eq!(asked.contains(&line), expected, "{variables:?}: {asked:?}");
        }
    }
}
