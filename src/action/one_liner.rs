//! The document for one URL: what `ldctl run URL` runs. Its load is that of tools like hey: some users
//! that send one request after the other.

use url::Url;

use super::command::START_TEST;
use crate::protocol::http::percent_decode;
use crate::value::{Map, Value};

/// Users, and the duration in seconds, unless something else is said.
const USERS: u64 = 50;
const SECONDS: i64 = 10;

/// All users start within a tenth of a second.
const SPAWNED_IN: u64 = 10;

/// A request to a URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OneLiner {
    /// The URL; it may have placeholders after its host.
    pub url: String,
    /// The method; GET without a body, else POST.
    pub method: Option<String>,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Body>,
    /// Whether to use HTTP/2.
    pub http2: bool,
    /// Whether to accept any certificate.
    pub insecure: bool,
    /// How many requests to make, instead of making them for a time.
    pub requests: Option<i64>,
    /// Virtual users.
    pub users: Option<u64>,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Text.
    Text(String),
    /// JSON.
    Json(Value),
}

/// Whether a text is meant as a URL, and not as a file.
pub fn is_url(text: &str) -> bool {
    let text = text.as_bytes();
    let begins = |scheme: &[u8]| {
        text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    };
    begins(b"http://") || begins(b"https://")
}

/// The URL that a text was probably meant as which is no file.
pub fn meant_url(text: &str) -> Option<String> {
    if text.contains("://") || text.starts_with(['.', '/', '-']) {
        return None;
    }
    // One slash, or none; `http:80` would be a host and its port.
    for scheme in ["http:", "https:"] {
        if let Some(rest) = text.strip_prefix(scheme)
            && rest.parse::<u16>().is_err()
        {
            let meant = format!("{scheme}//{}", rest.trim_start_matches('/'));
            return Url::parse(&meant).is_ok().then_some(meant);
        }
    }
    let (authority, has_path) = match text.find('/') {
        Some(at) => (text.get(..at)?, true),
        None => (text, false),
    };
    let url = Url::parse(&format!("http://{text}")).ok()?;
    let host = url.host_str()?;
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let is_host = host == "localhost" || has_port || host.starts_with("www.");
    let is_address = host.parse::<std::net::IpAddr>().is_ok() && authority.contains('.');
    let is_host = is_host || is_address || has_path && authority.contains('.');
    is_host.then(|| format!("http://{text}"))
}

impl OneLiner {
    /// The document.
    pub fn document(&self) -> Result<Value, String> {
        let Target { host, path, credentials } = Target::read(&self.url)?;
        let method = match (&self.method, &self.body) {
            (Some(method), _) => method.to_ascii_lowercase(),
            (None, Some(_)) => "post".to_owned(),
            (None, None) => "get".to_owned(),
        };
        let mut task = Map::new();
        task.insert("method".to_owned(), method.into());
        task.insert("request_url".to_owned(), path.into());
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            // RFC 9110, section 5.3: fields of one name are a list.
            let known = headers.iter_mut().find(|(key, _)| name.eq_ignore_ascii_case(key));
            match known {
                Some((_, Value::Str(all))) => {
                    all.push_str(", ");
                    all.push_str(value);
                }
                _ => drop(headers.insert(name.clone(), value.as_str().into())),
            }
        }
        let typed = headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if matches!(self.body, Some(Body::Text(_))) && !typed {
            let form = "application/x-www-form-urlencoded";
            headers.insert("Content-Type".to_owned(), form.into());
        }
        if !headers.is_empty() {
            task.insert("headers".to_owned(), Value::Dict(headers));
        }
        match &self.body {
            Some(Body::Text(text)) => drop(task.insert("data".to_owned(), text.as_str().into())),
            Some(Body::Json(value)) => drop(task.insert("json".to_owned(), value.clone())),
            None => {}
        }
        if let Some((username, password)) = credentials {
            let auth = [("type", "basic".into()), ("username", username), ("password", password)];
            task.insert("auth".to_owned(), Value::dict(auth));
        }
        if self.insecure {
            task.insert("verify".to_owned(), false.into());
        }
        let user = [("user", Value::from("fast_http_user")), ("host", host.into())];
        let most = self.requests.and_then(|all| all.try_into().ok()).unwrap_or(USERS);
        let users = self.users.unwrap_or(USERS.min(most));
        let mut test = Map::new();
        test.insert("user_detail_dict".to_owned(), Value::dict(user));
        test.insert("user_count".to_owned(), users.into());
        test.insert("spawn_rate".to_owned(), users.saturating_mul(SPAWNED_IN).into());
        let time = self.requests.map_or(Value::Int(SECONDS), |_| Value::Null);
        test.insert("test_time".to_owned(), time);
        if let Some(requests) = self.requests {
            test.insert("iterations".to_owned(), requests.into());
        }
        test.insert("wait_time".to_owned(), Value::Int(0));
        if self.http2 {
            test.insert("http2".to_owned(), true.into());
        }
        test.insert("tasks".to_owned(), vec![Value::Dict(task)].into());
        let action = vec![START_TEST.into(), Value::Dict(test)];
        Ok(vec![Value::List(action)].into())
    }
}

/// A URL in the parts that documents have.
struct Target {
    host: String,
    path: String,
    /// User and password.
    credentials: Option<(Value, Value)>,
}

