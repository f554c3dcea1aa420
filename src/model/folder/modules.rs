//! modules.json: the steps of a sentence-transformers pipeline.

use std::path::{Component, Path};

use serde::Deserialize;

use super::files::optional_json;
use crate::error::{Error, ErrorKind, Result};

/// One step.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The steps that this library knows, by where their files are.
pub(super) struct Modules {
    pub(super) transformer: String,
    pub(super) pooling: Option<String>,
    pub(super) normalize: bool,
}

impl Modules {
    /// The steps of `folder`; none without a modules.json.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let file = folder.join("modules.json");
        let Some(entries) = optional_json::<Vec<Module>>(&file)? else {
            return Ok(None);
        };
        let refused = |what: String| {
            Err(Error::new(
                ErrorKind::ModelInvalid,
                format!(
                    "{} {what}; supported are a Transformer, then Pooling, then Normalize, found: {}",
                    file.display(),
                    entries
                        .iter()
                        .map(|entry| entry.kind.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
            ))
        };
        let mut modules = Self {
            transformer: String::new(),
            pooling: None,
            normalize: false,
        };
        for (position, entry) in entries.iter().enumerate() {
            if Path::new(&entry.path)
                .components()
                .any(|part| !matches!(part, Component::Normal(_)))
            {
                return refused(format!("names a path outside the folder ({:?})", entry.path));
            }
            // The Python module path differs between versions of sentence-transformers; the class name does not.
            match (position, entry.kind.rsplit('.').next()) {
                (0, Some("Transformer")) => modules.transformer.clone_from(&entry.path),
                (1, Some("Pooling")) => modules.pooling = Some(entry.path.clone()),
                (2, Some("Normalize")) => modules.normalize = true,
                _ => {
                    return refused(format!(
                        "has an unsupported step ({} as step {position})",
                        entry.kind
                    ));
                }
            }
        }
        if modules.pooling.is_none() {
            return refused("has no Pooling step".to_owned());
        }
        Ok(Some(modules))
    }
}
