//! Commands of curl: the options of a command are known with their values. `LD_curl_to_task` makes a task of one; `ldctl convert` takes them as recorded requests.

use super::shell::{Words, ends};
use super::{Import, NotImported, Notices, Request, fields, set_in};
use crate::load::template::Escape;
use crate::value::{Map, Value};

/// Options with a value: their letter, if any, and their name.
const VALUED: [(&str, &str); 27] = [
    ("X", "request"),
    ("H", "header"),
    ("d", "data"),
    ("", "data-ascii"),
    ("", "data-raw"),
    ("", "data-binary"),
    ("", "data-urlencode"),
    ("", "json"),
    ("F", "form"),
    ("", "form-string"),
    ("u", "user"),
    ("b", "cookie"),
    ("A", "user-agent"),
    ("e", "referer"),
    ("x", "proxy"),
    ("m", "max-time"),
    ("", "url"),
    ("", "cacert"),
    ("E", "cert"),
    ("", "key"),
    ("", "oauth2-bearer"),
    // Without effect on the request.
    ("o", "output"),
    ("w", "write-out"),
    ("c", "cookie-jar"),
    ("D", "dump-header"),
    ("", "connect-timeout"),
    ("", "retry"),
];

/// Options without one.
const FLAGS: [(&str, &str); 19] = [
    ("k", "insecure"),
    ("L", "location"),
    ("G", "get"),
    ("I", "head"),
    ("", "digest"),
    ("", "basic"),
    ("", "http2"),
    // Without effect on the request, or what ldctl does anyway.
    ("", "http1.1"),
    ("", "compressed"),
    ("s", "silent"),
    ("S", "show-error"),
    ("v", "verbose"),
    ("i", "include"),
    ("f", "fail"),
    ("g", "globoff"),
    ("O", "remote-name"),
    ("N", "no-buffer"),
    ("", "fail-with-body"),
    ("#", "progress-bar"),
];

/// What is said of what a shell would put in.
pub(crate) const EXPANSIONS: &str = "variables and commands of the shell, left as they are";

/// The most options of a command.
const MAX_OPTIONS: usize = 5000;

/// A command as a task, as the reference makes it, and what is lost.
pub(crate) fn task(command: &str) -> Result<(Map, Notices), NotImported> {
    let Words { words, expansions } =
        Words::of(command).ok_or_else(|| NotImported("No closing quotation".to_owned()))?;
    let begin = words.iter().take(2).position(is_curl).map_or(0, |at| at + 1);
    let mut notices = Notices::default();
    notices.many(EXPANSIONS, expansions);
    let call = Call::read_all(words.get(begin..).unwrap_or_default(), &mut notices);
    for url in call.urls.iter().skip(1) {
        notices.note("further URLs left out", url);
    }
    Ok((call.task(&mut notices), notices))
}

/// The tasks of several commands; those that are broken are listed.
pub(crate) fn tasks(commands: &[&str]) -> Result<Import, NotImported> {
    let mut import = Import::default();
    for command in commands {
        match task(command) {
            Ok((task, notices)) => {
                import.push(Request { task, pause: None })?;
                notices.lines().into_iter().for_each(|line| import.notices.say(line));
            }
            Err(why) => import.notices.note(&format!("commands left out ({why})"), *command),
        }
    }
    Ok(import)
}

/// Whether a word is the program's name. A URL may end in it.
pub(crate) fn is_curl(word: &String) -> bool {
    word == "curl" || word.ends_with("/curl") && !word.contains("://")
}

/// Where commands begin in the words of a text: at the program's name, unless that is the value of an
/// option.
pub(crate) fn commands(words: &[String]) -> Vec<usize> {
    let begins = |(at, word): (usize, &String)| {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        (is_curl(word) && !before.is_some_and(|word| awaits_value(word))).then_some(at)
    };
    words.iter().enumerate().filter_map(begins).collect()
}

/// Whether a word is an option whose value is the next word.
fn awaits_value(word: &str) -> bool {
    if let Some(name) = word.strip_prefix("--") {
        return VALUED.iter().any(|(_, known)| *known == name);
    }
    let Some(letters) = word.strip_prefix('-') else { return false };
    let is_valued = |letter: char| VALUED.iter().any(|(short, _)| short.chars().eq([letter]));
    letters.chars().position(is_valued).is_some_and(|at| at + 1 == letters.chars().count())
}

