//! A compact set of byte strings with numbers, made for one question: which of them begin this text?
//!
//! A double array (Aoe 1989, "An efficient digital search algorithm by using a double-array structure") in the shape of
//! Darts-clone: the child of a node along a byte lies at `base XOR byte` and carries that byte as its proof, so that a
//! step is one look at one 8-byte unit. No two nodes share a base; that makes the byte alone a sufficient proof.
//! Placing nodes tries a bounded number of places and then opens a new block: building is linear in the keys' bytes
//! whatever they are, at the price of a few empty units.

/// The value of a node that ends no key.
const NONE: u32 = u32::MAX;

/// Units that one base reaches.
const BLOCK: usize = 256;

/// Blocks that are tried before a new one is opened; older ones keep their gaps. Most nodes have one child and fit into any
/// gap, so that few blocks are enough: 0.2% of the units stay empty in XLM-RoBERTa's vocabulary.
const OPEN_BLOCKS: usize = 3;

/// Keys up to which it is faster to look at each than to bisect: most are one or two.
const FEW: usize = 8;

/// Bases that fit beside a byte in 32 bits.
const MAX_UNITS: usize = 1 << 24;

/// Where the root's children lie. Block 0 stays empty: nodes without children point there.
const ROOT_BASE: u32 = 256;

/// Strings without NUL bytes and the number of each.
pub struct Trie {
    units: Vec<Unit>,
}

#[derive(Clone, Copy)]
struct Unit {
    /// `base << 8 | byte`; byte 0, which no key has, in a unit that no node took.
    link: u32,
    /// The number of the key that ends here, or [`NONE`].
    value: u32,
}

const EMPTY: Unit = Unit { link: 0, value: NONE };

/// A key and its number.
type Entry<'key> = (&'key [u8], u32);

impl Trie {
    /// Builds a trie of `keys`, which must be sorted.
    ///
    /// `None` when a key is there twice, is empty or has a NUL, or when there are too many (about 16 million nodes).
    pub fn build(keys: &[Entry]) -> Option<Self> {
        let mut builder = Builder::new();
        // Keys that share their first `depth` bytes, and the unit of the node that these bytes lead to.
        let mut ranges: Vec<(&[Entry], usize, Option<usize>)> = vec![(keys, 0, None)];
        let mut children = Vec::new();
        while let Some((mut range, depth, node)) = ranges.pop() {
            if let Some(((key, value), longer)) = range.split_first()
                && key.len() == depth
            {
                builder.units.get_mut(node?)?.value = *value;
                range = longer;
            }
            children.clear();
            while let Some(&label) = range.first().and_then(|(key, _)| key.get(depth)) {
                let has_label = |(key, _): &Entry| key.get(depth) == Some(&label);
                let same = if range.len() > FEW {
                    range.partition_point(has_label)
                } else {
                    range.iter().take_while(|key| has_label(key)).count()
                };
                let (child, rest) = range.split_at(same);
                children.push((label, child));
                range = rest;
            }
            // What is left has no byte here: a repetition of the key that ends here.
            if !range.is_empty() || children.first().is_some_and(|(label, _)| *label == 0) {
                return None;
            }
            if children.is_empty() {
                continue;
            }
            let base = match node {
                Some(node) => {
                    let base = builder.place(&children)?;
                    builder.units.get_mut(node)?.link |= base << 8;
                    base
                }
                None => ROOT_BASE,
            };
            // Popped in ascending order: nodes of one word stay near each other.
            for (label, child) in children.drain(..).rev() {
                let unit = builder.take(base, label)?;
                ranges.push((child, depth + 1, Some(unit)));
            }
        }
        let mut units = builder.units;
        units.shrink_to_fit();
        Some(Self { units })
    }

    /// The keys that `text` begins with, shortest first, as `(length, number)`.
    pub fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = (usize, u32)> {
        let mut base = ROOT_BASE;
        text.iter()
            .map_while(move |&byte| {
                let unit = self.child(base, byte)?;
                base = unit.link >> 8;
                Some(unit.value)
            })
            .enumerate()
            .filter(|(_, value)| *value != NONE)
            .map(|(position, value)| (position + 1, value))
    }

    /// The number of `key`.
    pub fn get(&self, key: &[u8]) -> Option<u32> {
        let mut last = EMPTY;
        let mut base = ROOT_BASE;
        for &byte in key {
            last = self.child(base, byte)?;
            base = last.link >> 8;
        }
        Some(last.value).filter(|value| *value != NONE)
    }

    /// Every key and its number, in no order that means anything. Slow: it looks for children everywhere.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, u32)> {
        let mut nodes = vec![(ROOT_BASE, Vec::new(), NONE)];
        std::iter::from_fn(move || {
            loop {
                let (base, key, value) = nodes.pop()?;
                for byte in 1..=u8::MAX {
                    if let Some(unit) = self.child(base, byte) {
                        let mut longer: Vec<u8> = key.clone();
                        longer.push(byte);
                        nodes.push((unit.link >> 8, longer, unit.value));
                    }
                }
                if value != NONE {
                    return Some((key, value));
                }
            }
        })
    }

    #[inline]
    fn child(&self, base: u32, byte: u8) -> Option<Unit> {
        let unit = *self.units.get((base ^ u32::from(byte)) as usize)?;
        // Empty units carry byte 0, so a NUL in a text must not pass for one.
        (unit.link as u8 == byte && byte != 0).then_some(unit)
    }
}

