//! `ldctl open`: prints a link that logs a browser in, once, and opens a browser where there is one.

use std::env::var_os;
use std::fs::{OpenOptions, remove_file};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::status::ask;
use crate::cli::Open;
use crate::client;
use crate::console::Console;
use crate::error::{Error, Exit, reason};

pub(super) fn open(args: &Open, console: &mut Console) -> Result<Exit, Error> {
    let opens = !args.no_browser && io::stdout().is_terminal();
    ask(&args.asking, &[("ldctl open", true)], console, async |server, console| {
        let url = client::link(&server.endpoint, server.token(), args.run, server.timeout).await?;
        console.say(&url, &serde_json::json!({ "url": url }));
        if let Some(browser) = browser().filter(|_| opens)
            && let Err(error) = show(&browser, &url)
        {
            console.warn(&format!("no browser could be opened: {}", reason(&error)));
        }
        Ok(())
    })
}

/// The directory for what is only this user's, where there is a screen as well.
fn browser() -> Option<PathBuf> {
    let has_screen = ["WAYLAND_DISPLAY", "DISPLAY"]
        .into_iter()
        .any(|name| var_os(name).is_some_and(|value| !value.is_empty()));
    var_os("XDG_RUNTIME_DIR").filter(|path| has_screen && !path.is_empty()).map(PathBuf::from)
}

/// Opens a page that leads to the link. The link itself is not on the command line, where other users of
/// this machine could read it and be faster.
fn show(directory: &Path, url: &str) -> io::Result<()> {
    let page = directory.join("ldctl-open.html");
    let _ = remove_file(&page);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The server makes links of characters that need no escapes.
    let text = format!("<!DOCTYPE html><meta http-equiv=\"refresh\" content=\"0;url={url}\">\n");
    options.open(&page)?.write_all(text.as_bytes())?;
    let mut command = Command::new("xdg-open");
    command.arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
