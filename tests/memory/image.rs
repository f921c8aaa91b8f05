//! A search of this process's own memory.
//!
//! What is searched for is kept masked, and so is never found where it is kept.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use zeroize::Zeroize;

const MASK: u8 = 0xa5;
const CHUNK: usize = 65_536;

/// Bytes to search for, and what they are.
pub(crate) struct Needle {
    name: String,
    masked: Vec<u8>,
}

impl Needle {
    /// From a line of [`Needle::line`].
    pub(crate) fn parse(line: &str) -> Self {
        let (name, hex) = line.split_once(' ').expect("a name and bytes");
        let masked = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("bytes in hex");
        Self { name: name.to_owned(), masked }
    }

    /// The bytes masked, to hand them to a process that must not have them.
    pub(crate) fn line(name: &str, bytes: &[u8]) -> String {
        let masked: Vec<u8> = bytes.iter().map(|byte| byte ^ MASK).collect();
        format!("{name} {}\n", data_encoding::HEXLOWER.encode(&masked))
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let first = self.masked[0] ^ MASK;
        let matches = |window: &[u8]| {
            window[0] == first && window.iter().zip(&self.masked).all(|(a, b)| a ^ MASK == *b)
        };
        bytes.windows(self.masked.len()).any(matches)
    }
}

/// The mapping that this address lies in.
pub(crate) fn mapping_of(address: usize) -> Range<usize> {
    let all = writable_mappings().into_iter();
    all.map(|(range, _)| range).find(|range| range.contains(&address)).expect("a mapping")
}

/// Which of them are in memory that can be written, and in which mapping, but for these stacks.
pub(crate) fn search(needles: &[Needle], stacks: &[Range<usize>]) -> BTreeSet<String> {
    let memory = File::open("/proc/self/mem").expect("open the memory of this process");
    let mut found = BTreeSet::new();
    let mut buffer = vec![0; CHUNK];
    for (range, name) in writable_mappings() {
        let is_stack =
            stacks.iter().any(|stack| stack.start < range.end && range.start < stack.end);
        let place = if is_stack { "stack" } else { name.as_str() };
        // Chunks overlap by what a needle can be long at most.
        for start in range.clone().step_by(CHUNK / 2) {
            let length = CHUNK.min(range.end - start);
            // Some mappings, such as those of the kernel's clock, cannot be read this way.
            if memory.read_exact_at(&mut buffer[..length], start as u64).is_ok() {
                let hits = needles.iter().filter(|needle| needle.is_in(&buffer[..length]));
                found.extend(hits.map(|needle| format!("{} in {place}", needle.name)));
            }
            // Or the next look at this buffer would find it here.
            buffer.as_mut_slice().zeroize();
        }
    }
    found
}

fn writable_mappings() -> Vec<(Range<usize>, String)> {
    let maps = fs::read_to_string("/proc/self/maps").expect("the mappings of this process");
    let mapping = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let is_writable = words.next()?.starts_with("rw");
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let name = words.nth(3).unwrap_or("anonymous memory").to_owned();
        is_writable.then_some((start..end, name))
    };
    maps.lines().filter_map(mapping).collect()
}
