//! The damaged images: which there are, and their bytes.

use crate::support::Random;

/// The bytes of a page, and of the header that a page begins with.
pub(crate) const PAGE: usize = 4_096;
const HEADER: usize = 320;

/// The byte whose lowest bit names the commit that counts: flipped, it may serve the one before.
pub(crate) const LIVE_COMMIT: usize = 9;

/// How many images of each kind a sample has; those of the header are always all there.
const SAMPLE: usize = 300;

/// One damaged image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    /// This byte has these bits flipped.
    Flipped(usize, u8),
    /// The file ends here.
    Cut(usize),
    /// This page is all zero.
    Zeroed(usize),
    /// These pages have changed places.
    Swapped(usize, usize),
    /// This page is also in the place of that one.
    Doubled(usize, usize),
}

impl Image {
    /// The images of a file of this length, the same ones for the same seed; so many times the
    /// usual sample.
    pub(crate) fn all(length: usize, seed: u64, scale: usize) -> Vec<Self> {
        let random = &mut Random::new(seed);
        let pages = length / PAGE;
        let pairs = (0..pages).flat_map(|left| (left + 1..pages).map(move |right| (left, right)));
        let pairs: Vec<_> = pairs.collect();
        let header = (0..HEADER).flat_map(|at| {
            (0..8).map(move |bit| Self::Flipped(at, 1 << bit)).chain([Self::Flipped(at, 0xff)])
        });
        let mut flips: Vec<Self> = Vec::new();
        for at in HEADER..length {
            flips.push(Self::Flipped(at, 1 << random.below(8)));
            flips.push(Self::Flipped(at, 0xff));
        }
        let kinds = [
            (flips, 4 * SAMPLE),
            ((0..length).map(Self::Cut).collect(), SAMPLE / 2),
            ((0..pages).map(Self::Zeroed).collect(), SAMPLE),
            (pairs.iter().map(|(left, right)| Self::Swapped(*left, *right)).collect(), SAMPLE / 2),
            (pairs.iter().map(|(left, right)| Self::Doubled(*left, *right)).collect(), SAMPLE / 4),
            (pairs.iter().map(|(left, right)| Self::Doubled(*right, *left)).collect(), SAMPLE / 4),
        ];
        let mut images: Vec<Self> = header.collect();
        for (mut kind, size) in kinds {
            while kind.len() > size.saturating_mul(scale) {
                let position = random.below(kind.len() as u64);
                kind.swap_remove(usize::try_from(position).expect("a position"));
            }
            images.append(&mut kind);
        }
        images
    }

    /// The damaged bytes.
    pub(crate) fn of(self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let page = |number: usize| number * PAGE..(number + 1) * PAGE;
        match self {
            Self::Flipped(at, bits) => bytes[at] ^= bits,
            Self::Cut(length) => bytes.truncate(length),
            Self::Zeroed(number) => bytes[page(number)].fill(0),
            Self::Swapped(left, right) => {
                bytes[page(left)].copy_from_slice(&good[page(right)]);
                bytes[page(right)].copy_from_slice(&good[page(left)]);
            }
            Self::Doubled(from, to) => bytes.copy_within(page(from), to * PAGE),
        }
        bytes
    }

    /// Whether a whole page of an earlier commit may take the place of the present one.
    pub(crate) fn may_replay(self) -> bool {
        matches!(self, Self::Swapped(..) | Self::Doubled(..))
    }

    /// Whether the commit before the last one may be served, whole.
    pub(crate) fn may_serve_the_commit_before(self) -> bool {
        matches!(self, Self::Flipped(LIVE_COMMIT, bits) if bits & 1 != 0)
    }
}
