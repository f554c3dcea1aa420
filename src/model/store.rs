//! From a name to a folder with verified files.

use std::path::{Path, PathBuf};

use super::events::Watch;
use crate::config::EmbedderConfig;
use crate::error::Result;

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
}

/// The folder of `config.model`.
///
/// # Errors
/// None yet: every name is taken as a folder.
pub fn resolve(config: &EmbedderConfig, watch: &Watch) -> Result<ResolvedModel> {
    watch.cancel().check()?;
    Ok(ResolvedModel {
        folder: Path::new(&config.model).to_path_buf(),
        id: None,
        revision: None,
        from_cache: true,
    })
}
