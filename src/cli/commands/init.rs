//! `init`: makes a vault.

use std::ffi::OsStr;

use credb::{NewKey, RecoveryCode, SlotKind, Vault};
use serde_json::json;

use super::{path_text, slots_json};
use crate::cli::args::InitArgs;
use crate::cli::context::Context;
use crate::cli::globals::OnlyKey;
use crate::cli::keys;
use crate::cli::passphrase::{self, Occasion};
use crate::cli::prompt::Answer;
use crate::cli::report::Failure;

/// Makes the vault.
pub(super) fn run(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let path = context.vault_path()?;
    // Before anybody is asked for anything.
    if path.symlink_metadata().is_ok() {
        let path = std::path::absolute(&path).unwrap_or(path);
        return Err(credb::Error::VaultExists { path }.into());
    }
    let key = key(context, args)?;
    let vault = Vault::create(&path, &context.options(), &key)?;
    let output = &context.output;
    output.confirm(&format!("made {}", vault.path().display()));
    if matches!(key, NewKey::Hostname(_)) {
        output.warning(&format!("this vault has a key that is {}", SlotKind::Hostname.strength()));
    }
    if output.is_json() {
        return output.json(&json!({
            "path": path_text(vault.path()),
            "vault_id": vault.vault_id().to_string(),
            "slots": slots_json(&vault.slots()?),
        }));
    }
    if matches!(key, NewKey::Recovery(_)) { Ok(()) } else { offer_recovery(context, &vault) }
}

fn key(context: &Context, args: &InitArgs) -> Result<NewKey, Failure> {
    let passphrase = || passphrase::new(context, &args.new, Occasion::Init);
    if args.key.as_ref().is_none_or(|kind| kind != "passphrase")
        && !matches!((&args.key, &context.globals.key), (None, Some(OnlyKey::Passphrase(..))))
    {
        args.new.refuse()?;
    }
    match (&args.key, &context.globals.key) {
        (Some(kind), _) if kind == "passphrase" => passphrase(),
        (None, Some(OnlyKey::Passphrase(..))) => passphrase(),
        (Some(kind), _) if kind == "recovery" => Err(Failure::usage(
            "a vault is made with a key of the kind machine, hostname, passphrase or file:PATH",
        )
        .with_hint(format!("afterwards: `{}`", context.hints.command("key add recovery")))),
        (Some(kind), _) => keys::new_key(kind, &context.globals, &context.locations),
        (None, Some(OnlyKey::File(path))) => Ok(NewKey::File(path.clone())),
        (None, Some(OnlyKey::Recovery(_))) => {
            Err(Failure::usage("a vault cannot be made with a recovery code alone")
                .with_hint(format!("`{}`", context.hints.command("init --key machine"))))
        }
        (None, None) => keys::new_key(OsStr::new("machine"), &context.globals, &context.locations),
    }
}

/// Offers a recovery code, or says how to get one where nobody can be asked.
fn offer_recovery(context: &Context, vault: &Vault) -> Result<(), Failure> {
    let Some(prompt) = context.prompt() else {
        let command = context.hints.command("key add recovery");
        context.output.hint(&format!(
            "if the key of this vault is lost, nothing opens it: `{command}` makes a recovery code"
        ));
        return Ok(());
    };
    let question = "Make a recovery code, for the case that this key is lost?";
    if prompt.confirm(question, Answer::Yes)? == Answer::No {
        return Ok(());
    }
    let code = RecoveryCode::generate();
    let slot = vault.add_slot(&NewKey::Recovery(code.clone()), None)?;
    super::key::show_code(context, vault, &slot, &code)
}
