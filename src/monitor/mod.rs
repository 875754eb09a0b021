//! What this machine is and does: processor, memory, graphics cards, disk, system, and which oai run on it. No drawing.

mod cgroup;
mod cpu;
mod disk;
mod gpu;
mod gpu_load;
mod memory;
mod process;
mod running;
mod sampler;
mod system;

pub use cpu::{Cpu, cpu, load};
pub use disk::{Disk, disk};
pub use gpu::{Gpu, Gpus, gpus};
pub use gpu_load::GpuSample;
pub use memory::{Memory, memory};
pub use process::StopError;
pub use running::{Announcement, Running, Status, Watch};
pub use sampler::{ProcessSample, Sample, Sampler};
pub use system::{System, system};
