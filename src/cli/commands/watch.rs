//! `watch`: a line of JSON for each change, as it is committed by whomever.
//!
//! Waits for notices of the operating system, and looks by itself only seldom. Between two looks
//! nothing of the vault is held.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use credb::exchange::json;
use credb::{CredentialId, Event, Watch, What};
use glob::Pattern;
use rustix::event::PollFlags;
use rustix::io::Errno;
use serde_json::json;

use crate::cli::args::WatchArgs;
use crate::cli::context::Context;
use crate::cli::globals::{LONGEST_WAIT, seconds};
use crate::cli::input;
use crate::cli::interrupts::Interrupts;
use crate::cli::report::Failure;

/// The time between two looks without a notice: nobody vouches for those.
const SAFETY: Duration = Duration::from_secs(30);

/// The same where there are no notices.
const WITHOUT_NOTICES: Duration = Duration::from_millis(500);

/// The least time between two looks: many changes are told together.
const GATHER: Duration = Duration::from_millis(50);

/// How much a pipe that has room takes whole and without waiting: `PIPE_BUF` of pipe(7).
const AT_ONCE: usize = 4_096;

/// A change is told within a second: after the notice, or without any.
const _: () = assert!(GATHER.as_millis() < 1_000 && WITHOUT_NOTICES.as_millis() < 1_000);

/// Tells of changes until it is asked to stop.
pub(super) fn run(context: &Context, args: WatchArgs) -> Result<(), Failure> {
    let until = match args.timeout {
        None => None,
        Some(text) => {
            Some(seconds(&text).and_then(|limit| Instant::now().checked_add(limit)).ok_or_else(
                || {
                    Failure::usage(format!(
                        "--timeout must be a number of seconds from 0 to {LONGEST_WAIT}"
                    ))
                },
            )?)
        }
    };
    let wanted = Wanted::new(args.patterns, args.id_options)?;
    let vault = context.open_to_stay()?;
    let interrupts = Interrupts::watch().map_err(Failure::Output)?;
    let mut watch = vault.watch()?;
    let lines = Lines { context, wanted: &wanted, interrupts: &interrupts, until };
    if args.initial {
        lines.tell(&watch.present())?;
    }
    let mut missing = None;
    loop {
        if wait(&interrupts, &watch, until)? == Listener::Gone {
            return Ok(());
        }
        match watch.changes() {
            Ok(events) => {
                missing = None;
                lines.tell(&events)?;
            }
            // Whoever moved its directory may be about to put another one there.
            Err(error) => {
                let since: Instant = *missing.get_or_insert_with(Instant::now);
                let over = since.elapsed() >= context.globals.wait
                    || until.is_some_and(|until| until <= Instant::now());
                if over || !watch.is_displaced() {
                    return Err(error.into());
                }
            }
        }
        if let Some(signal) = interrupts.signal() {
            return Err(Failure::Stopped(signal));
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Ok(());
        }
    }
}

/// Whether anybody reads the lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listener {
    There,
    Gone,
}

/// Waits for something that calls for a look.
fn wait(
    interrupts: &Interrupts,
    watch: &Watch<'_>,
    until: Option<Instant>,
) -> Result<Listener, Failure> {
    let left = |limit: Duration| {
        until.map_or(limit, |until| limit.min(until.saturating_duration_since(Instant::now())))
    };
    let stdout = std::io::stdout();
    // Asked for nothing, a pipe still tells that its other end was closed.
    let listener = (stdout.as_fd(), PollFlags::empty());
    let waited = if let Some(notices) = watch.notices() {
        let limit = if watch.is_displaced() { WITHOUT_NOTICES } else { SAFETY };
        interrupts.wait([listener, (notices, PollFlags::IN)], left(limit))
    } else {
        let waited = interrupts.wait([listener], left(WITHOUT_NOTICES));
        waited.map(|[closed]| [closed, false])
    };
    let [closed, noticed] = waited.map_err(Failure::Output)?;
    let closed = if noticed && !closed {
        let [closed] = interrupts.wait([listener], left(GATHER)).map_err(Failure::Output)?;
        closed
    } else {
        closed
    };
    Ok(if closed { Listener::Gone } else { Listener::There })
}

