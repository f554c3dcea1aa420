//! From a name to a folder with verified files: found in the cache, or fetched from the hub once.
//!
//! Why the protocol is written here and not taken from the crate hf-hub (1.0.0 was read for this): its downloads are
//! never resumed, neither length nor hash of what came is compared with what the hub promised, waiting for another
//! process ends in an error after 10 seconds, `Retry-After` is parsed but not waited for, no request has a time-out or
//! can be cancelled, free space is not looked at, and it brings an asynchronous runtime, a second HTTP client and the
//! Xet client into the addon. What it shares with this module is huggingface_hub's cache layout, see [`cache`].
//!
//! The hub is asked only when something is missing: a model that is in the cache is loaded without a request, so that
//! its vectors do not change from one start to the next. [`Request::refresh`] asks for what a branch stands for today.

pub mod cache;
pub mod digest;
mod download;
mod fetcher;
pub mod files;
mod http;
mod hub;
pub mod inventory;
pub mod lock;
pub mod manifest;
mod proxy;
mod retry;
pub mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use self::cache::{Repository, is_commit, is_id};
use self::fetcher::Fetcher;
use self::files::{Choice, Known, Layout, MODULES};
use self::http::Client;
use self::hub::Listing;
use self::retry::Again;
use self::settings::Settings;
use super::catalog::{self, Pin};
use super::events::{LoadEvent, Watch};
use super::source;
use crate::config::EmbedderConfig;
use crate::error::{Error, ErrorKind, Result};

/// The branch that is asked for unless a revision is named or pinned.
const DEFAULT_REVISION: &str = "main";

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedModel {
    /// The folder with the files.
    pub folder: PathBuf,
    /// The id on the hub; `None` for a folder of the caller's.
    pub id: Option<String>,
    /// The commit of the hub that the files are of.
    pub revision: Option<String>,
    /// Whether nothing had to be fetched.
    pub from_cache: bool,
    /// The files that the model uses, relative to the folder. Empty for a folder of the caller's.
    pub files: Vec<String>,
}

/// The folder of `config.model`, fetching what is missing of a hub model.
///
/// What exists, or looks like a path, or cannot be an id of the hub, is taken as a folder as it is.
///
/// # Errors
/// [`ErrorKind::Download`] when files cannot be fetched or verified, [`ErrorKind::Offline`] when they are missing and
/// must not be fetched, [`ErrorKind::ModelNotFound`] when the repository has no file that could be run,
/// [`ErrorKind::ModelInvalid`] when `verify` finds a changed file, [`ErrorKind::InvalidArgument`] for a revision or
/// model file that is none, [`ErrorKind::Aborted`] when the load was cancelled.
pub fn resolve(config: &EmbedderConfig, watch: &Watch) -> Result<ResolvedModel> {
    watch.cancel().check()?;
    if is_folder(&config.model) {
        let folder = PathBuf::from(&config.model);
        if config.verify {
            manifest::verify(&folder, watch.cancel())?;
        }
        return Ok(ResolvedModel {
            folder,
            id: None,
            revision: None,
            from_cache: true,
            files: Vec::new(),
        });
    }
    let request = Request {
        id: config.model.clone(),
        revision: config.revision.clone(),
        model_file: config.model_file.clone(),
        verify: config.verify,
        refresh: false,
    };
    Store::new(Settings::of(config)?).resolve(&request, watch)
}

/// Whether `model` names a folder rather than a model of the hub.
#[must_use]
pub fn is_folder(model: &str) -> bool {
    model.starts_with(['.', '/', '\\', '~']) || !is_id(model) || Path::new(model).exists()
}

/// Which model of the hub is wanted.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Its id, `owner/name`.
    pub id: String,
    /// A branch, tag or commit. Default: the catalogue's commit, else the main branch.
    pub revision: Option<String>,
    /// The ONNX file. Default: `onnx/model.onnx`, then `model.onnx`.
    pub model_file: Option<String>,
    /// Read every file and compare its hash before the model is used.
    pub verify: bool,
    /// Ask the hub what the revision stands for, even if the cache has an answer.
    pub refresh: bool,
}

/// The cache and the hub behind it.
pub struct Store {
    settings: Settings,
}

impl Store {
    /// A store with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The folder of the requested model, fetching what is missing.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn resolve(&self, request: &Request, watch: &Watch) -> Result<ResolvedModel> {
        let search = Search::new(&self.settings, request)?;
        let offline = self.settings.offline;
        let cached = search.cached(offline);
        let found = match cached {
            // A commit never changes, so there is nothing to refresh.
            Ok(found) if offline || !request.refresh || is_commit(&search.revision) => Ok(found),
            Err(missing) if offline => Err(search.offline(&missing)),
            _ => search.fetch(watch).or_else(|failed| {
                // A hub that is out of reach is no reason to refuse a model whose every important file is here.
                match search.cached(true) {
                    Ok(found) if failed.kind() == ErrorKind::Download && !request.refresh => Ok(found),
                    _ => Err(failed),
                }
            }),
        }?;
        if request.verify {
            search.verify(&found, watch)?;
        }
        watch.tell(LoadEvent::ModelCached {
            model: request.id.clone(),
        });
        Ok(found)
    }
}

