//! Reading a model file: the graph decoded, and tensors as windows into maps of the files that hold them.

#![allow(unsafe_code, reason = "a model file is mapped")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use memmap2::Mmap;
use prost::Message;

use super::onnx::{EXTERNAL, GraphProto, ModelProto, TensorProto, data_type};
use super::tensors;
use crate::error::{Context, Error, ErrorKind, Result};

/// A model file and the files that its tensors point into, all mapped.
#[derive(Debug)]
pub struct Source {
    /// The file's content; tensors are windows into the map.
    pub model: ModelProto,
    folder: PathBuf,
    /// Where its tensors may lie, without links, as ONNX Runtime has it: beside the file, and where the file itself is a
    /// link, as in the hub's cache, beside what it leads to.
    allowed: [PathBuf; 2],
    others: HashMap<String, Bytes>,
}

impl Source {
    /// Maps and decodes `path`.
    ///
    /// # Errors
    /// `ModelNotFound` when the file cannot be read, `ModelInvalid` when it is not ONNX or uses parts of the format that
    /// are not supported here (functions, sparse tensors), or a tensor's shape and bytes do not fit each other.
    pub fn open(path: &Path) -> Result<Self> {
        let model = decode(path)?;
        if model.graph.is_none() {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("{} contains no graph", path.display()),
            ));
        }
        if !model.functions.is_empty()
            || model
                .graph
                .iter()
                .any(|graph| !graph.sparse_initializer.is_empty())
        {
            let what = format!(
                "{} uses ONNX functions or sparse tensors, which are not supported",
                path.display()
            );
            return Err(Error::new(ErrorKind::ModelInvalid, what));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let target = real_path(path)?;
        let allowed = [
            real_path(&folder.join("."))?,
            target.parent().unwrap_or(&target).to_owned(),
        ];
        let mut source = Self {
            model,
            folder,
            allowed,
            others: HashMap::new(),
        };
        source.check()?;
        Ok(source)
    }

    /// Checks every constant.
    fn check(&mut self) -> Result<()> {
        // Reading tensors in other files takes the whole source; what is read is windows into maps.
        let graph = self.model.graph.take().unwrap_or_default();
        let checked = graph.constants().into_iter().try_for_each(|tensor| {
            let is_outside = tensor.data_location == EXTERNAL;
            let outside = is_outside.then(|| self.bytes(tensor)).transpose()?;
            tensors::check(tensor, outside.as_deref())
        });
        self.model.graph = Some(graph);
        checked
    }

    /// Names of the graph's outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<String> {
        let graph = self.model.graph.as_ref();
        graph
            .into_iter()
            .flat_map(|graph| &graph.output)
            .map(|output| output.name.clone())
            .collect()
    }

    /// The other files that constants lie in.
    #[must_use]
    pub fn data_files(&self) -> Vec<PathBuf> {
        let graph = self.model.graph.as_ref();
        graph
            .into_iter()
            .flat_map(GraphProto::locations)
            .map(|location| self.folder.join(location))
            .collect()
    }

    /// Moves the bytes of `tensor` from another file into the graph.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn inline(&mut self, tensor: &mut TensorProto) -> Result<()> {
        if tensor.data_location == EXTERNAL {
            tensor.raw_data = self.bytes(tensor)?;
            tensor.data_location = 0;
            tensor.external_data.clear();
        }
        Ok(())
    }

    /// The bytes of a tensor in the order of the file format, little-endian.
    ///
    /// # Errors
    /// `ModelNotFound` and `ModelInvalid`, when they are in another file that is missing, too short, or outside the folder.
    pub fn bytes(&mut self, tensor: &TensorProto) -> Result<Bytes> {
        if tensor.data_location != EXTERNAL {
            return Ok(if !tensor.raw_data.is_empty() {
                tensor.raw_data.clone()
            } else if !tensor.float_data.is_empty() {
                tensor
                    .float_data
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            } else {
                tensor
                    .int64_data
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            });
        }
        let invalid = || {
            Error::new(
                ErrorKind::ModelInvalid,
                format!("Tensor {} has no valid location in its data file", tensor.name),
            )
        };
        let number = |key, default| {
            tensor
                .external(key)
                .map_or(Some(default), |value| value.parse::<usize>().ok())
        };
        let location = tensor.external("location").ok_or_else(invalid)?;
        if !Path::new(location)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(invalid());
        }
        let file = match self.others.get(location) {
            Some(file) => file.clone(),
            None => {
                let path = real_path(&self.folder.join(location))?;
                if !self.allowed.iter().any(|folder| path.starts_with(folder)) {
                    return Err(Error::new(
                        ErrorKind::ModelInvalid,
                        format!(
                            "Tensor {} lies outside the model's folder, in {}",
                            tensor.name,
                            path.display()
                        ),
                    ));
                }
                let file = map(&path)?;
                self.others.insert(location.to_owned(), file.clone());
                file
            }
        };
        let start = number("offset", 0).ok_or_else(invalid)?;
        let length = number("length", file.len().saturating_sub(start)).ok_or_else(invalid)?;
        let end = start
            .checked_add(length)
            .filter(|&end| end <= file.len())
            .ok_or_else(invalid)?;
        Ok(file.slice(start..end))
    }

    /// The values of an `f32` tensor.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and `ModelInvalid` when type, shape and bytes do not fit each other.
    pub fn floats(&mut self, tensor: &TensorProto) -> Result<Vec<f32>> {
        let bytes = self.bytes(tensor)?;
        let values: Vec<f32> = floats_of(&bytes).collect();
        if tensor.data_type != data_type::FLOAT || values.len() != tensor.shape().iter().product::<usize>() {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("Tensor {} is not a complete f32 tensor", tensor.name),
            ));
        }
        Ok(values)
    }
}

