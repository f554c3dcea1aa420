//! Requests to the hub and to the hosts that it redirects to: time-outs, trust, and a token that only the hub sees.

use std::io;
use std::time::{Duration, SystemTime};

use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::proxy::proxy_for;
use super::retry::{self, Again, Failure};
use super::settings::{Settings, Token};
use crate::environment;
use crate::error::{Error, ErrorKind, Result};
use crate::model::events::{Cancel, HookGuard};

/// Redirects of one request.
const MAX_REDIRECTS: usize = 10;

/// What came back, at the end of all redirects.
pub struct Reply {
    /// Its status is a success, or one of those that the request accepts.
    pub response: Response<Body>,
    /// The hub's own last answer: it says what the file is, which the host that has the bytes does not.
    pub hub_headers: ureq::http::HeaderMap,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// The body, from this byte on.
    Get {
        /// The first byte; everything for 0.
        from: u64,
    },
    /// Only the hub's own headers: redirects to other hosts are not followed.
    Head,
}

/// A client for one load.
pub struct Client {
    agent: Agent,
    endpoint: Uri,
    token: Option<Token>,
    cancel: Cancel,
    settings: Settings,
    /// Cuts a request short when the load is cancelled.
    _hook: HookGuard,
}

impl Client {
    /// A client whose requests end when `cancel` says so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the endpoint is no address.
    pub fn new(settings: &Settings, cancel: &Cancel) -> Result<Self> {
        let endpoint = settings.endpoint.parse().map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                "Expected an http address for HF_ENDPOINT",
            )
        })?;
        let patience = settings.patience;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Redirects are followed here, where it is known which hosts may see the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall))
            .timeout_per_write(Some(patience.stall))
            .user_agent(concat!("sentence-embedder/", env!("CARGO_PKG_VERSION")))
            // Sizes and byte ranges are those of the file, not of a compressed form.
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(roots()).build())
            .build()
            .new_agent();
        let hook = cancel.on_cancel({
            let agent = agent.clone();
            move || agent.clone().shutdown()
        });
        Ok(Self {
            agent,
            endpoint,
            token: settings.token.clone(),
            cancel: cancel.clone(),
            settings: settings.clone(),
            _hook: hook,
        })
    }

    /// The address of `path` on the hub.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.settings.endpoint)
    }

    /// Sends one request for `what`, without retries.
    ///
    /// # Errors
    /// A failure whose sentence names `what` and the host, never a query, which can hold a signature.
    pub fn send(&self, address: &str, ask: Ask, what: &str) -> std::result::Result<Reply, Failure> {
        let mut place: Uri = address
            .parse()
            .map_err(|_| Failure::lasting(format!("The address of {what} is malformed")))?;
        let mut hub_headers = None;
        for _ in 0..=MAX_REDIRECTS {
            self.cancel.check()?;
            let at_hub = same_origin(&place, &self.endpoint);
            let response = self.send_once(&place, ask, at_hub, what)?;
            let status = response.status();
            if at_hub {
                hub_headers = Some(response.headers().clone());
            }
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                self.accept(&response, &place, at_hub, ask, what)?;
                return Ok(Reply {
                    hub_headers: hub_headers.unwrap_or_default(),
                    response,
                });
            }
            if matches!(ask, Ask::Head) && leaves(&response, &place) {
                return Ok(Reply {
                    hub_headers: hub_headers.unwrap_or_default(),
                    response,
                });
            }
            let next = location(&response, &place).ok_or_else(|| {
                Failure::lasting(format!(
                    "{} redirects {what} without a usable address",
                    host(&place)
                ))
            })?;
            if place.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(Failure::lasting(format!(
                    "{} redirects {what} to an unencrypted address, which is not followed",
                    host(&place)
                )));
            }
            place = next;
        }
        Err(Failure::lasting(format!(
            "{} redirects {what} more than {MAX_REDIRECTS} times",
            host(&self.endpoint)
        )))
    }

    fn send_once(
        &self,
        place: &Uri,
        ask: Ask,
        at_hub: bool,
        what: &str,
    ) -> std::result::Result<Response<Body>, Failure> {
        let mut request = match ask {
            Ask::Get { .. } => self.agent.get(place),
            Ask::Head => self.agent.head(place),
        };
        if let Ask::Get { from: from @ 1.. } = ask {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if let (true, Some(token)) = (at_hub, &self.token) {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        let proxy = proxy_for(place, &|name| environment::noted().text(name)).map_err(Failure::lasting)?;
        let sent = request.config().proxy(proxy).build().call();
        sent.map_err(|cause| self.failed(cause, place, what))
    }

    /// A failure of the connection.
    pub fn failed(&self, cause: ureq::Error, place: &Uri, what: &str) -> Failure {
        if let Err(aborted) = self.cancel.check() {
            return aborted.into();
        }
        let failure = match &cause {
            // A certificate or an address does not get better by asking again.
            ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl => {
                Failure::lasting(format!("Cannot request {what} from {}", host(place)))
            }
            // So rustls reports a certificate that it does not believe.
            ureq::Error::Io(broken) if broken.kind() == io::ErrorKind::InvalidData => {
                Failure::lasting(format!(
                    "Cannot request {what} from {}: no encrypted connection that can be trusted",
                    host(place)
                ))
            }
            ureq::Error::Timeout(_) => Failure::passing(format!(
                "{} did not answer in time when asked for {what}",
                host(place)
            )),
            // ureq has the proxy's status in a sentence only.
            ureq::Error::ConnectProxyFailed(reason) if reason.contains("responded 407") => {
                Failure::lasting(format!(
                    "The proxy refused to connect to {} for {what}: it requires a name and password, given in its \
                     address as http://name:password@host:port",
                    host(place)
                ))
            }
            ureq::Error::ConnectProxyFailed(_) => {
                Failure::passing(format!("The proxy did not connect to {} for {what}", host(place)))
            }
            _ => Failure::passing(format!("{} cannot be reached for {what}", host(place))),
        };
        match cause {
            // Its text is the address, whose query can hold a signature.
            ureq::Error::BadUri(_) => failure,
            cause => failure.because(cause),
        }
    }

    /// A failure in the middle of the body.
    pub fn broken(&self, cause: io::Error, what: &str) -> Failure {
        match self.cancel.check() {
            Err(aborted) => aborted.into(),
            Ok(()) => {
                Failure::passing(format!("The connection broke while {what} was downloaded")).because(cause)
            }
        }
    }

    fn accept(
        &self,
        response: &Response<Body>,
        place: &Uri,
        at_hub: bool,
        ask: Ask,
        what: &str,
    ) -> std::result::Result<(), Failure> {
        let status = response.status();
        let resumes = matches!(ask, Ask::Get { from: 1.. });
        if status.is_success() || (resumes && status == StatusCode::RANGE_NOT_SATISFIABLE) {
            return Ok(());
        }
        let host = host(place);
        let answered = format!("{host} answered {} for {what}", status.as_u16());
        Err(match status.as_u16() {
            401 | 403 if at_hub => Failure::lasting(match self.token {
                Some(_) => {
                    format!(
                        "{answered}: the token has no access to this model, or its terms are not accepted"
                    )
                }
                None => {
                    format!("{answered}: the model does not exist, or needs a token: set HF_TOKEN")
                }
            }),
            404 if at_hub => Failure {
                again: Again::Absent,
                ..Failure::lasting(format!("{answered}: it does not exist"))
            },
            // A signed address that has run out; the hub gives a new one.
            401 | 403 | 404 | 410 => Failure::passing(answered),
            408 | 425 | 500 | 502..=504 => Failure {
                again: retry_after(response).map_or(Again::Soon, Again::After),
                ..Failure::passing(answered)
            },
            429 => Failure {
                again: retry_after(response).map_or(Again::Soon, Again::After),
                ..Failure::passing(format!("{answered}: too many requests"))
            },
            _ => Failure::lasting(answered),
        })
    }

    /// [`retry::persist`] with the patience of this client's settings, until its load is cancelled.
    ///
    /// # Errors
    /// The same.
    pub fn persist<T>(
        &self,
        attempt: impl FnMut() -> std::result::Result<T, (Failure, bool)>,
    ) -> std::result::Result<T, Failure> {
        retry::persist(self.settings.patience, &self.cancel, attempt)
    }
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// Where a redirect leads.
fn location(response: &Response<Body>, from: &Uri) -> Option<Uri> {
    let value = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let origin = format!("{}://{}", from.scheme_str()?, from.authority()?);
    let absolute = if value.starts_with("http://") || value.starts_with("https://") {
        value.to_owned()
    } else if let Some(rest) = value.strip_prefix("//") {
        format!("{}://{rest}", from.scheme_str()?)
    } else if value.starts_with('/') {
        format!("{origin}{value}")
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{origin}{folder}/{value}")
    };
    absolute.parse().ok()
}

/// Whether the answer redirects to another host.
fn leaves(response: &Response<Body>, from: &Uri) -> bool {
    response.status().is_redirection() && location(response, from).is_some_and(|to| !same_origin(&to, from))
}

fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        })
    };
    one.scheme_str() == other.scheme_str()
        && one
            .host()
            .zip(other.host())
            .is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        && port(one) == port(other)
}

fn host(place: &Uri) -> &str {
    place.host().unwrap_or("The hub")
}

/// The system's certificates, which know the proxies of a company. Containers often have none: there, Mozilla's.
fn roots() -> RootCerts {
    #[cfg(target_os = "linux")]
    {
        let bundles = [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        ];
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .any(|name| environment::noted().get(name).is_some());
        if !named
            && !bundles
                .iter()
                .any(|bundle| std::path::Path::new(bundle).is_file())
        {
            return RootCerts::WebPki;
        }
    }
    RootCerts::PlatformVerifier
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn one_origin_is_scheme_host_and_port() {
        assert!(same_origin(
            &uri("https://Hub.test/a"),
            &uri("https://hub.test:443/b")
        ));
        for other in [
            "http://hub.test",
            "https://hub.test:444",
            "https://cdn.hub.test",
            "https://hub.test.evil",
        ] {
            assert!(!same_origin(&uri("https://hub.test"), &uri(other)), "{other}");
        }
    }
}