/// Where the lines go.
struct Lines<'a> {
    context: &'a Context,
    wanted: &'a Wanted,
    interrupts: &'a Interrupts,
    until: Option<Instant>,
}

impl Lines<'_> {
    fn tell(&self, events: &[Event]) -> Result<(), Failure> {
        let mut lines = String::new();
        for event in events.iter().filter(|event| self.wanted.takes(event)) {
            lines.push_str(&self.context.output.json_line(&line(event)));
            lines.push('\n');
        }
        self.write(lines.as_bytes())
    }

    /// Writes as fast as somebody reads, until there is a signal or the time is over. What is
    /// ready for a write takes this much of it without waiting.
    fn write(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        let stdout = std::io::stdout();
        while !bytes.is_empty() {
            if let Some(signal) = self.interrupts.signal() {
                return Err(Failure::Stopped(signal));
            }
            let left = match self.until {
                None => SAFETY,
                Some(until) => SAFETY.min(until.saturating_duration_since(Instant::now())),
            };
            let waited = self.interrupts.wait([(stdout.as_fd(), PollFlags::OUT)], left);
            let [ready] = waited.map_err(Failure::Output)?;
            if ready {
                match rustix::io::write(&stdout, &bytes[..whole_lines(bytes)]) {
                    Ok(count) => bytes = &bytes[count..],
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(error) => return Err(Failure::Output(error.into())),
                }
            } else if self.until.is_some_and(|until| until <= Instant::now()) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// How much to write at once: whole lines, so that none is broken off where a pipe has no room.
fn whole_lines(bytes: &[u8]) -> usize {
    let most = bytes.len().min(AT_ONCE);
    bytes[..most].iter().rposition(|byte| *byte == b'\n').map_or(most, |end| end + 1)
}

fn line(event: &Event) -> String {
    let what = match &event.what {
        What::Present => "present",
        What::Added => "added",
        What::Updated => "updated",
        What::Renamed(_) => "renamed",
        What::Removed => "removed",
        _ => "changed",
    };
    let mut document = json!({
        "id": event.id.as_str(),
        "version": event.version,
        "what": what,
        "updated_at": event.updated_at.map(json::time),
    });
    if let What::Renamed(from) = &event.what {
        document["from"] = from.as_str().into();
    }
    document.to_string()
}

/// Which credentials to tell of: all, if none are named.
struct Wanted {
    all: bool,
    ids: Vec<CredentialId>,
    patterns: Vec<Pattern>,
}

impl Wanted {
    fn new(words: Vec<OsString>, ids: Vec<OsString>) -> Result<Self, Failure> {
        let mut wanted =
            Self { all: words.is_empty() && ids.is_empty(), ids: Vec::new(), patterns: Vec::new() };
        for id in ids {
            wanted.ids.push(input::id(id)?);
        }
        for word in words {
            let text = input::text("pattern", word)?;
            if text.contains(['*', '?', '[']) {
                let malformed = |error: glob::PatternError| {
                    Failure::invalid(
                        "pattern",
                        format!("is malformed: {}", error.msg.to_lowercase()),
                    )
                };
                wanted.patterns.push(Pattern::new(&text).map_err(malformed)?);
            } else {
                wanted.ids.push(CredentialId::new(text)?);
            }
        }
        Ok(wanted)
    }

    fn takes(&self, event: &Event) -> bool {
        let from = if let What::Renamed(from) = &event.what { Some(from) } else { None };
        self.all
            || std::iter::once(&event.id).chain(from).any(|id| {
                self.ids.contains(id) || self.patterns.iter().any(|one| one.matches(id.as_str()))
            })
    }
}
