//! The program's memory: an allocator that wipes what is freed, with a limit on what the storage
//! engine may ask for, and kept out of swap where that is allowed.
//!
//! redb believes the length of a page before it has read the page: one damaged byte asks for
//! 4 GiB, and memory that is not there would end the process by a signal. Nothing that a vault
//! holds needs so much at once, so such a request means damage, and is told as damage.
//!
//! The only place of the program with `unsafe`: Rust has no other way to see a request for memory.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait, and `mlock` takes a pointer")]

mod wiping;

use std::alloc::{GlobalAlloc, Layout};

use rustix::mm::{MlockAllFlags, MlockFlags, mlock_with, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::wiping::Wiping;
use super::process;

/// The most bytes that the engine may ask for at once. The largest page of a vault is 4 MiB; the
/// engine's lists of pages come to this size when it changes a vault of a hundred gigabytes.
const LIMIT: usize = 256 * 1_048_576;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

struct Bounded;

/// Ends the process if the engine asks for more than the file can need.
fn check(size: usize) {
    if size > LIMIT && credb::inside_store_call() {
        process::give_up_on_file();
    }
}

// SAFETY: every call goes to the allocator below unchanged, or does not return. Telling of the
// damage allocates by itself, but little: it comes by here again without meeting the limit.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller's promises are those that `Wiping` asks for.
        unsafe { Wiping.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: as above.
        unsafe { Wiping.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size);
        // SAFETY: as above; `pointer` came from `Wiping`, as all of ours do.
        unsafe { Wiping.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { Wiping.dealloc(pointer, layout) }
    }
}

/// How much of the heap is locked under a limit: `HEAP_BLOCKS` of `HEAP_BLOCK` bytes, more than
/// most commands use. Blocks of this size lie in the heap and not in mappings of their own, and
/// some fit below the smallest limit in use, 64 KiB.
const HEAP_BLOCK: usize = 16_384;
const HEAP_BLOCKS: usize = 64;

/// Keeps the memory out of swap as far as this process may: all of it where nothing limits that,
/// else the heap's first mebibyte or as much as the limit allows.
///
/// Under a limit the rest is left alone on purpose: a stack that is locked, and may not be locked
/// further, ends the process by a signal when it grows.
pub(crate) fn keep_out_of_swap() {
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_none() {
        // Where the kernel refuses, there is no better way.
        lock_all();
    } else if !lock_all_despite(limit) && limit.current != Some(0) {
        lock_first_of_heap();
    }
}

/// Locks all memory, also what comes later; false if that is not allowed.
fn lock_all() -> bool {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}

/// Locks all memory if limits do not count for this process: with a limit of nothing, only such a
/// one may lock anything.
fn lock_all_despite(limit: Rlimit) -> bool {
    let nothing = Rlimit { current: Some(0), maximum: limit.maximum };
    if setrlimit(Resource::Memlock, nothing).is_err() {
        return false;
    }
    let locked = lock_all();
    // What a command that we start may lock is not ours to change.
    let _ = setrlimit(Resource::Memlock, limit);
    locked
}

/// Locks blocks of the heap and frees them: what is allocated next lies in them. One more stays,
/// untouched, so that the heap does not shrink again.
fn lock_first_of_heap() {
    let blocks: [Vec<u8>; HEAP_BLOCKS] = std::array::from_fn(|_| Vec::with_capacity(HEAP_BLOCK));
    let last: Vec<u8> = Vec::with_capacity(HEAP_BLOCK);
    // In one call where they lie side by side and the limit allows all of it.
    let starts = || blocks.iter().map(Vec::as_ptr);
    if let (Some(first), Some(end)) = (starts().min(), starts().max()) {
        let length = end.addr() - first.addr() + HEAP_BLOCK;
        if length > 2 * HEAP_BLOCKS * HEAP_BLOCK || !lock(first, length) {
            let _ = starts().all(|start| lock(start, HEAP_BLOCK));
        }
    }
    std::mem::forget(last);
}

/// Locks memory of ours as it comes into use; false if that is not allowed.
fn lock(start: *const u8, length: usize) -> bool {
    // SAFETY: locking changes no bytes, and what is not mapped is an error of the kernel's.
    unsafe { mlock_with(start.cast_mut().cast(), length, MlockFlags::ONFAULT) }.is_ok()
}
