//! Credentials that systemd passes to a service (`LoadCredential=`): files in a directory that only
//! the service can read, named by `CREDENTIALS_DIRECTORY`. Systemd sets their modes.

use std::path::{Path, PathBuf};

use crate::error::{Error, reason};

/// The token, or two while it is being replaced.
pub(super) const TOKEN: &str = "ldctl.token";

/// The server's certificate, with its chain.
pub(super) const CERTIFICATE: &str = "ldctl.crt";

/// The certificate's private key.
pub(super) const KEY: &str = "ldctl.key";

/// Returns the path of the credential with this name, if it exists.
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
