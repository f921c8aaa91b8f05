//! Whether what processes were told fits some order of their calls: linearizability, checked for
//! one id at a time (Herlihy and Wing, 1990: a history is linearizable if that of each object is).
//!
//! The events are gone through in their order. At each return, the calls that were open may have
//! taken effect in any order up to the one that returns; all states that this can lead to are kept
//! (Lowe, "Testing for linearizability", 2017: just-in-time linearization). Where none is left, the
//! history is impossible. A call whose process was killed takes effect until the next write to the
//! id that began after that has ended, or never: a commit that was killed before it was flushed is
//! served to nobody until the engine's next writer finds it and goes on from it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// What was asked of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Set(String),
    /// On the condition of a version; 0 means that it must not exist.
    SetIf(u64, String),
    Remove,
    Read,
    /// A copy of the vault, under this number.
    Save(u32),
    /// Puts that copy in the place of the vault, which is kept.
    Restore(u32),
    /// Reads what was kept at this restore.
    ReadKept(u32),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is stored at this version.
    Stored(u64),
    /// The condition does not hold: it is at this version, 0 if it does not exist.
    Refused(u64),
    Done,
    /// There is none.
    Absent,
    /// It is there: its version, and its value where that was asked for.
    Found(u64, Option<String>),
}

/// The beginning or the end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Begin(usize, Call),
    /// With no answer if its process was killed or cannot know.
    End(usize, Option<Answer>),
}

/// The last version, and the value if there is one.
type Place = (u64, Option<String>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct State {
    now: Place,
    saved: BTreeMap<u32, Place>,
    kept: BTreeMap<u32, Place>,
}

/// A state that the calls so far can have led to, and which open calls have had their effect.
type Config = (State, BTreeSet<usize>);

/// Where a history becomes impossible.
#[derive(Debug)]
pub(crate) struct Impossible {
    position: usize,
    call: Call,
    answer: Option<Answer>,
    before: Vec<Config>,
}

impl fmt::Display for Impossible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, call, answer, before } = self;
        write!(formatter, "event {position}: {call:?} was answered {answer:?}, but there was ")?;
        formatter.debug_list().entries(before.iter().map(|(state, _)| &state.now)).finish()
    }
}

/// Checks the history of one id.
pub(crate) fn check(events: &[Event]) -> Result<(), Box<Impossible>> {
    let answers: BTreeMap<usize, &Option<Answer>> = events
        .iter()
        .filter_map(|event| match event {
            Event::End(call, answer) => Some((*call, answer)),
            Event::Begin(..) => None,
        })
        .collect();
    let mut calls = Calls { open: BTreeMap::new(), answers, asked: asked_for(events) };
    let mut configs: HashSet<Config> = HashSet::from([Config::default()]);
    // Where calls began, and where those ended that nobody knows the end of.
    let (mut begun, mut lingering) = (BTreeMap::new(), Vec::new());
    for (position, event) in events.iter().enumerate() {
        match event {
            Event::Begin(number, call) => {
                calls.open.insert(*number, call);
                begun.insert(*number, position);
            }
            Event::End(number, None) if calls.open.get(number).is_some_and(|one| one.writes()) => {
                lingering.push((*number, position));
            }
            Event::End(number, answer) => {
                let before: Vec<Config> = configs.iter().cloned().collect();
                let mut after = calls.reach(configs, *number);
                if answer.is_none() {
                    after.extend(before.iter().cloned());
                }
                let call = calls.open.remove(number).cloned().unwrap_or(Call::Read);
                let forget = |config| forget(config, *number, &call, answer.is_some());
                configs = after.into_iter().map(forget).collect();
                if configs.is_empty() {
                    let answer = answer.clone();
                    return Err(Box::new(Impossible { position, call, answer, before }));
                }
                if matches!(answer, Some(Answer::Stored(_) | Answer::Done)) && call.writes() {
                    let is_over = |(_, death): &mut (usize, usize)| begun[number] > *death;
                    for (dead, _) in lingering.extract_if(.., is_over) {
                        let call = calls.open.remove(&dead).cloned().unwrap_or(Call::Read);
                        let gone = |config| self::forget(config, dead, &call, false);
                        configs = configs.into_iter().map(gone).collect();
                    }
                }
            }
        }
    }
    Ok(())
}

/// The configuration without what no later call can ask for.
fn forget((mut state, mut done): Config, number: usize, call: &Call, is_answered: bool) -> Config {
    done.remove(&number);
    match call {
        // Only the process that saved a copy restores it.
        Call::Save(copy) if !is_answered => drop(state.saved.remove(copy)),
        Call::Restore(copy) => drop(state.saved.remove(copy)),
        Call::ReadKept(copy) => drop(state.kept.remove(copy)),
        _ => {}
    }
    (state, done)
}

