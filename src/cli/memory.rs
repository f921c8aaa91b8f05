//! The program's allocator: the system's, with a limit on what the storage engine may ask for.
//!
//! redb believes the length of a page before it has read the page: one damaged byte asks for
//! 4 GiB, and memory that is not there would end the process by a signal. Nothing that a vault
//! holds needs so much at once, so such a request means damage, and is told as damage.
//!
//! The only place of the program with `unsafe`: Rust has no other way to see a request for memory.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};

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

// SAFETY: every call goes to the system's allocator unchanged, or does not return. Telling of the
// damage allocates by itself, but little: it comes by here again without meeting the limit.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size);
        // SAFETY: as above; `pointer` came from `System`, as all of ours do.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
