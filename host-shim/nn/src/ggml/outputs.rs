//! Outputs in the form that WasmEdge's GGML engine gives them.

use super::lent::Lent;
use super::native;
use crate::context::Key;
use crate::{ArgumentError, NnError};

/// Position of an input or output among `names`.
pub(super) fn position(what: &'static str, key: Key<'_>, names: &[&str]) -> Result<usize, NnError> {
    let found = match key {
        Key::Index(index) => usize::try_from(index).ok().filter(|&index| index < names.len()),
        Key::Name(name) => names.iter().position(|own| *own == name),
    };
    let missing =
        || ArgumentError::NoSuchTensor { what, key: key.to_string(), known: names.join(", ") }.into();
    found.ok_or_else(missing)
}

/// How many tokens went in and came out, and which llama.cpp it was.
pub(super) fn metadata(input_tokens: usize, output_tokens: u64) -> Lent<u8> {
    let json = format!(
        concat!(
            r#"{{"input_tokens": {}, "output_tokens": {}, "#,
            // The number and the commit are not in llama.cpp's library: its version stands for them.
            r#""llama_build_number": 0, "llama_commit": "{}"}}"#
        ),
        input_tokens,
        output_tokens,
        native::version()
    );
    json.into_bytes().into()
}

/// A vector, brought to length 1.
pub(super) fn embedding(vector: &[f32]) -> Lent<u8> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    let values: Vec<_> =
        vector.iter().map(|value| ((f64::from(*value) * scale) as f32).to_string()).collect();
    let json = format!(r#"{{"n_embedding": {}, "embedding": [{}]}}"#, vector.len(), values.join(","));
    json.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_one_and_zero_stays_zero() {
        assert_eq!(embedding(&[3.0, -4.0]).data(), br#"{"n_embedding": 2, "embedding": [0.6,-0.8]}"#);
        assert_eq!(embedding(&[0.0]).data(), br#"{"n_embedding": 1, "embedding": [0]}"#);
    }
}
