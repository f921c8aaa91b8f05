//! Figures: how often, how long, and against what.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) type Anything<T> = Result<T, Box<dyn Error>>;

/// A copy of a program in this directory. The linker writes its file piece by piece, and the kernel
/// caches it in pieces then, which makes the start of the same program half as slow again; copies
/// compare.
pub(crate) fn copied(program: &Path, directory: &Path) -> Anything<PathBuf> {
    let copy = directory.join(program.file_name().ok_or("no program")?);
    std::fs::copy(program, &copy)?;
    Ok(copy)
}

/// A number from the environment.
pub(crate) fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn ratio(left: Duration, right: Duration) -> f64 {
    left.as_secs_f64() / right.as_secs_f64()
}
