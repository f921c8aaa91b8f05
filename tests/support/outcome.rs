//! What a call came to, and checks of it. A check that fails shows the command, its exit code and
//! both streams, so that a failure can be understood without running it again.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

/// A call that has ended.
pub(crate) struct Outcome {
    command: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
    taken: Duration,
}

impl Outcome {
    pub(super) fn new(
        command: String,
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
        taken: Duration,
    ) -> Self {
        let stderr = String::from_utf8(stderr)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Self { command, status, stdout, stderr, taken }
    }

    /// It ended with this code, and did not panic.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        self.check(self.status.code() == Some(code), &format!("exit code {code} was expected"));
        self.check(!self.stderr.contains("panicked"), "the program panicked");
        self
    }

    /// It ended with 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// It failed with this code as every error does: nothing on stdout; on stderr one line
    /// `error: …`, in lower case, without a final stop.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        let outcome = self.code(code).stdout("");
        let errors: Vec<&str> = outcome.lines_after("error: ").collect();
        outcome.check(errors.len() == 1, "one line of stderr should start with `error: `");
        let shape = !errors[0].ends_with('.')
            && !errors[0].starts_with("error")
            && !starts_like_a_sentence(errors[0]);
        outcome.check(shape, "an error is lower case, without a final stop, said once");
        outcome
    }

    /// It failed with this code and with this error object on stderr, alone.
    #[track_caller]
    pub(crate) fn fails_json(self, code: i32, name: &str) -> Self {
        let outcome = self.code(code).stdout("");
        let error = outcome.error_json();
        outcome.check(error["code"] == name, &format!("the JSON code {name} was expected"));
        let message = error["message"].as_str().unwrap_or_default();
        outcome.check(!message.is_empty(), "the error should have a message");
        outcome
    }

    /// Stdout is exactly this.
    #[track_caller]
    pub(crate) fn stdout(self, expected: impl AsRef<[u8]>) -> Self {
        let expected = expected.as_ref();
        let text = String::from_utf8_lossy(expected);
        self.check(self.stdout == expected, &format!("stdout should be {text:?}"));
        self
    }

    /// Stdout contains this.
    #[track_caller]
    pub(crate) fn stdout_has(self, part: &str) -> Self {
        let found = String::from_utf8_lossy(&self.stdout).contains(part);
        self.check(found, &format!("stdout should contain {part:?}"));
        self
    }

    /// Neither stream contains this.
    #[track_caller]
    pub(crate) fn hides(self, secret: &str) -> Self {
        let stdout = String::from_utf8_lossy(&self.stdout).contains(secret);
        self.check(!stdout, &format!("stdout should not contain {secret:?}"));
        self.stderr_lacks(secret)
    }

    /// Nothing on stderr.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        self.check(self.stderr.is_empty(), "stderr should be empty");
        self
    }

    /// Stderr contains this.
    #[track_caller]
    pub(crate) fn stderr_has(self, part: &str) -> Self {
        self.check(self.stderr.contains(part), &format!("stderr should contain {part:?}"));
        self
    }

    /// Stderr does not contain this.
    #[track_caller]
    pub(crate) fn stderr_lacks(self, part: &str) -> Self {
        self.check(!self.stderr.contains(part), &format!("stderr should not contain {part:?}"));
        self
    }

    /// A `hint: …` line contains this.
    #[track_caller]
    pub(crate) fn hints(self, part: &str) -> Self {
        let found = self.lines_after("hint: ").any(|hint| hint.contains(part));
        self.check(found, &format!("a hint should contain {part:?}"));
        self
    }

    /// All hints.
    pub(crate) fn hint_lines(&self) -> Vec<String> {
        self.lines_after("hint: ").map(str::to_owned).collect()
    }

    /// Stdout as text.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        self.check(std::str::from_utf8(&self.stdout).is_ok(), "stdout should be UTF-8");
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stdout as it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Stdout as lines.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Stderr as text.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.stdout);
        self.check(parsed.is_ok(), "stdout should be one JSON document");
        parsed.unwrap_or_default()
    }

    /// The error object on stderr, which must be all there is but for warnings before it. Exactly
    /// its keys may occur.
    #[track_caller]
    pub(crate) fn error_json(&self) -> Value {
        let warnings = self.stderr.lines().take_while(|line| line.starts_with("warning: "));
        let lines: Vec<&str> = self.stderr.lines().skip(warnings.count()).collect();
        let parsed: Value = serde_json::from_str(&lines.concat()).unwrap_or_default();
        let error = parsed["error"].clone();
        let keys: Vec<&str> = error
            .as_object()
            .map(|map| map.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let shape = keys.iter().all(|key| ["code", "hint", "message"].contains(key))
            && keys.contains(&"code")
            && parsed.as_object().is_some_and(|map| map.len() == 1);
        self.check(shape, "stderr should be one JSON document with an error");
        error
    }

    /// The exit code; none after a signal.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// How long it ran.
    pub(crate) fn taken(&self) -> Duration {
        self.taken
    }

    /// Fails the test, showing all of this call, unless `holds`.
    #[track_caller]
    pub(crate) fn check(&self, holds: bool, message: &str) {
        assert!(holds, "{message}\n{self}");
    }

    fn lines_after<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.stderr.lines().filter_map(move |line| line.strip_prefix(start))
    }
}

/// Whether the text starts with a capital letter that is not that of a name in capitals.
fn starts_like_a_sentence(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "$ {}", self.command)?;
        writeln!(formatter, "{} after {:?}", self.status, self.taken)?;
        writeln!(formatter, "--- stdout\n{}", String::from_utf8_lossy(&self.stdout))?;
        write!(formatter, "--- stderr\n{}", self.stderr)
    }
}
