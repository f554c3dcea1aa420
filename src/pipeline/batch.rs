//! Pure planning: sequence lengths to micro-batches. Nothing is padded, no budget is broken, nobody is forgotten.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Sequences that run through the model together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicroBatch {
    /// Tokens of all sequences.
    pub tokens: usize,
    /// Which sequences, as positions in the list that was planned, ascending.
    pub members: Vec<usize>,
}

/// Tokens of a run below which reading the weights would weigh more than all threads ending together.
const LEAST_TOKENS: usize = 96;

/// For models that [pack](crate::operators::Packing): puts sequences of similar lengths into micro-batches of at most `budget`
/// tokens, for so many `threads` that take one after the other.
///
/// Large runs read the weights less often, small ones let all threads end at about the same time. So where there are several
/// threads a run gets its share of half of what is left, but no less than [`LEAST_TOKENS`] (guided self-scheduling:
/// Polychronopoulos and Kuck, IEEE Transactions on Computers 36, 1987). A sequence longer than that runs alone. The tensors of
/// a run have room for its longest sequence as often as it has sequences: at most half as much again as its share. Runs come
/// in the order of their first member.
#[must_use]
pub fn pack(lengths: &[usize], budget: usize, threads: usize) -> Vec<MicroBatch> {
    let mut order: Vec<(usize, usize)> = lengths.iter().copied().enumerate().collect();
    order.sort_by_key(|&(_, length)| Reverse(length));
    let mut left: usize = lengths.iter().fold(0, |sum, &length| sum.saturating_add(length));
    let mut batches: Vec<MicroBatch> = Vec::new();
    let (mut share, mut longest) = (0, 0_usize);
    for (position, length) in order {
        let fitting = batches.last_mut().filter(|batch| {
            let tokens = batch.tokens.saturating_add(length);
            fits(tokens, longest, batch.members.len() + 1, share)
        });
        match fitting {
            Some(batch) => {
                batch.tokens += length;
                batch.members.push(position);
            }
            None => {
                share = if threads > 1 {
                    (left / (2 * threads)).max(LEAST_TOKENS).min(budget)
                } else {
                    budget
                };
                longest = length;
                batches.push(MicroBatch {
                    tokens: length,
                    members: vec![position],
                });
            }
        }
        left = left.saturating_sub(length);
    }
    for batch in &mut batches {
        batch.members.sort_unstable();
    }
    batches.sort_by_key(|batch| batch.members.first().copied());
    batches
}

/// Whether two packed micro-batches fit in one of `budget` tokens.
#[must_use]
pub fn fit_together(one: &[usize], other: &[usize], budget: usize) -> bool {
    let lengths = || one.iter().chain(other);
    let tokens = lengths().fold(0, |sum: usize, &length| sum.saturating_add(length));
    let longest = lengths().max().copied().unwrap_or(0);
    fits(tokens, longest, one.len() + other.len(), budget)
}

/// Whether so many sequences are a packed micro-batch of its share, and so is the room for the longest of them that each has.
fn fits(tokens: usize, longest: usize, count: usize, share: usize) -> bool {
    tokens <= share && longest.saturating_mul(count) <= share.saturating_add(share / 2)
}

/// For models that do not: groups sequences of equal length into micro-batches of at most `budget` tokens.
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
                tokens: length.saturating_mul(taken.len()),
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
                prop_assert!(batch.members.len() == 1 || batch.tokens <= budget);
                prop_assert!(batch.members.is_sorted());
                for &member in &batch.members {
                    prop_assert_eq!(lengths[member], lengths[batch.members[0]]);
                    seen[member] += 1;
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }

        #[test]
        fn every_sequence_is_packed_once_within_the_budget_and_with_little_room_left(
            lengths in prop::collection::vec(prop_oneof![9 => 0_usize..200, 1 => any::<usize>()], 0..300),
            budget in prop_oneof![3 => 0_usize..1000, 1 => any::<usize>()],
            threads in 0_usize..20,
        ) {
            let batches = pack(&lengths, budget, threads);
            let mut seen = vec![0; lengths.len()];
            for batch in &batches {
                prop_assert!(!batch.members.is_empty());
                prop_assert!(batch.members.is_sorted());
                let own = || batch.members.iter().map(|&member| lengths[member]);
                if batch.members.len() > 1 {
                    prop_assert_eq!(batch.tokens, own().sum::<usize>());
                    prop_assert!(batch.tokens <= budget);
                    let room = own().max().unwrap().saturating_mul(batch.members.len());
                    prop_assert!(room <= budget.saturating_add(budget / 2));
                }
                for &member in &batch.members {
                    seen[member] += 1;
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
            prop_assert!(batches.is_sorted_by_key(|batch| batch.members.first().copied()));
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
    fn packed_runs_get_smaller_towards_the_end() {
        let tokens = |lengths: &[usize], threads| -> Vec<usize> {
            let batches = pack(lengths, 512, threads);
            batches.into_iter().map(|batch| batch.tokens).collect()
        };
        assert_eq!(tokens(&[128; 8], 2), [256, 128, 128, 128, 128, 128, 128]);
        assert_eq!(
            tokens(&[60; 32], 2),
            [480, 360, 240, 180, 120, 120, 60, 60, 60, 60, 60, 60, 60]
        );
        assert_eq!(tokens(&[12, 10, 11, 9], 2), [42]);
        assert_eq!(tokens(&[60; 10], 1), [480, 120]);
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
