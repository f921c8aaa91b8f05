//! The terminal program itself on some of the images: its exit codes and what it prints.

use std::collections::BTreeSet;
use std::fs;

use crate::image::{Image, PAGE};
use crate::support::{Call, Outcome, Random, Sandbox};
use crate::sweep::{report, scale};
use crate::vault::{HOST, Known, make};

/// How many images.
const SAMPLE: usize = 60;

/// Pages of the header as a reader and a writer need it, at which the engine gives up or repairs.
const ALWAYS: [Image; 8] = [
    Image::Flipped(0, 1),
    Image::Flipped(9, 2),
    Image::Flipped(9, 4),
    Image::Flipped(12, 0xff),
    Image::Flipped(24, 0xff),
    Image::Cut(0),
    Image::Cut(320),
    Image::Zeroed(0),
];

#[test]
fn the_program_tells_of_damage_with_its_code_and_dies_of_no_signal() {
    let (mut random, seed) = Random::from_environment("CREDB_DAMAGE_SEED");
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("data/credb")).unwrap();
    make(&sandbox.vault()).unwrap();
    let good = sandbox.vault_bytes();
    let known = Known::new();
    let all = Image::all(good.len(), seed, 1);
    let sample = (0..SAMPLE * scale().min(50)).map(|_| *random.pick(&all));
    let (mut right, mut damaged) = (0, 0);
    for image in ALWAYS.into_iter().chain(sample) {
        for command in Command::ALL {
            fs::write(sandbox.vault(), image.of(&good)).unwrap();
            let outcome = command.call(&sandbox, &known).run();
            let say = |message: &str| format!("{message}: {image:?} (seed {seed})");
            match outcome.exit_code() {
                Some(0) => {
                    let is_right = command.is_right(&outcome, &known, image)
                        && command.leaves_right(&sandbox, &known, image);
                    outcome.check(is_right, &say("a wrong value"));
                    right += 1;
                }
                Some(6) => {
                    outcome.check(outcome.bytes().is_empty(), &say("an error and output"));
                    outcome.check(outcome.stderr().contains("error"), &say("no message"));
                    damaged += 1;
                }
                // The slot of this key is damaged, and the message says so.
                Some(5) => outcome.check(outcome.stderr().contains("damaged"), &say("locked")),
                _ => outcome.check(false, &say("right or damaged was expected")),
            }
        }
    }
    assert!(right > 0 && damaged > 0, "the sample shows nothing: {right} right, {damaged} damaged");
    report(&format!("{right} commands answered right, {damaged} told of damage"));
}

/// Each leaf page in turn becomes a branch whose children claim to be pages of 4 GiB. Without the
/// limit of the program's allocator these calls end by a signal, since the memory is not there.
#[test]
fn no_page_number_makes_the_program_ask_for_memory_that_is_not_there() {
    const LEAF: u8 = 1;
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("data/credb")).unwrap();
    make(&sandbox.vault()).unwrap();
    let good = sandbox.vault_bytes();
    let known = Known::new();
    let leaves = (0..good.len()).step_by(PAGE).filter(|page| good[*page] == LEAF);
    let mut damaged = 0;
    for page in leaves {
        let mut image = good.clone();
        image[page..page + HUGE_BRANCH.len()].copy_from_slice(&HUGE_BRANCH);
        for command in Command::ALL {
            fs::write(sandbox.vault(), &image).unwrap();
            let outcome = command.call(&sandbox, &known).address_space(1 << 30).run();
            let code = outcome.exit_code();
            outcome.check(matches!(code, Some(0 | 5 | 6)), &format!("page {page} ended it"));
            damaged += usize::from(code == Some(6));
        }
    }
    assert!(damaged > 0, "no page was read");
}

/// A branch page of redb with one key, of one byte: kind, number of keys, checksums and numbers of
/// two children, end of the key, key. The highest five bits of a page's number are its order.
const HUGE_BRANCH: [u8; 61] = {
    const ORDER: u8 = 20;
    let mut page = [0; 61];
    page[0] = 2;
    page[2] = 1;
    page[47] = ORDER << 3;
    page[55] = ORDER << 3;
    page[56] = 61;
    page
};

