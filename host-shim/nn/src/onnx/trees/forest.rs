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

/// Trees over features, whose leaves vote for targets.
///
/// Invariants: `next` of a branch are nodes of the same tree, reached from nowhere else, so that every walk ends;
/// a leaf's votes are a range of `votes`; a vote's target is below `targets`.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    votes: Vec<(u32, f32)>,
    /// Features that a row must have at least.
    pub(super) features: usize,
    pub(super) targets: usize,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    feature: u32,
    threshold: f32,
    /// Of a branch: where to go when the test passes, and when it fails. Of a leaf: its range of votes.
    next: [u32; 2],
    /// `None` for a leaf.
    test: Option<Test>,
    missing_passes: bool,
}

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
                nodes.push(Node::leaf(voted as u32, (voted + own) as u32));
                voted += own;
                continue;
            };
            if own > 0 {
                return Err(ForestError::VoteOfBranch(tree, id));
            }
            let feature =
                u32::try_from(branch.feature).map_err(|_| ForestError::Feature(tree, id, branch.feature))?;
            features = features.max(feature as usize + 1);
            let next = [find(tree, branch.passes)?, find(tree, branch.fails)?];
            for below in next {
                if std::mem::replace(&mut has_parent[below], true) {
                    return Err(ForestError::Shared(tree, listed[below].id.1));
                }
            }
            nodes.push(Node {
                feature,
                threshold: branch.threshold,
                next: next.map(|node| node as u32),
                test: Some(branch.test),
                missing_passes: branch.missing_passes,
            });
        }
        if let Some(vote) = votes.get(voted) {
            return Err(ForestError::Missing(vote.id.0, vote.id.1));
        }
        let roots = roots(&listed, &nodes, &has_parent)?;
        let votes = votes.iter().map(|vote| match u32::try_from(vote.target) {
            Ok(target) if (target as usize) < targets => Ok((target, vote.weight)),
            _ => Err(ForestError::Target(vote.id.0, vote.target, targets)),
        });
        Ok(Self { nodes, roots, votes: votes.collect::<Result<_, _>>()?, features, targets })
    }

    /// Trees.
    pub(super) fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Targets that any leaf votes for, and whether all weights are at least zero.
    pub(super) fn vote_summary(&self) -> (Vec<usize>, bool) {
        let mut voted: Vec<usize> = self.votes.iter().map(|(target, _)| *target as usize).collect();
        voted.sort_unstable();
        voted.dedup();
        (voted, self.votes.iter().all(|(_, weight)| *weight >= 0.0))
    }

    /// Calls `vote(target, weight)` for every vote of the leaves that `row` falls into, tree by tree. `row` has at
    /// least [`Self::features`] values. O(trees x depth).
    pub(super) fn walk(&self, row: &[f32], mut vote: impl FnMut(usize, f32)) {
        for root in &self.roots {
            let mut node = &self.nodes[*root as usize];
            while let Some(test) = node.test {
                let passes = node.passes(test, row[node.feature as usize]);
                node = &self.nodes[node.next[usize::from(!passes)] as usize];
            }
            for (target, weight) in &self.votes[node.next[0] as usize..node.next[1] as usize] {
                vote(*target as usize, *weight);
            }
        }
    }
}

impl Node {
    fn leaf(start: u32, end: u32) -> Self {
        Self { feature: 0, threshold: 0.0, next: [start, end], test: None, missing_passes: false }
    }

    fn passes(&self, test: Test, value: f32) -> bool {
        if value.is_nan() {
            return self.missing_passes;
        }
        match test {
            Test::AtMost => value <= self.threshold,
            Test::Below => value < self.threshold,
            Test::AtLeast => value >= self.threshold,
            Test::Above => value > self.threshold,
            Test::Equal => value == self.threshold,
            Test::Differs => value != self.threshold,
        }
    }
}

/// The node of each tree that is below no other. Every other node is below one; where all are reached from the root,
/// the tree is one.
fn roots(listed: &[Listed], nodes: &[Node], has_parent: &[bool]) -> Result<Vec<u32>, ForestError> {
    let mut roots = Vec::new();
    let mut start = 0;
    let mut pending = Vec::new();
    for tree in listed.chunk_by(|a, b| a.id.0 == b.id.0) {
        let own: Vec<usize> = (start..start + tree.len()).filter(|node| !has_parent[*node]).collect();
        let [root] = own[..] else { return Err(ForestError::Roots(tree[0].id.0, own.len())) };
        pending.push(root as u32);
        let mut reached = 0;
        while let Some(node) = pending.pop() {
            reached += 1;
            let node = &nodes[node as usize];
            if node.test.is_some() {
                pending.extend(node.next);
            }
        }
        if reached != tree.len() {
            return Err(ForestError::Unreached(tree[0].id.0));
        }
        roots.push(root as u32);
        start += tree.len();
    }
    Ok(roots)
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
        forest.walk(row, |target, weight| sums[target] += weight);
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