/// One command.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) urls: Vec<String>,
    /// The options in their order, by name.
    pub(crate) options: Vec<(&'static str, String)>,
}

impl Call {
    /// The options and URLs of a command; one that is not known is refused.
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut call = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next().filter(|word| !ends(word)) {
            let taken = call.word(word, &mut words)?;
            if call.options.len() > MAX_OPTIONS {
                return Err(format!("more than {MAX_OPTIONS} options"));
            }
            if let Some(unknown) = taken {
                return Err(format!("{unknown} cannot be converted; remove it"));
            }
        }
        if call.urls.is_empty() {
            return Err("no URL".to_owned());
        }
        Ok(call)
    }

    /// The same; what is not known, or has no value, is listed.
    fn read_all(words: &[String], notices: &mut Notices) -> Self {
        let mut call = Self::default();
        let mut words = words.iter().peekable();
        while let Some(word) = words.next_if(|word| !ends(word)) {
            if call.options.len() >= MAX_OPTIONS {
                notices.say(format!("options beyond {MAX_OPTIONS} left out"));
                break;
            }
            match call.word(word, &mut words) {
                Ok(None) => {}
                Ok(Some(unknown)) => {
                    // Its value, if it has one; a URL is none.
                    let value = |next: &&String| !next.starts_with('-') && !next.contains("://");
                    if !word.contains('=') {
                        words.next_if(value);
                    }
                    notices.note("options left out", unknown);
                }
                Err(why) => notices.say(why),
            }
        }
        call
    }

    /// Takes a word, and its value from those behind it; returns an option that is not known.
    fn word<'a>(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<Option<String>, String> {
        if let Some(name) = word.strip_prefix("--") {
            let (name, inline) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            if let Some((_, known)) = VALUED.into_iter().find(|(_, known)| *known == name) {
                let value = inline.or_else(|| words.next().cloned());
                self.set(known, value.ok_or_else(|| format!("--{name} needs a value"))?);
            } else if let Some((_, known)) = FLAGS.into_iter().find(|(_, known)| *known == name) {
                self.set(known, String::new());
            } else {
                return Ok(Some(format!("--{name}")));
            }
            return Ok(None);
        }
        if word.len() < 2 || !word.starts_with('-') {
            self.urls.push(word.to_owned());
            return Ok(None);
        }
        // `-sXPOST`
        let mut rest = word.get(1..).unwrap_or_default();
        while let Some(letter) = rest.chars().next() {
            let (here, tail) = rest.split_at(letter.len_utf8());
            rest = tail;
            if let Some((_, known)) = VALUED.into_iter().find(|(short, _)| *short == here) {
                let value =
                    if rest.is_empty() { words.next().cloned() } else { Some(rest.to_owned()) };
                self.set(known, value.ok_or_else(|| format!("-{here} needs a value"))?);
                return Ok(None);
            }
            match FLAGS.into_iter().find(|(short, _)| *short == here) {
                Some((_, known)) => self.set(known, String::new()),
                None => return Ok(Some(format!("-{here}"))),
            }
        }
        Ok(None)
    }

    fn set(&mut self, name: &'static str, value: String) {
        match name {
            "url" => self.urls.push(value),
            _ => self.options.push((name, value)),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.options
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// The method.
    pub(crate) fn method(&self) -> String {
        let sends = self.options.iter().any(|(option, _)| is_body(option));
        let usual = match (self.has("head"), sends && !self.has("get")) {
            (true, _) => "HEAD",
            (_, true) => "POST",
            _ => "GET",
        };
        self.last("request").unwrap_or(usual).to_owned()
    }

    /// The pieces of the body, in their order.
    pub(crate) fn data(&self) -> impl Iterator<Item = Data<'_>> {
        let given = self.options.iter().map(|(option, value)| (*option, value.as_str()));
        given.filter_map(|(option, written)| Data::read(option, written))
    }

    /// What the options say besides the method and the body.
    pub(crate) fn said(&self) -> Said {
        let mut said = Said::default();
        let mut cookies = Map::new();
        let mut parts = Vec::new();
        for (option, value) in &self.options {
            match *option {
                "header" => match header(value) {
                    Some(header) => said.headers.push(header),
                    None => said.wrong.push(format!("-H {value:?} has no colon")),
                },
                "user-agent" => said.headers.push(("User-Agent".to_owned(), value.clone())),
                "referer" => said.headers.push(("Referer".to_owned(), value.clone())),
                "oauth2-bearer" => {
                    said.headers.push(("Authorization".to_owned(), format!("Bearer {value}")));
                }
                "cookie" if value.contains('=') => cookies.extend(pairs(value)),
                "cookie" => said.wrong.push(format!(
                    "-b {value:?} is a file of cookies; give the cookies themselves"
                )),
                "form" | "form-string" => match value.split_once('=') {
                    Some((name, value)) => {
                        parts.push((name.to_owned(), part(value, *option == "form-string")));
                    }
                    None => said.wrong.push(format!("-F {value:?} has no =")),
                },
                _ => {}
            }
        }
        if !parts.is_empty() {
            // It has the boundary, which is made with the request.
            said.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        let mut set = |key: &str, value: Value| drop(said.members.insert(key.to_owned(), value));
        if !cookies.is_empty() {
            set("cookies", Value::Dict(cookies));
        }
        if let Some(user) = self.last("user") {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let kind = if self.has("digest") { "digest" } else { "basic" };
            let auth = [("type", kind), ("username", name), ("password", password)];
            set("auth", Value::dict(auth.map(|(key, value)| (key, Value::from(value)))));
        }
        if !parts.is_empty() {
            set("files", fields(parts));
        }
        match self.last("cacert") {
            _ if self.has("insecure") => set("verify", false.into()),
            Some(authority) => set("verify", authority.into()),
            None => {}
        }
        match (self.last("cert"), self.last("key")) {
            (Some(cert), Some(key)) => set("cert", Value::List(vec![cert.into(), key.into()])),
            (Some(cert), None) => set("cert", cert.into()),
            _ => {}
        }
        if self.has("location") {
            set("allow_redirects", true.into());
        }
        if self.has("http2") {
            set("http2", true.into());
        }
        if let Some(proxy) = self.last("proxy") {
            let scheme = if proxy.contains("://") { "" } else { "http://" };
            set("proxy", format!("{scheme}{proxy}").into());
        }
        if let Some(seconds) = self.last("max-time") {
            match seconds.parse::<f64>() {
                Ok(seconds) if seconds > 0.0 => set("timeout", Value::of_number(seconds)),
                // No limit.
                Ok(0.0) => {}
                _ => said.wrong.push(format!("-m {seconds:?} is no number of seconds")),
            }
        }
        said
    }

    /// A task with the members that the reference gives it, and with what it ignores: forms, JSON, queries.
    fn task(&self, notices: &mut Notices) -> Map {
        let mut task = Map::from([("method".to_owned(), self.method().to_lowercase().into())]);
        let Said { headers, members, wrong } = self.said();
        wrong.into_iter().for_each(|why| notices.say(why));
        task.extend(members);
        if !headers.is_empty() {
            let headers = headers.into_iter().map(|(name, value)| (name, value.into()));
            task.insert("headers".to_owned(), Value::Dict(headers.collect()));
        }
        let (mut json, mut data, mut query) = (String::new(), Vec::new(), Vec::new());
        for piece in self.data() {
            if piece.file.is_some() {
                notices.note("files of bodies, not read", piece.written);
            }
            if piece.is_json() {
                // Several are written after each other.
                json.push_str(piece.written);
                continue;
            }
            if piece.file.is_none() && piece.sent(piece.text) != piece.written && !self.has("get") {
                notices.note("values of --data-urlencode, left as they are", piece.written);
            }
            query.push(match piece.file {
                Some(_) => piece.written.to_owned(),
                None => piece.sent(piece.text),
            });
            data.push(piece.written);
        }
        let mut url = self.urls.first().cloned();
        if self.has("get") && !data.is_empty() {
            url = url.map(|url| with_query(url, &query.join("&")));
        } else if !data.is_empty() {
            body_of(&data.join("&"), &mut task);
        }
        if self.has("json") {
            body_of(&json, &mut task);
            if !task.contains_key("json") {
                set_in(&mut task, "headers", "Content-Type", "application/json");
            }
        }
        if let Some(url) = url {
            task.insert("request_url".to_owned(), url.into());
        }
        task
    }
}

/// What the options of a command say besides its method and its body.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) headers: Vec<(String, String)>,
    /// Members of the task.
    pub(crate) members: Map,
    /// What cannot be taken, and why.
    pub(crate) wrong: Vec<String>,
}

