//! Events of a load as the objects that `onProgress` gets. Bytes are floating point: a large whole number would become
//! a BigInt, which does not mix with numbers.

use serde_json::{Value, json};

use crate::model::events::LoadEvent;

/// `{ type, ... }`, as `LoadEvent` of lib/ describes it.
pub fn to_json(event: &LoadEvent) -> Value {
    match event {
        LoadEvent::DownloadStarted { model, files, total } => {
            json!({ "type": "download_started", "model": model, "files": files, "total": *total as f64 })
        }
        LoadEvent::DownloadProgress {
            file,
            loaded,
            total,
            overall,
        } => {
            json!({ "type": "download_progress", "file": file, "loaded": *loaded as f64, "total": *total as f64, "overall": overall })
        }
        LoadEvent::ModelCached { model } => json!({ "type": "model_cached", "model": model }),
        LoadEvent::Preparing { model } => json!({ "type": "preparing", "model": model }),
        LoadEvent::Loading { model } => json!({ "type": "loading", "model": model }),
        LoadEvent::Warning { message } => json!({ "type": "warning", "message": message }),
        LoadEvent::ModelLoaded {
            model,
            dimension,
            load_time,
            from_cache,
        } => json!({
            "type": "model_loaded",
            "model": model,
            "dimension": dimension,
            "loadTimeMs": load_time.as_secs_f64() * 1e3,
            "fromCache": from_cache,
        }),
    }
}
