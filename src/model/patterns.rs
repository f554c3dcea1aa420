//! What exporters write for the parts of an encoder, recognised from the value that each part makes.
//!
//! Covers the TorchScript exporter from opset 11 on, Optimum's exports and those on the hub. A part that is not
//! recognised stays as it is: slower, never wrong.

use super::graph::Graph;
use super::onnx::{NodeProto, data_type};

/// `input * weight + bias` with constant weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear<'a> {
    /// `[.., k]`.
    pub input: &'a str,
    /// A constant `[k, n]`, or `[n, k]` if `transposed`.
    pub weight: &'a str,
    /// Whether rows of the weight are output columns.
    pub transposed: bool,
    /// A constant `[n]`.
    pub bias: Option<&'a str>,
    /// Columns of the input.
    pub k: usize,
    /// Columns of the output.
    pub n: usize,
}

/// A layer normalisation over the last axis.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a> {
    /// `[.., hidden]`.
    pub input: &'a str,
    /// A constant `[hidden]`.
    pub gamma: &'a str,
    /// A constant `[hidden]`.
    pub beta: &'a str,
    /// Added to the variance.
    pub epsilon: f32,
}

/// Self-attention from the projections to the joined heads.
#[derive(Debug, Clone)]
pub struct Attention<'a> {
    /// Query, key and value projections of one input.
    pub projections: [Linear<'a>; 3],
    /// Columns of one head.
    pub head_size: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// What is added to the scaled scores: masks, position biases.
    pub biases: Vec<&'a str>,
}

/// The sum of the rows that a token's id, position and type have in constant tables.
#[derive(Debug, Clone)]
pub struct Lookup<'a> {
    /// Table and ids of each addend, that of the tokens first.
    pub tables: Vec<(&'a str, &'a str)>,
}

/// `value` as a linear layer.
#[must_use]
pub fn linear<'a>(graph: &Graph<'a>, value: &'a str) -> Option<Linear<'a>> {
    let node = graph.producer(value)?;
    match node.op_type.as_str() {
        "MatMul" => product(graph, node),
        "Add" => Graph::orders(node).find_map(|(product_value, bias)| {
            let product = product(graph, graph.made_by(product_value, "MatMul")?)?;
            let tensor = graph.constant(bias)?;
            (tensor.shape() == [product.n]).then_some(Linear {
                bias: Some(bias),
                ..product
            })
        }),
        _ => None,
    }
}

fn product<'a>(graph: &Graph<'a>, node: &'a NodeProto) -> Option<Linear<'a>> {
    let (input, weight) = Graph::pair(node)?;
    if graph.constant(input).is_some() {
        return None;
    }
    let (weight, transposed) = match graph.made_by(weight, "Transpose") {
        // Without an order, axes change places.
        Some(transpose) if transpose.attribute("perm").is_none_or(|perm| perm.ints == [1, 0]) => {
            (transpose.input.first()?.as_str(), true)
        }
        Some(_) => return None,
        None => (weight, false),
    };
    let tensor = graph.constant(weight)?;
    let [rows, columns] = tensor.shape()[..] else {
        return None;
    };
    let (k, n) = if transposed {
        (columns, rows)
    } else {
        (rows, columns)
    };
    (tensor.data_type == data_type::FLOAT).then_some(Linear {
        input,
        weight,
        transposed,
        bias: None,
        k,
        n,
    })
}

