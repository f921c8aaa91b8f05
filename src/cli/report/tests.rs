//! Exit codes and messages of failures.

use std::time::Duration;

use super::*;

#[test]
fn a_cause_is_told_once_in_lower_case_and_without_its_number() {
    let error =
        Error::Io { action: "open", path: "/x".into(), source: io::Error::from_raw_os_error(13) };
    assert_eq!(with_causes(&error), "cannot open /x: permission denied");
}

#[test]
fn failures_of_run_are_not_taken_for_the_commands() {
    let missing = Failure::NotStarted { error: Error::Poisoned, code: 127 };
    for (failure, code) in
        [(Failure::usage("x"), 125), (Error::Poisoned.into(), 125), (missing, 127)]
    {
        assert_eq!(Codes::OfCommand.of(&failure), code);
    }
    assert_eq!(Codes::Own.of(&Failure::usage("x")), 2);
    let closed = Failure::Output(io::ErrorKind::BrokenPipe.into());
    assert_eq!(Codes::OfCommand.of(&closed), 0);
}

#[test]
fn a_failure_after_lines_is_that_failure_and_tells_which_are_stored() {
    let busy = || Failure::from(Error::Busy { path: "/v".into(), waited: Duration::ZERO });
    let (later, hints) = (busy().after_lines(20), Hints::default());
    assert_eq!((later.exit_code(), later.json_code()), (7, "busy"));
    let expected = format!("{}; the lines up to line 20 are stored", busy().message());
    assert_eq!(later.message(), expected);
    // Not to call it again as it was, as at the first line.
    let hint = later.hint(&hints).unwrap();
    assert_eq!(hint, "go on from line 21 with a longer --wait");
    assert_eq!(busy().after_lines(0).hint(&hints), busy().hint(&hints));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let closed = Failure::Output(io::ErrorKind::BrokenPipe.into());
    assert_eq!(closed.exit_code(), 0);
    assert!(closed.is_silent());
    let full = Failure::Output(io::ErrorKind::StorageFull.into());
    assert_eq!(full.exit_code(), 8);
    assert!(!full.is_silent());
}

#[test]
fn what_fails_is_not_done_because_nobody_reads_it() {
    let closed = || Err(Failure::Output(io::ErrorKind::BrokenPipe.into()));
    let full = || Err(Failure::Output(io::ErrorKind::StorageFull.into()));
    for (failure, code) in [(Failure::Found, 10), (Failure::Weak, 1), (Error::Poisoned.into(), 1)] {
        assert_eq!(failure.beside(closed()).exit_code(), code);
    }
    let partial = || Failure::Partial("1 entry was refused".to_owned());
    assert_eq!(partial().beside(closed()).message(), "1 entry was refused");
    assert_eq!(partial().beside(Ok(())).message(), "1 entry was refused");
    let both = partial().beside(full());
    assert!(both.message().starts_with("1 entry was refused; cannot write"));
    assert_eq!(both.exit_code(), 1);
    assert_eq!(Failure::Weak.beside(full()).exit_code(), 8, "else nobody learns of it");
}
