//! The worker threads that every kernel shares.
//!
//! A pass of a decoder is hundreds of short steps, each spread over the threads and awaited: a worker that has nothing
//! to do waits awake for the next step, then gives way to others, and within half a millisecond sleeps, so that an idle
//! model burns nothing. Each thread begins with a part of its own of the tasks, which lie side by side in memory as often
//! as not, and takes them one by one; then it takes from the others' parts. So a thread that the system holds up, or that
//! another process slows, does fewer, and one that does not come at all is not waited for.

use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, TryLockError};
use std::time::{Duration, Instant};

/// How long a worker waits awake for work, and how long it then still gives way instead of sleeping.
const AWAKE: Duration = Duration::from_micros(100);
const GIVING_WAY: Duration = Duration::from_micros(500);

/// Of [`Pool::state`]: how many workers are at the step, whether more may join, and the step's number.
const WORKERS: u64 = 0xffff;
const OPEN: u64 = 1 << 16;
const STEP: u64 = 1 << 17;

/// A step's tasks.
type Task<'a> = dyn Fn(usize) + Sync + 'a;

struct Pool {
    threads: usize,
    /// One step at a time.
    turn: Mutex<()>,
    state: Padded<AtomicU64>,
    /// The next task of each thread's part that nobody has taken.
    next: Box<[Padded<AtomicUsize>]>,
    /// What is read only by workers that have joined an open step.
    step: UnsafeCell<(*const Task<'static>, usize)>,
    panicked: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `step` is written only while no step is open and no worker is at one; `state` orders that.
unsafe impl Sync for Pool {}
// SAFETY: as above; the pointer in `step` is followed only while the closure that it points to is borrowed by `run`.
unsafe impl Send for Pool {}

/// On a cache line of its own.
#[repr(align(128))]
struct Padded<T>(T);

static THREADS: OnceLock<usize> = OnceLock::new();
static POOL: OnceLock<&'static Pool> = OnceLock::new();

thread_local! {
    /// Whether this thread is inside a task: steps that a task begins are its own.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Sets how many threads compute; only before anything has been computed.
pub fn set_threads(threads: usize) {
    let _ = THREADS.set(threads.clamp(1, WORKERS as usize));
}

/// How many threads compute: as many as were set, or the cores that this process may use, counting those once that
/// run two threads.
pub fn threads() -> usize {
    *THREADS.get_or_init(|| {
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        available.min(num_cpus::get_physical()).max(1)
    })
}

/// Calls `task` with each of `0 .. tasks`, over the threads, and returns when all are done.
///
/// # Panics
/// When a task does.
pub fn run(tasks: usize, task: impl Fn(usize) + Sync) {
    let alone = tasks <= 1 || threads() == 1 || INSIDE.get();
    if !alone {
        let pool = POOL.get_or_init(Pool::start);
        match pool.turn.try_lock() {
            Ok(_turn) => return pool.run(tasks, &task),
            Err(TryLockError::Poisoned(turn)) => {
                let _turn = turn.into_inner();
                return pool.run(tasks, &task);
            }
            // Another model computes: this one does without the workers rather than wait.
            Err(TryLockError::WouldBlock) => {}
        }
    }
    (0..tasks).for_each(task);
}

/// Calls `task` with each chunk of `chunk` elements of `items` (the last may be shorter) and its number.
pub fn for_each_chunk<T: Send>(items: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    let len = items.len();
    let items = Shared::new(items);
    run(len.div_ceil(chunk), |index| {
        let start = index * chunk;
        // SAFETY: chunks are disjoint, and each is given out once.
        task(index, unsafe { items.slice(start, chunk.min(len - start)) });
    });
}

/// A slice that tasks write disjoint parts of.
pub struct Shared<'a, T> {
    pointer: *mut T,
    len: usize,
    borrow: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: `slice`'s callers give each element to one task alone.
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(items: &'a mut [T]) -> Shared<'a, T> {
        Shared { pointer: items.as_mut_ptr(), len: items.len(), borrow: std::marker::PhantomData }
    }

    /// # Safety
    /// Nobody else may use this element meanwhile.
    pub unsafe fn write(&self, at: usize, item: T) {
        assert!(at < self.len, "a task's part lies outside");
        // SAFETY: within the borrowed slice; apart from others by the caller.
        unsafe { *self.pointer.add(at) = item };
    }

    /// # Safety
    /// While the returned slice lives, nobody else may use these elements.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start <= self.len && len <= self.len - start, "a task's part lies outside");
        // SAFETY: within the borrowed slice; apart from others by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), len) }
    }
}

impl Pool {
    fn start() -> &'static Pool {
        let pool: &'static Pool = Box::leak(Box::new(Pool {
            threads: threads(),
            turn: Mutex::new(()),
            state: Padded(AtomicU64::new(0)),
            next: (0..threads()).map(|_| Padded(AtomicUsize::new(0))).collect(),
            step: UnsafeCell::new((std::ptr::from_ref::<Task<'static>>(&|_| ()), 0)),
            panicked: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        }));
        for index in 1..pool.threads {
            let worker = std::thread::Builder::new().name(format!("kernels {index}"));
            // Fewer threads than asked for are slower, not wrong.
            let _ = worker.spawn(move || pool.work(index));
        }
        pool
    }

