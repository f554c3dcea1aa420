//! A portable 8-bit copy of a model: a plain folder for bundling with an app, for every processor.

use std::fs;
use std::path::Path;

use super::loading;
use super::tokenizer::Tokenizer;
use crate::config::{EmbedderConfig, Precision};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::model::events::{LoadEvent, Watch};
use crate::model::prepare::GRAPH_FILE;
use crate::model::store::cache::unwritable;
use crate::model::store::manifest::{self, MadeFrom, Manifest};
use crate::model::store::{self, ResolvedModel};
use crate::model::{fingerprint, folder};

/// Folder of the graph in a model's folder.
const GRAPH_FOLDER: &str = "onnx";

/// Writes the model of `config`, in its precision, into `out`, which is empty, new, or of an earlier export.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for a precision that is not made by preparing, or a folder with other content; else as
/// a load.
pub fn export(config: &EmbedderConfig, out: &Path, watch: &Watch) -> Result<Manifest> {
    let resolved = store::resolve(config, watch)?;
    let spec = folder::read(&resolved.folder, config)?;
    if spec.precision != Precision::Int8 || spec.is_prepared {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "Expected 'int8' for options.precision and a model that was not prepared yet, but {} would not change; \
                 `pull --out` copies a model unchanged",
                spec.folder.display()
            ),
        ));
    }
    let tokenizer = Tokenizer::load(&spec)?;
    watch.tell(LoadEvent::Preparing {
        model: config.model.clone(),
    });
    let described = ResolvedModel {
        id: Some(spec.name.clone()),
        files: spec.description.clone(),
        ..resolved
    };
    let mut manifest = manifest::begin(&described, out, watch.cancel())?;
    let graphs = out.join(GRAPH_FOLDER);
    // Of an earlier export, or of one that did not end.
    if graphs.exists() {
        fs::remove_dir_all(&graphs).context(ErrorKind::Download, || unwritable(&graphs))?;
    }
    fs::create_dir_all(&graphs).context(ErrorKind::Download, || unwritable(&graphs))?;
    loading::make_copy(&spec, &tokenizer, &graphs, config.threads, watch.cancel())?;
    manifest.precision = Some(spec.precision.name().to_owned());
    manifest.made_from = Some(MadeFrom {
        published: fingerprint::weights(&spec.onnx_file)?,
        made: fingerprint::weights(&graphs.join(GRAPH_FILE))?,
    });
    manifest.add(out, GRAPH_FOLDER, watch.cancel())?;
    manifest.finish(out)?;
    Ok(manifest)
}
