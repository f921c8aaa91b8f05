//! Storage operations that fail on purpose, so that a test can see what each failure leaves behind.

use std::cell::RefCell;
use std::io::{self, ErrorKind};

/// A kind of operation on a vault's file or on a draft of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reading bytes fails.
    Read,
    /// Writing bytes fails, and none of them is written.
    Write,
    /// Writing bytes fails after half of them.
    ShortWrite,
    /// Making what was written durable fails.
    Sync,
    /// Changing the file's length fails.
    SetLength,
    /// Waiting for a lock of the file comes to its limit.
    Lock,
}

/// For how long operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// One operation fails, those after it work again.
    Once,
    /// All operations of the kind fail from then on.
    FromThenOn,
}

/// Which operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Their kind.
    pub operation: Operation,
    /// The number of the first one that fails, from 1.
    pub nth: usize,
    /// For how long.
    pub lasting: Lasting,
}

struct Plan {
    fault: Fault,
    seen: usize,
    failed: usize,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// Runs `work` while operations of this thread fail, and returns how many did with its result.
pub fn fail<T>(fault: Fault, work: impl FnOnce() -> T) -> (T, usize) {
    let before = PLAN.replace(Some(Plan { fault, seen: 0, failed: 0 }));
    let result = work();
    let plan = PLAN.replace(before);
    (result, plan.map_or(0, |plan| plan.failed))
}

/// Whether this operation fails; counts it if its kind is the planned one.
pub(crate) fn fails(operation: Operation) -> bool {
    PLAN.with_borrow_mut(|plan| {
        let Some(plan) = plan.as_mut().filter(|plan| plan.fault.operation == operation) else {
            return false;
        };
        plan.seen += 1;
        let fails = match plan.fault.lasting {
            Lasting::Once => plan.seen == plan.fault.nth,
            Lasting::FromThenOn => plan.seen >= plan.fault.nth,
        };
        plan.failed += usize::from(fails);
        fails
    })
}

/// The error of this operation if it fails.
///
/// # Errors
///
/// What Linux gives for a full or broken disk.
pub(crate) fn attempt(operation: Operation) -> io::Result<()> {
    if !fails(operation) {
        return Ok(());
    }
    Err(match operation {
        Operation::Write | Operation::ShortWrite | Operation::SetLength => {
            io::Error::from(ErrorKind::StorageFull)
        }
        Operation::Read | Operation::Sync | Operation::Lock => {
            io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
        }
    })
}