/// One request on its way through the cache and the hub.
struct Search<'a> {
    settings: &'a Settings,
    request: &'a Request,
    repository: Repository,
    revision: String,
    pin: Option<Pin>,
}

impl<'a> Search<'a> {
    fn new(settings: &'a Settings, request: &'a Request) -> Result<Self> {
        let invalid = |expected: &str, what: &str, value: &str| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("Expected {expected} for {what} but received {value:?}"),
            )
        };
        if !is_id(&request.id) {
            return Err(invalid("an id like owner/name", "the model", &request.id));
        }
        let pin = catalog::find(&request.id).and_then(|model| model.pin);
        let revision = request
            .revision
            .clone()
            .or_else(|| pin.map(|pin| pin.commit.to_owned()))
            .unwrap_or_else(|| DEFAULT_REVISION.to_owned());
        if files::relative(&revision).is_none() {
            return Err(invalid("a branch, tag or commit", "options.revision", &revision));
        }
        if let Some(file) = &request.model_file
            && files::relative(file).is_none()
        {
            return Err(invalid(
                "a path inside the model's folder",
                "options.modelFile",
                file,
            ));
        }
        Ok(Self {
            repository: Repository::new(&settings.cache, &request.id),
            settings,
            request,
            revision,
            pin,
        })
    }

    /// What the model needs, as far as the files of `commit` that are here tell it.
    fn choose(&self, commit: &str, lenient: bool, known: impl Fn(&str) -> Known) -> Choice {
        let snapshot = self.repository.snapshot(commit);
        let modules = fs::read(snapshot.join(MODULES)).ok();
        let model_file = self.request.model_file.as_deref();
        Layout::parse(modules.as_deref()).choose(model_file, lenient, known, |graph| {
            // A graph that is not here yet, or is none, names nothing.
            let locations = source::locations(&snapshot.join(graph)).unwrap_or_default();
            files::data_files(graph, &locations)
        })
    }

    /// The model as the cache has it, or what it lacks. With `lenient`, small files that nobody asked the hub for yet
    /// are taken as absent.
    fn cached(&self, lenient: bool) -> std::result::Result<ResolvedModel, Vec<String>> {
        let Some(commit) = self.repository.commit(&self.revision) else {
            let model_file = self.request.model_file.as_deref();
            let choice = Layout::default().choose(model_file, false, |_| Known::Unknown, |_| Vec::new());
            return Err(choice.missing);
        };
        let choice = self.choose(&commit, lenient, |file| self.repository.known(&commit, file));
        let gaps: Vec<_> = choice.missing.into_iter().chain(choice.lacking).collect();
        if gaps.is_empty() {
            Ok(self.found(commit, choice.chosen, true))
        } else {
            Err(gaps)
        }
    }

    fn found(&self, commit: String, files: Vec<String>, from_cache: bool) -> ResolvedModel {
        ResolvedModel {
            folder: self.repository.snapshot(&commit),
            id: Some(self.request.id.clone()),
            revision: Some(commit),
            from_cache,
            files,
        }
    }

    fn offline(&self, missing: &[String]) -> Error {
        let option = |name: &str, value: &Option<String>| {
            let value = value.as_ref()?;
            Some(format!(" {name} {value}"))
        };
        let folder = self.settings.cache.display().to_string();
        let cache_dir = match self.settings.cache_is_named {
            // For a shell.
            true if folder.contains(char::is_whitespace) => format!(" --cache-dir \"{folder}\""),
            true => format!(" --cache-dir {folder}"),
            false => String::new(),
        };
        Error::new(
            ErrorKind::Offline,
            format!(
                "Files of {id} are missing in {folder}, and offline forbids downloading them: {files}. Download them \
                 once with: npx sentence-embedder pull {id}{revision}{file}{cache_dir}",
                id = self.request.id,
                files = missing.join(", "),
                revision = option("--revision", &self.request.revision).unwrap_or_default(),
                file = option("--model-file", &self.request.model_file).unwrap_or_default(),
            ),
        )
    }

    fn fetch(&self, watch: &Watch) -> Result<ResolvedModel> {
        let client = Client::new(self.settings, watch.cancel())?;
        let listing = self.list(&client)?;
        let commit = listing.commit.clone();
        let fetcher = Fetcher {
            search: self,
            client: &client,
            listing: &listing,
            watch,
        };
        let mut from_cache = true;
        if listing.known(MODULES) == Known::Present {
            from_cache &= fetcher.bring_ahead(MODULES)?;
        }
        let choose = || {
            let choice = self.choose(&commit, false, |file| listing.known(file));
            if choice.lacking.is_empty() {
                Ok(choice)
            } else {
                Err(self.lacking(&choice.lacking, &listing))
            }
        };
        let choice = choose()?;
        let has_data = |graph: &str| {
            let mut others = listing.files.keys().filter(|file| !choice.chosen.contains(file));
            others.any(|file| files::could_be_data(file, graph))
        };
        if let Some(graph) = choice.graph().filter(|graph| has_data(graph)) {
            from_cache &= fetcher.bring_ahead(graph)?;
        }
        let choice = choose()?;
        from_cache &= fetcher.bring_all(&choice.chosen)?;
        // A graph that was too large to come ahead has come only now, and names its data.
        let mut data = choose()?.chosen;
        data.retain(|file| !choice.chosen.contains(file));
        from_cache &= fetcher.bring_all(&data)?;
        for file in &choice.absent {
            self.repository.mark_absent(&commit, file);
        }
        // Last, so that the name never stands for a commit of which something is missing.
        self.repository.remember(&self.revision, &commit)?;
        let files = choice.chosen.into_iter().chain(data).collect();
        Ok(self.found(commit, files, from_cache))
    }

    /// The files of the commit that the revision stood for so far, so that whatever of a model comes later is of the
    /// same commit; of the one that it stands for today where there is none yet, or a newer one is asked for.
    fn list(&self, client: &Client) -> Result<Listing> {
        let id = &self.request.id;
        let known = self.repository.commit(&self.revision);
        if let Some(commit) = known.filter(|commit| !self.request.refresh && *commit != self.revision) {
            match hub::list(client, id, &commit) {
                // A hub loses a commit when the owner of the model rewrites its history.
                Err(failure) if failure.again == Again::Absent => {}
                listed => return listed.map_err(|failure| failure.error),
            }
        }
        hub::list(client, id, &self.revision).map_err(|failure| failure.error)
    }

    fn lacking(&self, names: &[String], listing: &Listing) -> Error {
        let graphs: Vec<_> = listing
            .files
            .keys()
            .filter(|file| file.ends_with(".onnx"))
            .map(String::as_str)
            .collect();
        let graphs = match graphs.as_slice() {
            [] => String::new(),
            graphs => format!("; its ONNX files are {}", graphs.join(", ")),
        };
        Error::new(
            ErrorKind::ModelNotFound,
            format!(
                "{} at {} has no {}{graphs}",
                self.request.id,
                self.revision,
                names.join(" and no "),
            ),
        )
    }

    /// Reads every file and compares it with the hash that its blob is named by. A file that is no link to a blob must be a
    /// copy of one, as they are made where there are no links.
    fn verify(&self, found: &ResolvedModel, watch: &Watch) -> Result<()> {
        let commit = found.revision.as_deref().unwrap_or_default();
        for name in &found.files {
            let file = found.folder.join(name);
            let [sha256, git] = digest::both(&file, watch.cancel())?;
            let pinned = self.pinned(commit, name).map(|file| file.sha256);
            let linked = self.repository.digest_of(commit, name);
            let is_known = match &linked {
                Some(digest) => [&sha256, &git].contains(&digest),
                None => [&sha256, &git]
                    .iter()
                    .any(|digest| self.repository.blob(digest).is_file()),
            };
            if is_known && pinned.is_none_or(|pinned| pinned == sha256.name()) {
                continue;
            }
            let changed = format!("{name} of {} was changed in the cache", self.request.id);
            let sentence = match linked.map(|digest| self.repository.blob(&digest)) {
                Some(blob) if fs::remove_file(&file).and(fs::remove_file(&blob)).is_ok() => {
                    format!("{changed} and has been deleted; the next load downloads it again")
                }
                Some(blob) => format!("{changed} and cannot be deleted: {}", blob.display()),
                None => format!(
                    "{} cannot be verified, as the cache has no file with its hash; delete {}, and the next load \
                     downloads the model again",
                    file.display(),
                    self.repository.folder().display()
                ),
            };
            return Err(Error::new(ErrorKind::ModelInvalid, sentence));
        }
        Ok(())
    }

    fn pinned(&self, commit: &str, file: &str) -> Option<catalog::PinnedFile> {
        let pin = self.pin.filter(|pin| pin.commit == commit)?;
        pin.files.iter().copied().find(|pinned| pinned.path == file)
    }
}
