//! What the command-line tests share: a sandbox that calls the built program as a user would, and
//! checks of what came back. Knows nothing of the library.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of this")]

mod call;
mod coprocess;
mod entries;
mod identity;
mod outcome;
mod random;
mod rows;
mod running;
mod sandbox;
mod slow_sync;
mod terminal;

pub(crate) use self::call::Call;
pub(crate) use self::coprocess::Coprocess;
pub(crate) use self::entries::keys_in_order;
pub(crate) use self::identity::Identity;
pub(crate) use self::outcome::Outcome;
pub(crate) use self::random::Random;
pub(crate) use self::rows::{alter_row, bytes_of_rows, put_row, values_of_rows};
pub(crate) use self::running::{Running, is_gone, is_ignored};
pub(crate) use self::sandbox::{Sandbox, mode_of};
pub(crate) use self::slow_sync::SlowSync;
pub(crate) use self::terminal::Terminal;
