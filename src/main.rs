//! The `credb` program: maps what a command line did to an exit code, and nothing else exits.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
