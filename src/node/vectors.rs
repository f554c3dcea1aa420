//! The vector functions, for lib/ only: arguments are checked, and the work is done in the caller's own memory.

use napi::Env;
use napi::bindgen_prelude::{Float32ArraySlice, Int8ArraySlice, Uint8ArraySlice, Unknown};
use napi_derive::napi;

use super::arguments::{self, vectors as check};
use super::arrays::{self, TypedArray};
use super::embedder::refused;
use crate::vectors;

/// The sum of the products.
#[napi]
pub fn dot(env: Env, a: Unknown<'_>, b: Unknown<'_>) -> napi::Result<f64> {
    let (a, b) = checked(env, check::pair(a, b))?;
    Ok(vectors::dot(&a, &b))
}

/// The cosine of the angle.
#[napi]
pub fn cosine_similarity(env: Env, a: Unknown<'_>, b: Unknown<'_>) -> napi::Result<f64> {
    let (a, b) = checked(env, check::pair(a, b))?;
    Ok(vectors::cosine(&a, &b))
}

/// A row that was found.
#[napi(object)]
pub struct NativeMatch {
    /// Which row, from 0.
    pub index: u32,
    /// Its cosine with the query.
    pub score: f64,
}

/// The rows that are nearest to the query, best first.
#[napi]
pub fn top_k(
    env: Env,
    query: Unknown<'_>,
    vectors: Unknown<'_>,
    k: Unknown<'_>,
) -> napi::Result<Vec<NativeMatch>> {
    let (query, rows, k) = checked(env, check::search(query, vectors, k))?;
    let found = vectors::top_k(&query, rows.iter(), k);
    Ok(found
        .into_iter()
        .map(|found| NativeMatch {
            index: found.index as u32,
            score: found.score,
        })
        .collect())
}

/// Vectors in 8 bits, one after another, and the scale of each.
#[napi(object, object_from_js = false)]
pub struct NativeInt8<'a> {
    /// `[vectors, dimension]`.
    pub data: Int8ArraySlice<'a>,
    /// `[vectors]`.
    pub scales: Float32ArraySlice<'a>,
}

/// Each vector in 8 bits.
#[napi]
pub fn quantize_int8<'a>(env: &'a Env, vectors: Unknown<'a>) -> napi::Result<NativeInt8<'a>> {
    let rows = checked(*env, check::finite_vectors(vectors))?;
    let dimension = dimension(&rows);
    let mut data: Int8ArraySlice<'_> = arrays::zeros(*env, rows.len() * dimension)?;
    let mut scales: Float32ArraySlice<'_> = arrays::zeros(*env, rows.len())?;
    let places = data.numbers().chunks_mut(dimension).zip(scales.numbers());
    for (row, (out, scale)) in rows.iter().zip(places) {
        *scale = vectors::quantize_int8(row, out);
    }
    Ok(NativeInt8 { data, scales })
}

/// One bit a dimension, the vectors one after another.
#[napi]
pub fn binarize<'a>(env: &'a Env, vectors: Unknown<'a>) -> napi::Result<Uint8ArraySlice<'a>> {
    let rows = checked(*env, check::finite_vectors(vectors))?;
    let bytes = vectors::binary_bytes(dimension(&rows));
    let mut data: Uint8ArraySlice<'_> = arrays::zeros(*env, rows.len() * bytes)?;
    for (row, out) in rows.iter().zip(data.numbers().chunks_mut(bytes)) {
        vectors::binarize(row, out);
    }
    Ok(data)
}

/// The beginning of each vector, one after another, each of length 1.
#[napi]
pub fn truncate_dimensions<'a>(
    env: &'a Env,
    vectors: Unknown<'a>,
    dimensions: Unknown<'a>,
    options: Unknown<'a>,
) -> napi::Result<Float32ArraySlice<'a>> {
    let (rows, dimensions) = checked(*env, check::truncation(vectors, dimensions, options))?;
    let mut data: Float32ArraySlice<'_> = arrays::zeros(*env, rows.len() * dimensions)?;
    for (row, out) in rows.iter().zip(data.numbers().chunks_mut(dimensions)) {
        vectors::truncate(row, out);
    }
    Ok(data)
}

fn checked<T>(env: Env, arguments: Result<T, arguments::Refusal>) -> napi::Result<T> {
    arguments.map_err(|refusal| refused(env, refusal))
}

/// The length of the vectors, which all have the same; 1 where there is none, so that it can be divided by.
fn dimension(rows: &[Float32ArraySlice<'_>]) -> usize {
    rows.first().map_or(1, |row| row.len())
}
