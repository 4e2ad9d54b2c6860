//! The login of a browser, without a script.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION, REFRESH, SET_COOKIE};
use maud::html;
use zeroize::Zeroizing;

use super::access;
use super::call::{Answer, Call};
use super::error::{Problem, empty};
use super::reply;
use crate::server::local;

/// The form for the token.
pub(super) async fn login(call: Call) -> Answer {
    Ok(login_form(&target(call.head.uri.query()), None, StatusCode::OK))
}

fn login_form(to: &str, wrong: Option<&str>, status: StatusCode) -> Response {
    let body = html! {
        @if let Some(wrong) = wrong { p class="verdict bad" { (wrong) } }
        form method="post" action="/login" {
            input type="hidden" name="to" value=(to);
            // For those that keep passwords; there are no others to choose from.
            input type="text" name="user" value="ldctl" autocomplete="username" hidden;
            label { "Token of this server "
                input type="password" name="token" autocomplete="current-password" required autofocus;
            }
            " "
            button { "Log in" }
        }
    };
    reply::page(status, "Log in", &body)
}

/// Begins a session for the token.
pub(super) async fn begin(mut call: Call) -> Answer {
    let body = call.body().await?;
    let (mut token, mut to) = (Zeroizing::new(String::new()), "/".to_owned());
    for (key, value) in url::form_urlencoded::parse(&body) {
        match &*key {
            "token" => token = Zeroizing::new(value.into_owned()),
            "to" => to = local(&value).unwrap_or("/").to_owned(),
            _ => {}
        }
    }
    let admitted = access::admit(&call.site.handle, call.from(), Some(token.as_str()));
    if let Err(problem) = admitted {
        tokio::time::sleep(problem.delay).await;
        let wrong = "This is not a token of this server.";
        return Ok(login_form(&to, Some(wrong), StatusCode::UNAUTHORIZED));
    }
    let key = call.site.sessions.begin(call.site.handle.keyring()).ok_or_else(Problem::crashed)?;
    Ok(redirect(&to, call.site.hosts.set_cookie(Some(&key))))
}

/// Opens a link: a session, and a page that leads on. A redirect would be the other site's, if the link is
/// on one, and the cookie would not be sent along.
pub(super) async fn open(call: Call) -> Answer {
    let handle = &call.site.handle;
    let opened = handle.links().open(call.part("key"), handle.keyring().changes());
    let Some(path) = opened else {
        let why = "this link was opened already, or is older than a minute or the token; `ldctl open` makes another";
        return Err(Problem::new(StatusCode::GONE, "unavailable", why));
    };
    let key = call.site.sessions.begin(handle.keyring()).ok_or_else(Problem::crashed)?;
    let body = html! { p { a href=(path) { "Go on" } } };
    let mut response = reply::page(StatusCode::OK, "Logged in", &body);
    let headers = response.headers_mut();
    if let (Some(cookie), Ok(refresh)) =
        (call.site.hosts.set_cookie(Some(&key)), HeaderValue::from_str(&format!("0;url={path}")))
    {
        headers.insert(SET_COOKIE, cookie);
        headers.insert(REFRESH, refresh);
    }
    Ok(response)
}

/// Ends the sessions of a browser.
pub(super) async fn end(call: Call) -> Answer {
    for key in call.site.hosts.keys(&call.head.headers) {
        call.site.sessions.end(key);
    }
    Ok(redirect("/login", call.site.hosts.set_cookie(None)))
}

/// Sends a browser that is not logged in to the login, which sends it back.
pub(super) fn to_login(path: &str) -> Response {
    let to: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    redirect(&format!("/login?to={to}"), None)
}

fn redirect(to: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Where a query wants to go afterwards.
fn target(query: Option<&str>) -> String {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let to = pairs.find(|(key, _)| key == "to").map(|(_, to)| to.into_owned());
    to.as_deref().and_then(local).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t87_the_login_form_leads_only_to_paths_of_this_server() {
        assert_eq!(target(Some("a=b&to=%2Fruns%2F3")), "/runs/3");
        assert_eq!(target(Some("to=%2F%2Fevil.example")), "/");
        assert_eq!(target(None), "/");
    }
}
