//! What systemd hands to a service as credentials (`LoadCredential=`): files in a directory that only
//! the service can read, named by `CREDENTIALS_DIRECTORY`. Their modes are systemd's business.

use std::path::{Path, PathBuf};

use crate::error::{Error, reason};

/// The token, or two while it is being replaced.
pub(super) const TOKEN: &str = "ldctl.token";

/// The server's certificate, with its chain.
pub(super) const CERTIFICATE: &str = "ldctl.crt";

/// The certificate's private key.
pub(super) const KEY: &str = "ldctl.key";

/// Where a credential lies, if there is one of this name.
pub(super) fn find(name: &str) -> Result<Option<PathBuf>, Error> {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) if !directory.is_empty() => find_in(Path::new(&directory), name),
        _ => Ok(None),
    }
}

fn find_in(directory: &Path, name: &str) -> Result<Option<PathBuf>, Error> {
    let path = directory.join(name);
    match path.try_exists() {
        Ok(exists) => Ok(exists.then_some(path)),
        Err(error) => Err(Error::usage(format!(
            "cannot look for the credential {}: {}",
            path.display(),
            reason(&error)
        ))),
    }
}