    fn run(&self, tasks: usize, task: &Task) {
        // SAFETY: no step is open and no worker is at one (the previous call saw to it), so nobody reads `step`. The
        // lifetime that is taken from `task` is not outlived: this function returns when every worker has left.
        unsafe {
            let task = std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task);
            *self.step.get() = (task, tasks);
        }
        for (thread, next) in self.next.iter().enumerate() {
            next.0.store(self.part(thread, tasks).start, Ordering::Relaxed);
        }
        // SeqCst: either a worker that is about to sleep sees the step, or its mark among the sleepers is seen below.
        let before = self.state.0.load(Ordering::Relaxed);
        self.state.0.store(((before & !OPEN) + STEP) | OPEN, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.sleep.lock());
            self.wake.notify_all();
        }
        INSIDE.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| self.take_tasks(0, task, tasks)));
        INSIDE.set(false);
        if result.is_err() {
            self.next.iter().for_each(|next| next.0.store(tasks, Ordering::Relaxed));
        }
        self.state.0.fetch_and(!OPEN, Ordering::AcqRel);
        let mut waiting = Waiting::new();
        while self.state.0.load(Ordering::Acquire) & WORKERS != 0 {
            waiting.a_moment();
        }
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        assert!(!self.panicked.swap(false, Ordering::Relaxed), "a kernel's task panicked");
    }

    /// The tasks that a thread begins with.
    fn part(&self, thread: usize, tasks: usize) -> Range<usize> {
        tasks * thread / self.threads..tasks * (thread + 1) / self.threads
    }

    fn take_tasks(&self, thread: usize, task: &Task, tasks: usize) {
        for of in (thread..self.threads).chain(0..thread) {
            let end = self.part(of, tasks).end;
            loop {
                let index = self.next[of].0.fetch_add(1, Ordering::Relaxed);
                if index >= end {
                    break;
                }
                task(index);
            }
        }
    }

    /// A worker's life.
    fn work(&self, thread: usize) {
        INSIDE.set(true);
        let mut done = 0;
        loop {
            done = self.join(done);
            // SAFETY: this worker has joined an open step, so `run` is waiting in it and `task` is alive.
            let (task, tasks) = unsafe {
                let (task, tasks) = *self.step.get();
                (&*task, tasks)
            };
            if catch_unwind(AssertUnwindSafe(|| self.take_tasks(thread, task, tasks))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.state.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a step other than number `done`, joins it and returns its number.
    fn join(&self, done: u64) -> u64 {
        let mut waiting = Waiting::new();
        loop {
            let state = self.state.0.load(Ordering::Relaxed);
            if state & OPEN != 0 && state / STEP != done {
                if self.state.0.compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    return state / STEP;
                }
            } else if waiting.a_moment() {
                self.sleep_until_after(done);
                waiting = Waiting::new();
            }
        }
    }

    fn sleep_until_after(&self, done: u64) {
        let mut guard = self.sleep.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let is_new = |state: u64| state & OPEN != 0 && state / STEP != done;
        while !is_new(self.state.0.load(Ordering::SeqCst)) {
            guard = self.wake.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
            // A step that came and went while this worker woke up: more are likely to follow.
            if self.state.0.load(Ordering::SeqCst) / STEP != done {
                break;
            }
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How long something has been waited for.
struct Waiting {
    turns: u32,
    since: Option<Instant>,
}

impl Waiting {
    fn new() -> Waiting {
        Waiting { turns: 0, since: None }
    }

    /// Waits a little, later giving way to other threads; true when it has been long enough to sleep.
    fn a_moment(&mut self) -> bool {
        self.turns += 1;
        // The clock is not looked at for what comes at once.
        if !self.turns.is_multiple_of(64) {
            std::hint::spin_loop();
            return false;
        }
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        if waited > AWAKE {
            self.turns -= 1;
            std::thread::yield_now();
        }
        waited > GIVING_WAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(sum: &AtomicUsize, n: usize) {
        sum.fetch_add(n, Ordering::Relaxed);
    }

    #[test]
    fn every_task_is_done_once_however_many_there_are() {
        for tasks in [0, 1, 2, 3, 100, 1000] {
            for _ in 0..50 {
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                run(tasks, |index| {
                    done[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{tasks}");
            }
        }
    }

    #[test]
    fn chunks_are_disjoint_and_whole() {
        let mut items = vec![0usize; 1003];
        for_each_chunk(&mut items, 10, |index, chunk| chunk.iter_mut().for_each(|item| *item += index + 1));
        assert!(items.iter().enumerate().all(|(i, item)| *item == i / 10 + 1));
    }

    #[test]
    fn steps_within_tasks_and_from_several_threads_end() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let sum = AtomicUsize::new(0);
                    for _ in 0..100 {
                        run(8, |i| run(4, |j| add(&sum, i * j)));
                    }
                    assert_eq!(sum.into_inner(), 100 * 28 * 6);
                });
            }
        });
    }

    #[test]
    fn a_panic_in_a_task_is_the_callers_and_the_pool_goes_on() {
        let panics = || run(64, |index| assert_ne!(index, 40, "on purpose"));
        assert!(catch_unwind(panics).is_err());
        let sum = AtomicUsize::new(0);
        run(10, |index| add(&sum, index));
        assert_eq!(sum.into_inner(), 45);
    }
}
