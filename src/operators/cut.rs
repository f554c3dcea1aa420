//! How a product is cut into tasks for several threads: by rows, by columns, or both. Nothing is computed here.

/// Rows that one thread takes through a whole product: more save reading the weights, fewer leave less for the last-level
/// cache to keep.
const ROW_BLOCK: usize = 192;
/// Fewer rows than this for each thread, and threads share rows: each takes some of the columns.
const ROWS_WORTH_SPLITTING: usize = 24;
/// What making a row ready and normalising it costs every task that has it, in blocks of columns.
const BLOCKS_OF_A_ROW: usize = 8;

/// How a product is cut into tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Rows of a task.
    pub rows: usize,
    /// Blocks of columns of a task.
    pub blocks: usize,
    /// Tasks that share their rows.
    pub across: usize,
}

impl Cut {
    /// The cut into tasks for all threads, or as many for each, that end soonest.
    pub fn of(rows: usize, blocks: usize, threads: usize) -> Self {
        let threads = threads.max(1);
        let cut = |down: usize, across: usize| {
            // Tiles are four blocks wide, or two.
            let share = blocks.div_ceil(across).next_multiple_of(2);
            Self {
                rows: rows.div_ceil(down).max(1),
                blocks: share,
                across: blocks.div_ceil(share),
            }
        };
        let most = rows / ROWS_WORTH_SPLITTING;
        if most >= threads {
            return cut(threads * rows.div_ceil(threads * ROW_BLOCK), 1);
        }
        let cost = |cut: &Self| cut.rows * (cut.blocks + BLOCKS_OF_A_ROW);
        let wider = (2..=most).map(|down| cut(down, threads / down));
        wider.fold(cut(1, threads), |best, other| {
            if cost(&other) < cost(&best) { other } else { best }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_cut_covers_all_rows_and_columns_and_is_no_worse_than_rows_or_columns_alone(
            rows in 1_usize..2000, blocks in 1_usize..200, threads in 1_usize..64,
        ) {
            let cut = Cut::of(rows, blocks, threads);
            prop_assert!((1..=rows).contains(&cut.rows) && cut.blocks > 0);
            prop_assert!((cut.across - 1) * cut.blocks < blocks && blocks <= cut.across * cut.blocks);
            let down = rows.div_ceil(cut.rows);
            let each = (down * cut.across).div_ceil(threads);
            if rows < threads * ROWS_WORTH_SPLITTING {
                let of_columns_alone = rows * (blocks.div_ceil(threads).next_multiple_of(2) + BLOCKS_OF_A_ROW);
                prop_assert_eq!(each, 1);
                prop_assert!(cut.rows * (cut.blocks + BLOCKS_OF_A_ROW) <= of_columns_alone);
            } else {
                prop_assert!(cut.rows <= ROW_BLOCK && cut.across == 1);
                prop_assert!(each * cut.rows <= rows.div_ceil(threads) + each);
            }
        }
    }

    #[test]
    fn few_rows_are_shared_by_threads() {
        let shape = |rows, blocks, threads| {
            let Cut { rows, blocks, across } = Cut::of(rows, blocks, threads);
            [rows, blocks, across]
        };
        // A query, a text and a micro-batch of a model of 768 columns.
        assert_eq!(shape(10, 48, 8), [10, 6, 8]);
        assert_eq!(shape(128, 48, 8), [32, 24, 2]);
        assert_eq!(shape(128, 192, 16), [32, 48, 4]);
        assert_eq!(shape(128, 48, 2), [64, 48, 1]);
        assert_eq!(shape(512, 48, 16), [32, 48, 1]);
        assert_eq!(shape(512, 48, 1), [171, 48, 1]);
        assert_eq!(shape(512, 48, 2), [128, 48, 1]);
        assert_eq!(shape(360, 192, 16), [45, 96, 2]);
    }
}
