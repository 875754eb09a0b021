//! Ctrl-C: the first stops the running answer, one without a running answer ends the program.

use std::sync::{Mutex, PoisonError};

use crate::engine::Canceller;

/// Stops the answer that is running, if one is.
static RUNNING: Mutex<Option<Canceller>> = Mutex::new(None);

/// Installs the handler.
pub fn install() -> anyhow::Result<()> {
    ctrlc::set_handler(|| match take() {
        Some(canceller) => canceller.cancel(),
        // Loading, or the answer did not stop after the first Ctrl-C.
        None => std::process::exit(130),
    })?;
    Ok(())
}

/// Ctrl-C says `note` and ends the program: for work that may stop anywhere.
pub fn exit_with(note: &'static str) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        eprintln!("\noai: {note}");
        std::process::exit(130);
    })?;
    Ok(())
}

fn take() -> Option<Canceller> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// While this lives, Ctrl-C stops the answer instead of the program.
pub struct Guard;

impl Guard {
    pub fn new(canceller: Canceller) -> Guard {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(canceller);
        Guard
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        take();
    }
}