/// A piece of a body.
#[derive(Debug)]
pub(crate) struct Data<'a> {
    option: &'a str,
    pub(crate) written: &'a str,
    /// The name before the text, where it is encoded.
    name: &'a str,
    /// What it says itself.
    pub(crate) text: &'a str,
    /// The file that it names instead.
    pub(crate) file: Option<&'a str>,
}

impl<'a> Data<'a> {
    fn read(option: &'a str, written: &'a str) -> Option<Self> {
        let (name, text, file) = match option {
            // `name=content`, `=content`, `name@file` or `content`.
            "data-urlencode" => {
                let at = written.find(['=', '@']);
                let (name, rest) = written.split_at_checked(at.unwrap_or(0))?;
                let file = rest.strip_prefix('@').filter(|_| at.is_some());
                (name, rest.strip_prefix('=').unwrap_or(rest), file)
            }
            "data-raw" => ("", written, None),
            "data" | "data-ascii" | "data-binary" | "json" => {
                ("", written, written.strip_prefix('@'))
            }
            _ => return None,
        };
        Some(Self { option, written, name, text, file })
    }

    pub(crate) fn is_json(&self) -> bool {
        self.option == "json"
    }

    /// Whether the line ends of a file are left out.
    pub(crate) fn joins_lines(&self) -> bool {
        matches!(self.option, "data" | "data-ascii")
    }

