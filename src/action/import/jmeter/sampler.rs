//! HTTP samplers as tasks.

use indexmap::IndexMap;

use super::super::lookup::members;
use super::super::{NotImported, Request, fields, has_header, set_files, set_in};
use super::Reader;
use super::tree::Node;
use crate::protocol::http::METHODS;
use crate::value::{Map, Value};

/// Methods whose arguments are a query.
const WITHOUT_BODY: [&str; 4] = ["get", "head", "delete", "options"];

impl Reader {
    /// A sampler, with what applies to it.
    pub(super) fn sampler(&mut self, node: &Node, around: &[&Node]) -> Result<(), NotImported> {
        let defaults: Vec<&Node> =
            around.iter().copied().filter(|around| around.tag == "ConfigTestElement").collect();
        // The innermost counts.
        let property = |name: &str| {
            let mut places = std::iter::once(node).chain(defaults.iter().copied().rev());
            places.find_map(|place| place.property(name)).unwrap_or_default().trim().to_owned()
        };
        let method = node.property("HTTPSampler.method").unwrap_or("GET").trim().to_lowercase();
        let name = self.functions.filled(node.attribute("testname").unwrap_or("JMeter sample"));
        if !METHODS.contains(&method.to_uppercase().as_str()) {
            self.import.notices.leave_out(format!("method {method}"));
            return Ok(());
        }
        let url = self.url(&property);
        let mut task = Map::new();
        let mut set = |key: &str, value: Value| task.insert(key.to_owned(), value);
        set("method", method.as_str().into());
        set("request_url", url.into());
        set("name", name.into());
        for manager in around.iter().filter(|around| around.tag == "HeaderManager") {
            for header in manager.collection("HeaderManager.headers") {
                let Some(name) = header.property("Header.name") else { continue };
                let value =
                    self.functions.filled(header.property("Header.value").unwrap_or_default());
                replace_header(&mut task, name.trim(), &value);
            }
        }
        self.arguments(node, &defaults, &method, &mut task);
        self.files(node, &mut task);
        if node.property("HTTPSampler.follow_redirects") == Some("false")
            && node.property("HTTPSampler.auto_redirects") != Some("true")
        {
            task.insert("allow_redirects".to_owned(), false.into());
        }
        let millis = self.number(&property("HTTPSampler.response_timeout"));
        if let Some(millis) = millis.filter(|millis| *millis > 0.0) {
            task.insert("timeout".to_owned(), Value::of_number(millis / 1000.0));
        }
        if node.is_true("HTTPSampler.image_parser") {
            self.import.notices.note("embedded resources are not loaded", node.name());
        }
        let mut pause = None;
        for around in around {
            self.around(around, &mut task, &mut pause);
        }
        self.import.push(Request { task, pause })
    }

    fn url(&mut self, property: &dyn Fn(&str) -> String) -> String {
        let path = property("HTTPSampler.path");
        let path = if path.is_empty() { "/".to_owned() } else { path };
        if path.starts_with("http://") || path.starts_with("https://") {
            return self.functions.filled(&path);
        }
        let host = property("HTTPSampler.domain");
        let slash = if path.starts_with('/') { "" } else { "/" };
        if host.is_empty() {
            // A variable may be a whole address.
            let slash = if path.starts_with("${") { "" } else { slash };
            return self.functions.filled(&format!("{slash}{path}"));
        }
        let (protocol, port) = (property("HTTPSampler.protocol"), property("HTTPSampler.port"));
        let protocol = if protocol.is_empty() { "http".to_owned() } else { protocol };
        let port = if port.is_empty() { String::new() } else { format!(":{port}") };
        self.functions.filled(&format!("{protocol}://{host}{port}{slash}{path}"))
    }

