//! What a conversation may be called.

use super::Error;

/// The conversation that was saved last, wherever one is named.
pub(super) const LAST: &str = "last";

/// Whether [`Store::find`](super::Store::find) would find a conversation by this name: numbers and `last` mean others.
pub fn check_name(name: &str) -> Result<(), Error> {
    let name = name.trim();
    if name == LAST || name.parse::<i64>().is_ok() {
        return Err(Error::Name { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_last_are_no_names() {
        for name in ["last", " last ", "7", "-7", "+7", " 007"] {
            assert!(check_name(name).unwrap_err().to_string().starts_with(name.trim()), "{name}");
        }
        for name in ["", "Last", "last one", "7 of 9", "99999999999999999999"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}
