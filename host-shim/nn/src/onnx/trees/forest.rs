//! Decision trees as arrays that are safe to walk: every index is checked once, when the forest is built.

/// How a branch compares a feature with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Differs,
}

/// A node as the model lists it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    /// Tree and number within it, by which others name it.
    pub(super) id: (i64, i64),
    /// `None` for a leaf.
    pub(super) branch: Option<ListedBranch>,
}

/// A branch as the model lists it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListedBranch {
    pub(super) feature: i64,
    pub(super) test: Test,
    pub(super) threshold: f32,
    /// Where a missing value (NaN) goes.
    pub(super) missing_passes: bool,
    pub(super) passes: i64,
    pub(super) fails: i64,
}

/// What a leaf adds to a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListedVote {
    pub(super) id: (i64, i64),
    pub(super) target: i64,
    pub(super) weight: f32,
}

/// Trees that cannot be walked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ForestError {
    #[error("node {1} of tree {0} is listed twice")]
    Twice(i64, i64),
    #[error("tree {0} has no node {1}, which a node or a vote refers to")]
    Missing(i64, i64),
    #[error("node {1} of tree {0} is below two nodes, or below itself")]
    Shared(i64, i64),
    #[error("tree {0} has {1} roots")]
    Roots(i64, usize),
    #[error("tree {0} has nodes that no way from its root leads to")]
    Unreached(i64),
    #[error("node {1} of tree {0} compares feature {2}")]
    Feature(i64, i64, i64),
    #[error("a vote of tree {0} is for target {1} of {2}")]
    Target(i64, i64, usize),
    #[error("a vote of tree {0} belongs to node {1}, which is not a leaf")]
    VoteOfBranch(i64, i64),
    #[error("more than 2^32 nodes or votes")]
    Size,
}

/// Rows that walk a tree side by side: each waits for memory and for its comparison, and the others fill the wait.
const LANES: usize = 8;
/// Fewer rows than this walk alone: side by side all go as deep as the tree, alone each stops at its leaf.
const FEWEST_ABREAST: usize = 3;
/// In [`Node::feature`]: a missing value (NaN) passes.
const MISSING_PASSES: u32 = 1 << 31;

/// Trees over features, whose leaves vote for targets.
///
/// Invariants: `next` of a branch are nodes of the same tree, reached from nowhere else, so that every walk ends; `next`
/// of a leaf is the leaf; a leaf's votes are a range of `votes`; a vote's target is below `targets`.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    /// By node: how a branch compares. All of them, or the one that all branches have.
    tests: Tests,
    /// By node: the range of a leaf's votes; empty for a branch.
    ranges: Vec<[u32; 2]>,
    trees: Vec<Tree>,
    votes: Vec<(u32, f32)>,
    /// Features that a row must have at least.
    pub(super) features: usize,
    pub(super) targets: usize,
}

#[derive(Debug)]
enum Tests {
    Same(Test),
    ByNode(Vec<Test>),
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    root: u32,
    /// Branches on the longest way to a leaf.
    depth: u32,
}

/// Sixteen bytes: a forest of some thousand nodes stays in the cache next to the processor.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// With [`MISSING_PASSES`] in its highest bit.
    feature: u32,
    threshold: f32,
    /// Where to go when the test passes, and when it fails.
    next: [u32; 2],
}

const _: () = assert!(size_of::<Node>() == 16);

