//! `oai`: open-weight language models on your own machine, from the terminal.
//!
//! # The map
//!
//! One package, one binary. Rooms from the ground up; imports point down, and two rooms on one
//! floor do not import each other.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | [`paths`], [`config`] | XDG and HF locations; file, environment and flags folded into one `Settings` |
//! | 0 | [`tensor_type`] | the element types of tensors, with their block layouts |
//! | 0 | [`new_file`] | a file that is whole under its name, or is not there |
//! | 0 | [`neutralize`] | text that a terminal shows and does not obey |
//! | 0 | [`units`] | sizes and counts as people read them |
//! | 1 | [`weights`] | GGUF reader and writer, safetensors, all mapped; no arithmetic |
//! | 1 | [`kernels`] | CPU kernels over mapped weights and the KV cache; the only `unsafe` beside the memory map |
//! | 1 | [`monitor`] | what the machine is and does: processor, memory, graphics cards, disk, every running oai; no drawing |
//! | 1 | [`guide`] | the small model that ships inside, its corpus and its recipe |
//! | 2 | [`hub`] | names, aliases, download, verify, the local store |
//! | 2 | [`model`] | tokenizer, chat template, one data-driven `Decoder` for every decoder family, one `Encoder` for encoders |
//! | 2 | [`quant`] | what type each tensor gets, importance matrices, the streaming writer of quantized files; reads `model`'s tensors |
//! | 3 | [`engine`] | loading, sampling, guessing ahead, stop rules, thoughts and tool calls told from the answer; `Engine::generate(Request) -> stream of Event`; `Embedder`; perplexity; passes to be timed |
//! | 4 | [`session`] | conversations as trees, on disk, found by their words, exported |
//! | 4 | [`bench`] | how fast a model is, and how near to what the machine allows |
//! | 4 | [`fit`] | what a model needs of a machine, how fast it will be, and which of its quantizations to take |
//! | 4 | [`tune`] | training on candle's autodiff |
//! | 5 | [`tui`] | the chat on the whole screen: state, update and view apart; Markdown, composer, themes, the terminal |
//! | 6 | [`cli`] | one file a subcommand; terminal output in one place |
//! | 7 | `main.rs` | parse, dispatch, exit code |
//!
//! A token is born in [`model`], chosen in [`engine`], and leaves as one [`engine::Event`]. Nothing
//! above `engine` touches a tensor; nothing below it prints, reads a terminal or knows a flag.

pub mod bench;
pub mod cli;
pub mod config;
pub mod engine;
pub mod fit;
pub mod guide;
pub mod hub;
pub mod kernels;
pub mod model;
pub mod monitor;
pub mod neutralize;
pub mod new_file;
pub mod paths;
pub mod quant;
pub mod session;
pub mod tensor_type;
pub mod tui;
pub mod tune;
pub mod units;
pub mod weights;
