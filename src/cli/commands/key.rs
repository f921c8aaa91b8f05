//! `key`: what opens the vault.

mod rotate;
mod trust;

use credb::{NewKey, RecoveryCode, Slot, SlotKind, Vault};
use serde_json::json;
use zeroize::Zeroizing;

use super::{slot_json, slots_json};
use crate::cli::args::{KeyAddArgs, KeyCommand, KeyRebindArgs, KeyRemoveArgs};
use crate::cli::context::Context;
use crate::cli::keys;
use crate::cli::output::to_stdout;
use crate::cli::page::{Page, Reader};
use crate::cli::passphrase::{self, Occasion};
use crate::cli::prompt::Answer;
use crate::cli::report::Failure;

/// What removing a key does not do.
const NOT_REVOKED: &str =
    "copies of the vault made before still open with the removed key: it is not revoked";

/// Runs one of the commands.
pub(super) fn run(context: &Context, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::List => list(context),
        KeyCommand::Add(args) => add(context, &args),
        KeyCommand::Rebind(args) => rebind(context, &args),
        KeyCommand::Trust(args) => trust::run(context, &args),
        KeyCommand::Remove(args) => remove(context, &args),
        KeyCommand::Rotate(args) => rotate::run(context, &args),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let slots = context.open()?.slots()?;
    if context.output.is_json() {
        return context.output.json(&slots_json(&slots));
    }
    let mut page = Page::new(&context.output);
    add_table(&mut page, &slots);
    page.print()
}

/// Adds the slots to a page.
pub(super) fn add_table(page: &mut Page<'_>, slots: &[Slot]) {
    let reader = page.reader();
    let rows: Vec<_> = slots.iter().map(|slot| row(slot, reader)).collect();
    page.table(&["SLOT", "KIND", "LABEL", "CREATED", "STRENGTH"], &rows);
}

fn row(slot: &Slot, reader: Reader) -> Vec<String> {
    let created_at = slot.created_at.map(|time| reader.time(time));
    vec![
        slot.number.to_string(),
        slot.kind.as_str().to_owned(),
        slot.label.clone().unwrap_or_default(),
        created_at.unwrap_or_default(),
        slot.strength(),
    ]
}

fn add(context: &Context, args: &KeyAddArgs) -> Result<(), Failure> {
    let (key, vault) = if args.kind == "passphrase" {
        let keys = if passphrase::is_new(context, &args.new) {
            keys::at_hand(&context.globals, &context.locations)?
        } else {
            context.keys()?
        };
        // Who cannot open the vault need not think of a passphrase.
        let vault = context.open_with(&keys)?;
        (passphrase::new(context, &args.new, Occasion::Add)?, vault)
    } else {
        args.new.refuse()?;
        let key = keys::new_key(&args.kind, &context.globals, &context.locations)?;
        (key, context.open()?)
    };
    let slot = vault.add_slot(&key, args.label.as_deref())?;
    if slot.kind.is_weak() {
        context.output.warning(&format!("this vault has a key that is {}", slot.strength()));
    }
    if let NewKey::Recovery(code) = &key {
        return show_code(context, &vault, &slot, code);
    }
    context.output.confirm(&added(&slot));
    if context.output.is_json() {
        return context.output.json(&slot_json(&slot));
    }
    Ok(())
}

fn rebind(context: &Context, args: &KeyRebindArgs) -> Result<(), Failure> {
    let name = keys::own_hostname()?;
    let vault = context.open()?;
    let number = hostname_slot(context, &vault.slots()?, args.slot)?;
    let slot = vault.rebind_slot(number, &NewKey::Hostname(name.clone()))?;
    context.output.confirm(&format!("slot {number} is for the host name {name} now"));
    context.output.warning(&format!("this vault has a key that is {}", slot.strength()));
    if context.output.is_json() {
        return context.output.json(&slot_json(&slot));
    }
    Ok(())
}

/// The slot that was named, else the only hostname slot.
fn hostname_slot(context: &Context, slots: &[Slot], named: Option<u32>) -> Result<u32, Failure> {
    let of_kind = slots.iter().filter(|slot| slot.kind == SlotKind::Hostname);
    let numbers: Vec<u32> = of_kind.map(|slot| slot.number).collect();
    match (named, numbers.as_slice()) {
        (Some(slot), _) if slots.iter().all(|other| other.number != slot) => {
            Err(credb::Error::SlotNotFound { slot }.into())
        }
        (Some(slot), numbers) if numbers.contains(&slot) => Ok(slot),
        (Some(slot), _) => Err(Failure::usage(format!("slot {slot} is no hostname slot"))),
        (None, [only]) => Ok(*only),
        (None, []) => Err(Failure::usage("the vault has no hostname slot")
            .with_hint(format!("add one with `{}`", context.hints.command("key add hostname")))),
        (None, numbers) => {
            let listed = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("the vault has several hostname slots: {listed}"))
                .with_hint(format!(
                    "name one: `{}`",
                    context.hints.command(&format!("key rebind {}", numbers[0]))
                )))
        }
    }
}

/// Shows a recovery code, the only time. A code that nobody saw opens nothing.
pub(super) fn show_code(
    context: &Context,
    vault: &Vault,
    slot: &Slot,
    code: &RecoveryCode,
) -> Result<(), Failure> {
    let output = &context.output;
    let code = code.expose();
    let text = Zeroizing::new(if output.is_json() {
        let mut value = slot_json(slot);
        value["code"] = code.as_str().into();
        output.json_text(&value)
    } else {
        format!("{}\n", code.as_str())
    });
    if let Err(failure) = to_stdout(text.as_bytes()) {
        vault.remove_slot(slot.number)?;
        let Failure::Output(source) = failure else { return Err(failure) };
        let path = "the recovery code (its slot was removed again)".into();
        return Err(credb::Error::Io { action: "write", path, source }.into());
    }
    output.confirm(&added(slot));
    output.note("write the code down and keep it elsewhere: it is not shown again");
    Ok(())
}

fn added(slot: &Slot) -> String {
    format!("added slot {} ({})", slot.number, slot.kind.as_str())
}

fn remove(context: &Context, args: &KeyRemoveArgs) -> Result<(), Failure> {
    let prompt = context.prompt();
    if !args.force && prompt.is_none() {
        let command = context.hints.command(&format!("key remove {} --force", args.slot));
        return Err(Failure::usage("removing a key asks first, and nobody can be asked")
            .with_hint(format!("without asking: `{command}`")));
    }
    let vault = context.open()?;
    if let Some(prompt) = prompt.filter(|_| !args.force) {
        let slots = vault.slots()?;
        let slot = slots
            .iter()
            .find(|slot| slot.number == args.slot)
            .ok_or(credb::Error::SlotNotFound { slot: args.slot })?;
        let label = slot.label.as_ref().map(|label| format!(" \"{label}\"")).unwrap_or_default();
        let question = format!("Remove slot {}, a {} key{label}?", slot.number, slot.kind.as_str());
        if prompt.confirm(&question, Answer::No)? == Answer::No {
            return Err(Failure::Cancelled);
        }
    }
    vault.remove_slot(args.slot)?;
    context.output.confirm(&format!("removed slot {}", args.slot));
    context.output.warning(NOT_REVOKED);
    if context.output.is_json() {
        return context.output.json(&json!({"removed": args.slot}));
    }
    Ok(())
}
