//! The terminal program itself on some of the images: its exit codes and what it prints.

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
                    outcome.check(command.is_right(&outcome, &known, image), &say("a wrong value"));
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

#[derive(Debug, Clone, Copy)]
enum Command {
    Get,
    List,
    Set,
    Remove,
}

impl Command {
    const ALL: [Self; 4] = [Self::Get, Self::List, Self::Set, Self::Remove];

    fn call(self, sandbox: &Sandbox, known: &Known) -> Call {
        let first = known.last.keys().next().expect("a name");
        let call = sandbox.credb(["--hostname", HOST, "--wait", "5"]);
        match self {
            Self::Get => call.args(["get", first, "--field", "password", "--raw"]),
            Self::List => call.args(["list", "--ids"]),
            Self::Set => call.args(["set", "new", "--password-stdin", "--json"]).stdin("pw"),
            Self::Remove => call.args(["remove", first, "--force"]),
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
            Self::Set => outcome.json()["version"] == 1,
            Self::Remove => outcome.bytes().is_empty(),
        }
    }
}