impl Forest {
    pub(super) fn new(
        mut listed: Vec<Listed>,
        mut votes: Vec<ListedVote>,
        targets: usize,
    ) -> Result<Self, ForestError> {
        u32::try_from(listed.len().max(votes.len())).map_err(|_| ForestError::Size)?;
        listed.sort_by_key(|node| node.id);
        // Stable: votes of one leaf keep their order, and so does the sum its rounding.
        votes.sort_by_key(|vote| vote.id);
        if let Some(pair) = listed.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(ForestError::Twice(pair[0].id.0, pair[0].id.1));
        }
        let find = |tree: i64, id: i64| {
            listed
                .binary_search_by_key(&(tree, id), |node| node.id)
                .map_err(|_| ForestError::Missing(tree, id))
        };
        let mut has_parent = vec![false; listed.len()];
        let mut nodes = Vec::with_capacity(listed.len());
        let mut ranges = Vec::with_capacity(listed.len());
        let mut tests = Vec::with_capacity(listed.len());
        let mut features = 0;
        let mut voted = 0;
        for node in &listed {
            let (tree, id) = node.id;
            let ranks_before = votes[voted..].iter().take_while(|vote| vote.id < node.id).count();
            if ranks_before > 0 {
                return Err(ForestError::Missing(votes[voted].id.0, votes[voted].id.1));
            }
            let own = votes[voted..].iter().take_while(|vote| vote.id == node.id).count();
            let Some(branch) = node.branch else {
                let leaf = nodes.len() as u32;
                nodes.push(Node { feature: 0, threshold: 0.0, next: [leaf; 2] });
                ranges.push([voted as u32, (voted + own) as u32]);
                // Any: both ways of a leaf lead to it.
                tests.push(tests.last().copied().unwrap_or(Test::AtMost));
                voted += own;
                continue;
            };
            if own > 0 {
                return Err(ForestError::VoteOfBranch(tree, id));
            }
            let feature = u32::try_from(branch.feature).ok().filter(|feature| *feature < MISSING_PASSES);
            let feature = feature.ok_or(ForestError::Feature(tree, id, branch.feature))?;
            features = features.max(feature as usize + 1);
            let next = [find(tree, branch.passes)?, find(tree, branch.fails)?];
            for below in next {
                if std::mem::replace(&mut has_parent[below], true) {
                    return Err(ForestError::Shared(tree, listed[below].id.1));
                }
            }
            let missing = if branch.missing_passes { MISSING_PASSES } else { 0 };
            let next = next.map(|node| node as u32);
            nodes.push(Node { feature: feature | missing, threshold: branch.threshold, next });
            ranges.push([0; 2]);
            tests.push(branch.test);
        }
        if let Some(vote) = votes.get(voted) {
            return Err(ForestError::Missing(vote.id.0, vote.id.1));
        }
        let trees = trees(&listed, &nodes, &has_parent)?;
        let votes = votes.iter().map(|vote| match u32::try_from(vote.target) {
            Ok(target) if (target as usize) < targets => Ok((target, vote.weight)),
            _ => Err(ForestError::Target(vote.id.0, vote.target, targets)),
        });
        let votes = votes.collect::<Result<_, _>>()?;
        let mut used = listed.iter().filter_map(|node| Some(node.branch?.test));
        let first = used.next().unwrap_or(Test::AtMost);
        let tests = if used.all(|test| test == first) { Tests::Same(first) } else { Tests::ByNode(tests) };
        Ok(Self { nodes, tests, ranges, trees, votes, features, targets })
    }

    /// Trees.
    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Targets that any leaf votes for, and whether all weights are at least zero.
    pub(super) fn vote_summary(&self) -> (Vec<usize>, bool) {
        let mut voted: Vec<usize> = self.votes.iter().map(|(target, _)| *target as usize).collect();
        voted.sort_unstable();
        voted.dedup();
        (voted, self.votes.iter().all(|(_, weight)| *weight >= 0.0))
    }

    /// Calls `vote(row, target, weight)` for every vote of the leaves that the rows fall into, of each row tree by tree.
    /// `rows` are of `stride` values each, at least [`Self::features`]. O(rows x trees x depth).
    pub(super) fn walk(&self, rows: &[f32], stride: usize, vote: impl FnMut(usize, usize, f32)) {
        // The comparison is chosen here and not at every node: the usual forest has one.
        match &self.tests {
            Tests::Same(Test::AtMost) => self.walk_by(rows, stride, vote, |_, value, limit| value <= limit),
            Tests::Same(Test::Below) => self.walk_by(rows, stride, vote, |_, value, limit| value < limit),
            Tests::Same(test) => {
                self.walk_by(rows, stride, vote, |_, value, limit| test.passes(value, limit));
            }
            Tests::ByNode(tests) => {
                self.walk_by(rows, stride, vote, |node, value, limit| tests[node].passes(value, limit));
            }
        }
    }

    fn walk_by(
        &self,
        rows: &[f32],
        stride: usize,
        mut vote: impl FnMut(usize, usize, f32),
        passes: impl Fn(usize, f32, f32) -> bool,
    ) {
        let step = |at: u32, row: &[f32]| {
            let node = &self.nodes[at as usize];
            let value = row[(node.feature & !MISSING_PASSES) as usize];
            let missing = value.is_nan() & (node.feature >= MISSING_PASSES);
            // Without a branch: which way a row goes cannot be foreseen. NaN passes no test but `Differs`.
            let passes = missing | (passes(at as usize, value, node.threshold) & !value.is_nan());
            node.next[usize::from(!passes)]
        };
        for (block, rows) in rows.chunks(LANES * stride).enumerate() {
            let count = rows.len() / stride;
            for tree in &self.trees {
                let mut at = [tree.root; LANES];
                if count < FEWEST_ABREAST {
                    for (at, row) in at.iter_mut().zip(rows.chunks_exact(stride)) {
                        loop {
                            let next = step(*at, row);
                            if next == *at {
                                break;
                            }
                            *at = next;
                        }
                    }
                } else {
                    for _ in 0..tree.depth {
                        for (at, row) in at.iter_mut().zip(rows.chunks_exact(stride)) {
                            *at = step(*at, row);
                        }
                    }
                }
                for (lane, at) in at[..count].iter().enumerate() {
                    let [start, end] = self.ranges[*at as usize];
                    for (target, weight) in &self.votes[start as usize..end as usize] {
                        vote(block * LANES + lane, *target as usize, *weight);
                    }
                }
            }
        }
    }
}

