//! How the terminal takes what is typed.

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Whether a typed line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// The terminal's mode during a question; the former one comes back at the end.
pub(super) struct Mode {
    former: Termios,
    asking: Termios,
}

impl Mode {
    pub(super) fn enter(echo: Echo) -> rustix::io::Result<Self> {
        let former = tcgetattr(stdin())?;
        let mut asking = former.clone();
        // Whole lines, editable, and Ctrl-C as a signal.
        asking.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        asking.local_modes.set(LocalModes::ECHO, echo == Echo::On);
        let mode = Self { former, asking };
        mode.set()?;
        Ok(mode)
    }

    /// Sets it, also once more after a shell had the terminal. What was typed ahead is kept.
    pub(super) fn set(&self) -> rustix::io::Result<()> {
        tcsetattr(stdin(), OptionalActions::Now, &self.asking)
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.former);
    }
}
