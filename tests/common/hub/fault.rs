//! What goes wrong, where, and how often.

use std::sync::Mutex;

/// For ever, or until [`super::Hub::heal`].
pub const ALWAYS: usize = usize::MAX;

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// What is known of repositories and files: `/api/…`, and HEAD of a file.
    Metadata,
    /// GET of a file at the hub, which leads on to its bytes.
    Resolve,
    /// The answer that has the bytes, wherever it comes from.
    Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// A status with a page of HTML.
    Status(u16),
    /// A status with `Retry-After`: seconds, or a date.
    RetryAfter(u16, String),
    /// Status 200 and a page of HTML, as the gates of hotels have it.
    Page,
    /// On to another address.
    Redirect(String),
    /// The connection breaks after so many bytes of the answer.
    Cut(u64),
    /// The answer ends in good order after so many bytes, its length never told.
    Short(u64),
    /// So many bytes more than were asked for.
    Longer(u64),
    /// One byte of the answer is another.
    Corrupt,
    /// So many bytes a second.
    Slow(u64),
    /// Silence after so many bytes.
    Stall(u64),
    /// The whole file with status 200, whatever range was asked for.
    RangeIgnored,
    /// Another range than was asked for, and so it says.
    OtherRange,
    /// A range refused (416), though it lies in the file.
    RangeRefused,
}

#[derive(Default)]
pub struct Faults(Mutex<Vec<(At, Fault, usize)>>);

impl Faults {
    pub fn add(&self, at: At, fault: Fault, n: usize) {
        self.0.lock().unwrap().push((at, fault, n));
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// What the next request at this place meets.
    pub fn take(&self, at: At) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let index = faults.iter().position(|(place, ..)| *place == at)?;
        let fault = faults[index].1.clone();
        match &mut faults[index].2 {
            1 => drop(faults.remove(index)),
            &mut ALWAYS => {}
            n => *n -= 1,
        }
        Some(fault)
    }
}