impl Test {
    fn passes(self, value: f32, threshold: f32) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Equal => value == threshold,
            Self::Differs => value != threshold,
        }
    }
}

/// The node of each tree that is below no other. Every other node is below one; where all are reached from the root,
/// the tree is one.
fn trees(listed: &[Listed], nodes: &[Node], has_parent: &[bool]) -> Result<Vec<Tree>, ForestError> {
    let mut trees = Vec::new();
    let mut start = 0;
    let mut pending = Vec::new();
    for tree in listed.chunk_by(|a, b| a.id.0 == b.id.0) {
        let own: Vec<usize> = (start..start + tree.len()).filter(|node| !has_parent[*node]).collect();
        let [root] = own[..] else { return Err(ForestError::Roots(tree[0].id.0, own.len())) };
        pending.push((root as u32, 0));
        let (mut reached, mut depth) = (0, 0);
        while let Some((at, above)) = pending.pop() {
            reached += 1;
            depth = depth.max(above);
            let next = nodes[at as usize].next;
            // A leaf leads to itself.
            if next[0] != at {
                pending.extend(next.map(|node| (node, above + 1)));
            }
        }
        if reached != tree.len() {
            return Err(ForestError::Unreached(tree[0].id.0));
        }
        trees.push(Tree { root: root as u32, depth });
        start += tree.len();
    }
    Ok(trees)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: i64, passes: i64, fails: i64) -> Listed {
        let branch = ListedBranch {
            feature: 1,
            test: Test::AtMost,
            threshold: 0.5,
            missing_passes: true,
            passes,
            fails,
        };
        Listed { id: (0, id), branch: Some(branch) }
    }

    fn leaf(id: i64) -> Listed {
        Listed { id: (0, id), branch: None }
    }

    fn vote(id: i64, target: i64, weight: f32) -> ListedVote {
        ListedVote { id: (0, id), target, weight }
    }

    fn sums(forest: &Forest, row: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; forest.targets];
        forest.walk(row, row.len(), |_, target, weight| sums[target] += weight);
        sums
    }

    #[test]
    fn a_row_falls_to_its_leaf_and_a_missing_value_to_the_side_it_is_sent() {
        let nodes = vec![leaf(2), branch(0, 1, 2), leaf(1)];
        let forest = Forest::new(nodes, vec![vote(2, 0, 7.0), vote(1, 1, 3.0)], 2).unwrap();
        assert_eq!(forest.features, 2);
        assert_eq!(sums(&forest, &[9.0, 0.5]), [0.0, 3.0]);
        assert_eq!(sums(&forest, &[9.0, 0.6]), [7.0, 0.0]);
        assert_eq!(sums(&forest, &[9.0, f32::NAN]), [0.0, 3.0]);
    }

    /// By the definition: one row, one node at a time.
    fn fall(nodes: &[Listed], tree: i64, row: &[f32]) -> (i64, i64) {
        let mut id = (tree, 0);
        loop {
            let node = nodes.iter().find(|node| node.id == id).unwrap();
            let Some(branch) = node.branch else { return id };
            let value = row[branch.feature as usize];
            let passes = if value.is_nan() {
                branch.missing_passes
            } else {
                branch.test.passes(value, branch.threshold)
            };
            id.1 = if passes { branch.passes } else { branch.fails };
        }
    }

    #[test]
    fn rows_side_by_side_fall_as_each_alone() {
        const TESTS: [Test; 6] =
            [Test::AtMost, Test::Below, Test::AtLeast, Test::Above, Test::Equal, Test::Differs];
        let mut state = 7_u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for kinds in [&TESTS[..1], &TESTS[1..2], &TESTS[3..4], &TESTS[..]] {
            // Five trees of uneven depth: node 0 is the root, and a random leaf splits, again and again.
            let mut nodes = Vec::new();
            for tree in 0..5 {
                let mut own: Vec<Listed> = vec![Listed { id: (tree, 0), branch: None }];
                for _ in 0..tree * 4 {
                    let leaves: Vec<usize> =
                        (0..own.len()).filter(|node| own[*node].branch.is_none()).collect();
                    let split = leaves[next(leaves.len() as u32) as usize];
                    let below = own.len() as i64;
                    own[split].branch = Some(ListedBranch {
                        feature: next(3).into(),
                        test: kinds[next(kinds.len() as u32) as usize],
                        threshold: next(4) as f32,
                        missing_passes: next(2) == 0,
                        passes: below,
                        fails: below + 1,
                    });
                    own.extend([below, below + 1].map(|id| Listed { id: (tree, id), branch: None }));
                }
                nodes.extend(own);
            }
            let leaves = nodes.iter().filter(|node| node.branch.is_none());
            let votes: Vec<ListedVote> = leaves
                .enumerate()
                .map(|(at, node)| ListedVote { id: node.id, target: node.id.0, weight: at as f32 })
                .collect();
            let forest = Forest::new(nodes.clone(), votes.clone(), 5).unwrap();
            for count in [1, 2, 3, 7, 8, 9, 40] {
                let value = |at: u32| if at == 4 { f32::NAN } else { at as f32 };
                let rows: Vec<f32> = (0..count * 4).map(|_| value(next(5))).collect();
                let mut found = vec![[0.0; 5]; count];
                // A column more than is compared.
                forest.walk(&rows, 4, |row, target, weight| found[row][target] += weight);
                for (row, found) in rows.chunks_exact(4).zip(&found) {
                    let expected = [0, 1, 2, 3, 4].map(|tree| {
                        let leaf = fall(&nodes, tree, row);
                        votes.iter().find(|vote| vote.id == leaf).unwrap().weight
                    });
                    assert_eq!(found, &expected, "{kinds:?}, {count} rows, {row:?}");
                }
            }
        }
    }

    #[test]
    fn what_would_walk_for_ever_or_outside_is_refused() {
        let error = |nodes, votes| Forest::new(nodes, votes, 1).unwrap_err();
        assert_eq!(error(vec![branch(0, 0, 1), leaf(1)], vec![]), ForestError::Roots(0, 0));
        assert_eq!(error(vec![branch(0, 1, 1), leaf(1)], vec![]), ForestError::Shared(0, 1));
        assert_eq!(error(vec![branch(0, 1, 2), branch(1, 0, 2), leaf(2)], vec![]), ForestError::Shared(0, 2));
        assert_eq!(error(vec![branch(0, 1, 5), leaf(1)], vec![]), ForestError::Missing(0, 5));
        assert_eq!(error(vec![leaf(0), leaf(1)], vec![]), ForestError::Roots(0, 2));
        assert_eq!(error(vec![leaf(0), leaf(0)], vec![]), ForestError::Twice(0, 0));
        assert_eq!(error(vec![leaf(0)], vec![vote(0, 1, 1.0)]), ForestError::Target(0, 1, 1));
        assert_eq!(error(vec![leaf(0)], vec![vote(3, 0, 1.0)]), ForestError::Missing(0, 3));
        assert_eq!(
            error(vec![branch(0, 1, 2), leaf(1), leaf(2)], vec![vote(0, 0, 1.0)]),
            ForestError::VoteOfBranch(0, 0)
        );
    }

    #[test]
    fn a_ring_beside_the_root_is_refused() {
        // 0 is the root; 3 and 4 point at each other, each with one parent.
        let nodes =
            vec![branch(0, 1, 2), leaf(1), leaf(2), branch(3, 4, 5), branch(4, 3, 6), leaf(5), leaf(6)];
        assert_eq!(Forest::new(nodes, vec![], 1).unwrap_err(), ForestError::Unreached(0));
        // So is a root that is below itself, beside a leaf.
        assert_eq!(
            Forest::new(vec![branch(0, 1, 0), leaf(1), leaf(2)], vec![], 1).unwrap_err(),
            ForestError::Unreached(0)
        );
    }
}