    /// A content as curl sends it.
    pub(crate) fn sent(&self, content: &str) -> String {
        match (self.option, self.name) {
            ("data-urlencode", "") => Escape::Form.written(content),
            ("data-urlencode", name) => format!("{name}={}", Escape::Form.written(content)),
            _ => content.to_owned(),
        }
    }
}

/// A header; `Name;` has no value.
fn header(written: &str) -> Option<(String, String)> {
    let (name, value) =
        written.split_once(':').or_else(|| Some((written.strip_suffix(';')?, "")))?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// Cookies as their names and values.
pub(crate) fn pairs(cookies: &str) -> impl Iterator<Item = (String, Value)> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.into()))
}

/// A URL with more parameters.
pub(crate) fn with_query(mut url: String, query: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    let at = url.find('#').unwrap_or(url.len());
    url.insert_str(at, &format!("{joint}{query}"));
    url
}

fn is_body(option: &str) -> bool {
    option.starts_with("data") || matches!(option, "json" | "form" | "form-string")
}

/// A body as JSON, if it is that.
fn body_of(body: &str, task: &mut Map) {
    match Value::parse(body) {
        Ok(json) => task.insert("json".to_owned(), json),
        Err(_) => task.insert("data".to_owned(), body.into()),
    };
}

/// What may stand behind a part of a form.
const OF_PARTS: [&str; 4] = ["type=", "filename=", "headers=", "encoder="];

/// A part of a form: a file, or a value.
fn part(written: &str, literal: bool) -> Value {
    if literal {
        return Value::List(vec![Value::Null, written.into()]);
    }
    let path = written.strip_prefix(['@', '<']);
    let (content, options) = content(path.unwrap_or(written));
    let option = |name: &str| {
        let mut options = options.split(';').map(str::trim);
        options.find_map(|option| Some(option.strip_prefix(name)?.trim_matches('"')))
    };
    let (kind, filename) = (option("type="), option("filename="));
    if path.is_some() {
        let upload = [("path", Some(&*content)), ("filename", filename), ("content_type", kind)];
        let given = upload.into_iter().filter_map(|(key, value)| Some((key, value?.into())));
        return Value::dict(given);
    }
    let (filename, kind) = (filename.map(Value::from), kind.map(Value::from));
    let value = [filename.unwrap_or_default(), content.into()];
    Value::List(value.into_iter().chain(kind).collect())
}

/// The content of a part, which may be quoted, and what stands behind it.
fn content(written: &str) -> (String, &str) {
    if let Some(quoted) = written.strip_prefix('"') {
        let mut content = String::new();
        let mut letters = quoted.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => return (content, letters.as_str()),
                '\\' if letters.as_str().starts_with(['"', '\\']) => content.extend(letters.next()),
                letter => content.push(letter),
            }
        }
    }
    let begins = |at: usize| {
        let behind = written.get(at + 1..).unwrap_or_default().trim_start();
        OF_PARTS.iter().any(|option| behind.starts_with(option))
    };
    let end = written.match_indices(';').map(|(at, _)| at).find(|at| begins(*at));
    let (content, options) = written.split_at(end.unwrap_or(written.len()));
    (content.to_owned(), options)
}