/// The copies that a call asks for: those that are restored, and those of whose restore what was
/// kept is read. All others would only multiply the states.
fn asked_for(events: &[Event]) -> [BTreeSet<u32>; 2] {
    let begun = |pick: fn(&Call) -> Option<u32>| {
        let calls = events.iter().filter_map(|event| match event {
            Event::Begin(_, call) => pick(call),
            Event::End(..) => None,
        });
        calls.collect()
    };
    [
        begun(|call| if let Call::Restore(number) = call { Some(*number) } else { None }),
        begun(|call| if let Call::ReadKept(number) = call { Some(*number) } else { None }),
    ]
}

/// The calls that are open, and what is known of them.
struct Calls<'a> {
    open: BTreeMap<usize, &'a Call>,
    answers: BTreeMap<usize, &'a Option<Answer>>,
    /// The copies that are restored, and whose restores matter for what they kept.
    asked: [BTreeSet<u32>; 2],
}

impl Calls<'_> {
    /// All configurations in which this call has had its effect, be it after others.
    fn reach(&self, configs: HashSet<Config>, number: usize) -> HashSet<Config> {
        let mut reached = HashSet::new();
        let mut seen: HashSet<Config> = configs.clone();
        let mut waiting: Vec<Config> = configs.into_iter().collect();
        while let Some((state, done)) = waiting.pop() {
            if done.contains(&number) {
                reached.insert((state, done));
                continue;
            }
            for (other, call) in self.open.iter().filter(|(other, _)| !done.contains(other)) {
                let answer = self.answers.get(other).and_then(|answer| answer.as_ref());
                let Some(mut next) = state.after(call, answer) else { continue };
                next.saved.retain(|copy, _| self.asked[0].contains(copy));
                next.kept.retain(|copy, _| self.asked[1].contains(copy));
                let mut done = done.clone();
                done.insert(*other);
                if seen.insert((next.clone(), done.clone())) {
                    waiting.push((next, done));
                }
            }
        }
        reached
    }
}

impl Call {
    /// Whether it is a change in a transaction.
    fn writes(&self) -> bool {
        matches!(self, Self::Set(_) | Self::SetIf(..) | Self::Remove)
    }
}

impl State {
    /// The state after a call, if it can have been answered so; any answer if there is none.
    fn after(&self, call: &Call, answer: Option<&Answer>) -> Option<Self> {
        let (version, value) = &self.now;
        let mut next = self.clone();
        let real = match call {
            Call::SetIf(expected, _) if *expected != value.as_ref().map_or(0, |_| *version) => {
                Answer::Refused(value.as_ref().map_or(0, |_| *version))
            }
            Call::Set(new) | Call::SetIf(_, new) => {
                next.now = (version + 1, Some(new.clone()));
                Answer::Stored(version + 1)
            }
            Call::Remove if value.is_none() => Answer::Absent,
            Call::Remove => {
                next.now.1 = None;
                Answer::Done
            }
            Call::Read => found(&self.now),
            Call::Save(number) => {
                next.saved.insert(*number, self.now.clone());
                Answer::Done
            }
            Call::Restore(number) => {
                next.kept.insert(*number, self.now.clone());
                next.now = self.saved.get(number)?.clone();
                Answer::Done
            }
            Call::ReadKept(number) => found(self.kept.get(number)?),
        };
        let fits = match (answer, &real) {
            (None, _) => true,
            (Some(Answer::Found(version, None)), Answer::Found(real, _)) => version == real,
            (Some(answer), real) => answer == real,
        };
        fits.then_some(next)
    }
}

