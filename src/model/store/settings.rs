//! Where models are kept and how the hub is reached: options first, then the environment as huggingface_hub reads it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::EmbedderConfig;
use crate::environment;
use crate::error::{Error, ErrorKind, Result};

/// The hub that is asked unless `HF_ENDPOINT` names another.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How long the network may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest name look-up, and longest wait for a connection.
    pub connect: Duration,
    /// Longest time without a byte.
    pub stall: Duration,
    /// Attempts in a row that bring nothing new before a request is given up.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    pub first_pause: Duration,
    /// Longest pause that a server's `Retry-After` is granted.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(120),
        }
    }
}

/// A token of the hub, which no `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(...)")
    }
}

/// All that decides where files come from and where they go.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hub, without a slash at the end. From `HF_ENDPOINT`.
    pub endpoint: String,
    /// From `HF_TOKEN`, else the file that `hf auth login` writes.
    pub token: Option<Token>,
    /// The folder with `models--owner--name`. From `cacheDir`, else `HF_HUB_CACHE`, else `HF_HOME/hub`.
    pub cache: PathBuf,
    /// Whether `cacheDir` named that folder: then nobody finds it without being told.
    pub cache_is_named: bool,
    /// Never open a socket. From `offline`, else `HF_HUB_OFFLINE`.
    pub offline: bool,
    /// Link files with symbolic links where the system allows it. Off with `HF_HUB_DISABLE_SYMLINKS`.
    pub symlinks: bool,
    /// How long the network may take.
    pub patience: Patience,
}

impl Settings {
    /// The settings of `config` in this process's environment.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(config: &EmbedderConfig) -> Result<Self> {
        Self::read(config.cache_dir.as_deref(), config.offline, &|name| {
            environment::noted().text(name)
        })
    }

    /// The settings of these options over the environment that `variable` reads.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when `HF_ENDPOINT` is no http address, or when no folder is named and this user
    /// has no home.
    pub fn read(
        cache_dir: Option<&Path>,
        offline: Option<bool>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let filled = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let switched_on = |name: &str| {
            filled(name).is_some_and(|value| {
                matches!(
                    value.trim().to_ascii_uppercase().as_str(),
                    "1" | "ON" | "YES" | "TRUE"
                )
            })
        };
        let home = filled("HF_HOME")
            .map(|path| expand(&path))
            .or_else(|| filled("XDG_CACHE_HOME").map(|path| expand(&path).join("huggingface")))
            .or_else(|| {
                Some(
                    environment::noted()
                        .home
                        .as_ref()?
                        .join(".cache")
                        .join("huggingface"),
                )
            });
        let cache = cache_dir
            .map(Path::to_path_buf)
            .or_else(|| filled("HF_HUB_CACHE").map(|path| expand(&path)))
            .or_else(|| filled("HUGGINGFACE_HUB_CACHE").map(|path| expand(&path)))
            .or_else(|| home.as_ref().map(|home| home.join("hub")))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "This user has no home folder: set options.cacheDir or HF_HUB_CACHE to a folder for models",
                )
            })?;
        let token = if switched_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            None
        } else {
            filled("HF_TOKEN")
                .or_else(|| {
                    let file = filled("HF_TOKEN_PATH")
                        .map(|path| expand(&path))
                        .or_else(|| home.as_ref().map(|home| home.join("token")))?;
                    std::fs::read_to_string(file).ok()
                })
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
                .map(Token)
        };
        Ok(Self {
            endpoint: endpoint(filled("HF_ENDPOINT"))?,
            token,
            cache: std::path::absolute(&cache).unwrap_or(cache),
            cache_is_named: cache_dir.is_some(),
            offline: offline
                .unwrap_or_else(|| switched_on("HF_HUB_OFFLINE") || switched_on("TRANSFORMERS_OFFLINE")),
            symlinks: !switched_on("HF_HUB_DISABLE_SYMLINKS"),
            patience: Patience::default(),
        })
    }
}

fn endpoint(named: Option<String>) -> Result<String> {
    let Some(named) = named else {
        return Ok(DEFAULT_ENDPOINT.to_owned());
    };
    let trimmed = named.trim().trim_end_matches('/');
    let parsed: Option<ureq::http::Uri> = trimmed.parse().ok();
    let usable = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            && uri.query().is_none()
            // Errors name the endpoint, so it must not carry a secret.
            && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
    });
    if usable {
        Ok(trimmed.to_owned())
    } else {
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected an address like {DEFAULT_ENDPOINT} for HF_ENDPOINT, without a user name or a query, but \
                 it is something else"
            ),
        ))
    }
}

/// `~` at the start is this user's home.
fn expand(path: &str) -> PathBuf {
    let path = path.trim();
    // Not another user's: `~other`.
    let below = path
        .strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (below, &environment::noted().home) {
        (Some(""), Some(home)) => home.clone(),
        (Some(below), Some(home)) => home.join(below.trim_start_matches(['/', '\\'])),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)], cache: Option<&str>, offline: Option<bool>) -> Result<Settings> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(cache.map(Path::new), offline, &variable)
    }

    #[test]
    fn options_win_over_the_environment_and_the_environment_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let plain = read(&[("HF_HOME", root)], None, None).unwrap();
        assert_eq!(plain.cache, folder.path().join("hub"));
        assert_eq!(plain.endpoint, DEFAULT_ENDPOINT);
        assert_eq!(plain.token, Some(Token("hf_file".to_owned())));
        assert!(!plain.offline);

        let variables = [
            ("HF_HOME", root),
            ("HF_HUB_CACHE", "/cache"),
            ("HF_ENDPOINT", "http://127.0.0.1:1/"),
            ("HF_TOKEN", "hf_variable"),
            ("HF_HUB_OFFLINE", "1"),
        ];
        let set = read(&variables, None, None).unwrap();
        assert_eq!(set.cache, std::path::absolute("/cache").unwrap());
        assert_eq!(set.endpoint, "http://127.0.0.1:1");
        assert_eq!(set.token, Some(Token("hf_variable".to_owned())));
        assert!(set.offline);
        assert!(!format!("{set:?}").contains("hf_variable"));

        let named = read(&variables, Some("/mine"), Some(false)).unwrap();
        assert_eq!(named.cache, std::path::absolute("/mine").unwrap());
        assert!(!named.offline);
    }

    #[test]
    fn an_endpoint_that_is_no_plain_http_address_is_refused() {
        for bad in ["hub", "ftp://hub", "https://user:secret@hub", "https://hub?x=1"] {
            let refused = read(&[("HF_ENDPOINT", bad)], Some("/c"), None).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{bad}");
            assert!(!refused.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand("~/models"), home.join("models"));
        assert_eq!(expand("~"), home);
        assert_eq!(expand("~other/models"), PathBuf::from("~other/models"));
    }
}
