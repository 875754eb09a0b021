//! Files that another program cuts short while they are mapped.
//!
//! Reading a page that is gone raises SIGBUS, which kills the process without a word; no check before
//! the read can exclude it. The handler here says which file it was and ends the process with a code
//! of its own. It allocates nothing and takes no lock: a table of atomics knows what is mapped where.
//! (`signal-hook` and the like refuse SIGBUS, whose handler must not return.)

#[cfg(unix)]
pub use unix::end_process_with;

/// Elsewhere a mapped file cannot be cut.
#[cfg(not(unix))]
pub fn end_process_with(_code: u8) {}

/// A mapped file in the table, taken out when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    #[cfg(unix)]
    place: Option<usize>,
    /// The table points here.
    #[cfg(unix)]
    _name: Box<str>,
}

#[cfg(not(unix))]
impl Entry {
    pub(super) fn new(_bytes: &[u8], _name: &str) -> Entry {
        Entry {}
    }
}

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

    use super::Entry;

    /// One mapped file; free when `end` is zero.
    struct Slot {
        start: AtomicUsize,
        end: AtomicUsize,
        name: AtomicPtr<u8>,
        name_len: AtomicUsize,
    }

    /// More files than any model has; one that finds no place is not named.
    static TABLE: [Slot; 1024] = [const {
        Slot {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            name: AtomicPtr::new(std::ptr::null_mut()),
            name_len: AtomicUsize::new(0),
        }
    }; 1024];
    static CODE: AtomicI32 = AtomicI32::new(0);
    /// What handled the signal before.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    impl Entry {
        pub(in super::super) fn new(bytes: &[u8], name: &str) -> Entry {
            let name: Box<str> = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            let range = bytes.as_ptr_range();
            let free = |slot: &Slot| slot.start.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            let place = TABLE.iter().position(free);
            if let Some(slot) = place.map(|place| &TABLE[place]) {
                slot.name.store(name.as_ptr().cast_mut(), Ordering::SeqCst);
                slot.name_len.store(name.len(), Ordering::SeqCst);
                slot.start.store(range.start as usize, Ordering::SeqCst);
                // The last page may reach beyond the file.
                slot.end.store(range.end as usize, Ordering::SeqCst);
            }
            Entry { place, _name: name }
        }
    }

    impl Drop for Entry {
        fn drop(&mut self) {
            if let Some(place) = self.place {
                TABLE[place].end.store(0, Ordering::SeqCst);
                TABLE[place].start.store(0, Ordering::SeqCst);
            }
        }
    }

    /// From now on a mapped file that is cut short ends the process with `code`, after one line on
    /// standard error.
    pub fn end_process_with(code: u8) {
        CODE.store(i32::from(code), Ordering::SeqCst);
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: both structures are whole (all zero is a valid `sigaction`: no flags, an empty mask),
        // and the handler calls nothing but what is allowed in one.
        unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            if libc::sigaction(libc::SIGBUS, &action, before.as_mut_ptr()) == 0 {
                // Called twice, the first one stays.
                let _ = BEFORE.set(before.assume_init());
            }
        }
    }

    extern "C" fn handle(_signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
        // SAFETY: the kernel passes a valid `info` to handlers installed with SA_SIGINFO, and SIGBUS
        // has an address.
        let address = unsafe { (*info).si_addr() } as usize;
        let holds =
            |slot: &&Slot| (slot.start.load(Ordering::SeqCst)..slot.end.load(Ordering::SeqCst)).contains(&address);
        let Some(slot) = TABLE.iter().find(holds) else {
            // Not ours: whoever was there before handles it when the instruction is tried again.
            if let Some(before) = BEFORE.get() {
                // SAFETY: `before` is what `sigaction` returned.
                unsafe { libc::sigaction(libc::SIGBUS, before, std::ptr::null_mut()) };
            }
            return;
        };
        let name = slot.name.load(Ordering::SeqCst);
        say(b"oai: ");
        // SAFETY: the name lives as long as its entry, which lives as long as the map that was read.
        say(unsafe { std::slice::from_raw_parts(name, slot.name_len.load(Ordering::SeqCst)) });
        say(b" was cut short while it was in use (or its disk failed); pull it again\n");
        // SAFETY: `_exit` may be called in a handler.
        unsafe { libc::_exit(CODE.load(Ordering::SeqCst)) }
    }

    /// Writes to standard error; nobody is left to tell if that fails.
    fn say(text: &[u8]) {
        // SAFETY: `write` may be called in a handler; `text` is whole.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}
