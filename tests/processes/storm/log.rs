//! The log of a storm: lines of JSON that all processes append to one file.
//!
//! `begin` and `end` of a call, and `died` for a process: what it had begun then has no answer.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::worker::PAIR;
use crate::history::{Answer, Call, Event};

pub(super) const NAME: &str = "log";

/// Appends the lines of one process.
pub(super) struct Writer {
    file: File,
    process: String,
    calls: Cell<u64>,
}

impl Writer {
    pub(super) fn open(dir: &Path, process: &str) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(dir.join(NAME));
        Self { file: file.expect("open the log"), process: process.to_owned(), calls: Cell::new(0) }
    }

    /// One write for a line: appended whole, and there even if this process is killed next.
    fn line(&self, line: &Value) {
        (&self.file).write_all(format!("{line}\n").as_bytes()).expect("write the log");
    }

    /// A process is dead, and cannot have done anything after this line.
    pub(super) fn died(&self, process: &str) {
        self.line(&json!({"died": process}));
    }

    /// Something that must not happen.
    pub(super) fn failed(&self, what: &str) {
        self.line(&json!({"failed": format!("{}: {what}", self.process)}));
    }

    /// Where a restore keeps what it replaced.
    pub(super) fn keeps(&self, path: &Path) {
        self.line(&json!({"kept": path}));
    }

    /// A rotation came to its end.
    pub(super) fn rotated(&self, epoch: u32) {
        self.line(&json!({"rotated": epoch}));
    }

    /// Logs that a call begins.
    pub(super) fn begin(&self, ids: &[&str], call: &Call) -> String {
        self.calls.set(self.calls.get() + 1);
        let name = format!("{}.{}", self.process, self.calls.get());
        self.line(
            &json!({"begin": name, "process": self.process, "ids": ids, "call": to_json(call)}),
        );
        name
    }

    /// Logs its answers, by id; those that are missing are unknown.
    pub(super) fn end(&self, call: &str, answers: &[(&str, Answer)]) {
        let answers: BTreeMap<_, _> =
            answers.iter().map(|(id, answer)| (*id, answer_to_json(answer))).collect();
        self.line(&json!({"end": call, "answers": answers}));
    }
}

/// The whole log.
pub(super) struct Log(Vec<Value>);

impl Log {
    pub(super) fn read(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join(NAME)).expect("read the log");
        Self(text.lines().filter_map(whole).collect())
    }

    /// What concerns one id.
    pub(super) fn history(&self, id: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let mut open: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (number, line) in self.0.iter().enumerate() {
            if let Some(name) = line["begin"].as_str() {
                let ids = line["ids"].as_array().expect("ids");
                if ids.iter().any(|own| own == id) {
                    let process = line["process"].as_str().expect("a process");
                    open.insert(name, (number, process));
                    events.push(Event::Begin(number, from_json(&line["call"])));
                }
            } else if let Some(name) = line["end"].as_str() {
                if let Some((call, _)) = open.remove(name) {
                    events.push(Event::End(call, answer_from_json(&line["answers"][id])));
                }
            } else if let Some(dead) = line["died"].as_str() {
                open.retain(|_, (call, process)| {
                    let died = *process == dead;
                    if died {
                        events.push(Event::End(*call, None));
                    }
                    !died
                });
            }
        }
        events
    }

    pub(super) fn failures(&self) -> Vec<&str> {
        self.0.iter().filter_map(|line| line["failed"].as_str()).collect()
    }

    /// Where acknowledged restores kept what was there.
    pub(super) fn kept(&self) -> Vec<PathBuf> {
        self.0.iter().filter_map(|line| line["kept"].as_str().map(PathBuf::from)).collect()
    }

    /// The number of rotations that came to their end.
    pub(super) fn rotations(&self) -> usize {
        self.0.iter().filter(|line| line["rotated"].is_number()).count()
    }

    /// The number of calls that were answered.
    pub(super) fn acknowledged(&self) -> usize {
        self.0.iter().filter(|line| line["end"].is_string()).count()
    }

    /// In a line.
    pub(super) fn summary(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.0.iter().filter(|line| line["begin"].is_string()) {
            let call = line["call"][0].as_str().expect("a call").to_owned();
            *counts.entry(call).or_default() += 1;
        }
        let begun: usize = counts.values().sum();
        let (answered, restores) = (self.acknowledged(), self.kept().len());
        let rotations = self.rotations();
        format!(
            "{begun} calls, {answered} answered, {restores} restores kept a file, \
             {rotations} rotations done: {counts:?}"
        )
    }

    /// Without a restore, each version of an id was given to one caller, and none was left out but
    /// for those of callers that were killed.
    pub(super) fn versions_are_dense_and_unique(&self) {
        if self.0.iter().any(|line| line["call"][0] == "restore") {
            return;
        }
        let mut versions: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let mut unknown: BTreeMap<&str, u64> = BTreeMap::new();
        let answered: BTreeMap<&str, &Value> = self
            .0
            .iter()
            .filter_map(|line| Some((line["end"].as_str()?, &line["answers"])))
            .collect();
        for line in self.0.iter().filter(|line| line["begin"].is_string()) {
            if !["set", "set if"].contains(&line["call"][0].as_str().unwrap_or_default()) {
                continue;
            }
            let answers = answered.get(line["begin"].as_str().expect("a name"));
            for id in line["ids"].as_array().expect("ids") {
                let id = id.as_str().expect("an id");
                match answers.and_then(|answers| answer_from_json(&answers[id])) {
                    Some(Answer::Stored(version)) => {
                        let first = versions.entry(id).or_default().insert(version);
                        assert!(first, "version {version} of \"{id}\" was given twice");
                    }
                    Some(_) => {}
                    None => *unknown.entry(id).or_default() += 1,
                }
            }
        }
        for (id, versions) in versions {
            let last = versions.last().copied().unwrap_or_default();
            let missing = last - versions.len() as u64;
            let killed = unknown.get(id).copied().unwrap_or_default();
            assert!(
                missing <= killed,
                "{missing} versions of \"{id}\" are nobody's, {killed} died"
            );
        }
    }

    /// Two ids that are only ever changed together are read at the same version.
    pub(super) fn pairs_agree(&self) {
        let mut pairs = 0;
        for answers in self.0.iter().map(|line| &line["answers"]) {
            let [left, right] = PAIR.map(|id| answer_from_json(&answers[id]));
            if let (Some(left), Some(right)) = (left, right) {
                assert_eq!(left, right, "half of a transaction was seen");
                pairs += 1;
            }
        }
        assert!(pairs > 0, "no pair was read");
    }
}

