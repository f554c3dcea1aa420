//! A graph with its indices: who makes a value, which values are constant, what is still needed.

use std::collections::{HashMap, HashSet};

use super::onnx::{GraphProto, NodeProto, TensorProto, data_type};
use super::source::floats_of;

/// Most integers that axes or a shape have here. More are not copied, however many nodes read them.
const FEW: usize = 16;

/// An indexed graph. Values are known by name, as in the file.
#[derive(Debug)]
pub struct Graph<'a> {
    makers: HashMap<&'a str, &'a NodeProto>,
    producers: HashMap<&'a str, &'a NodeProto>,
    aliases: HashMap<&'a str, &'a str>,
    summands: HashSet<&'a str>,
    initializers: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Graph<'a> {
    /// Indexes `graph`. A node that reads what itself or a later node makes, which no valid file has, produces nothing
    /// here: so every walk from a value to what it is made of comes to an end.
    #[must_use]
    pub fn new(graph: &'a GraphProto) -> Self {
        let mut made_at: HashMap<&str, usize> = HashMap::new();
        let mut makers = HashMap::new();
        let mut summands = HashSet::new();
        for (place, node) in graph.node.iter().enumerate() {
            for output in &node.output {
                made_at.entry(output).or_insert(place);
                makers.entry(output.as_str()).or_insert(node);
            }
            if node.op_type == "Add" {
                summands.extend(node.input.iter().map(String::as_str));
            }
        }
        let mut producers = HashMap::new();
        let mut aliases: HashMap<&str, &str> = HashMap::new();
        for (place, node) in graph.node.iter().enumerate() {
            let mut reads = node.reads().into_iter();
            if !reads.all(|value| made_at.get(value).is_none_or(|&made| made < place)) {
                continue;
            }
            // What the input of an alias is an alias of is known by now.
            let original = matches!(node.op_type.as_str(), "Identity" | "Dropout")
                .then(|| node.input.first())
                .flatten()
                .map(|input| aliases.get(input.as_str()).copied().unwrap_or(input));
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                if made_at.get(output.as_str()) == Some(&place) {
                    producers.insert(output.as_str(), node);
                    aliases.extend(original.map(|original| (output.as_str(), original)));
                }
            }
        }
        let initializers = graph
            .initializer
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        Self {
            makers,
            producers,
            aliases,
            summands,
            initializers,
        }
    }

    /// The node that names `value` as an output, wherever it stands.
    #[must_use]
    pub fn maker(&self, value: &str) -> Option<&'a NodeProto> {
        self.makers.get(value).copied()
    }

    /// Whether a sum reads `value`.
    #[must_use]
    pub fn is_summand(&self, value: &str) -> bool {
        self.summands.contains(value)
    }

    /// The name behind aliases: exporters share equal weights through `Identity`, and `Dropout` does nothing any more.
    #[must_use]
    pub fn resolve(&self, value: &'a str) -> &'a str {
        self.aliases.get(value).copied().unwrap_or(value)
    }

    /// The node that makes `value`.
    #[must_use]
    pub fn producer(&self, value: &'a str) -> Option<&'a NodeProto> {
        self.producers.get(self.resolve(value)).copied()
    }

    /// The node that makes `value`, if it is an `op_type`.
    #[must_use]
    pub fn made_by(&self, value: &'a str, op_type: &str) -> Option<&'a NodeProto> {
        self.producer(value).filter(|node| node.op_type == op_type)
    }

    /// The constant called `value`: an initializer or a `Constant` node.
    #[must_use]
    pub fn constant(&self, value: &'a str) -> Option<&'a TensorProto> {
        let value = self.resolve(value);
        self.initializers.get(value).copied().or_else(|| {
            let node = self.made_by(value, "Constant")?;
            node.attribute("value")?.t.as_ref()
        })
    }

    /// The value of a constant of one `f32`.
    #[must_use]
    pub fn scalar(&self, value: &'a str) -> Option<f32> {
        let tensor = self.constant(value)?;
        if tensor.data_type != data_type::FLOAT || tensor.shape().iter().product::<usize>() != 1 {
            return None;
        }
        floats_of(&tensor.raw_data)
            .next()
            .or_else(|| tensor.float_data.first().copied())
    }

    /// Whether `value` is a constant of one `f32` close to `expected`.
    #[must_use]
    pub fn is_scalar(&self, value: &'a str, expected: f32) -> bool {
        self.scalar(value)
            .is_some_and(|value| (value - expected).abs() <= 1e-4 * expected.abs())
    }

    /// The values of a constant of a few integers: axes, or a shape.
    #[must_use]
    pub fn integers(&self, value: &'a str) -> Option<Vec<i64>> {
        let tensor = self.constant(value)?;
        let is_small = tensor.raw_data.len() <= 8 * FEW && tensor.int64_data.len() <= FEW;
        if tensor.data_type != data_type::INT64 || tensor.data_location != 0 || !is_small {
            return None;
        }
        Some(if tensor.raw_data.is_empty() {
            tensor.int64_data.clone()
        } else {
            tensor
                .raw_data
                .as_chunks::<8>()
                .0
                .iter()
                .map(|&bytes| i64::from_le_bytes(bytes))
                .collect()
        })
    }

    /// The two inputs of a node with two.
    #[must_use]
    pub fn pair(node: &'a NodeProto) -> Option<(&'a str, &'a str)> {
        match node.input.as_slice() {
            [a, b] => Some((a, b)),
            _ => None,
        }
    }

    /// Both orders of a commutative node's inputs.
    pub fn orders(node: &'a NodeProto) -> impl Iterator<Item = (&'a str, &'a str)> {
        Self::pair(node).into_iter().flat_map(|(a, b)| [(a, b), (b, a)])
    }
}

/// Leaves only what `outputs` need and puts nodes in an order in which they can run.
#[must_use]
pub fn needed(nodes: Vec<NodeProto>, outputs: &[&str]) -> Vec<NodeProto> {
    let producers: HashMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(i, node)| node.output.iter().map(move |output| (output.as_str(), i)))
        .collect();
    // Depth first without recursion: a node is emitted when everything it reads has been.
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    let mut stack: Vec<(usize, bool)> = outputs
        .iter()
        .rev()
        .filter_map(|output| producers.get(output))
        .map(|&i| (i, false))
        .collect();
    while let Some((i, read)) = stack.pop() {
        if read {
            order.push(i);
        } else if seen.insert(i) {
            stack.push((i, true));
            let reads = nodes.get(i).map(NodeProto::reads).unwrap_or_default();
            stack.extend(
                reads
                    .iter()
                    .filter_map(|value| producers.get(value))
                    .map(|&i| (i, false)),
            );
        }
    }
    let mut nodes: Vec<Option<NodeProto>> = nodes.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|i| nodes.get_mut(i)?.take())
        .collect()
}
