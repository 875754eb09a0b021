//! What must be settled for the whole process before any thread starts, and a task that is not waited for for ever.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::kernels::pool;

/// What `task` comes to within `limit`. After that it goes on by itself, and nobody waits for it.
pub fn within<T: Send + 'static>(limit: Duration, task: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // The receiver is gone where the limit was passed.
        let _ = sender.send(task());
    });
    receiver.recv_timeout(limit).ok()
}

/// Tells the libraries how many threads to use and to send nothing home. candle and rayon read the
/// number of threads from the environment, once; hf-hub's transfer library (xet) reads its
/// telemetry switches there.
pub fn prepare(threads: Option<u64>) {
    if let Some(threads) = threads {
        pool::set_threads(threads as usize);
    }
    let threads = pool::threads().to_string();
    let variables = [
        ("CANDLE_NUM_THREADS", threads.as_str()),
        ("RAYON_NUM_THREADS", threads.as_str()),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("HF_XET_TELEMETRY_ENABLED", "0"),
        ("DO_NOT_TRACK", "1"),
        // Chunks that were fetched are in the cache already; a second copy of 10 GB is waste.
        ("HF_XET_CHUNK_CACHE_SIZE_BYTES", "0"),
    ];
    for (name, value) in variables {
        // SAFETY: `main` calls this before it starts a thread, so nobody reads the environment.
        unsafe { std::env::set_var(name, value) };
    }
}
