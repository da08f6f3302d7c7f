//! The three spellings of a name. WIT writes kebab-case.

/// Edits by which a hint may differ from the name given: beyond a third of it, it is another word.
const HINT_SHARE: usize = 3;

/// `next-page-of` as `nextPageOf`.
pub(crate) fn camel(kebab: &str) -> String {
    let mut name = String::with_capacity(kebab.len());
    for (at, word) in kebab.split('-').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if at > 0 => name.push(first.to_ascii_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(letters.as_str());
    }
    name
}

/// `no-history` as `no_history`.
pub(crate) fn snake(kebab: &str) -> String {
    kebab.replace('-', "_")
}

/// Whether `given` is `kebab` in any of its spellings.
pub(crate) fn same(kebab: &str, given: &str) -> bool {
    given == kebab || given == camel(kebab) || given == snake(kebab)
}

/// The known name that `given` is most likely meant to be; `None` where none is near. Names are compared in the
/// spelling that messages use.
pub(crate) fn nearest(given: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let (distance, name) = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&name, given), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= (given.chars().count() / HINT_SHARE).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_are_one_name() {
        for given in ["rotation-time-s", "rotationTimeS", "rotation_time_s"] {
            assert!(same("rotation-time-s", given), "{given}");
        }
        for given in ["rotationtimes", "RotationTimeS", "rotation-timeS", ""] {
            assert!(!same("rotation-time-s", given), "{given}");
        }
    }

    #[test]
    fn only_a_near_name_is_a_hint() {
        let hint = |given| nearest(given, ["items", "minRelevance", "n"].map(str::to_owned));
        assert_eq!(hint("itms").as_deref(), Some("items"));
        assert_eq!(hint("minrelevence").as_deref(), Some("minRelevance"));
        assert_eq!(hint("filter"), None);
    }
}
