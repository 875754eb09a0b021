//! What this machine is: processor, memory, graphics cards, disk, system. Samples, no drawing.

mod cgroup;
mod cpu;
mod disk;
mod gpu;
mod memory;
mod system;

pub use cpu::{Cpu, cpu, load};
pub use disk::{Disk, disk};
pub use gpu::{Gpu, Gpus, gpus};
pub use memory::{Memory, memory};
pub use system::{System, system};
