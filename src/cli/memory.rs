//! The program's memory: an allocator that wipes what is freed, with a limit on what the storage
//! engine may ask for, and kept out of swap where that is allowed.
//!
//! redb believes the length of a page before it has read the page: one damaged byte asks for
//! 4 GiB, and memory that is not there would end the process by a signal. Nothing that a vault
//! holds needs so much at once, so such a request means damage, and is told as damage.
//!
//! Has `unsafe` since Rust has no other way to see a request for memory.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait, and `mlock` takes a pointer")]

mod wiping;

use std::alloc::{GlobalAlloc, Layout, System};

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

/// A page, at most.
const PAGE: usize = 4_096;

/// How much of the heap is locked: more than most commands use.
const HEAP: usize = HEAP_BLOCKS * HEAP_BLOCK;

/// The heap is taken in blocks that lie in it, and not in mappings of their own, as from 128 KiB
/// on.
const HEAP_BLOCK: usize = 114_688;
const HEAP_BLOCKS: usize = 9;

/// Keeps the heap out of swap: all that comes into use from now on, where no limit holds for this
/// process, else its first mebibyte or as much as the limit allows. Not the code, which is on the
/// disk anyway, and not the stack: one that is locked, and may not be locked further, ends the
/// process by a signal when it grows.
pub(crate) fn keep_out_of_swap() {
    let limit = getrlimit(Resource::Memlock);
    lock_heap(match limit.current {
        Some(bytes) if !lock_future_despite(limit) => bytes,
        Some(_) => u64::MAX,
        None => {
            lock_future();
            u64::MAX
        }
    });
}

/// Locks all memory that is mapped later, as it comes into use; false if that is not allowed.
fn lock_future() -> bool {
    mlockall(MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}

/// Does so if limits do not count for this process: with a limit of nothing, only such a one may
/// lock anything.
fn lock_future_despite(limit: Rlimit) -> bool {
    let nothing = Rlimit { current: Some(0), maximum: limit.maximum };
    if setrlimit(Resource::Memlock, nothing).is_err() {
        return false;
    }
    let locked = lock_future();
    // What a command that we start may lock is not ours to change.
    let _ = setrlimit(Resource::Memlock, limit);
    locked
}

/// Locks the first of the heap, so many bytes at most: what is allocated next lies there. The last
/// of the blocks stays, or the heap would shrink again.
fn lock_heap(limit: u64) {
    // Not of our allocator, which would wipe a mebibyte that nobody used.
    let layout = Layout::new::<[u8; HEAP_BLOCK]>();
    // SAFETY: the layout has a size.
    let blocks: [*mut u8; HEAP_BLOCKS] = std::array::from_fn(|_| unsafe { System.alloc(layout) });
    let (Some(first), Some(last)) = (blocks.iter().min(), blocks.iter().max()) else { return };
    let length = last.addr() - first.addr();
    // A limit counts whole pages.
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(PAGE);
    if !first.is_null() && length <= 2 * HEAP && allowed > 0 {
        let length = length.min(allowed);
        // SAFETY: locking changes no bytes, and what is not mapped is an error of the kernel's.
        let _ = unsafe { mlock_with(first.cast(), length, MlockFlags::ONFAULT) };
    }
    for block in blocks.iter().filter(|block| *block != last && !block.is_null()) {
        // SAFETY: it came from there with this layout, and nobody has used it.
        unsafe { System.dealloc(*block, layout) };
    }
}
