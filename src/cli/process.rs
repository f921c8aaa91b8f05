//! What the process is set to before it opens anything: no core dumps, no end by a limit of file
//! sizes, and panics that say what they mean without what they hold.

use std::panic;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use signal_hook::consts::SIGXFSZ;

use super::output::Output;
use super::report::{self, DAMAGED};
use super::signals;

/// Whether the library may turn a panic inside the storage engine into an error.
static UNWINDING: AtomicBool = AtomicBool::new(false);

/// The limit of core dumps that this process was started with.
static CORE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Lets the library report damaged files as errors, for a command that reads several files: one
/// that is damaged hides no other, unless unwinding through the engine aborts.
pub(crate) fn survive_damage() {
    UNWINDING.store(true, Ordering::Relaxed);
}

/// Keeps secrets out of core files and out of other processes of this user.
pub(crate) fn forbid_core_dumps() {
    // Where the kernel refuses, there is no better way.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let mut limit = getrlimit(Resource::Core);
    CORE_LIMIT.get_or_init(|| limit);
    limit.current = Some(0);
    let _ = setrlimit(Resource::Core, limit);
}

/// Makes a write beyond the limit of file sizes fail as one to a full disk does. Its signal would
/// end the process; caught rather than ignored, it acts as usual in commands that we start. Where
/// it is ignored already it stays so, for them too.
pub(crate) fn survive_size_limits() {
    if signals::is_ignored(SIGXFSZ) {
        return;
    }
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Puts the limit of core dumps back for a program that takes the place of this one. The kernel
/// forgets the rest by itself.
pub(crate) fn allow_core_dumps() {
    if let Some(limit) = CORE_LIMIT.get() {
        let _ = setrlimit(Resource::Core, *limit);
    }
}

/// How to tell that the storage engine gave up on a file, once there is a file to tell of.
static DAMAGE: OnceLock<Damage> = OnceLock::new();

struct Damage {
    output: Output,
    vault: Option<PathBuf>,
    code: u8,
}

/// Makes a panic inside the storage engine the report of a damaged file, at once: unwinding
/// through the engine may abort; the exit code is then `code`. Any other panic is told by its place
/// alone, since its text may hold anything.
pub(crate) fn report_panics(output: &Output, vault: Option<PathBuf>, code: u8) {
    let _ = DAMAGE.set(Damage { output: output.clone(), vault, code });
    let output = output.clone();
    panic::set_hook(Box::new(move |panic| {
        if credb::inside_store_call() {
            if UNWINDING.load(Ordering::Relaxed) {
                return;
            }
            give_up_on_file();
        }
        let place = match panic.location() {
            Some(place) => format!(" at {}:{}", place.file(), place.line()),
            None => String::new(),
        };
        tell(&output, "failed", &format!("internal error{place}"));
    }));
}

/// Tells that the storage engine cannot go on with a damaged file, and ends the process.
pub(crate) fn give_up_on_file() -> ! {
    let Some(Damage { output, vault, code }) = DAMAGE.get() else { end(DAMAGED.into()) };
    let name = vault.as_ref().map_or_else(|| "the vault".into(), |path| path.to_string_lossy());
    tell(output, "corrupt", &format!("{name} is damaged: the storage engine gave up on it"));
    end((*code).into())
}

fn tell(output: &Output, code: &str, message: &str) {
    if output.is_json() {
        output.error_json(&report::shape(code, message, None));
    } else {
        output.error(message, None);
    }
}

#[expect(clippy::exit, reason = "unwinding through the storage engine may abort")]
fn end(code: i32) -> ! {
    std::process::exit(code)
}
