//! Vectors that JavaScript passed: read where they lie, never copied.

use napi::bindgen_prelude::{Array, Float32ArraySlice, FromNapiValue, JsObjectValue, Object, Unknown};
use napi::{JsValue, ValueType};

use super::{Checked, boolean, each_option, invalid, refuse, whole_number};
use crate::config::MAX_MATCHES;

/// Vectors of one length, in the memory of their arrays. They are to be used before any JavaScript runs again.
pub enum Vectors<'a> {
    /// An array of arrays of numbers.
    Many(Vec<Float32ArraySlice<'a>>),
    /// One after another in one array, and how long each is.
    Flat(Float32ArraySlice<'a>, usize),
}

impl Vectors<'_> {
    /// Each vector.
    pub fn iter(&self) -> Box<dyn Iterator<Item = &[f32]> + '_> {
        match self {
            Self::Many(vectors) => Box::new(vectors.iter().map(|vector| &**vector)),
            Self::Flat(matrix, dimension) => Box::new(matrix.chunks_exact(*dimension)),
        }
    }
}

/// `a` and `b` of a comparison.
pub fn pair<'a>(a: Unknown<'a>, b: Unknown<'a>) -> Checked<(Float32ArraySlice<'a>, Float32ArraySlice<'a>)> {
    let (a, b) = (vector(a, || "a".to_owned())?, vector(b, || "b".to_owned())?);
    same_length(a.len(), b.len(), || "b".to_owned())?;
    Ok((a, b))
}

/// `query`, `vectors` and `k` of a search.
pub fn search<'a>(
    query: Unknown<'a>,
    vectors: Unknown<'a>,
    k: Unknown<'a>,
) -> Checked<(Float32ArraySlice<'a>, Vectors<'a>, usize)> {
    let k = whole_number(&k, || "k".to_owned(), MAX_MATCHES)?;
    // Reading an array can run the caller's own code, which could take the memory of what was read before: so it is first.
    let items = if vectors.is_array()? {
        Some(items(vectors)?)
    } else {
        None
    };
    let query = vector(query, || "query".to_owned())?;
    finite(&query, || "query".to_owned())?;
    let vectors = match items {
        Some(items) => Vectors::Many(same_lengths(items, Some(query.len()))?),
        None => Vectors::Flat(matrix(vectors, query.len())?, query.len()),
    };
    Ok((query, vectors, k))
}

