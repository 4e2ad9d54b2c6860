//! `ldctl context`: adds, lists and removes servers under names.

use std::path::{Path, PathBuf};

use super::connection;
use super::contexts::{Context, Store};
use crate::cli::{self, ContextAdd, ContextVerb, Output};
use crate::console::Console;
use crate::error::{Error, Exit, reason};

pub(super) fn context(args: &cli::Context, console: &mut Console) -> Result<Exit, Error> {
    match &args.verb {
        ContextVerb::Add(args) => add(args, console)?,
        ContextVerb::Use(args) => {
            let mut store = to_change(&args.name)?;
            store.contexts.current = Some(args.name.clone());
            store.write()?;
            console.message(&format!("{} is the current context", args.name));
        }
        ContextVerb::Rm(args) => {
            let mut store = to_change(&args.name)?;
            store.contexts.contexts.remove(&args.name);
            store.contexts.current.take_if(|current| *current == args.name);
            store.write()?;
        }
        ContextVerb::Ls(args) => list(&Store::required()?, args.output, console),
        ContextVerb::Show(args) => show(args.name.as_deref(), args.output, console)?,
    }
    Ok(Exit::Done)
}

/// The contexts, with the one that shall be changed among them. Without it nothing is created.
fn to_change(name: &str) -> Result<Store, Error> {
    Store::required()?.find(name)?;
    let store = Store::to_change()?;
    store.find(name)?;
    Ok(store)
}

fn add(args: &ContextAdd, console: &mut Console) -> Result<(), Error> {
    // Refuses what does not fit together, as its use would.
    connection::tls(&args.way)?;
    let mut store = Store::to_change()?;
    let name = &args.name;
    if store.contexts.contexts.contains_key(name) {
        return Err(Error::usage(format!(
            "there is a context {name}; remove it first with ldctl context rm {name}"
        )));
    }
    let way = &args.way;
    let Some(server) = args.address.as_ref().or(args.server.as_ref()) else {
        return Err(Error::usage("name the server: `ldctl context add NAME HOST:PORT`"));
    };
    let context = Context {
        server: server.to_string(),
        legacy: way.legacy,
        tls: way.tls,
        tls_ca: absolute(way.tls_ca.as_deref())?,
        tls_server_name: way.tls_server_name.clone(),
        tls_cert: absolute(way.tls_cert.as_deref())?,
        tls_key: absolute(way.tls_key.as_deref())?,
        tls_insecure: way.tls_insecure,
        token_env: args.token_env.clone(),
        token_file: absolute(args.token_file.as_deref())?,
    };
    let token_file = context.token_file.clone();
    store.contexts.contexts.insert(name.clone(), context);
    if args.current {
        store.contexts.current = Some(name.clone());
    }
    store.write()?;
    if let Some(path) = token_file.filter(|path| !path.exists()) {
        console.warn(&format!("the token file {} is not there yet", path.display()));
    }
    console.message(&match args.current {
        true => format!("kept {name}, which is the current context"),
        false => format!("kept {name}; `ldctl context use {name}` makes it the current one"),
    });
    Ok(())
}

/// A path that means the same from every directory.
fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    let absolute = path.map(std::path::absolute).transpose();
    absolute.map_err(|error| Error::usage(format!("a path cannot be used: {}", reason(&error))))
}

/// A context as it is listed.
#[derive(serde::Serialize)]
struct Listed<'a> {
    event: &'static str,
    name: &'a str,
    current: bool,
    #[serde(flatten)]
    context: &'a Context,
}

fn list(store: &Store, output: Output, console: &mut Console) {
    console.replies(Some(output.into()), false);
    let contexts = &store.contexts.contexts;
    let width = contexts.keys().map(String::len).max().unwrap_or_default();
    for (name, context) in contexts {
        let current = store.contexts.current.as_ref() == Some(name);
        let sign = if current { '*' } else { ' ' };
        let Context { server, tls, .. } = context;
        let tls = if *tls { "  TLS" } else { "" };
        console.say(
            &format!("{sign} {name:width$}  {server}{tls}"),
            &Listed { event: "context", name, current, context },
        );
    }
}

fn show(name: Option<&str>, output: Output, console: &mut Console) -> Result<(), Error> {
    let store = Store::required()?;
    let current = store.contexts.current.as_deref();
    let name = name.or(current).ok_or_else(|| {
        Error::usage("there is no current context; name one, or run ldctl context use NAME")
    })?;
    let context = store.find(name)?;
    console.replies(Some(output.into()), false);
    let current = current == Some(name);
    if output == Output::Json {
        console.say("", &Listed { event: "context", name, current, context });
        return Ok(());
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let yes = |given: bool| given.then(|| "yes".to_owned());
    for (what, value) in [
        ("name", Some(name.to_owned())),
        ("current", yes(current)),
        ("server", Some(context.server.clone())),
        ("legacy", yes(context.legacy)),
        ("tls", yes(context.tls)),
        ("tls-ca", path(&context.tls_ca)),
        ("tls-server-name", context.tls_server_name.clone()),
        ("tls-cert", path(&context.tls_cert)),
        ("tls-key", path(&context.tls_key)),
        ("tls-insecure", yes(context.tls_insecure)),
        ("token-env", context.token_env.clone()),
        ("token-file", path(&context.token_file)),
        ("file", Some(store.path().display().to_string())),
    ] {
        if let Some(value) = value {
            console.print(&format!("{what:15} {value}"));
        }
    }
    Ok(())
}