    /// The arguments of the sampler and of the defaults: fields, a query, or a raw body.
    fn arguments(&mut self, node: &Node, defaults: &[&Node], method: &str, task: &mut Map) {
        let given = |node: &Node| -> Vec<(String, String)> {
            let arguments = node.element("HTTPsampler.Arguments");
            let arguments = arguments.map_or(&[][..], |all| all.collection("Arguments.arguments"));
            let pair = |argument: &Node| {
                let value = |name| argument.property(name).unwrap_or_default().to_owned();
                (value("Argument.name"), value("Argument.value"))
            };
            arguments.iter().map(pair).collect()
        };
        let own = given(node);
        let raw = node.is_true("HTTPSampler.postBodyRaw")
            || own.first().is_some_and(|(name, _)| name.is_empty());
        if raw {
            let body: String = own.into_iter().map(|(_, value)| value).collect();
            let body = self.functions.filled(&body);
            if !body.is_empty() {
                task.insert("data".to_owned(), body.into());
            }
            return;
        }
        // Those of the sampler replace those of the defaults, and may repeat.
        let mut usual: IndexMap<String, String> = IndexMap::new();
        usual.extend(defaults.iter().flat_map(|place| given(place)));
        own.iter().for_each(|(name, _)| drop(usual.shift_remove(name)));
        let all = usual.into_iter().chain(own).filter(|(name, _)| !name.is_empty());
        let all: Vec<(String, Value)> = all
            .map(|(name, value)| {
                (self.functions.filled(&name), self.functions.filled(&value).into())
            })
            .collect();
        if !all.is_empty() {
            let key = if WITHOUT_BODY.contains(&method) { "params" } else { "data" };
            task.insert(key.to_owned(), fields(all));
        }
    }

    fn files(&mut self, node: &Node, task: &mut Map) {
        let Some(given) = node.element("HTTPsampler.Files") else { return };
        let mut parts = Vec::new();
        for file in given.collection("HTTPFileArgs.files") {
            let (Some(path), Some(name)) =
                (file.property("File.path"), file.property("File.paramname"))
            else {
                if let Some(path) = file.property("File.path") {
                    self.import.notices.note("bodies in files left out", path);
                }
                continue;
            };
            self.import.notices.note("files to put into the data directory", path);
            let mut upload = Map::from([(
                "path".to_owned(),
                Value::from(self.functions.filled(path.trim_start_matches('/'))),
            )]);
            upload.extend(
                file.property("File.mimetype").map(|kind| ("content_type".to_owned(), kind.into())),
            );
            parts.push((name.to_owned(), Value::Dict(upload)));
        }
        set_files(task, parts);
    }

    /// Credentials of the managers around a sampler, and cookies.
    pub(super) fn credentials(&mut self, manager: &Node, task: &mut Map) {
        let url = task.get("request_url").map(Value::to_text).unwrap_or_default();
        for one in manager.collection("AuthManager.auth_list") {
            let base = one.property("Authorization.url").unwrap_or_default();
            let base = self.functions.filled(base);
            if !url.starts_with(&base) || has_header(task, "authorization") {
                continue;
            }
            let mut value =
                |name: &str| self.functions.filled(one.property(name).unwrap_or_default());
            let (user, password) =
                (value("Authorization.username"), value("Authorization.password"));
            let kind = match one.property("Authorization.mechanism").unwrap_or("BASIC") {
                "DIGEST" => "digest",
                "BASIC" | "BASIC_DIGEST" => "basic",
                other => {
                    self.import.notices.leave_out(format!("authentication {other}"));
                    continue;
                }
            };
            let auth = [("type", kind), ("username", &user), ("password", &password)];
            task.insert(
                "auth".to_owned(),
                Value::dict(auth.map(|(key, value)| (key, Value::from(value)))),
            );
        }
    }

    pub(super) fn cookies(&mut self, manager: &Node, task: &mut Map) {
        for cookie in manager.collection("CookieManager.cookies") {
            let Some(name) = cookie.attribute("name") else { continue };
            let value = self.functions.filled(cookie.property("Cookie.value").unwrap_or_default());
            set_in(task, "cookies", name, value);
        }
    }
}

/// Sets a header, in place of one of the same name.
fn replace_header(task: &mut Map, name: &str, value: &str) {
    let known = task
        .get("headers")
        .and_then(members)
        .and_then(|headers| headers.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned());
    set_in(task, "headers", &known.unwrap_or_else(|| name.to_owned()), value);
}
