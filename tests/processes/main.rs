//! Many processes on one vault: nothing acknowledged is lost, nobody waits without a limit, and
//! no command fails because of the others.
#![cfg(feature = "cli")]

mod crowds;
mod kills;
mod renewal;
// It looks at what the older keys open, which the interface has no way to.
#[cfg(feature = "fuzzing")]
mod rotation;
mod stopped;
mod storm;
mod watcher;

#[path = "../support/history.rs"]
mod history;
#[path = "../support/mod.rs"]
mod support;
