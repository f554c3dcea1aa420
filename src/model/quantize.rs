//! Weights in 8 bits: which input columns stay `f32`, and how the rest is rounded.
//!
//! Weights become signed bytes with one scale per output column; the table of token rows, bytes with scale and minimum per
//! row.

#![allow(unsafe_code, reason = "kernels run on the instruction set that was detected")]

use super::onnx::{NodeProto, TensorProto, data_type};
use super::patterns::{Linear, attention, gelu, layer_norm, linear};
use super::rewrite::{Writer, no_layers};
use super::source::floats_of;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::product8::QuantizeRow;
use crate::kernels::simd::LANES;
use crate::kernels::{Isa, run};
use crate::operators::DOMAIN;

/// Input columns of each product that stay `f32`: the few with large values would stretch every row's range. The wide
/// inputs of the second feed-forward product have more of them, and there each costs least.
fn outlier_count(k: usize) -> usize {
    (k / 192).clamp(8, 32)
}

impl<'a> Writer<'a, '_> {
    /// Writes the table of token rows and their ranges; answers the names of both.
    pub(super) fn table8(&mut self, value: &str, table: &'a str) -> Result<[String; 2]> {
        let tensor = self.constant(table)?;
        let [rows, hidden] = tensor.shape()[..] else {
            return Err(Error::new(
                ErrorKind::ModelInvalid,
                format!("Table {table} is not two-dimensional"),
            ));
        };
        let bytes = self.source.bytes(&tensor)?;
        let mut ranges = Vec::with_capacity(2 * rows);
        let (mut x, mut quantized, mut range) = (vec![0.0; hidden], vec![0; hidden], [0.0; 2]);
        let name = format!("{value}/table");
        let written = self
            .data
            .begin(&name, data_type::UINT8, &[rows, hidden], rows * hidden)?;
        let isa = Isa::detect();
        for row in bytes.chunks_exact(hidden * 4) {
            for (to, from) in x.iter_mut().zip(floats_of(row)) {
                *to = from;
            }
            // SAFETY: the instruction set was detected; the rows have the same length.
            unsafe {
                run(
                    isa,
                    QuantizeRow {
                        x: &x,
                        values: &mut quantized,
                        range: &mut range,
                    },
                )
            };
            self.data.write(&quantized)?;
            ranges.extend(range);
        }
        self.tensors.push(written);
        let ranges_name = format!("{value}/ranges");
        self.floats(&ranges_name, &[rows, 2], &ranges)?;
        Ok([name, ranges_name])
    }

    /// A product with one or more layers of the same input, side by side.
    pub(super) fn multiply8(&mut self, value: &str, layers: &[Linear<'a>]) -> Result<NodeProto> {
        let first = layers.first().ok_or_else(no_layers)?;
        let (k, n) = (first.k, layers.iter().map(|layer| layer.n).sum::<usize>());
        let node = NodeProto::new("Product8", DOMAIN, Vec::new(), value);
        let observed = self
            .observations
            .as_ref()
            .and_then(|observations| observations.take(&node.name));
        let spread = match observed {
            Some(spread) => spread,
            None => self.spread(first.input, k)?,
        };
        let outliers = largest(&spread, outlier_count(k));
        let mut values = Vec::with_capacity(k * n);
        let mut columns: [Vec<f32>; 3] = Default::default();
        let mut outlier_weights = vec![Vec::new(); outliers.len()];
        for layer in layers {
            let weights = self.weights_of(layer)?;
            let bias = self.bias_of(layer)?;
            let packed = pack(&weights, k, layer.n, &outliers);
            values.extend(packed.values);
            for (columns, more) in columns.iter_mut().zip([packed.scales, packed.sums, bias]) {
                columns.extend(more);
            }
            for (row, &outlier) in outlier_weights.iter_mut().zip(&outliers) {
                row.extend(weights.iter().skip(outlier * layer.n).take(layer.n));
            }
        }
        let name = |part: &str| format!("{value}/{part}");
        let dims = [n / LANES, k / 4, LANES, 4];
        let weight = self
            .data
            .tensor(&name("weight"), data_type::INT8, &dims, &values)?;
        self.tensors.push(weight);
        self.floats(&name("columns"), &[3, n], &columns.concat())?;
        let mut inputs = vec![first.input.to_owned(), name("weight"), name("columns")];
        if outliers.is_empty() {
            inputs.extend([String::new(), String::new()]);
        } else {
            let bytes = outliers
                .iter()
                .flat_map(|&outlier| (outlier as i32).to_le_bytes())
                .collect();
            self.tensors.push(TensorProto::inline(
                &name("outliers"),
                data_type::INT32,
                &[outliers.len()],
                bytes,
            ));
            let dims = [outliers.len(), n];
            self.floats(&name("outlier_weights"), &dims, &outlier_weights.concat())?;
            inputs.extend([name("outliers"), name("outlier_weights")]);
        }
        Ok(NodeProto {
            input: inputs,
            ..node
        })
    }

    /// How far the columns of `value` spread, estimated from weights alone: no example has to run.
    ///
    /// After a layer normalisation a column has about mean beta and deviation gamma; a layer's output then has about the
    /// mean and the deviation of a sum of independent columns. Empty where nothing is known.
    fn spread(&mut self, value: &'a str, k: usize) -> Result<Vec<f32>> {
        if let Some([mean, deviation]) = self.after_norm(value)? {
            return Ok(mean
                .iter()
                .zip(deviation)
                .map(|(mean, deviation)| mean.abs() + 3.0 * deviation)
                .collect());
        }
        let (layer, activated) =
            if let Some(layer) = gelu(self.graph, value).and_then(|input| linear(self.graph, input)) {
                (layer, true)
            } else if let Some(attention) = attention(self.graph, value) {
                let [.., layer] = attention.projections;
                (layer, false)
            } else {
                return Ok(Vec::new());
            };
        let Some([mean, deviation]) = self.after_norm(layer.input)? else {
            return Ok(Vec::new());
        };
        let weights = self.weights_of(&layer)?;
        let mut means = self.bias_of(&layer)?;
        let mut variances = vec![0.0; layer.n];
        for ((row, mean), deviation) in weights.chunks_exact(layer.n).zip(mean).zip(deviation) {
            for ((sum, variance), w) in means.iter_mut().zip(&mut variances).zip(row) {
                *sum += w * mean;
                *variance += (w * deviation).powi(2);
            }
        }
        let spread = means.iter().zip(variances).map(|(mean, variance)| {
            let (mean, deviation) = (*mean, variance.sqrt());
            // What the unit lets through is the positive side.
            if activated {
                mean + 3.0 * deviation
            } else {
                mean.abs() + 3.0 * deviation
            }
        });
        let spread: Vec<f32> = spread.collect();
        Ok(if spread.len() == k { spread } else { Vec::new() })
    }

    /// Mean and deviation of each column, if `value` is a layer normalisation.
    fn after_norm(&mut self, value: &'a str) -> Result<Option<[Vec<f32>; 2]>> {
        let Some(norm) = layer_norm(self.graph, value) else {
            return Ok(None);
        };
        let gamma = self.floats_of_constant(norm.gamma)?;
        let deviation = gamma.into_iter().map(f32::abs).collect();
        Ok(Some([self.floats_of_constant(norm.beta)?, deviation]))
    }
}

