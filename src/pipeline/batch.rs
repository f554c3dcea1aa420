//! Pure planning: sequence lengths to micro-batches. Nothing is padded, no budget is broken, nobody is forgotten.

use std::collections::BTreeMap;

/// Sequences of one length that run through the model together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicroBatch {
    /// Tokens in each sequence.
    pub length: usize,
    /// Which sequences, as positions in the list that was planned, ascending.
    pub members: Vec<usize>,
}

/// Groups sequences of equal length into micro-batches of at most `budget` tokens.
///
/// Only equal lengths share a run: then there is no padding to compute and to mask out, and what a text is embedded
/// with cannot change its vector. A sequence longer than the budget runs alone. A group that needs several runs is cut
/// into nearly equal ones, so that no run is left with a remainder. Runs come in the order of their first member.
#[must_use]
pub fn plan(lengths: &[usize], budget: usize) -> Vec<MicroBatch> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, &length) in lengths.iter().enumerate() {
        groups.entry(length).or_default().push(position);
    }
    let mut batches = Vec::new();
    for (length, members) in groups {
        let fitting = (budget / length.max(1)).max(1);
        let runs = members.len().div_ceil(fitting);
        let mut rest = members.as_slice();
        for run in 0..runs {
            let (taken, left) = rest.split_at(rest.len().div_ceil(runs - run));
            batches.push(MicroBatch {
                length,
                members: taken.to_vec(),
            });
            rest = left;
        }
    }
    batches.sort_by_key(|batch| batch.members.first().copied());
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sequence_runs_once_with_its_own_length_and_within_the_budget(
            lengths in prop::collection::vec(prop_oneof![9 => 0_usize..200, 1 => any::<usize>()], 0..300),
            budget in prop_oneof![3 => 0_usize..1000, 1 => any::<usize>()],
        ) {
            let batches = plan(&lengths, budget);
            let mut seen = vec![0; lengths.len()];
            for batch in &batches {
                prop_assert!(!batch.members.is_empty());
                let tokens = batch.members.len().checked_mul(batch.length);
                prop_assert!(batch.members.len() == 1 || tokens.is_some_and(|tokens| tokens <= budget));
                prop_assert!(batch.members.is_sorted());
                for &member in &batch.members {
                    prop_assert_eq!(lengths[member], batch.length);
                    seen[member] += 1;
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }

        #[test]
        fn runs_are_as_few_as_the_budget_allows_and_nearly_equal(
            length in 0_usize..100, count in 1_usize..300, budget in 0_usize..1000,
        ) {
            let batches = plan(&vec![length; count], budget);
            let fitting = (budget / length.max(1)).max(1);
            prop_assert_eq!(batches.len(), count.div_ceil(fitting));
            let sizes = batches.iter().map(|batch| batch.members.len());
            prop_assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
    }

    #[test]
    fn runs_come_in_the_order_of_their_first_member() {
        let firsts: Vec<_> = plan(&[9, 3, 9, 5, 3], 100)
            .into_iter()
            .map(|batch| batch.members)
            .collect();
        assert_eq!(firsts, [vec![0, 2], vec![1, 4], vec![3]]);
    }
}