/// What a credential is renamed to.
const MOVED: &str = "moved";

fn credb(sandbox: &Sandbox) -> Call {
    sandbox.credb(["--hostname", HOST, "--wait", "5"])
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Get,
    List,
    History,
    Set,
    Rename,
    Remove,
    Compact,
    RotateKeys,
}

impl Command {
    const ALL: [Self; 8] = [
        Self::Get,
        Self::List,
        Self::History,
        Self::Set,
        Self::Rename,
        Self::Remove,
        Self::Compact,
        Self::RotateKeys,
    ];

    fn call(self, sandbox: &Sandbox, known: &Known) -> Call {
        let first = known.last.keys().next().expect("a name");
        let call = credb(sandbox);
        match self {
            Self::Get => call.args(["get", first, "--field", "password", "--raw"]),
            Self::List => call.args(["list", "--ids"]),
            Self::History => call.args(["history", first, "--json"]),
            Self::Set => call.args(["set", "new", "--password-stdin", "--json"]).stdin("pw"),
            Self::Rename => call.args(["rename", first, MOVED, "--json"]),
            Self::Remove => call.args(["remove", first, "--force"]),
            Self::Compact => call.args(["compact"]),
            Self::RotateKeys => call.args(["key", "rotate"]),
        }
    }

    /// Whether the output is what it must be.
    fn is_right(self, outcome: &Outcome, known: &Known, image: Image) -> bool {
        let first = known.last.keys().next().expect("a name");
        let earlier = image.may_replay() || image.may_serve_the_commit_before();
        match self {
            Self::Get => {
                outcome.bytes() == known.last[first].1
                    || earlier && outcome.bytes() == known.before[first].1
            }
            Self::List => outcome.lines().iter().eq(known.last.keys()),
            Self::History => {
                let json = outcome.json();
                let versions = json.as_array().expect("versions").iter();
                let versions: Vec<_> = versions.map(|one| one["version"].as_u64()).collect();
                let last = known.last[first].0;
                let all = |last: u64| (1..last).rev().map(Some).collect::<Vec<_>>();
                versions == all(last) || earlier && versions == all(last - 1)
            }
            Self::Set => outcome.json()["version"] == 1,
            Self::Rename => {
                let version = outcome.json()["version"].as_u64();
                let last = known.last[first].0;
                version == Some(last + 1) || earlier && version == Some(last)
            }
            Self::Remove | Self::Compact | Self::RotateKeys => outcome.bytes().is_empty(),
        }
    }

    /// Whether there is in the vault what must be in it after the command, or an error that says
    /// that it is damaged.
    fn leaves_right(self, sandbox: &Sandbox, known: &Known, image: Image) -> bool {
        let mut names: BTreeSet<&str> = known.last.keys().map(String::as_str).collect();
        let first = known.last.keys().next().expect("a name");
        let mut id = Some(first.as_str());
        match self {
            Self::Get | Self::List | Self::History => return true,
            Self::Set => names.extend(["new"]),
            Self::Rename | Self::Remove => {
                names.remove(first.as_str());
                id = matches!(self, Self::Rename).then_some(MOVED);
                names.extend(id);
            }
            Self::Compact | Self::RotateKeys => {}
        }
        let list = credb(sandbox).args(["list", "--ids"]).run();
        let is_listed = match list.exit_code() {
            Some(0) => list.lines().iter().map(String::as_str).eq(names),
            // A copy is verified before it takes the place of the vault.
            code => code == Some(6) && !matches!(self, Self::Compact | Self::RotateKeys),
        };
        let Some(id) = id else { return is_listed };
        let get = credb(sandbox).args(["get", id, "--field", "password", "--raw"]).run();
        let earlier = image.may_replay() || image.may_serve_the_commit_before();
        let is_read = match get.exit_code() {
            Some(0) => {
                get.bytes() == known.last[first].1
                    || earlier && get.bytes() == known.before[first].1
            }
            code => code == Some(6) && !matches!(self, Self::Compact | Self::RotateKeys),
        };
        is_listed && is_read
    }
}
