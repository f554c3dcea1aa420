//! External data whose places lead out of the folder or out of the file.

use super::*;

/// Sets an entry of every external tensor's place.
fn place(model: &mut ModelProto, key: &str, value: &str) {
    let external = graph(model).initializer.iter_mut();
    for tensor in external.filter(|tensor| tensor.data_location == 1) {
        tensor.external_data.retain(|entry| entry.key != key);
        tensor.external_data.push(StringStringEntryProto {
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
}

/// A model whose parts our rewriter recognises, with its weights in [`DATA`].
fn wide() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let variant = json!({
        "base": "bert",
        "copy": { ONNX: "graphs/wide_bert.onnx" },
        "write": { "1_Pooling/config.json": { "pooling_mode_mean_tokens": true } },
    });
    let folder = expand("wide", &variant, parent.path());
    let mut data = Vec::new();
    change_graph(&folder, |model| {
        let weights = graph(model).initializer.iter_mut();
        for tensor in weights.filter(|tensor| tensor.data_type == data_type::FLOAT) {
            let (bytes, dims) = (std::mem::take(&mut tensor.raw_data), tensor.shape());
            *tensor = TensorProto::outside(
                &tensor.name,
                data_type::FLOAT,
                &dims,
                "model.onnx_data",
                data.len(),
                bytes.len(),
            );
            data.extend(bytes);
        }
    });
    fs::write(folder.join(DATA), data).unwrap();
    (parent, folder)
}

/// Models with external data: one that ONNX Runtime prepares, one that we do.
const MODELS: [fn() -> (TempDir, PathBuf); 2] = [|| folder_of("external-data"), wide];

#[test]
fn external_data_is_never_read_from_outside_the_folder() {
    let secret = tempfile::tempdir().unwrap();
    let absolute = secret.path().join("data").display().to_string();
    let hop = format!("sub/../../../{}", absolute.trim_start_matches('/'));
    let locations = [
        absolute.clone(),
        format!("../../../../../../../../../..{absolute}"),
        "../beside".to_owned(),
        "../../beside".to_owned(),
        "./../../beside".to_owned(),
        "sub/../../../beside".to_owned(),
        "..\\..\\beside".to_owned(),
        hop,
        format!("file://{absolute}"),
        "link-to-file".to_owned(),
        "link-to-folder/data".to_owned(),
        "/dev/zero".to_owned(),
        "/proc/self/mem".to_owned(),
        "*/_ORT_MEM_ADDR_/*".to_owned(),
        "nowhere".to_owned(),
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "model.onnx_data\0".to_owned(),
        "x".repeat(100_000),
    ];
    each_case(
        "external::external_data_is_never_read_from_outside_the_folder",
        locations.len() * MODELS.len(),
        |index| {
            let location = &locations[index / MODELS.len()];
            let (parent, folder) = MODELS[index % MODELS.len()]();
            change_graph(&folder, |model| place(model, "location", location));
            // Just what the graph wants: whoever reads it gets a working model.
            fs::copy(folder.join(DATA), secret.path().join("data")).unwrap();
            fs::remove_file(folder.join(DATA)).unwrap();
            for beside in [folder.join("beside"), parent.path().join("beside")] {
                fs::copy(secret.path().join("data"), beside).unwrap();
            }
            fs::create_dir(folder.join("onnx/sub")).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::symlink;
                symlink(secret.path().join("data"), folder.join("onnx/link-to-file")).unwrap();
                symlink(secret.path(), folder.join("onnx/link-to-folder")).unwrap();
            }
            for way in WAYS {
                let outcome = try_way(&folder, way);
                assert!(outcome.is_err(), "{location} was read in {way:?}");
            }
        },
    );
}

#[cfg(unix)]
#[test]
fn external_data_behind_the_links_of_a_hub_cache_is_read() {
    use std::os::unix::fs::symlink;
    for model in MODELS {
        let (parent, folder) = model();
        let repository = parent.path().join("cache/models--some--model");
        let snapshot = repository.join("snapshots/0123456789012345678901234567890123456789");
        fs::create_dir_all(repository.join("blobs")).unwrap();
        for (number, file) in files(&folder).into_iter().enumerate() {
            let blob = repository.join(format!("blobs/{number:064x}"));
            fs::copy(folder.join(&file), &blob).unwrap();
            let link = snapshot.join(&file);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            let up = "../".repeat(file.components().count() + 1);
            symlink(format!("{up}blobs/{number:064x}"), link).unwrap();
        }
        for way in WAYS {
            try_way(&snapshot, way).unwrap();
        }
    }
}

#[test]
fn places_of_external_data_that_are_not_in_the_file() {
    let places = [
        ("offset", "12800"),
        ("offset", "12801"),
        ("offset", "-1"),
        ("offset", "9223372036854775807"),
        ("offset", "18446744073709551615"),
        ("offset", "99999999999999999999999"),
        ("offset", "1e3"),
        ("offset", "0x10"),
        ("offset", ""),
        ("offset", "words"),
        ("length", "0"),
        ("length", "1"),
        ("length", "-1"),
        ("length", "12801"),
        ("length", "9223372036854775807"),
        ("length", "18446744073709551615"),
        ("length", "words"),
        ("checksum", "no such"),
        ("unknown", "key"),
    ];
    each_case(
        "external::places_of_external_data_that_are_not_in_the_file",
        places.len(),
        |index| {
            let (key, value) = places[index];
            let (_parent, folder) = with_graph("external-data", |model| place(model, key, value));
            // ONNX Runtime takes a length of 0 for one that is not given.
            let harmless = ["checksum", "unknown"].contains(&key) || (key, value) == ("length", "0");
            for way in WAYS {
                let outcome = try_way(&folder, way);
                assert!(outcome.is_err() || harmless, "{key} {value} was taken in {way:?}");
            }
        },
    );
}
