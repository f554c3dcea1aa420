//! Writing a model file: large tensors into a file of their own, then the graph that refers to them.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use prost::Message;

use super::onnx::{ModelProto, TensorProto};
use crate::error::{Context, ErrorKind, Result};

/// Writes large tensors one after the other into a file beside the graph.
#[derive(Debug)]
pub struct DataWriter {
    file: BufWriter<File>,
    path: PathBuf,
    name: String,
    offset: usize,
}

/// Pages, so that each tensor can be mapped by itself on every system (Windows maps from multiples of 64 KiB).
const LARGE_ALIGNMENT: usize = 65_536;
/// Cache lines, for tensors too small for their own page to matter.
const SMALL_ALIGNMENT: usize = 64;

impl DataWriter {
    /// Creates `folder/name`.
    ///
    /// # Errors
    /// `Internal` with the cause when the file cannot be created.
    pub fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = File::create(&path).context(ErrorKind::Internal, || {
            format!("Cannot create {}", path.display())
        })?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            path,
            name: name.to_owned(),
            offset: 0,
        })
    }

    /// Starts a tensor and answers how to refer to it; exactly `length` bytes must follow through [`write`](Self::write).
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn begin(
        &mut self,
        name: &str,
        data_type: i32,
        dims: &[usize],
        length: usize,
    ) -> Result<TensorProto> {
        let alignment = if length >= LARGE_ALIGNMENT {
            LARGE_ALIGNMENT
        } else {
            SMALL_ALIGNMENT
        };
        let start = self.offset.next_multiple_of(alignment);
        self.write(&vec![0; start - self.offset])?;
        Ok(TensorProto::outside(
            name, data_type, dims, &self.name, start, length,
        ))
    }

    /// Appends bytes of the tensor begun last.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.offset += bytes.len();
        self.file.write_all(bytes).context(ErrorKind::Internal, || {
            format!("Cannot write {}", self.path.display())
        })
    }

    /// Writes a whole tensor.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn tensor(
        &mut self,
        name: &str,
        data_type: i32,
        dims: &[usize],
        bytes: &[u8],
    ) -> Result<TensorProto> {
        let tensor = self.begin(name, data_type, dims, bytes.len())?;
        self.write(bytes)?;
        Ok(tensor)
    }

    /// Where the next tensor will begin.
    #[must_use]
    pub fn position(&self) -> usize {
        self.offset
    }

    /// Forgets everything from `position` on; nobody may have that part mapped.
    ///
    /// # Errors
    /// `Internal` with the cause when the file cannot be cut.
    pub fn rewind(&mut self, position: usize) -> Result<()> {
        let failed = || format!("Cannot rewrite {}", self.path.display());
        self.file.flush().context(ErrorKind::Internal, failed)?;
        self.file
            .get_mut()
            .set_len(position as u64)
            .context(ErrorKind::Internal, failed)?;
        self.file
            .seek(SeekFrom::Start(position as u64))
            .context(ErrorKind::Internal, failed)?;
        self.offset = position;
        Ok(())
    }

    /// Hands everything written so far to the system, so that others can map it.
    ///
    /// # Errors
    /// `Internal` with the cause when the disk is full.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().context(ErrorKind::Internal, || {
            format!("Cannot write {}", self.path.display())
        })
    }
}

/// Encodes `model` into `path`.
///
/// # Errors
/// `Internal` with the cause when the file cannot be written.
pub fn write_model(model: &ModelProto, path: &Path) -> Result<()> {
    let failed = || format!("Cannot write {}", path.display());
    let mut file = File::create(path).context(ErrorKind::Internal, failed)?;
    file.write_all(&model.encode_to_vec())
        .context(ErrorKind::Internal, failed)
}