/// Units under construction, with what is taken of every block.
struct Builder {
    units: Vec<Unit>,
    /// Blocks that may have room, oldest first.
    open: Vec<OpenBlock>,
}

struct OpenBlock {
    /// Its first unit.
    start: usize,
    /// Units that nodes took.
    taken: Bits,
    /// Units that they left.
    free: usize,
    /// Bases that nodes took.
    bases: Bits,
}

#[derive(Default)]
struct Bits([u64; BLOCK / 64]);

impl Bits {
    fn has(&self, bit: u8) -> bool {
        self.0
            .get(usize::from(bit >> 6))
            .is_some_and(|word| word >> (bit & 63) & 1 == 1)
    }

    fn set(&mut self, bit: u8) {
        if let Some(word) = self.0.get_mut(usize::from(bit >> 6)) {
            *word |= 1 << (bit & 63);
        }
    }

    /// The bits that are not set, ascending.
    fn unset(&self) -> impl Iterator<Item = u8> {
        [0, 64, 128, 192]
            .into_iter()
            .zip(self.0)
            .flat_map(|(offset, word)| {
                let mut free = !word;
                std::iter::from_fn(move || {
                    let bit = u8::try_from(free.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                    free &= free - 1;
                    Some(offset + bit)
                })
            })
    }
}

impl Builder {
    fn new() -> Self {
        let mut root = OpenBlock::at(ROOT_BASE as usize);
        root.bases.set(0);
        Self {
            units: vec![EMPTY; ROOT_BASE as usize + BLOCK],
            open: vec![root],
        }
    }

    /// A base of its own whose units for all `children` are free; `None` when all bases are used up.
    fn place<T>(&mut self, children: &[(u8, T)]) -> Option<u32> {
        let (first, _) = children.first()?;
        for block in &mut self.open {
            if block.free < children.len() {
                continue;
            }
            let fitting = block.taken.unset().map(|unit| unit ^ first).find(|&base| {
                !block.bases.has(base) && children.iter().all(|(label, _)| !block.taken.has(base ^ label))
            });
            if let Some(base) = fitting {
                block.bases.set(base);
                return u32::try_from(block.start + usize::from(base)).ok();
            }
        }
        let start = self.units.len();
        if start + BLOCK > MAX_UNITS {
            return None;
        }
        self.units.resize(start + BLOCK, EMPTY);
        if self.open.len() == OPEN_BLOCKS {
            self.open.remove(0);
        }
        let mut block = OpenBlock::at(start);
        block.bases.set(0);
        self.open.push(block);
        u32::try_from(start).ok()
    }

    /// Takes the unit of `label` under `base`, which [`Builder::place`] found free.
    fn take(&mut self, base: u32, label: u8) -> Option<usize> {
        let unit = (base ^ u32::from(label)) as usize;
        self.units.get_mut(unit)?.link = u32::from(label);
        let start = unit / BLOCK * BLOCK;
        // The block is open: it was found or made a moment ago.
        let position = self.open.iter().position(|block| block.start == start)?;
        let block = self.open.get_mut(position)?;
        block.taken.set((unit % BLOCK) as u8);
        block.free -= 1;
        if block.free == 0 {
            self.open.remove(position);
        }
        Some(unit)
    }
}

impl OpenBlock {
    fn at(start: usize) -> Self {
        Self {
            start,
            taken: Bits::default(),
            free: BLOCK,
            bases: Bits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_like_a_map(
            keys in prop::collection::btree_map(prop::collection::vec(1_u8..=9, 1..8), 0_u32..1000, 0..400),
            texts in prop::collection::vec(prop::collection::vec(0_u8..=10, 0..12), 20),
        ) {
            check(&keys, &texts);
        }

        #[test]
        fn wide_nodes_fit(
            keys in prop::collection::btree_map(prop::collection::vec(1_u8..=255, 1..4), 0_u32..1000, 0..3000),
            texts in prop::collection::vec(prop::collection::vec(0_u8..=255, 0..6), 20),
        ) {
            check(&keys, &texts);
        }
    }

    fn check(keys: &BTreeMap<Vec<u8>, u32>, texts: &[Vec<u8>]) {
        let sorted: Vec<_> = keys.iter().map(|(key, &value)| (key.as_slice(), value)).collect();
        let trie = Trie::build(&sorted).unwrap();
        let entries: BTreeMap<_, _> = trie.entries().collect();
        assert_eq!(&entries, keys);
        for text in texts.iter().chain(keys.keys()) {
            let expected: Vec<_> = (1..=text.len())
                .filter_map(|length| keys.get(&text[..length]).map(|&value| (length, value)))
                .collect();
            assert_eq!(trie.prefixes(text).collect::<Vec<_>>(), expected);
            assert_eq!(trie.get(text), keys.get(text).copied());
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        assert!(Trie::build(&[(b"", 0)]).is_none());
        assert!(Trie::build(&[(b"a\0b", 0)]).is_none());
        assert!(Trie::build(&[(b"a", 0), (b"a", 1)]).is_none());
        assert!(Trie::build(&[]).is_some_and(|trie| trie.get(b"").is_none() && trie.get(b"a").is_none()));
    }
}
