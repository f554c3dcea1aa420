//! What a prepared copy is made of and for, which decides whether a copy that is there fits.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::folder::ModelSpec;
use super::source::Source;
use crate::config::Precision;
use crate::error::{Context, ErrorKind, Result};
use crate::runtime;

/// What a copy is made of and for. Equal recipes give equal copies, wherever the model lies: some apps are unpacked or
/// mounted at another path at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The ONNX file, with size and time of its last change, and the same of its external data.
    sources: Vec<SourceFile>,
    precision: String,
    /// How the examples of an 8-bit copy become tokens.
    examples: Option<Encoding>,
    /// The outputs of which the first that is there is kept.
    outputs: Vec<String>,
    /// Version of the code that makes copies of this precision.
    maker: u32,
    onnx_runtime: String,
    /// Instruction sets that decide the layout of prepacked weights.
    processor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SourceFile {
    size: u64,
    /// Tells two files apart that differ only between the blocks of the sample.
    changed_ns: u128,
    /// Hash of the file's ends and of blocks between them: finds a replaced file even where the time does not tell.
    sample: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Encoding {
    tokenizer: SourceFile,
    prompt: Option<String>,
    lower_case: bool,
    max_tokens: usize,
}

impl Recipe {
    /// The recipe for a copy of `spec` that keeps the first of `outputs` that is there, made by version `maker` of the code.
    ///
    /// # Errors
    /// [`ErrorKind::ModelNotFound`] when a file cannot be read.
    pub fn new(spec: &ModelSpec, outputs: &[&str], maker: u32) -> Result<Self> {
        let mut files = vec![spec.onnx_file.clone()];
        // A graph that cannot be read has no copy that could be outdated.
        files.extend(
            Source::open(&spec.onnx_file)
                .map(|it| it.data_files())
                .unwrap_or_default(),
        );
        let sources = files
            .iter()
            .map(|file| SourceFile::of(file))
            .collect::<Result<_>>()?;
        let examples = match spec.precision {
            Precision::Fp32 => None,
            Precision::Int8 => Some(Encoding {
                tokenizer: SourceFile::of(&spec.tokenizer_file)?,
                prompt: spec.prompt.clone(),
                lower_case: spec.lower_case,
                max_tokens: spec.own_max_tokens,
            }),
        };
        Ok(Self {
            sources,
            precision: spec.precision.name().to_owned(),
            examples,
            outputs: outputs.iter().map(|&output| output.to_owned()).collect(),
            maker,
            onnx_runtime: runtime::VERSION.to_owned(),
            processor: processor(),
        })
    }

    /// Whether a copy by the `other` recipe is of the same files.
    #[must_use]
    pub fn has_sources_of(&self, other: &Self) -> bool {
        self.sources == other.sources
    }

    /// Names the copy: 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the recipe cannot be written.
    pub fn key(&self) -> Result<String> {
        let text =
            serde_json::to_vec(self).context(ErrorKind::Internal, || "A recipe could not be written")?;
        let digest = Sha256::digest(text);
        Ok(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl SourceFile {
    fn of(path: &Path) -> Result<Self> {
        let unreadable = || format!("The model's file {} cannot be read", path.display());
        let found = fs::metadata(path).context(ErrorKind::ModelNotFound, unreadable)?;
        let changed = found
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Self {
            sample: sample(path, found.len()).context(ErrorKind::ModelNotFound, unreadable)?,
            size: found.len(),
            changed_ns: changed.map_or(0, |time| time.as_nanos()),
        })
    }
}

/// Hash of 64 blocks of 4 KiB, evenly spaced from the first byte to the last.
fn sample(path: &Path, size: u64) -> io::Result<u64> {
    const BLOCKS: u64 = 64;
    const BLOCK: u64 = 4096;
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = Vec::with_capacity(BLOCK as usize);
    for block in 0..BLOCKS {
        let last = size.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(
            last / (BLOCKS - 1) * block
                + if block == BLOCKS - 1 {
                    last % (BLOCKS - 1)
                } else {
                    0
                },
        ))?;
        buffer.clear();
        (&mut file).take(BLOCK).read_to_end(&mut buffer)?;
        hasher.update(&buffer);
    }
    Ok(hasher.digest())
}

/// The instruction sets of this processor that ONNX Runtime or our kernels choose layouts by.
fn processor() -> String {
    let mut name = std::env::consts::ARCH.to_owned();
    #[cfg(target_arch = "x86_64")]
    for (feature, there) in [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ] {
        if there {
            name.push('+');
            name.push_str(feature);
        }
    }
    #[cfg(target_arch = "aarch64")]
    for (feature, there) in [
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
    ] {
        if there {
            name.push('+');
            name.push_str(feature);
        }
    }
    name
}
