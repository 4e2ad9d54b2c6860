//! The file of contexts: servers under names, with how to connect to them and where their tokens are,
//! never the tokens. It decides who gets a token, so it is read like a token file, only if nobody else
//! can read or replace it, and it is replaced as a whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use crate::error::{Error, reason};
use crate::wire::guarded::{Content, GuardError, Guarded};

/// Its name.
const FILE: &str = "contexts.json";

/// The file beside it that is locked for the time of a change. The other one is replaced, so a lock on
/// it would be one on the past.
const LOCK: &str = "contexts.lock";

/// The longest that is read, in bytes: some thousand contexts.
const LONGEST: usize = 1 << 20;

/// All contexts.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contexts {
    /// The name of the one that is used where nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<String>,
    /// By their names.
    #[serde(default)]
    pub(super) contexts: BTreeMap<String, Context>,
}

/// One server.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Context {
    /// Its address.
    pub(super) server: String,
    /// Whether requests are unframed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) legacy: bool,
    /// Whether TLS is used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) tls: bool,
    /// The authorities to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls_ca: Option<PathBuf>,
    /// The name in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls_server_name: Option<String>,
    /// The client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls_key: Option<PathBuf>,
    /// Whether any certificate is accepted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) tls_insecure: bool,
    /// The variable that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_env: Option<String>,
    /// The file that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// What it holds.
    pub(super) contexts: Contexts,
    /// Locked while this is a change.
    _lock: Option<File>,
}

impl Store {
    /// Reads the file; there are no contexts where there is none. `None` if the environment names no
    /// place for it.
    pub(super) fn open() -> Result<Option<Self>, Error> {
        let path = directory(&|name| std::env::var_os(name)).map(|dir| dir.join(FILE));
        path.map(Self::read).transpose()
    }

    /// [`Self::open`], where a place is needed.
    pub(super) fn required() -> Result<Self, Error> {
        Self::open()?.ok_or_else(nowhere)
    }

    /// Reads the file to change it. Until this is dropped, others wait with their changes.
    pub(super) fn to_change() -> Result<Self, Error> {
        let directory = directory(&|name| std::env::var_os(name)).ok_or_else(nowhere)?;
        let lock = hold(&directory).map_err(|error| {
            let (place, why) = (directory.display(), reason(&error));
            Error::usage(format!("cannot lock the contexts in {place}: {why}"))
        })?;
        Ok(Self { _lock: Some(lock), ..Self::read(directory.join(FILE))? })
    }

    #[cfg(test)]
    pub(super) fn of(path: PathBuf, contexts: Contexts) -> Self {
        Self { path, contexts, _lock: None }
    }

    fn read(path: PathBuf) -> Result<Self, Error> {
        let file = path.display();
        let what = "the file of contexts";
        let bytes = match (Guarded { path: &path, what, content: Content::Secret }).read(LONGEST) {
            Ok(bytes) => bytes,
            Err(GuardError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                let contexts = Contexts::default();
                return Ok(Self { path, contexts, _lock: None });
            }
            Err(GuardError::Open(text)) => return Err(Error::usage(text)),
            Err(error) => return Err(Error::usage(format!("cannot read {what} {file}: {error}"))),
        };
        let contexts: Contexts = serde_json::from_slice(&bytes)
            .map_err(|error| Error::usage(format!("{what} {file} is damaged: {error}")))?;
        for (name, context) in &contexts.contexts {
            if context.token_env.is_some() && context.token_file.is_some() {
                return Err(Error::usage(format!(
                    "{what} {file}: {name} has token_env and token_file; remove one"
                )));
            }
        }
        Ok(Self { path, contexts, _lock: None })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A context by name.
    pub(super) fn find(&self, name: &str) -> Result<&Context, Error> {
        self.contexts.contexts.get(name).ok_or_else(|| {
            let known: Vec<_> = self.contexts.contexts.keys().map(String::as_str).collect();
            let known = match known.as_slice() {
                [] => "there are none; run ldctl context add".to_owned(),
                known => format!("there are {}", known.join(", ")),
            };
            Error::usage(format!("no context is called {name:?} ({known})"))
        })
    }

    /// Replaces the file.
    pub(super) fn write(&self) -> Result<(), Error> {
        self.replace().map_err(|error| {
            Error::usage(format!("cannot write {}: {}", self.path.display(), reason(&error)))
        })?;
        // What is written must also be readable: another user may own a directory above it.
        Self::read(self.path.clone()).map(drop)
    }

    fn replace(&self) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.contexts)?;
        text.push(b'\n');
        Draft::write(&self.path, |out| out.write_all(&text))
    }
}

