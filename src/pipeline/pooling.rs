//! Token embeddings to one vector a text: mean, cls or max, then unit length. Pure functions.

use ndarray::{ArrayView2, ArrayViewMut1, Axis};

use crate::config::Pooling;

/// Smallest norm that is divided by, as in torch.nn.functional.normalize, which sentence-transformers uses.
const SMALLEST_NORM: f32 = 1e-12;

/// Pools `token_embeddings [sequence_length, hidden_size]` of one unpadded text into `vector [hidden_size]`.
pub fn pool(pooling: Pooling, token_embeddings: ArrayView2<'_, f32>, mut vector: ArrayViewMut1<'_, f32>) {
    match pooling {
        Pooling::Cls => {
            if let Some(first) = token_embeddings.rows().into_iter().next() {
                vector.assign(&first);
            }
        }
        Pooling::Mean => {
            vector.fill(0.0);
            for row in token_embeddings.axis_iter(Axis(0)) {
                vector += &row;
            }
            vector /= token_embeddings.nrows().max(1) as f32;
        }
        Pooling::Max => {
            vector.fill(f32::NEG_INFINITY);
            for row in token_embeddings.axis_iter(Axis(0)) {
                vector.zip_mut_with(&row, |most, &value| *most = most.max(value));
            }
        }
    }
}

/// Scales `vector [hidden_size]` to unit Euclidean length; a vector of zeros stays as it is.
pub fn normalize(mut vector: ArrayViewMut1<'_, f32>) {
    let squares: f64 = vector
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    vector /= (squares.sqrt() as f32).max(SMALLEST_NORM);
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;

    fn pooled(pooling: Pooling) -> Array1<f32> {
        let mut vector = Array1::zeros(2);
        pool(
            pooling,
            array![[1.0, -4.0], [2.0, -2.0], [6.0, -3.0]].view(),
            vector.view_mut(),
        );
        vector
    }

    #[test]
    fn each_pooling_is_what_its_name_says() {
        assert_eq!(pooled(Pooling::Mean), array![3.0, -3.0]);
        assert_eq!(pooled(Pooling::Cls), array![1.0, -4.0]);
        assert_eq!(pooled(Pooling::Max), array![6.0, -2.0]);
    }

    #[test]
    fn zeros_stay_zeros() {
        let mut vector = Array1::zeros(3);
        normalize(vector.view_mut());
        assert_eq!(vector, Array1::<f32>::zeros(3));
    }

    proptest! {
        #[test]
        fn a_normalised_vector_has_unit_length(values in prop::collection::vec(-1e3_f32..1e3, 1..800)) {
            prop_assume!(values.iter().any(|value| value.abs() > 1e-3));
            let mut vector = Array1::from(values);
            normalize(vector.view_mut());
            prop_assert!((vector.dot(&vector).sqrt() - 1.0).abs() < 1e-5);
        }
    }
}
