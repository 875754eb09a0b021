//! `oai`: parse, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    oai::cli::main()
}
