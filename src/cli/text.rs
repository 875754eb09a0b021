//! Texts from files and from standard input, which must be UTF-8.

use std::io::Read;
use std::path::Path;

use super::exit::Input;

/// The text of the file at `path`, to its last byte.
pub fn of_file(path: &Path) -> Result<String, Input> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Input(format!("cannot read {name}: {e}")))?;
    utf8(bytes, &name)
}

/// What standard input holds, to its last byte.
pub fn of_stdin() -> Result<String, Input> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Input(format!("cannot read standard input: {e}")))?;
    utf8(bytes, "standard input")
}

/// `text` without its last line break, which belongs to the file or the pipe.
pub fn without_last_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// `bytes` as text; `name` says where they are from.
pub fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, Input> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let byte = e.as_bytes()[at];
        Input(format!("{name} is not UTF-8 text (byte {at} is 0x{byte:02x}); convert it first, for example with iconv"))
    })
}
