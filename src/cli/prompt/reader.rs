//! The line that is typed.

use std::io;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use rustix::stdio::stdin;
use zeroize::Zeroizing;

/// How much is read at once; a terminal gives one line, of less than this, at a time.
const LINE: usize = 4_096;

/// Reads a line in a thread of its own.
///
/// A terminal drops a line that was not read yet when Ctrl-C or Ctrl-Z comes, even after it told
/// of the line: a read may always wait, and who looks for signals must not. After a signal to end
/// the reader is left behind; it goes with the program.
pub(super) struct Reader {
    thread: JoinHandle<io::Result<Option<Zeroizing<Vec<u8>>>>>,
    /// Hangs up when the thread is done.
    pub(super) done: UnixStream,
}

impl Reader {
    pub(super) fn start() -> io::Result<Self> {
        // Made here, since the heap of another thread is not kept out of swap.
        let buffer = Zeroizing::new(vec![0; 2 * LINE]);
        let (done, end) = UnixStream::pair()?;
        let thread = thread::Builder::new().name("prompt".to_owned()).spawn(move || {
            let line = read_line(buffer);
            drop(end);
            line
        })?;
        Ok(Self { thread, done })
    }

    /// What was read, none at the end of input; to be called when the thread is done.
    pub(super) fn line(self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.thread.join().map_err(|_| io::Error::other("the reader failed"))?
    }
}

/// A line from stdin without its end, none at the end of input. `buffer` is all that it may take.
fn read_line(mut buffer: Zeroizing<Vec<u8>>) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut filled = 0;
    loop {
        let count = match rustix::io::read(stdin(), &mut buffer[filled..]) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            // The terminal hung up.
            Err(rustix::io::Errno::IO) => 0,
            Err(error) => return Err(error.into()),
        };
        let read = &buffer[filled..filled + count];
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            buffer.truncate(filled + end);
            return Ok(Some(buffer));
        }
        filled += count;
        if count == 0 {
            buffer.truncate(filled);
            return Ok((filled > 0).then_some(buffer));
        }
        if filled > LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the line is too long"));
        }
    }
}
