//! The system's allocator, which wipes every block before it gives it back.
//!
//! Secrets of ours wipe themselves. This is for the copies that others make: ciphers expand keys
//! into heap blocks of their own, growing texts move, and decoders keep buffers. tests/memory uses
//! this very file and searches its own memory for what should be gone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

/// Wipes what is freed.
pub(crate) struct Wiping;

// SAFETY: every block comes from the system's allocator and goes back to it with its own layout;
// in between only bytes of the block are written, which nobody may read any more.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    // `realloc` is that of the trait: a new block, a copy, and `dealloc` of the old one. The
    // system's might move a block and leave its bytes behind.

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's, this long, and freed right after.
        unsafe { pointer.write_bytes(0, layout.size()) };
        // The compiler must believe that somebody looks at the block once more, or it leaves out
        // the writes to memory that is freed.
        let pointer = black_box(pointer);
        // SAFETY: `pointer` came from `System`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }
}