/// `value` as a Gaussian error linear unit; answers its input.
#[must_use]
pub fn gelu<'a>(graph: &Graph<'a>, value: &'a str) -> Option<&'a str> {
    let node = graph.producer(value)?;
    if node.op_type == "Gelu" {
        let exact = node
            .attribute("approximate")
            .is_none_or(|kind| kind.s.as_ref() == b"none");
        return exact.then(|| node.input.first().map(String::as_str))?;
    }
    // x * (1 + erf(x / sqrt 2)) * 0.5, multiplied in whatever order.
    let mut factors = Vec::new();
    flatten(graph, value, "Mul", 2, &mut factors);
    let (erf, input) = factors.iter().find_map(|&factor| {
        let add = graph.made_by(factor, "Add")?;
        let (erf, _) = Graph::orders(add).find(|&(_, one)| graph.is_scalar(one, 1.0))?;
        let erf = graph.made_by(erf, "Erf")?;
        let scaled = graph.producer(erf.input.first()?)?;
        let (input, by) = Graph::pair(scaled)?;
        let root = std::f32::consts::SQRT_2;
        let fits = match scaled.op_type.as_str() {
            "Div" => graph.is_scalar(by, root),
            "Mul" => graph.is_scalar(by, 1.0 / root),
            _ => false,
        };
        fits.then_some((factor, input))
    })?;
    // The input may itself be a product: flattening stops at it only by depth, so count what is left over by name.
    let mut rest = factors.into_iter().filter(|&factor| factor != erf);
    let (a, b) = (rest.next()?, rest.next()?);
    let same = |x: &'a str| graph.resolve(x) == graph.resolve(input);
    let fits = rest.next().is_none()
        && ((same(a) && graph.is_scalar(b, 0.5)) || (same(b) && graph.is_scalar(a, 0.5)));
    fits.then_some(input)
}

/// The leaves of a tree of `op_type` nodes, at most `depth` deep.
fn flatten<'a>(graph: &Graph<'a>, value: &'a str, op_type: &str, depth: usize, leaves: &mut Vec<&'a str>) {
    match graph.made_by(value, op_type).and_then(Graph::pair) {
        Some((a, b)) if depth > 0 => {
            flatten(graph, a, op_type, depth - 1, leaves);
            flatten(graph, b, op_type, depth - 1, leaves);
        }
        _ => leaves.push(value),
    }
}

/// `value` as a layer normalisation.
#[must_use]
pub fn layer_norm<'a>(graph: &Graph<'a>, value: &'a str) -> Option<LayerNorm<'a>> {
    let node = graph.producer(value)?;
    let vector = |value: &'a str| {
        graph
            .constant(value)
            .filter(|tensor| tensor.dims.len() == 1)
            .map(|_| value)
    };
    if node.op_type == "LayerNormalization" {
        let [input, gamma, beta] = node.input.as_slice() else {
            return None;
        };
        // 0 is what an absent attribute reads as, and no sensible axis.
        let axis = node.attribute("axis").map_or(-1, |axis| axis.i);
        let epsilon = node.attribute("epsilon").map_or(1e-5, |epsilon| epsilon.f);
        return (axis == -1 || axis == 2).then_some(LayerNorm {
            input,
            gamma: vector(gamma)?,
            beta: vector(beta)?,
            epsilon,
        });
    }
    // (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * gamma + beta.
    let add = (node.op_type == "Add").then_some(node)?;
    Graph::orders(add).find_map(|(scaled, beta)| {
        let mul = graph.made_by(scaled, "Mul")?;
        Graph::orders(mul).find_map(|(quotient, gamma)| {
            let (centred, root) = Graph::pair(graph.made_by(quotient, "Div")?)?;
            let (input, mean) = Graph::pair(graph.made_by(centred, "Sub")?)?;
            if !is_mean_of(graph, mean, input) {
                return None;
            }
            let shifted = graph.made_by(graph.made_by(root, "Sqrt")?.input.first()?, "Add")?;
            let (variance, epsilon) =
                Graph::orders(shifted).find(|(_, epsilon)| graph.scalar(epsilon).is_some())?;
            let square = graph.made_by(variance, "ReduceMean")?.input.first()?;
            let (a, b) = Graph::pair(graph.producer(square)?)?;
            let same = |x: &'a str| {
                let x = graph
                    .made_by(x, "Cast")
                    .and_then(|cast| cast.input.first())
                    .map_or(x, String::as_str);
                graph.resolve(x) == graph.resolve(centred)
            };
            let squared = same(a) && (graph.is_scalar(b, 2.0) || same(b));
            squared.then_some(LayerNorm {
                input,
                gamma: vector(gamma)?,
                beta: vector(beta)?,
                epsilon: graph.scalar(epsilon)?,
            })
        })
    })
}

