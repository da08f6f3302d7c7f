//! Vectors of a catalogue's texts, made comparable.

use std::borrow::Cow;
use std::collections::HashMap;

use endcap_core::ItemIx;
use endcap_core::format::{ContentParameters, ItemRecord};

use crate::train::{Log, cold_items};

/// Vectors by text, all of one width.
///
/// The mean of all of them is taken off each: texts of one catalogue have much in common, and so do all vectors of many models,
/// which lie in a narrow cone. What remains, at length 1, is what sets an item apart.
#[derive(Debug, Clone, Default)]
pub struct TextVectors {
    rows: HashMap<String, u32>,
    /// Row by row.
    values: Vec<f32>,
    dim: usize,
}

impl TextVectors {
    /// Of texts with their vectors as a model gives them, each of `dim` finite values; each text once. The same in the same order
    /// give the same.
    pub fn new<'a>(vectors: impl Iterator<Item = (&'a str, &'a [f32])> + Clone, dim: usize) -> Self {
        let mut mean = vec![0.0_f64; dim];
        let mut count = 0.0_f64;
        for (_, vector) in vectors.clone() {
            let length = length(vector.iter().map(|value| f64::from(*value)));
            mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value) / length);
            count += 1.0;
        }
        mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
        let (mut rows, mut values) = (HashMap::new(), Vec::new());
        for (text, vector) in vectors {
            let own = length(vector.iter().map(|value| f64::from(*value)));
            let apart: Vec<f64> =
                vector.iter().zip(&mean).map(|(value, mean)| f64::from(*value) / own - mean).collect();
            let length = length(apart.iter().copied());
            values.extend(apart.iter().map(|value| (value / length) as f32));
            rows.insert(text.to_owned(), rows.len() as u32);
        }
        Self { rows, values, dim }
    }

    /// Components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Of an item's text, if it was read: length 1, or all 0 where nothing sets it apart.
    pub fn of(&self, item: &ItemRecord) -> Option<&[f32]> {
        let row = *self.rows.get(text_of(item)?.as_ref())? as usize;
        self.values.get(row * self.dim..(row + 1) * self.dim)
    }
}

/// Never 0, so that it may be divided by.
fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE)
}

/// What a text model reads of an item: name and category as sentences; `None` where it has neither. A text in capitals alone, as of
/// tills and warehouses, is put in small letters, which is what models have learned from.
pub fn text_of(item: &ItemRecord) -> Option<Cow<'_, str>> {
    let text: Cow<'_, str> = match (item.name.trim(), item.category.trim()) {
        ("", "") => return None,
        (text, "") | ("", text) => text.into(),
        (name, category) => format!("{name}. {category}").into(),
    };
    Some(if text.chars().any(char::is_lowercase) { text } else { text.to_lowercase().into() })
}

/// Whose texts are to be read: items that are scored as what reads like them, and of the others the `most` that are sold most. By rising
/// item, as the log numbers them.
pub fn choose_items(log: &Log, params: &ContentParameters, most: usize) -> Vec<ItemIx> {
    let cold = cold_items(log, params);
    let mut is_cold = vec![false; log.items.len()];
    cold.newest.iter().for_each(|&item| is_cold[item as usize] = true);
    // Items are in the order of their sales.
    let mut warm = 0;
    (0..log.items.len() as ItemIx)
        .filter(|&item| {
            let wanted = is_cold[item as usize] || (!cold.has(item) && warm < most);
            warm += usize::from(wanted && !is_cold[item as usize]);
            wanted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, category: &str) -> ItemRecord {
        ItemRecord { name: name.to_owned(), category: category.to_owned(), ..ItemRecord::default() }
    }

    #[test]
    fn a_text_is_name_and_category() {
        assert_eq!(text_of(&item("Red cup", " Kitchen ")).unwrap(), "Red cup. Kitchen");
        assert_eq!(text_of(&item("RED CUP", "")).unwrap(), "red cup");
        assert_eq!(text_of(&item("", "Kitchen")).unwrap(), "Kitchen");
        assert_eq!(text_of(&item(" ", "")), None);
    }

    #[test]
    fn what_all_have_in_common_is_taken_off() {
        let vectors: [(&str, &[f32]); 3] =
            [("a", &[10.0, 1.0, 0.0]), ("b", &[10.0, -1.0, 0.0]), ("c", &[10.0, 0.0, 0.0])];
        let found = TextVectors::new(vectors.into_iter(), 3);
        let (a, b) = (found.of(&item("a", "")).unwrap(), found.of(&item("b", "")).unwrap());
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!((product(a, a) - 1.0).abs() < 1e-6);
        assert!(product(a, b) < -0.9, "{a:?} {b:?}");
        assert_eq!(found.of(&item("d", "")), None);
        let alone = TextVectors::new([("a", &[0.0_f32, 0.0][..])].into_iter(), 2);
        assert_eq!(alone.of(&item("a", "")), Some(&[0.0, 0.0][..]));
    }
}