/// `vectors` that are to be made smaller: all of one length, and of numbers that can be.
pub fn finite_vectors(value: Unknown<'_>) -> Checked<Vec<Float32ArraySlice<'_>>> {
    if !value.is_array()? {
        return refuse("an array of Float32Arrays", "vectors", &value);
    }
    let vectors = same_lengths(items(value)?, None)?;
    for (index, vector) in vectors.iter().enumerate() {
        finite(vector, || format!("vectors[{index}]"))?;
    }
    Ok(vectors)
}

/// `vectors` of a model that was trained for vectors of `dimensions` numbers, and `dimensions`.
pub fn truncation<'a>(
    vectors: Unknown<'a>,
    dimensions: Unknown<'a>,
    options: Unknown<'a>,
) -> Checked<(Vec<Float32ArraySlice<'a>>, usize)> {
    let mut model = None;
    let mut force = false;
    each_option(options, |name, value| {
        match name {
            "model" => model = Some(trained(value)?),
            "force" => force = boolean(value, || "options.force".to_owned())?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    // Read before the vectors, as it can run the caller's own code.
    let asked = whole_number(&dimensions, || "dimensions".to_owned(), MAX_MATCHES)?;
    let vectors = finite_vectors(vectors)?;
    let length = vectors.first().map_or(asked, |vector| vector.len());
    if asked > length {
        return refuse(
            &format!("a whole number from 1 to {length}, the length of the vectors,"),
            "dimensions",
            &dimensions,
        );
    }
    match model {
        _ if force || asked == length => {}
        Some(trained) if trained.contains(&asked) => {}
        Some(trained) if trained.is_empty() => {
            return refuse(
                "a model that says in its config.json that its vectors can be cut (matryoshka_dimensions), or options.force,",
                "dimensions",
                &dimensions,
            );
        }
        Some(trained) => {
            let trained: Vec<_> = trained.iter().map(usize::to_string).collect();
            let trained = trained.join(", ");
            return refuse(
                &format!("a length that the model was trained for ({trained}), or options.force,"),
                "dimensions",
                &dimensions,
            );
        }
        None => {
            return Err(invalid(
                "Expected the info of the embedder for options.model, or true for options.force, but received neither",
            ));
        }
    }
    Ok((vectors, asked))
}

/// The lengths that the vectors of a model were trained for, the whole one apart: of an embedder's `info`.
fn trained(info: &Unknown<'_>) -> Checked<Vec<usize>> {
    let expected = "the info of an embedder";
    if info.get_type()? != ValueType::Object {
        return refuse(expected, "options.model", info);
    }
    // SAFETY: `info` is an object.
    let object: Object<'_> = unsafe { info.cast()? };
    let lengths: Unknown<'_> = object.get_named_property("matryoshkaDimensions")?;
    if !lengths.is_array()? {
        return refuse(expected, "options.model", info);
    }
    items(lengths)?
        .iter()
        .map(|length| {
            whole_number(
                length,
                || "options.model.matryoshkaDimensions".to_owned(),
                MAX_MATCHES,
            )
        })
        .collect()
}

/// What is in an array, as it is, up to the first hole: that one will be refused, and an array can have four thousand
/// million of them.
fn items(value: Unknown<'_>) -> Checked<Vec<Unknown<'_>>> {
    // SAFETY: every caller has seen that `value` is an array, and it stays alive for the duration of this call into the addon.
    let array: Array<'_> = unsafe { value.cast()? };
    let mut items: Vec<Unknown<'_>> = Vec::new();
    for index in 0..array.len() {
        let item: Unknown<'_> = array.get_element(index)?;
        items.push(item);
        if item.get_type()? == ValueType::Undefined {
            break;
        }
    }
    Ok(items)
}

fn same_lengths(items: Vec<Unknown<'_>>, mut length: Option<usize>) -> Checked<Vec<Float32ArraySlice<'_>>> {
    let mut vectors = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let path = || format!("vectors[{index}]");
        let vector = vector(item, path)?;
        same_length(*length.get_or_insert(vector.len()), vector.len(), path)?;
        vectors.push(vector);
    }
    Ok(vectors)
}

fn same_length(expected: usize, received: usize, path: impl FnOnce() -> String) -> Checked<()> {
    if expected == received {
        return Ok(());
    }
    let path = path();
    Err(invalid(&format!(
        "Expected {expected} numbers for {path}, as many as the others have, but received {received}"
    )))
}

fn finite(vector: &[f32], path: impl FnOnce() -> String) -> Checked<()> {
    let Some(at) = vector.iter().position(|x| !x.is_finite()) else {
        return Ok(());
    };
    let (path, found) = (path(), vector.get(at).copied().unwrap_or(f32::NAN));
    Err(invalid(&format!(
        "Expected finite numbers for {path} but received {found} at index {at}"
    )))
}

/// Rows of `dimension` numbers, one after another; none is a matrix too, unless its memory was taken away.
fn matrix(value: Unknown<'_>, dimension: usize) -> Checked<Float32ArraySlice<'_>> {
    let matrix = floats(value, "a Float32Array, or an array of them,", || {
        "vectors".to_owned()
    })?;
    if matrix.len() % dimension != 0 {
        return Err(invalid(&format!(
            "Expected rows of {dimension} numbers for vectors, as many as query has, but received {} numbers in all",
            matrix.len()
        )));
    }
    Ok(matrix)
}

fn vector(value: Unknown<'_>, path: impl Fn() -> String) -> Checked<Float32ArraySlice<'_>> {
    let vector = floats(value, "a Float32Array", &path)?;
    // One whose memory was transferred away has no numbers either.
    if vector.is_empty() {
        return Err(invalid(&format!(
            "Expected a Float32Array with numbers for {} but received an empty one",
            path()
        )));
    }
    Ok(vector)
}

fn floats<'a>(
    value: Unknown<'a>,
    expected: &str,
    path: impl Fn() -> String,
) -> Checked<Float32ArraySlice<'a>> {
    if value.is_typedarray()? {
        // SAFETY: `value` is alive; what is no Float32Array is refused.
        let floats = unsafe { Float32ArraySlice::from_napi_value(value.value().env, value.value().value) };
        if let Ok(floats) = floats {
            return Ok(floats);
        }
    }
    refuse(expected, &path(), &value)
}
