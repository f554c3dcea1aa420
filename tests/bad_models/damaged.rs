//! Files that were removed, emptied, cut, changed, exchanged, or that are no files.

#![allow(unsafe_code, reason = "makes a pipe")]

use super::*;

#[test]
fn files_that_are_removed_emptied_cut_or_of_another_model() {
    let whole = ["bert", "xlmr", "external-data"];
    let cases: Vec<_> = whole
        .into_iter()
        .flat_map(|variant| {
            let (_parent, folder) = folder_of(variant);
            let damages = [
                "removed",
                "emptied",
                "half",
                "one byte short",
                "swapped",
                "a folder",
            ];
            files(&folder)
                .into_iter()
                .flat_map(move |file| damages.map(|damage| (variant, file.clone(), damage)))
        })
        .collect();
    each_case(
        "damaged::files_that_are_removed_emptied_cut_or_of_another_model",
        cases.len(),
        |index| {
            let (variant, file, damage) = &cases[index];
            let (_parent, folder) = folder_of(variant);
            let path = folder.join(file);
            let content = fs::read(&path).unwrap();
            let shorten = |length: usize| fs::write(&path, &content[..length]).unwrap();
            match *damage {
                "removed" => fs::remove_file(&path).unwrap(),
                "emptied" => shorten(0),
                "half" => shorten(content.len() / 2),
                "one byte short" => shorten(content.len() - 1),
                "swapped" => {
                    let other = if *variant == "xlmr" { "mpnet" } else { "xlmr" };
                    let other = fixtures().join(other).join(file);
                    if other.is_file() {
                        fs::copy(other, &path).unwrap();
                    }
                }
                _ => {
                    fs::remove_file(&path).unwrap();
                    fs::create_dir(&path).unwrap();
                }
            }
            let is_needed = file.ends_with("model.onnx")
                || file.ends_with("model.onnx_data")
                || file.ends_with("tokenizer.json");
            let usable = usable(&folder);
            assert!(
                !usable || !is_needed || *damage == "swapped" || *damage == "one byte short",
                "{variant} was loaded with {} {damage}",
                file.display()
            );
        },
    );
}

#[test]
fn a_real_model_that_is_cut() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/models/all-MiniLM-L6-v2");
    let whole = fs::read(model.join(ONNX)).expect("run `npm run fetch`, which brings the model");
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir(parent.path().join("onnx")).unwrap();
    for file in files(&model).iter().filter(|file| !file.ends_with("model.onnx")) {
        let to = parent.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(model.join(file), to).unwrap();
    }
    for length in [1, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(parent.path().join(ONNX), &whole[..length]).unwrap();
        assert!(!usable(parent.path()), "{length} bytes of the model were loaded");
    }
}

/// Positions of an ONNX file outside the bytes of its weights, where every byte means something.
fn structure(bytes: &Bytes) -> Vec<usize> {
    let model = ModelProto::decode(bytes.clone()).unwrap();
    let mut is_weight = vec![false; bytes.len()];
    for tensor in &model.graph.unwrap().initializer {
        let raw = &tensor.raw_data;
        if raw.len() > 64 {
            let start = raw.as_ptr() as usize - bytes.as_ptr() as usize;
            is_weight[start..start + raw.len()].fill(true);
        }
    }
    (0..bytes.len())
        .filter(|&position| !is_weight[position])
        .collect()
}

/// Flips a byte of `file` at each of 1,000 positions and loads the folder, each time in another way.
fn flip(test: &str, variant: &str, file: &str) {
    let (_parent, folder) = folder_of(variant);
    let whole = Bytes::from(fs::read(folder.join(file)).unwrap());
    let positions = if file == ONNX {
        structure(&whole)
    } else {
        (0..whole.len()).collect()
    };
    each_case(test, 1000, |index| {
        let (_parent, folder) = folder_of(variant);
        let mut bytes = whole.to_vec();
        let random = random(index) as usize;
        // Every fifth one anywhere in the file, weights included.
        let position = if index % 5 == 0 {
            (random >> 8) % bytes.len()
        } else {
            positions[(random >> 8) % positions.len()]
        };
        let change = (random as u8).max(1);
        bytes[position] ^= change;
        fs::write(folder.join(file), bytes).unwrap();
        let way = WAYS[index % WAYS.len()];
        eprintln!("byte {position} of {file} xor {change:#x} in {way:?}");
        drop(try_way(&folder, way));
    });
}

#[test]
fn flipped_bytes_of_a_graph() {
    flip("damaged::flipped_bytes_of_a_graph", "bert", ONNX);
}

#[test]
fn flipped_bytes_of_external_data() {
    flip("damaged::flipped_bytes_of_external_data", "external-data", DATA);
}

#[test]
fn flipped_bytes_of_a_word_piece_tokenizer() {
    flip(
        "damaged::flipped_bytes_of_a_word_piece_tokenizer",
        "bert",
        "tokenizer.json",
    );
}

#[test]
fn flipped_bytes_of_a_unigram_tokenizer() {
    flip(
        "damaged::flipped_bytes_of_a_unigram_tokenizer",
        "xlmr",
        "tokenizer.json",
    );
}

#[cfg(unix)]
#[test]
fn files_that_never_end_or_never_answer() {
    let (_parent, folder) = folder_of("external-data");
    let files = files(&folder);
    each_case(
        "damaged::files_that_never_end_or_never_answer",
        files.len() * 2,
        |index| {
            let (_parent, folder) = folder_of("external-data");
            let path = folder.join(&files[index / 2]);
            fs::remove_file(&path).unwrap();
            if index % 2 == 0 {
                let name = std::ffi::CString::new(path.display().to_string()).unwrap();
                // SAFETY: the name is a C string.
                assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
            } else {
                std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            }
            eprintln!("{}", path.display());
            for way in WAYS {
                drop(try_way(&folder, way));
            }
        },
    );
}
