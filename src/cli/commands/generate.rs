//! `generate`: prints a random password. Opens no vault.

use serde_json::json;

use crate::cli::args::GenerateArgs;
use crate::cli::context::Context;
use crate::cli::generate::Policy;
use crate::cli::page::Page;
use crate::cli::report::Failure;

/// Prints one password.
pub(super) fn run(context: &Context, args: &GenerateArgs) -> Result<(), Failure> {
    let password = Policy::of(&args.policy).password()?;
    if context.output.is_json() {
        return context.output.json(&json!({"password": password.expose_str()}));
    }
    let mut page = Page::new(&context.output);
    page.push(password.expose());
    page.push(b"\n");
    page.print()
}
