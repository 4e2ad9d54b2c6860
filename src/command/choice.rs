//! Which server a client verb asks: what an option names, else the environment, else the current
//! context. A context is one thing: its token goes to no other server, unless an option names both.

use std::path::PathBuf;

use super::contexts::{Context, Store};
use crate::cli::{CONTEXT_VARIABLE, Connection, SERVER_VARIABLE, ServerAddress, TokenSource, Way};
use crate::error::Error;

/// The server that a client verb asks, and the source of its token.
pub(super) fn chosen(
    args: &Connection,
    source: &TokenSource,
) -> Result<(Connection, TokenSource), Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    choose(args, source, &variable, &Store::open)
}

/// [`chosen`], in an environment.
fn choose(
    args: &Connection,
    source: &TokenSource,
    variable: &dyn Fn(&str) -> Option<String>,
    open: &dyn Fn() -> Result<Option<Store>, Error>,
) -> Result<(Connection, TokenSource), Error> {
    let (mut args, mut source) = (args.clone(), source.clone());
    let half = args.host.as_ref().map(|_| "--host").or(args.port.map(|_| "--port"));
    if let (Some(name), Some(option)) = (&args.context, half) {
        return Err(Error::usage(format!(
            "{option} is half of an address, and --context {name} has a whole one; give --server \
             HOST:PORT to send its token elsewhere"
        )));
    }
    let is_named = args.server.is_some() || half.is_some();
    let asked = match (&args.context, is_named) {
        (Some(name), _) => Some(Some(name.clone())),
        (None, true) => None,
        (None, false) => match variable(SERVER_VARIABLE) {
            Some(text) => {
                args.server = Some(address(&text, SERVER_VARIABLE)?);
                None
            }
            None => Some(variable(CONTEXT_VARIABLE)),
        },
    };
    if let Some(name) = asked
        && let Some(store) = open()?.map_or_else(|| missing(name.as_deref()), |it| Ok(Some(it)))?
        && let Some(name) = name.or_else(|| store.contexts.current.clone())
    {
        let context = store.find(&name)?;
        let place = format!("{}: the server of {name}", store.path().display());
        if !is_named {
            args.server = Some(address(&context.server, &place)?);
        }
        fill(&mut args.way, context);
        let given = source.token_env.is_some()
            || source.token_file.is_some()
            || source.token_prompt
            || source.token.is_some();
        if !given {
            source.token_env.clone_from(&context.token_env);
            source.token_file.clone_from(&context.token_file);
        }
    }
    if let Some(ServerAddress { host, port }) = args.server.take() {
        (args.host, args.port) = (Some(host), Some(port));
    }
    Ok((args, source))
}

/// A context that is named must be somewhere; without a name there need be none.
fn missing(name: Option<&str>) -> Result<Option<Store>, Error> {
    name.map(|_| Store::required()).transpose()
}

fn address(text: &str, place: &str) -> Result<ServerAddress, Error> {
    text.parse().map_err(|why| Error::usage(format!("{place} {text:?}: {why}")))
}

/// Adds what a context says and the command line does not.
fn fill(way: &mut Way, context: &Context) {
    way.legacy |= context.legacy;
    way.tls |= context.tls;
    way.tls_insecure |= context.tls_insecure && way.tls_ca.is_none();
    let fill = |own: &mut Option<PathBuf>, other: &Option<PathBuf>| {
        if own.is_none() {
            own.clone_from(other);
        }
    };
    if !way.tls_insecure {
        fill(&mut way.tls_ca, &context.tls_ca);
    }
    if way.tls_cert.is_none() && way.tls_key.is_none() {
        fill(&mut way.tls_cert, &context.tls_cert);
        fill(&mut way.tls_key, &context.tls_key);
    }
    if way.tls_server_name.is_none() {
        way.tls_server_name.clone_from(&context.tls_server_name);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::contexts::Contexts;
    use super::*;
    use crate::cli::{Cli, Verb};

    /// What `ldctl quit` with these options would ask, in this environment: host, port, whether TLS is
    /// used, and the token's variable.
    fn chosen(options: &[&str], environment: &[(&str, &str)]) -> Result<String, String> {
        let line = ["ldctl", "quit"].into_iter().chain(options.iter().copied());
        let Ok(Cli { verb: Verb::Quit(quit), .. }) = Cli::try_parse_from(line) else {
            panic!("{options:?} did not parse")
        };
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let context = |server: &str, token: &str| Context {
            server: server.to_owned(),
            tls: true,
            token_env: Some(token.to_owned()),
            ..Context::default()
        };
        let open = || {
            let contexts = Contexts {
                current: variable("current"),
                contexts: [("a", context("a:1", "A")), ("b", context("[::1]", "B"))]
                    .map(|(name, context)| (name.to_owned(), context))
                    .into(),
            };
            Ok(Some(Store::of("contexts.json".into(), contexts)))
        };
        let (args, source) = choose(&quit.connection, &quit.token, &variable, &open)
            .map_err(|error| error.to_string())?;
        let (host, port) = (args.host.unwrap_or_default(), args.port.unwrap_or_default());
        let token = source.token_env.unwrap_or_default();
        Ok(format!("{host} {port} {} {token}", if args.way.tls { "tls" } else { "plain" }))
    }

    #[test]
    fn an_option_wins_over_the_environment_and_that_over_the_current_context() {
        let (server, context) = (("LDCTL_SERVER", "s:5"), ("LDCTL_CONTEXT", "b"));
        let current = ("current", "a");
        for (options, environment, expected) in [
            (&[][..], &[][..], " 0 plain "),
            (&[], &[current], "a 1 tls A"),
            (&[], &[current, context], "::1 9940 tls B"),
            (&[], &[current, context, server], "s 5 plain "),
            (&["--context", "a"], &[context, server], "a 1 tls A"),
            (&["--server", "o:7"], &[current, context, server], "o 7 plain "),
            (&["--port", "7"], &[current, context, server], " 7 plain "),
            (&["--host", "h"], &[current, server], "h 0 plain "),
            (&["--context", "a", "--server", "o:7"], &[], "o 7 tls A"),
            (&["--token-env=T"], &[current], "a 1 tls T"),
        ] {
            let found = chosen(options, environment);
            assert_eq!(found.as_deref(), Ok(expected), "{options:?} {environment:?}");
        }
    }

    #[test]
    fn half_an_address_does_not_take_the_place_of_a_contexts_server() {
        for options in [
            &["--context", "a", "--port", "7"][..],
            &["--context", "a", "--host", "h"],
            &["--context", "a", "--host", "h", "--port", "7"],
            &["--context", "a", "--port", "7", "--token-env=T"],
        ] {
            let refusal = chosen(options, &[]).expect_err("half an address");
            assert!(refusal.contains("give --server HOST:PORT"), "{options:?}: {refusal}");
        }
    }

    #[test]
    fn a_context_that_there_is_not_is_refused_with_those_there_are() {
        for (options, environment) in [
            (&["--context", "c"][..], &[][..]),
            (&[], &[("LDCTL_CONTEXT", "c")]),
            (&[], &[("current", "c")]),
        ] {
            let refusal = chosen(options, environment).expect_err("no such context");
            assert_eq!(refusal, "no context is called \"c\" (there are a, b)");
        }
    }

    #[test]
    fn a_server_in_the_environment_that_is_none_is_refused_by_its_name() {
        let refusal = chosen(&[], &[("LDCTL_SERVER", "http://a")]).expect_err("no server");
        assert!(
            refusal.starts_with("LDCTL_SERVER \"http://a\": a server has no scheme"),
            "{refusal}"
        );
    }
}