/// The other files that the constants of the model file `path` lie in, as it names them. None of them is opened.
///
/// # Errors
/// `ModelNotFound` when the file cannot be read, `ModelInvalid` when it is not ONNX.
pub fn locations(path: &Path) -> Result<Vec<String>> {
    let model = decode(path)?;
    let graph = model.graph.iter();
    Ok(graph.flat_map(GraphProto::locations).map(str::to_owned).collect())
}

/// Little-endian `f32` values, wherever they start.
pub fn floats_of(bytes: &[u8]) -> impl ExactSizeIterator<Item = f32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
}

fn real_path(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).context(ErrorKind::ModelNotFound, || {
        format!("Cannot read {}", path.display())
    })
}

fn decode(path: &Path) -> Result<ModelProto> {
    ModelProto::decode(map(path)?).context(ErrorKind::ModelInvalid, || {
        format!("{} is not an ONNX file", path.display())
    })
}

fn map(path: &Path) -> Result<Bytes> {
    let not_found = || format!("Cannot read {}", path.display());
    // Opening a pipe would wait for a writer.
    if !path.is_file() {
        return Err(Error::new(
            ErrorKind::ModelNotFound,
            format!("{} is not a file", path.display()),
        ));
    }
    let file = File::open(path).context(ErrorKind::ModelNotFound, not_found)?;
    // SAFETY: model files are not changed in place; whoever replaces one writes a new file and renames it.
    let map = unsafe { Mmap::map(&file) }.context(ErrorKind::ModelNotFound, not_found)?;
    Ok(Bytes::from_owner(map))
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{AttributeProto, NodeProto};
    use super::*;

    fn node_of(attribute: AttributeProto) -> NodeProto {
        NodeProto {
            attribute: vec![attribute],
            ..NodeProto::default()
        }
    }

    fn node_with(branch: GraphProto) -> NodeProto {
        node_of(AttributeProto {
            g: Some(branch),
            ..AttributeProto::default()
        })
    }

    #[test]
    fn a_false_constant_is_refused_wherever_it_is() {
        let constants = |bytes| GraphProto {
            initializer: vec![TensorProto::inline("t", data_type::FLOAT, &[2], vec![0; bytes])],
            ..GraphProto::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        for (bytes, is_right) in [(8, true), (4, false)] {
            let branch = GraphProto {
                node: vec![node_with(constants(bytes))],
                ..GraphProto::default()
            };
            for graph in [constants(bytes), branch] {
                std::fs::write(&file, graph.into_file()).unwrap();
                assert_eq!(Source::open(&file).is_ok(), is_right);
            }
        }
    }

    #[test]
    fn the_files_of_initializers_constants_and_subgraphs_are_named_without_being_there() {
        let outside = |location| TensorProto::outside("t", data_type::FLOAT, &[1], location, 0, 4);
        let branch = GraphProto {
            initializer: vec![outside("sub/branch")],
            ..GraphProto::default()
        };
        let graph = GraphProto {
            initializer: vec![
                outside("model.onnx_data_1"),
                outside("model.onnx_data_1"),
                TensorProto::inline("inside", data_type::FLOAT, &[1], vec![0; 4]),
            ],
            node: vec![
                node_of(AttributeProto {
                    t: Some(outside("Constant_7_attr__value")),
                    ..AttributeProto::default()
                }),
                node_with(branch),
            ],
            ..GraphProto::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        std::fs::write(&file, graph.into_file()).unwrap();
        assert_eq!(
            locations(&file).unwrap(),
            ["Constant_7_attr__value", "model.onnx_data_1", "sub/branch"]
        );
    }
}