/// What a line says after what a killed process began to write, which stands before it, if
/// anything: the kernel breaks a write off at a page. What is cut off was no call yet, or no answer.
fn whole(line: &str) -> Option<Value> {
    line.match_indices("{\"").find_map(|(at, _)| serde_json::from_str(&line[at..]).ok())
}

#[test]
fn a_line_that_was_broken_off_is_none() {
    let end = r#"{"end":"p1.2","answers":{"a":["absent"]}}"#;
    for broken in ["", "{", r#"{"begin":"p1.3","ids":["a"#, &end[..30]] {
        assert_eq!(whole(&format!("{broken}{end}")), serde_json::from_str(end).ok(), "{broken}");
        assert_eq!(whole(broken), None, "{broken}");
    }
}

fn to_json(call: &Call) -> Value {
    match call {
        Call::Set(value) => json!(["set", value]),
        Call::SetIf(version, value) => json!(["set if", version, value]),
        Call::Remove => json!(["remove"]),
        Call::Read => json!(["read"]),
        Call::Save(number) => json!(["save", number]),
        Call::Restore(number) => json!(["restore", number]),
        Call::ReadKept(number) => json!(["read kept", number]),
    }
}

fn from_json(call: &Value) -> Call {
    let text = |at: usize| call[at].as_str().expect("text").to_owned();
    let number = || u32::try_from(call[1].as_u64().expect("a number")).expect("a number");
    match text(0).as_str() {
        "set" => Call::Set(text(1)),
        "set if" => Call::SetIf(call[1].as_u64().expect("a version"), text(2)),
        "remove" => Call::Remove,
        "read" => Call::Read,
        "save" => Call::Save(number()),
        "restore" => Call::Restore(number()),
        "read kept" => Call::ReadKept(number()),
        other => panic!("no call: {other}"),
    }
}

fn answer_to_json(answer: &Answer) -> Value {
    match answer {
        Answer::Stored(version) => json!(["stored", version]),
        Answer::Refused(version) => json!(["refused", version]),
        Answer::Done => json!(["done"]),
        Answer::Absent => json!(["absent"]),
        Answer::Found(version, value) => json!(["found", version, value]),
    }
}

fn answer_from_json(answer: &Value) -> Option<Answer> {
    let version = || answer[1].as_u64().expect("a version");
    Some(match answer[0].as_str()? {
        "stored" => Answer::Stored(version()),
        "refused" => Answer::Refused(version()),
        "done" => Answer::Done,
        "absent" => Answer::Absent,
        "found" => Answer::Found(version(), answer[2].as_str().map(str::to_owned)),
        other => panic!("no answer: {other}"),
    })
}
