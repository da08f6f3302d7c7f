//! Models that guests may load by name: lists of entries to a registry.

use endcap_nn::{Registered, Registry, RegistryError};

/// What separates entries of a list. A path with one of these cannot be registered.
const SEPARATORS: [char; 2] = [',', '\n'];

/// An entry that is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {error}; guests will not find this model")]
pub(crate) struct LeftOut {
    /// The variable or option that it stands in.
    source_name: String,
    error: RegistryError,
}

/// Registers the entries of all lists, each given with its source's name.
///
/// An entry may come twice: a container runtime passes its one on, and leaves it in the environment too. Bad ones
/// are left out and named, as upstream's plugin does it, because WasmEdge has no way to refuse a module that it
/// asks a plugin for.
pub(crate) fn registry(lists: &[(String, String)]) -> (Registry, Vec<LeftOut>) {
    let mut registry = Registry::default();
    let mut left_out = Vec::new();
    for (source_name, list) in lists {
        let entries = list.split(SEPARATORS).map(str::trim).filter(|entry| !entry.is_empty());
        for entry in entries {
            let added = entry.parse::<Registered>().and_then(|model| {
                if registry.get(&model.name) == Some(&model) { Ok(()) } else { registry.add(model) }
            });
            if let Err(error) = added {
                left_out.push(LeftOut { source_name: source_name.clone(), error });
            }
        }
    }
    (registry, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lists: &[(&str, &str)], names: &[&str], messages: &[&str]) {
        let lists: Vec<_> = lists.iter().map(|(name, list)| ((*name).into(), (*list).into())).collect();
        let (registry, left_out) = registry(&lists);
        assert_eq!(registry.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(left_out.iter().map(ToString::to_string).collect::<Vec<_>>(), messages);
    }

    #[test]
    fn lists_are_split_at_commas_and_lines() {
        check(&[("V", "a:onnx:cpu:/m/a,b:ggml:cpu:/m/b\n c:onnx:cpu:/m/c,\n")], &["a", "b", "c"], &[]);
        check(&[], &[], &[]);
    }

    #[test]
    fn the_same_entry_counts_once_and_another_of_its_name_is_an_error() {
        check(&[("V", "a:onnx:cpu:/m/a"), ("W", "a:ONNX:CPU:/m/a")], &["a"], &[]);
        check(
            &[("V", "a:onnx:cpu:/m/a"), ("W", "a:onnx:cpu:/m/b")],
            &["a"],
            &["W: two models are registered as `a`; guests will not find this model"],
        );
    }

    #[test]
    fn bad_entries_do_not_take_the_good_ones_along() {
        check(
            &[("--nn-preload", "a:torch:cpu:/m/a,b:onnx:cpu:/m/b")],
            &["b"],
            &[
                "--nn-preload: `a:torch:cpu:/m/a`: encoding `torch` is none of onnx, ggml, autodetect; guests will \
               not find this model",
            ],
        );
    }
}
