//! Formats in and out: credentials as JSON, batches of operations, references to secrets, and the
//! predecessor's files.
//!
//! Nothing here opens a file or writes to a terminal. Whatever comes in is checked to the last
//! key, and no message repeats a secret value.

pub mod batch;
pub mod field;
pub mod json;
pub mod migrate;
mod node;
pub mod reference;
pub mod resolve;

/// The largest input that is read, in bytes.
pub const MAX_INPUT: usize = 64 * 1024 * 1024;
