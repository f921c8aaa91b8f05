//! The terminal program: parses, resolves, dispatches and tells what went wrong.
//!
//! Uses only the library's public interface. Nothing in here exits but by returning, except after
//! a panic inside the storage engine (see `process`).

mod args;
mod child;
mod commands;
mod context;
mod draft;
mod escape;
mod findings;
mod generate;
mod globals;
mod hints;
mod inherited;
mod input;
mod interrupts;
mod keys;
mod memory;
mod output;
mod page;
mod passphrase;
mod process;
mod progress;
mod prompt;
mod raw;
mod report;
mod signals;
mod usage;
mod when;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use self::args::{Cli, Command};
use self::context::Context;
use self::globals::Globals;
use self::hints::Hints;
use self::output::{Chatter, Form, Output};
use self::raw::RawArguments;
use self::report::{Codes, DAMAGED, Failure};

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    process::forbid_core_dumps();
    memory::keep_out_of_swap();
    process::survive_size_limits();
    let raw = RawArguments::of_process();
    match prepare(&raw) {
        Ok((context, command)) => execute(&context, command),
        Err(failure) => {
            let form = if raw.json() { Form::Json } else { Form::Text };
            let chatter = if raw.quiet() { Chatter::Quiet } else { Chatter::Normal };
            let output = Output::new(form, chatter, raw.color());
            let codes = if raw.verb() == Some("run") { Codes::OfCommand } else { Codes::Own };
            report::report(&failure, &output, &Hints::default(), codes)
        }
    }
}

fn prepare(raw: &RawArguments) -> Result<(Context, Command), Failure> {
    let cli = Cli::of(raw).map_err(|error| usage::failure(&error, raw))?;
    let globals = Globals::resolve(cli.globals)?;
    if let Some(key) = &globals.key {
        inherited::keep_from_commands(key.path());
    }
    Ok((Context::new(globals, raw), cli.command))
}

fn execute(context: &Context, command: Command) -> ExitCode {
    let codes = if matches!(command, Command::Run(_)) { Codes::OfCommand } else { Codes::Own };
    process::report_panics(&context.output, context.vault_path().ok(), codes.or(DAMAGED));
    match catch_unwind(AssertUnwindSafe(|| commands::run(context, command))) {
        Ok(Ok(())) => {
            context.output.finish();
            ExitCode::SUCCESS
        }
        Ok(Err(failure)) => report::report(&failure, &context.output, &context.hints, codes),
        // The panic hook has told it.
        Err(_) => ExitCode::from(codes.or(1)),
    }
}
