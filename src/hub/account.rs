//! Who we are to the hub: the token, which lies where Hugging Face's own tools look for it.

use std::fs;
use std::path::Path;

use hf_hub::HFError;

use super::pull::block_on;
use super::{Error, HubSettings, api, layout};

/// The name of the account that `token` belongs to.
pub fn whoami(settings: &HubSettings, token: &str) -> Result<String, Error> {
    let settings = HubSettings { token: Some(token.to_owned()), ..settings.clone() };
    let client = api::hf_client(&settings)?;
    let endpoint = settings.endpoint;
    match block_on(client.whoami().send())? {
        Ok(user) => Ok(user.username),
        Err(HFError::AuthRequired { .. } | HFError::Forbidden { .. }) => Err(Error::Token { endpoint }),
        Err(HFError::Http { context }) => {
            Err(Error::Status { what: "the token's account".to_owned(), status: context.status.as_u16() })
        }
        Err(error) => Err(Error::Connection { endpoint, reason: super::http::root_cause(&error) }),
    }
}

/// Whether a text can be a token: it goes into a header.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Writes the token's file, which only this user may read.
pub fn store_token(file: &Path, token: &str) -> Result<(), Error> {
    layout::write_private(file, token.as_bytes())
}

/// Deletes the token's file. False when there was none.
pub fn forget_token(file: &Path) -> Result<bool, Error> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Write { path: file.to_owned(), source }),
    }
}