fn is_mean_of<'a>(graph: &Graph<'a>, mean: &'a str, of: &'a str) -> bool {
    graph.made_by(mean, "ReduceMean").is_some_and(|node| {
        let axes = match (node.attribute("axes"), node.input.get(1)) {
            (Some(axes), _) => Some(axes.ints.clone()),
            (None, Some(axes)) => graph.integers(axes),
            (None, None) => None,
        };
        let last = axes.is_some_and(|axes| axes == [-1] || axes == [2]);
        last && node
            .input
            .first()
            .is_some_and(|input| graph.resolve(input) == graph.resolve(of))
    })
}

/// `value` `[batch, tokens, hidden]` as attention with its heads joined.
#[must_use]
pub fn attention<'a>(graph: &Graph<'a>, value: &'a str) -> Option<Attention<'a>> {
    let joined = graph.made_by(value, "Reshape")?;
    let context = transposed(graph, joined.input.first()?, &[0, 2, 1, 3])?;
    let (weights, values) = Graph::pair(graph.made_by(context, "MatMul")?)?;
    let softmax = graph.made_by(weights, "Softmax")?;
    // Three means the last of four axes; absent meant axis 1 before opset 13, which no exporter writes here.
    if !softmax
        .attribute("axis")
        .is_none_or(|axis| axis.i == -1 || axis.i == 3)
    {
        return None;
    }
    let mut factor = Factor::default();
    let mut biases = Vec::new();
    let (queries, keys) = scores(graph, softmax.input.first()?, &mut factor, &mut biases)?;
    let (query, query_size) = heads(graph, factor.strip(graph, queries), &[0, 2, 1, 3])?;
    let keys = factor.strip(graph, keys);
    let (key, key_size) = heads(graph, keys, &[0, 2, 3, 1]).or_else(|| {
        let twice = transposed(graph, keys, &[0, 1, 3, 2])?;
        heads(graph, factor.strip(graph, twice), &[0, 2, 1, 3])
    })?;
    let (value, value_size) = heads(graph, values, &[0, 2, 1, 3])?;
    let projections = [linear(graph, query)?, linear(graph, key)?, linear(graph, value)?];
    let [q, k, v] = &projections;
    let fits = query_size == key_size
        && key_size == value_size
        && q.n.is_multiple_of(query_size)
        && [k, v].iter().all(|other| {
            graph.resolve(other.input) == graph.resolve(q.input) && (other.k, other.n) == (q.k, q.n)
        });
    let scale = if factor.computed {
        1.0 / (query_size as f32).sqrt()
    } else {
        factor.constant
    };
    fits.then_some(Attention {
        projections,
        head_size: query_size,
        scale,
        biases,
    })
}

/// Factors of the scores on the way from the softmax to the projections.
#[derive(Debug)]
struct Factor {
    constant: f32,
    /// Some exporters compute the root of the head size from a shape instead of writing the number.
    computed: bool,
}

impl Default for Factor {
    fn default() -> Self {
        Self {
            constant: 1.0,
            computed: false,
        }
    }
}

impl Factor {
    /// Steps over multiplications and divisions by scalars, remembering them.
    fn strip<'a>(&mut self, graph: &Graph<'a>, value: &'a str) -> &'a str {
        let mut value = value;
        while let Some(node) = graph.producer(value) {
            let Some((a, b)) = Graph::pair(node) else { break };
            let next = match node.op_type.as_str() {
                "Div" => self.take(graph, b, true).then_some(a),
                "Mul" if self.take(graph, b, false) => Some(a),
                "Mul" if self.take(graph, a, false) => Some(b),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => break,
            }
        }
        value
    }

    fn take<'a>(&mut self, graph: &Graph<'a>, by: &'a str, divide: bool) -> bool {
        if let Some(by) = graph.scalar(by) {
            self.constant *= if divide { 1.0 / by } else { by };
            true
        } else if graph.constant(by).is_none() && comes_from_shape(graph, by, &mut 16) {
            self.computed = true;
            true
        } else {
            false
        }
    }
}

/// Whether `value` depends on shapes and constants alone, as far as `steps` nodes tell: the root of a head size takes a
/// handful, and a made-up graph could ask for more than anyone can wait for.
fn comes_from_shape<'a>(graph: &Graph<'a>, value: &'a str, steps: &mut usize) -> bool {
    if graph.constant(value).is_some() {
        return true;
    }
    let Some(node) = graph.producer(value) else {
        return false;
    };
    match node.op_type.as_str() {
        "Shape" => true,
        "Cast" | "Sqrt" | "Div" | "Gather" | "Slice" | "Squeeze" | "Mul" | "Pow" | "Reciprocal"
            if *steps > 0 =>
        {
            *steps -= 1;
            node.input
                .iter()
                .all(|input| comes_from_shape(graph, input, steps))
        }
        _ => false,
    }
}