impl Target {
    /// Divides a URL without changing it: the part after the host may have placeholders.
    fn read(url: &str) -> Result<Self, String> {
        let invalid = |why: &dyn std::fmt::Display| format!("{url:?} is no URL: {why}");
        let begin = url.find("://").map_or(0, |at| at + "://".len());
        let (scheme, rest) = url.split_at(begin);
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let host = format!("{scheme}{host}");
        Url::parse(&host).map_err(|error| invalid(&error))?;
        let path = rest.split('#').next().unwrap_or_default();
        let path = match path.chars().next() {
            // Such a path would name another host.
            Some('/') if path.starts_with("//") => format!("{host}{path}"),
            Some('/') => path.to_owned(),
            _ => format!("/{path}"),
        };
        let decoded =
            |text: &str| Value::Str(percent_decode(text).unwrap_or_else(|| text.to_owned()));
        let credentials = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (decoded(name), decoded(password))
        });
        Ok(Self { host, path, credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Surroundings, check, overrides::Overrides};
    use super::*;

    #[track_caller]
    fn check_document(one: &OneLiner, task: &str, rest: &str) {
        let document = one.document().expect("a document");
        let expected = format!(
            r#"[["LD_start_test",{{"user_detail_dict":{{"user":"fast_http_user","host":"http://h:81"}},{rest},"tasks":[{{{task}}}]}}]]"#
        );
        assert_eq!(serde_json::to_string(&document).expect("JSON"), expected);
        assert_eq!(check(&document, &Surroundings::unknown()), []);
    }

    const REST: &str = r#""user_count":50,"spawn_rate":500,"test_time":10,"wait_time":0"#;

    fn of(url: &str) -> OneLiner {
        OneLiner { url: url.to_owned(), ..OneLiner::default() }
    }

    #[test]
    fn a_url_is_a_test_without_waits() {
        let get = |path: &str| format!(r#""method":"get","request_url":"{path}""#);
        check_document(&of("http://h:81"), &get("/"), REST);
        check_document(&of("http://h:81/a?b=c#d"), &get("/a?b=c"), REST);
        check_document(&of("http://h:81?b=c"), &get("/?b=c"), REST);
        check_document(&of("http://h:81/${randint(1, 9)}"), &get("/${randint(1, 9)}"), REST);
    }

    #[test]
    fn the_parts_of_a_request_are_those_of_the_task() {
        let one = OneLiner {
            method: Some("PUT".to_owned()),
            headers: [("A", "1"), ("a", "2"), ("B", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: Some(Body::Text("x=1".to_owned())),
            insecure: true,
            http2: true,
            ..of("http://us%40er:pass@h:81/")
        };
        check_document(
            &one,
            r#""method":"put","request_url":"/","headers":{"A":"1, 2","B":"","Content-Type":"application/x-www-form-urlencoded"},"data":"x=1","auth":{"type":"basic","username":"us@er","password":"pass"},"verify":false"#,
            &format!(r#"{REST},"http2":true"#),
        );
        let json = OneLiner { body: Some(Body::Json(Value::Int(1))), ..of("http://h:81/") };
        check_document(&json, r#""method":"post","request_url":"/","json":1"#, REST);
        let typed = OneLiner {
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: Some(Body::Text(String::new())),
            ..of("http://h:81/")
        };
        check_document(
            &typed,
            r#""method":"post","request_url":"/","headers":{"content-type":"text/plain"},"data":"""#,
            REST,
        );
    }

    #[test]
    fn a_number_of_requests_takes_the_place_of_the_time() {
        let few = OneLiner { requests: Some(7), ..of("http://h:81/") };
        check_document(
            &few,
            r#""method":"get","request_url":"/""#,
            r#""user_count":7,"spawn_rate":70,"test_time":null,"iterations":7,"wait_time":0"#,
        );
        let one = OneLiner { requests: Some(1000), users: Some(3), ..of("http://h:81/") };
        check_document(
            &one,
            r#""method":"get","request_url":"/""#,
            r#""user_count":3,"spawn_rate":30,"test_time":null,"iterations":1000,"wait_time":0"#,
        );
    }

    #[test]
    fn overrides_apply_to_the_document_of_a_url() {
        let mut document = of("http://h:81/").document().expect("a document");
        let overrides = Overrides { rate: Some(200.0), ..Overrides::default() };
        assert!(overrides.apply(&mut document).expect("applied").taken);
        assert_eq!(check(&document, &Surroundings::unknown()), []);
    }

    #[test]
    fn a_path_that_would_name_another_host_keeps_its_own() {
        let document = of("http://h//a").document().expect("a document");
        let text = serde_json::to_string(&document).expect("JSON");
        assert!(text.contains(r#""request_url":"http://h//a""#), "{text}");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["http://", "http://h:99999/", "https://[::1/", "http://a b/"] {
            let refusal = of(url).document().expect_err(url);
            assert!(refusal.contains("is no URL"), "{refusal}");
        }
    }

    #[test]
    fn a_url_is_told_from_a_file_by_its_scheme() {
        for text in ["http://h", "HTTPS://h/a.json"] {
            assert!(is_url(text), "{text}");
        }
        for text in ["localhost:8080", "http.json", "http:/x", "ftp://h", ""] {
            assert!(!is_url(text), "{text}");
        }
    }

    #[test]
    fn a_url_without_its_scheme_is_recognised() {
        for text in [
            "localhost",
            "localhost:8080",
            "localhost/x",
            "10.0.0.1",
            "a.example/b",
            "[::1]:80",
            "www.a.b",
            "api:80/x",
        ] {
            assert_eq!(meant_url(text), Some(format!("http://{text}")), "{text}");
        }
        for (text, meant) in [
            ("http:/h/", "http://h/"),
            ("https:h:8443/a", "https://h:8443/a"),
            ("http:80", "http://http:80"),
        ] {
            assert_eq!(meant_url(text).as_deref(), Some(meant), "{text}");
        }
        for text in
            ["", "test.json", "dir/test.json", "./a.b/c", "-", "/a", "ftp://h/x", "a:b", "1.json"]
        {
            assert_eq!(meant_url(text), None, "{text}");
        }
    }
}
