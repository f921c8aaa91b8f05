//! Passphrases: the one that opens a vault, asked for when nothing else opens it, and new ones.

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;

use credb::{Attempt, Error, KdfCost, KeySource, LockedVault, NewKey, Passphrase, Secret, Vault};
use zxcvbn::Score;

use super::args::NewKeyArgs;
use super::context::Context;
use super::globals::{OnlyKey, Origin, descriptor};
use super::prompt::Prompt;
use super::report::Failure;

/// How often a wrong passphrase may be typed before giving up.
const TRIES: usize = 3;

/// What a new passphrase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A vault that is made: there is nothing to unlock with a passphrase that is given.
    Init,
    /// A vault that is there.
    Add,
}

/// The source of the passphrase in this file. A pipe is read now, since it can be read once.
pub(crate) fn source(path: &Path) -> Result<KeySource, Failure> {
    if path.is_file() {
        return Ok(KeySource::PassphraseFile(path.to_owned()));
    }
    Ok(KeySource::Passphrase(read(path)?))
}

/// Unlocks a vault that no other key opened with a passphrase that is asked for. No lock is held
/// meanwhile. An empty answer gives up.
pub(crate) fn ask(prompt: Prompt, locked: &LockedVault, failed: Error) -> Result<Vault, Failure> {
    let Error::Locked { path, mut attempts } = failed else { return Err(failed.into()) };
    let question = format!("Passphrase of {}", locked.path().display());
    for left in (0..TRIES).rev() {
        let typed = prompt.secret(&question)?;
        if typed.is_empty() {
            break;
        }
        let reason = match passphrase(&typed) {
            Err(error) => super::report::with_causes(&error),
            Ok(passphrase) => match locked.unlock(&[KeySource::Passphrase(passphrase)]) {
                Err(Error::Locked { attempts: tried, .. }) => {
                    replace(&mut attempts, tried);
                    "no slot opens with that".to_owned()
                }
                opened => return Ok(opened?),
            },
        };
        if left > 0 {
            prompt.tell(&format!("{reason}, so again (an empty one gives up)"));
        }
    }
    Err(Error::Locked { path, attempts }.into())
}

/// The last attempt on a slot takes the place of those before.
fn replace(attempts: &mut Vec<Attempt>, tried: Vec<Attempt>) {
    for attempt in tried.into_iter().filter(|attempt| attempt.key == "passphrase") {
        attempts.retain(|earlier| earlier.slot != attempt.slot);
        attempts.push(attempt);
    }
}

/// Whether the passphrase given on the command line is the new one, and no key to try.
pub(crate) fn is_new(context: &Context, args: &NewKeyArgs) -> bool {
    !args.is_given() && matches!(context.globals.key, Some(OnlyKey::Passphrase(_, Origin::Flag)))
}

/// A new passphrase from where it was said to be, else from the terminal, twice. Warns of a weak
/// one.
pub(crate) fn new(
    context: &Context,
    args: &NewKeyArgs,
    occasion: Occasion,
) -> Result<NewKey, Failure> {
    let cost = args.kdf_cost.as_deref().map_or(Ok(KdfCost::default()), cost)?;
    let given = args.new_passphrase_file.clone();
    let given = given.or_else(|| args.new_passphrase_fd.map(descriptor));
    let given = given.or_else(|| match &context.globals.key {
        Some(OnlyKey::Passphrase(path, origin))
            if *origin == Origin::Flag || occasion == Occasion::Init =>
        {
            Some(path.clone())
        }
        _ => None,
    });
    let passphrase = match given {
        Some(path) => read(&path)?,
        None => typed(context)?,
    };
    warn_of_weakness(context, &passphrase);
    if cost.memory_mib() < KdfCost::default().memory_mib() {
        context.output.warning(&format!(
            "a guess at this passphrase costs {} MiB, less than the usual {}",
            cost.memory_mib(),
            KdfCost::default().memory_mib()
        ));
    }
    Ok(NewKey::Passphrase(passphrase, cost))
}

fn typed(context: &Context) -> Result<Passphrase, Failure> {
    let prompt = context.prompt().ok_or_else(|| {
        Failure::usage("a new passphrase would have to be asked for, and nobody can be asked")
            .with_hint(
                "name a file with --new-passphrase-file or a descriptor with \
                        --new-passphrase-fd",
            )
    })?;
    Ok(passphrase(&prompt.new_secret("New passphrase")?)?)
}

fn passphrase(typed: &Secret) -> credb::Result<Passphrase> {
    Passphrase::from_bytes(typed.expose())
}

fn read(path: &Path) -> Result<Passphrase, Failure> {
    // What is typed there would be shown.
    if File::open(path).is_ok_and(|file| file.is_terminal()) {
        return Err(Failure::usage(format!(
            "{} is a terminal: without --passphrase-file and --passphrase-fd you are asked",
            path.display()
        )));
    }
    Ok(Passphrase::read(path)?)
}

/// `MIB,PASSES`.
fn cost(text: &str) -> Result<KdfCost, Failure> {
    let numbers = text.split_once(',').and_then(|(memory, passes)| {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (plain(memory) && plain(passes))
            .then(|| Some((memory.parse().ok()?, passes.parse().ok()?)))
            .flatten()
    });
    let cost = numbers.and_then(|(memory, passes)| KdfCost::new(memory, passes).ok());
    cost.ok_or_else(|| {
        Failure::usage(
            "the value of --kdf-cost must be MIB,PASSES: 8 to 2048 MiB and 1 to 64 passes, \
             multiplied at most 16384",
        )
    })
}

fn warn_of_weakness(context: &Context, passphrase: &Passphrase) {
    let estimate = zxcvbn::zxcvbn(passphrase.expose(), &[]);
    if estimate.score() >= Score::Three {
        return;
    }
    let guesses = estimate.guesses_log10().max(0.0).ceil();
    context.output.warning(&format!(
        "this passphrase is weak: some 10^{guesses} guesses find it. Six random words are strong: \
         `credb generate --words 6`"
    ));
}

impl NewKeyArgs {
    /// Whether the new passphrase is named by an option of its own.
    fn is_given(&self) -> bool {
        self.new_passphrase_file.is_some() || self.new_passphrase_fd.is_some()
    }

    /// Refuses what says something about a passphrase where none is made.
    pub(crate) fn refuse(&self) -> Result<(), Failure> {
        let given: Option<&str> = if self.is_given() {
            Some("--new-passphrase-file and --new-passphrase-fd are")
        } else {
            self.kdf_cost.as_ref().map(|_| "--kdf-cost is")
        };
        given.map_or(Ok(()), |given| {
            Err(Failure::usage(format!("{given} for a key of the kind passphrase")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_memory_and_passes() {
        let parsed = cost("64,3").ok().unwrap();
        assert_eq!(parsed, KdfCost::default());
        assert_eq!(cost("8,1").ok(), KdfCost::new(8, 1).ok());
        for wrong in
            ["", "64", "64,", ",3", "64;3", "+64,3", "7,1", "8,0", "4096,1", "99999999999,1"]
        {
            assert!(cost(wrong).is_err(), "{wrong}");
        }
    }
}