/// Most tensors that are added to the scores.
const BIASES: usize = 3;

/// Walks from the softmax's input to the product of queries and keys.
fn scores<'a>(
    graph: &Graph<'a>,
    value: &'a str,
    factor: &mut Factor,
    biases: &mut Vec<&'a str>,
) -> Option<(&'a str, &'a str)> {
    let mut value = value;
    for _ in 0..BIASES {
        // A factor outside an addition would scale the bias too: not attention as anyone writes it.
        let node = graph.producer(value)?;
        if node.op_type != "Add" {
            break;
        }
        let (next, bias) = Graph::orders(node).find(|(next, _)| leads_to_product(graph, next, 5))?;
        biases.push(bias);
        value = next;
    }
    Graph::pair(graph.made_by(factor.strip(graph, value), "MatMul")?)
}

fn leads_to_product<'a>(graph: &Graph<'a>, value: &'a str, depth: usize) -> bool {
    graph
        .producer(value)
        .is_some_and(|node| match node.op_type.as_str() {
            "MatMul" => true,
            "Add" | "Mul" | "Div" if depth > 0 => Graph::pair(node).is_some_and(|(a, b)| {
                [a, b]
                    .iter()
                    .any(|input| leads_to_product(graph, input, depth - 1))
            }),
            _ => false,
        })
}

fn transposed<'a>(graph: &Graph<'a>, value: &'a str, order: &[i64]) -> Option<&'a str> {
    let node = graph.made_by(value, "Transpose")?;
    (node.attribute("perm")?.ints == order).then(|| node.input.first().map(String::as_str))?
}

/// `value` as the heads of a projection `[batch, tokens, hidden]`; answers the projection and the size of a head.
fn heads<'a>(graph: &Graph<'a>, value: &'a str, order: &[i64]) -> Option<(&'a str, usize)> {
    let split = graph.made_by(transposed(graph, value, order)?, "Reshape")?;
    let (projection, shape) = Graph::pair(split)?;
    let last = match graph.integers(shape) {
        Some(shape) => (shape.len() == 4).then(|| shape.last().copied())??,
        None => {
            let concat = graph.made_by(shape, "Concat")?;
            (concat.input.len() == 4).then(|| graph.integers(concat.input.last()?)?.first().copied())??
        }
    };
    usize::try_from(last)
        .ok()
        .filter(|&size| size > 0)
        .map(|size| (projection, size))
}

/// Most tables that a token's row can be the sum of.
const TABLES: usize = 4;

/// `value` as a sum of table rows of `hidden` columns.
#[must_use]
pub fn lookup<'a>(graph: &Graph<'a>, value: &'a str, hidden: usize) -> Option<Lookup<'a>> {
    let mut leaves = Vec::new();
    flatten(graph, value, "Add", 3, &mut leaves);
    let mut tables = leaves
        .into_iter()
        .map(|leaf| {
            let gather = graph.made_by(leaf, "Gather")?;
            let (table, ids) = Graph::pair(gather)?;
            let tensor = graph.constant(table)?;
            let fits = tensor.data_type == data_type::FLOAT
                && tensor.dims.len() == 2
                && tensor.shape().get(1) == Some(&hidden)
                && gather.attribute("axis").is_none_or(|axis| axis.i == 0);
            fits.then_some((tensor.shape().first().copied()?, table, ids))
        })
        .collect::<Option<Vec<_>>>()?;
    // Ids of tokens come from outside, those of positions are computed or constant.
    let is_made_here = |ids| graph.producer(ids).is_some() || graph.constant(ids).is_some();
    tables.sort_by_key(|&(rows, _, ids)| (is_made_here(ids), std::cmp::Reverse(rows)));
    (tables.len() <= TABLES).then(|| Lookup {
        tables: tables.into_iter().map(|(_, table, ids)| (table, ids)).collect(),
    })
}
