//! Divides a graph into the parts that kernels exist for: walks from the output back and takes what it recognises.

use std::collections::{BTreeMap, HashSet};

use super::graph::Graph;
use super::patterns::{Attention, LayerNorm, Linear, Lookup, attention, gelu, layer_norm, linear, lookup};
use crate::kernels::simd::LANES;

/// A part of the graph, to be replaced by nodes that make the same value.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// A linear layer and what follows it.
    Product(Product<'a>),
    /// Projections, scores, softmax and weighted sum.
    Attention(Attention<'a>),
    /// Table rows of tokens, positions and types, summed and normalised.
    Embed(Lookup<'a>, LayerNorm<'a>),
}

/// A linear layer, then either the Gaussian error linear unit or a residual with layer normalisation, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// The layer.
    pub linear: Linear<'a>,
    /// Whether the Gaussian error linear unit follows.
    pub gelu: bool,
    /// What is added to the product, and the normalisation of the sum.
    pub residual: Option<(&'a str, LayerNorm<'a>)>,
}

/// Which value each recognised part makes.
pub type Parts<'a> = BTreeMap<&'a str, Part<'a>>;

/// The parts that `output` needs.
#[must_use]
pub fn divide<'a>(graph: &Graph<'a>, output: &'a str) -> Parts<'a> {
    let mut parts = Parts::new();
    let mut seen = HashSet::new();
    let mut open = vec![output];
    while let Some(value) = open.pop() {
        if !seen.insert(value) {
            continue;
        }
        if let Some(part) = recognise(graph, value) {
            open.extend(part.reads());
            parts.insert(value, part);
        } else if let Some(node) = graph.maker(value) {
            open.extend(node.reads());
        }
    }
    parts
}

impl<'a> Part<'a> {
    /// How many linear layers it stands for.
    pub fn products(&self) -> usize {
        match self {
            Self::Product(_) => 1,
            Self::Attention(attention) => attention.projections.len(),
            Self::Embed(..) => 0,
        }
    }

    /// The values that are not constant.
    fn reads(&self) -> Vec<&'a str> {
        match self {
            Self::Product(product) => product
                .residual
                .iter()
                .map(|(residual, _)| *residual)
                .chain([product.linear.input])
                .collect(),
            Self::Attention(attention) => {
                let [query, ..] = &attention.projections;
                attention.biases.iter().copied().chain([query.input]).collect()
            }
            Self::Embed(lookup, _) => lookup.tables.iter().map(|(_, ids)| *ids).collect(),
        }
    }
}

fn recognise<'a>(graph: &Graph<'a>, value: &'a str) -> Option<Part<'a>> {
    if let Some(norm) = layer_norm(graph, value) {
        let hidden = graph.constant(norm.gamma)?.shape().first().copied()?;
        let sum = graph
            .made_by(norm.input, "Add")
            .filter(|_| hidden > 0 && hidden.is_multiple_of(LANES))?;
        // A sum that goes on to the next residual, as in models that normalise first, has to be made anyway.
        let is_used_again = graph.is_summand(norm.input);
        let product = Graph::orders(sum).find_map(|(product, residual)| {
            let linear = linear(graph, product).filter(is_worth_it)?;
            let fits = linear.n == hidden && graph.constant(residual).is_none() && !is_used_again;
            fits.then_some(Part::Product(Product {
                linear,
                gelu: false,
                residual: Some((residual, norm)),
            }))
        });
        return product.or_else(|| Some(Part::Embed(lookup(graph, norm.input, hidden)?, norm)));
    }
    if let Some(input) = gelu(graph, value) {
        let linear = linear(graph, input).filter(is_worth_it)?;
        return Some(Part::Product(Product {
            linear,
            gelu: true,
            residual: None,
        }));
    }
    if let Some(attention) = attention(graph, value) {
        let [query, ..] = &attention.projections;
        let fits = is_worth_it(query) && attention.head_size.is_multiple_of(LANES);
        return fits.then_some(Part::Attention(attention));
    }
    let linear = linear(graph, value).filter(is_worth_it)?;
    Some(Part::Product(Product {
        linear,
        gelu: false,
        residual: None,
    }))
}

/// Smaller products are not worth an operator of their own.
const MINIMUM: usize = 32;

/// Whether the kernels take the layer's shape, and whether it is large enough to be worth their while.
fn is_worth_it(linear: &Linear) -> bool {
    [linear.k, linear.n]
        .iter()
        .all(|size| size.is_multiple_of(LANES) && *size >= MINIMUM)
}