/// The positions of the `count` largest values, ascending.
fn largest(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |i: &usize| values.get(*i).copied().unwrap_or(0.0);
    order.sort_by(|a, b| value(b).total_cmp(&value(a)));
    order.truncate(count);
    order.sort_unstable();
    order
}

struct Packed {
    values: Vec<u8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

/// Quantises `[k, n]` by column and lays it out `[n / 16][k / 4][16][4]`.
fn pack(weights: &[f32], k: usize, n: usize, outliers: &[usize]) -> Packed {
    let mut largest = vec![0.0_f32; n];
    let rows = || {
        weights
            .chunks_exact(n)
            .enumerate()
            .filter(|(i, _)| outliers.binary_search(i).is_err())
    };
    for (_, row) in rows() {
        for (largest, w) in largest.iter_mut().zip(row) {
            *largest = largest.max(w.abs());
        }
    }
    let scales: Vec<f32> = largest.iter().map(|largest| largest / 127.0).collect();
    let inverses: Vec<f32> = scales
        .iter()
        .map(|scale| if *scale > 0.0 { 1.0 / scale } else { 0.0 })
        .collect();
    let mut sums = vec![0_i32; n];
    let mut values = vec![0_u8; k * n];
    for (i, row) in rows() {
        let columns = row
            .chunks_exact(LANES)
            .zip(inverses.chunks_exact(LANES))
            .zip(sums.chunks_exact_mut(LANES));
        for (block, ((row, inverses), sums)) in columns.enumerate() {
            let start = (block * (k / 4) + i / 4) * LANES * 4 + i % 4;
            let to = values.iter_mut().skip(start).step_by(4);
            for (((w, inverse), sum), to) in row.iter().zip(inverses).zip(sums).zip(to) {
                let value = (w * inverse).round_ties_even() as i8;
                *sum += i32::from(value);
                *to = value as u8;
            }
        }
    }
    let sums = sums
        .iter()
        .zip(&scales)
        .map(|(sum, scale)| *sum as f32 * scale)
        .collect();
    Packed { values, scales, sums }
}
