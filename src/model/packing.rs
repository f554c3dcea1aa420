//! Whether the texts of a rewritten graph can lie packed: see [`crate::operators::Packing`].
//!
//! That positions and biases of a token do not depend on what is padded behind its text is taken for granted, as every
//! encoder's published graph does.

use std::collections::HashSet;

use super::onnx::{GraphProto, NodeProto};
use crate::operators::DOMAIN;

/// Whether in `graph` only our operators read hidden states, from the embedding to `output`.
#[must_use]
pub fn is_packable(graph: &GraphProto, output: &str) -> bool {
    let weights: HashSet<&str> = graph
        .initializer
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    // Values that are packed. Nodes come in the order in which they run.
    let mut packed: HashSet<&str> = HashSet::new();
    for node in &graph.node {
        let of_all = |node: &NodeProto, packed: &HashSet<&str>| {
            let values = node.input.iter().map(String::as_str);
            let mut values = values.filter(|value| !value.is_empty() && !weights.contains(value));
            values.all(|value| packed.contains(value))
        };
        let ours = node.domain == DOMAIN;
        let fits = match node.op_type.as_str() {
            "Embed" | "Embed8" if ours => node.input.iter().all(|value| !packed.contains(value.as_str())),
            // Residuals are packed as x is.
            "Product" | "Product8" if ours => of_all(node, &packed),
            "Attention" if ours => {
                let mut values = node.input.iter().map(|value| packed.contains(value.as_str()));
                values.next() == Some(true) && !values.any(|packed| packed)
            }
            // Of the shape of hidden states anybody may ask.
            "Shape" => continue,
            _ => {
                if node.reads().iter().any(|value| packed.contains(value)) {
                    return false;
                }
                continue;
            }
        };
        if !fits {
            return false;
        }
        packed.extend(node.output.iter().map(String::as_str));
    }
    packed.contains(output)
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{AttributeProto, TensorProto};
    use super::*;

    fn node(domain: &str, op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            domain: domain.to_owned(),
            op_type: op_type.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..Default::default()
        }
    }

    fn graph(more: NodeProto) -> GraphProto {
        let weight = TensorProto {
            name: "w".to_owned(),
            ..Default::default()
        };
        GraphProto {
            node: vec![
                node(DOMAIN, "Embed", &["ids", "w", "", "w", "w"], "x"),
                node("", "Shape", &["x"], "shape"),
                node("", "Expand", &["mask", "shape"], "bias"),
                node(DOMAIN, "Product", &["x", "w", "w"], "qkv"),
                node(DOMAIN, "Attention", &["qkv", "bias"], "heads"),
                node(DOMAIN, "Product", &["heads", "w", "w", "x", "w", "w"], "y"),
                more,
            ],
            initializer: vec![weight],
            ..Default::default()
        }
    }

    #[test]
    fn all_readers_of_hidden_states_must_be_our_operators() {
        let product = |inputs: &[&str]| graph(node(DOMAIN, "Product", inputs, "out"));
        assert!(is_packable(&product(&["y", "w", "w"]), "out"));
        assert!(!is_packable(&product(&["y", "w", "w"]), "mask"));
        assert!(!is_packable(&product(&["shape", "w", "w"]), "out"));
        assert!(!is_packable(&product(&["y", "w", "w", "bias", "w", "w"]), "out"));
        assert!(!is_packable(&graph(node("", "Add", &["y", "w"], "out")), "out"));
        assert!(!is_packable(&graph(node("", "Add", &["y", "w"], "other")), "y"));
        let mut branch = node("", "If", &["mask"], "other");
        branch.attribute.push(AttributeProto {
            g: Some(GraphProto {
                node: vec![node("", "Add", &["y", "w"], "sum")],
                ..Default::default()
            }),
            ..Default::default()
        });
        assert!(!is_packable(&graph(branch), "y"));
        let attention = |inputs: &[&str]| graph(node(DOMAIN, "Attention", inputs, "out"));
        assert!(is_packable(&attention(&["qkv", "bias"]), "out"));
        assert!(!is_packable(&attention(&["bias"]), "out"));
        assert!(!is_packable(&attention(&["qkv", "y"]), "out"));
    }
}