fn nowhere() -> Error {
    Error::usage("there is no place for contexts; export HOME or XDG_CONFIG_HOME")
}

/// Waits until no other process changes the contexts of a directory.
fn hold(directory: &Path) -> io::Result<File> {
    create(directory)?;
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(directory.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Where the user's settings are: `XDG_CONFIG_HOME`, else `~/.config`.
fn directory(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    config.map(|config| config.join("ldctl"))
}

#[cfg(unix)]
fn create(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(directory: &Path) -> Store {
        let directory = directory.join("a/b");
        create(&directory).expect("a directory");
        Store::of(directory.join(FILE), Contexts::default())
    }

    /// A directory that only this user can change.
    fn private() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn settings_are_where_the_environment_says() {
        let of = |xdg: Option<&str>, home: Option<&str>| {
            directory(&|name| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                _ => home.map(OsString::from),
            })
        };
        assert_eq!(of(Some("/x"), Some("/h")), Some(PathBuf::from("/x/ldctl")));
        assert_eq!(of(None, Some("/h")), Some(PathBuf::from("/h/.config/ldctl")));
        // Relative ones are to be ignored, says the specification.
        assert_eq!(of(Some("x"), Some("/h")), Some(PathBuf::from("/h/.config/ldctl")));
        assert_eq!(of(Some(""), None), None);
    }

    #[test]
    fn what_is_written_is_read_back_and_belongs_to_its_owner_alone() {
        let directory = private();
        let mut store = store(directory.path());
        let context = Context {
            server: "there:1".to_owned(),
            tls: true,
            tls_ca: Some("/ca.pem".into()),
            token_env: Some("T".to_owned()),
            ..Context::default()
        };
        store.contexts.contexts.insert("prod".to_owned(), context.clone());
        store.contexts.current = Some("prod".to_owned());
        store.write().expect("written");
        store.write().expect("replaced");
        let again = Store::read(store.path.clone()).expect("read");
        assert_eq!(
            (again.find("prod").expect("there"), &again.contexts),
            (&context, &store.contexts)
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().expect("it").permissions().mode() & 0o777;
            let parent = store.path.parent().expect("a directory");
            assert_eq!((mode(&store.path), mode(parent)), (0o600, 0o700));
            let left: Vec<_> = parent.read_dir().expect("a list").collect();
            assert_eq!(left.len(), 1, "no draft stays");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_place() {
        let directory = private();
        let path = directory.path().join(FILE);
        for (text, words) in [
            ("{", "is damaged: EOF while parsing an object at line 1 column 1"),
            ("3", "is damaged: invalid type: integer"),
            (
                "{\"contexts\": {\"a\": {\"server\": \"h\",\n \"tokn\": 1}}}",
                "is damaged: unknown field `tokn`, expected one of",
            ),
            ("{\"contexts\": {\"a\": {}}}", "missing field `server` at line 1 column"),
            ("{\"token\": 1}", "unknown field `token`"),
            (
                "{\"contexts\": {\"a\": {\"server\": \"h\", \"token_env\": \"A\", \"token_file\": \"b\"}}}",
                "a has token_env and token_file; remove one",
            ),
        ] {
            std::fs::write(&path, text).expect("a file");
            private_file(&path);
            let error = Store::read(path.clone()).expect_err(text).to_string();
            assert!(error.contains(words), "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_could_read_or_replace_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = private();
        let path = directory.path().join(FILE);
        for (mode, words) in [
            (0o644, "other users can read the file of contexts"),
            (0o620, "other users can write to the file of contexts"),
        ] {
            std::fs::write(&path, "{}").expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            let error = Store::read(path.clone()).expect_err("refused").to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[cfg(unix)]
    fn private_file(path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    #[cfg(not(unix))]
    fn private_file(_: &Path) {}
}
