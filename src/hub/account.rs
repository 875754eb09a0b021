//! Who we are to the hub: the token, which lies where Hugging Face's own tools look for it.

use std::fs;
use std::io::Write;
use std::path::Path;

use hf_hub::HFError;

use super::pull::block_on;
use super::{Error, HubSettings, api};

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
    let failed = |source| Error::Write { path: file.to_owned(), source };
    fs::create_dir_all(file.parent().unwrap_or(file)).map_err(failed)?;
    let temporary = file.with_extension(std::process::id().to_string());
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut out| {
        out.write_all(token.as_bytes())?;
        out.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, file)).map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(e)
    })
}

/// Deletes the token's file. False when there was none.
pub fn forget_token(file: &Path) -> Result<bool, Error> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Write { path: file.to_owned(), source }),
    }
}
