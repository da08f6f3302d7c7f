//! "Did you mean": the known word nearest to a mistyped one.

/// Longest word that is compared; longer ones are no typing mistakes, and the table stays on the stack.
const MAX_LEN: usize = 40;

/// The known word within a third of its length (at least 1) in edits of `word`, if there is one.
///
/// Case and `_` do not count, so `min_relevance` finds `minRelevance`. O(words · length²), for error paths.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let fold = |text: &str| -> Vec<u8> {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
    };
    let word = fold(word);
    if word.len() > MAX_LEN {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (distance(&word, &fold(candidate)), candidate))
        .filter(|(edits, candidate)| *edits <= (candidate.len() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, row by row.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_the_likely_one() {
        let known = ["items", "include", "exclude", "minRelevance", "n"];
        assert_eq!(nearest("item", known), Some("items"));
        assert_eq!(nearest("min_relevance", known), Some("minRelevance"));
        assert_eq!(nearest("includes", known), Some("include"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest(&"x".repeat(500), known), None);
    }
}