fn found((version, value): &Place) -> Answer {
    match value {
        Some(value) => Answer::Found(*version, Some(value.clone())),
        None => Answer::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(number: usize, call: Call) -> Event {
        Event::Begin(number, call)
    }

    fn end(number: usize, answer: Answer) -> Event {
        Event::End(number, Some(answer))
    }

    fn set(value: &str) -> Call {
        Call::Set(value.to_owned())
    }

    fn is(version: u64, value: &str) -> Answer {
        Answer::Found(version, Some(value.to_owned()))
    }

    /// One call after the other.
    fn sequence(calls: &[(Call, Answer)]) -> Vec<Event> {
        let pair = |(number, (call, answer)): (usize, &(Call, Answer))| {
            [begin(number, call.clone()), end(number, answer.clone())]
        };
        calls.iter().enumerate().flat_map(pair).collect()
    }

    #[test]
    fn what_one_process_would_see_is_possible() {
        let calls = [
            (Call::Read, Answer::Absent),
            (set("a"), Answer::Stored(1)),
            (Call::Read, is(1, "a")),
            (Call::SetIf(1, "b".into()), Answer::Stored(2)),
            (Call::SetIf(1, "c".into()), Answer::Refused(2)),
            (Call::Read, Answer::Found(2, None)),
            (Call::Remove, Answer::Done),
            (Call::Remove, Answer::Absent),
            (Call::SetIf(0, "d".into()), Answer::Stored(3)),
        ];
        assert!(check(&sequence(&calls)).is_ok());
    }

    #[test]
    fn wrong_answers_are_impossible() {
        let first = (set("a"), Answer::Stored(1));
        for second in [
            (Call::Read, Answer::Absent),
            (Call::Read, is(1, "b")),
            (Call::Read, is(2, "a")),
            (set("b"), Answer::Stored(1)),
            (set("b"), Answer::Stored(3)),
            (Call::SetIf(0, "b".into()), Answer::Stored(2)),
            (Call::SetIf(1, "b".into()), Answer::Refused(1)),
            (Call::Remove, Answer::Absent),
        ] {
            let shown = format!("{second:?}");
            assert!(check(&sequence(&[first.clone(), second])).is_err(), "{shown}");
        }
    }

    #[test]
    fn a_version_that_begins_again_is_impossible() {
        let calls = [
            (set("a"), Answer::Stored(1)),
            (Call::Remove, Answer::Done),
            (set("b"), Answer::Stored(1)),
        ];
        assert!(check(&sequence(&calls)).is_err());
    }

    #[test]
    fn calls_at_the_same_time_may_take_effect_in_either_order() {
        for (left, right) in [(1, 2), (2, 1)] {
            let events = [
                begin(0, set("a")),
                begin(1, set("b")),
                end(0, Answer::Stored(left)),
                end(1, Answer::Stored(right)),
            ];
            assert!(check(&events).is_ok());
        }
        let both_first = [
            begin(0, set("a")),
            begin(1, set("b")),
            end(0, Answer::Stored(1)),
            end(1, Answer::Stored(1)),
        ];
        assert!(check(&both_first).is_err(), "a lost update");
    }

    #[test]
    fn a_read_does_not_go_back_in_time() {
        let during = |first: Answer, second: Answer| {
            [
                begin(0, set("a")),
                begin(1, Call::Read),
                end(1, first),
                begin(2, Call::Read),
                end(2, second),
                end(0, Answer::Stored(1)),
            ]
        };
        assert!(check(&during(Answer::Absent, is(1, "a"))).is_ok());
        assert!(check(&during(is(1, "a"), Answer::Absent)).is_err());
    }

    #[test]
    fn what_a_killed_process_did_is_there_or_not_but_stays_so() {
        let killed = |later: &[(Call, Answer)]| {
            let mut events = vec![begin(0, set("a")), Event::End(0, None)];
            for (number, (call, answer)) in (1..).zip(later) {
                events.extend([begin(number, call.clone()), end(number, answer.clone())]);
            }
            check(&events)
        };
        let read = |answer: Answer| (Call::Read, answer);
        let stored = |version: u64| (set("b"), Answer::Stored(version));
        assert!(killed(&[read(is(1, "a")), read(is(1, "a"))]).is_ok());
        assert!(killed(&[read(Answer::Absent), read(Answer::Absent)]).is_ok());
        assert!(killed(&[read(is(1, "a")), read(Answer::Absent)]).is_err(), "it vanished");
        assert!(killed(&[read(Answer::Absent), stored(2), read(is(2, "b"))]).is_ok());
        assert!(killed(&[read(Answer::Absent), stored(1), read(is(1, "b"))]).is_ok());
        let late = killed(&[stored(1), read(is(1, "b")), read(is(2, "a"))]);
        assert!(late.is_err(), "it came after the next write");
        let late = killed(&[stored(1), (set("c"), Answer::Stored(3))]);
        assert!(late.is_err(), "it came after the next write");
    }

    #[test]
    fn a_restore_brings_back_what_was_saved_and_keeps_what_was_there() {
        let restored = |read: Answer, kept: Answer| {
            check(&sequence(&[
                (set("a"), Answer::Stored(1)),
                (Call::Save(7), Answer::Done),
                (set("b"), Answer::Stored(2)),
                (Call::Restore(7), Answer::Done),
                (Call::Read, read),
                (Call::ReadKept(7), kept),
            ]))
        };
        assert!(restored(is(1, "a"), is(2, "b")).is_ok());
        assert!(restored(is(2, "b"), is(2, "b")).is_err(), "not restored");
        assert!(restored(is(1, "a"), is(1, "a")).is_err(), "an acknowledged change is lost");
    }
}
