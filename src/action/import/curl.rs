//! Commands of curl: a text is split as a shell does, and the options of a command are known with their
//! values. `LD_curl_to_task` makes a task of one; `ldctl convert` takes them as recorded requests.

use std::collections::HashSet;

use super::{Import, NotImported, Notices, Request, set_in};
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

/// The most options of a command.
const MAX_OPTIONS: usize = 5000;

/// A command as a task, as the reference makes it, and what is lost.
pub(crate) fn task(command: &str) -> Result<(Map, Notices), NotImported> {
    let words = words(command).ok_or_else(|| NotImported("No closing quotation".to_owned()))?;
    let begin = words.iter().take(2).position(is_curl).map_or(0, |at| at + 1);
    let mut notices = Notices::default();
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

/// The words of a text, as a shell splits it; `None` if a quote is not closed.
pub(crate) fn words(text: &str) -> Option<Vec<String>> {
    shlex::split(&plain_quotes(text))
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

/// The parts of a form: by name, or as pairs where a name stands more than once.
pub(crate) fn files(parts: Vec<(String, Value)>) -> Value {
    let names: HashSet<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() == parts.len() {
        return Value::Dict(parts.into_iter().collect());
    }
    let pairs = parts.into_iter().map(|(name, part)| Value::List(vec![name.into(), part]));
    Value::List(pairs.collect())
}

/// The quotes of a POSIX shell in place of `$'…'`, with which browsers write line ends and quotes.
fn plain_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    // The quote that is open.
    let mut open = None;
    while let Some(letter) = letters.next() {
        match (open, letter) {
            (None, '$') if letters.peek() == Some(&'\'') => {
                letters.next();
                let value = ansi_c(&mut letters);
                out.push_str(&format!("'{}'", value.replace('\'', r"'\''")));
            }
            // A line that continues; the splitter would take it for an empty word.
            (None | Some('"'), '\\') if letters.peek() == Some(&'\n') => {
                letters.next();
            }
            (None | Some('"'), '\\') => {
                out.push(letter);
                out.extend(letters.next());
            }
            // It ends a command, also right behind a word.
            (None, ';') => out.push_str(" ; "),
            (None, '\'' | '"') => {
                open = Some(letter);
                out.push(letter);
            }
            (Some(quote), letter) if quote == letter => {
                open = None;
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

/// What stands between `$'` and its end.
fn ansi_c(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => break,
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(kind @ ('u' | 'x')) => {
                    let most = if kind == 'u' { 4 } else { 2 };
                    let mut code = 0;
                    for _ in 0..most {
                        let Some(digit) = letters.peek().and_then(|digit| digit.to_digit(16))
                        else {
                            break;
                        };
                        letters.next();
                        code = code * 16 + digit;
                    }
                    out.extend(char::from_u32(code));
                }
                other => out.extend(other),
            },
            letter => out.push(letter),
        }
    }
    out
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

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.options
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// A task with the members that the reference gives it, and with what it ignores: forms, JSON, queries.
    fn task(&self, notices: &mut Notices) -> Map {
        let mut task = Map::new();
        let body = self.options.iter().any(|(option, _)| is_body(option));
        let method = match (self.has("head"), body && !self.has("get")) {
            (true, _) => "head",
            (_, true) => "post",
            _ => "get",
        };
        let method = self.last("request").map_or_else(|| method.to_owned(), str::to_lowercase);
        task.insert("method".to_owned(), method.into());
        let mut data = Vec::new();
        let mut json = Vec::new();
        let mut files = Vec::new();
        let mut headers = Map::new();
        for (option, value) in &self.options {
            match *option {
                "header" => {
                    if let Some((name, value)) = value.split_once(':') {
                        headers.insert(name.trim().to_owned(), value.trim().into());
                    }
                }
                "user-agent" => {
                    drop(headers.insert("User-Agent".to_owned(), value.as_str().into()))
                }
                "referer" => drop(headers.insert("Referer".to_owned(), value.as_str().into())),
                "oauth2-bearer" => {
                    headers.insert("Authorization".to_owned(), format!("Bearer {value}").into());
                }
                "json" => json.push(value.as_str()),
                "form" | "form-string" => match value.split_once('=') {
                    Some((name, value)) => {
                        files.push((name.to_owned(), part(value, *option == "form-string")));
                    }
                    None => notices.note("forms without a =", value),
                },
                option if is_body(option) => {
                    if option != "data-raw" && value.contains('@') && !value.contains('=') {
                        notices.note("files of bodies, not read", value);
                    }
                    data.push((option, value.as_str()));
                }
                option => self.member(option, value, &mut task, notices),
            }
        }
        if !headers.is_empty() {
            task.insert("headers".to_owned(), Value::Dict(headers));
        }
        let mut url = self.urls.first().cloned();
        if self.has("get") && !data.is_empty() {
            if let Some(url) = &mut url {
                let joint = if url.contains('?') { '&' } else { '?' };
                let at = url.find('#').unwrap_or(url.len());
                let query: Vec<String> =
                    data.iter().map(|(option, value)| encoded(option, value)).collect();
                url.insert_str(at, &format!("{joint}{}", query.join("&")));
            }
        } else if !data.is_empty() {
            let values: Vec<&str> = data.iter().map(|(_, value)| *value).collect();
            body_of(&values.join("&"), &mut task);
        }
        if !json.is_empty() {
            // Several are written after each other.
            body_of(&json.concat(), &mut task);
            if !task.contains_key("json") {
                set_in(&mut task, "headers", "Content-Type", "application/json");
            }
        }
        if !files.is_empty() {
            task.insert("files".to_owned(), self::files(files));
        }
        if let Some(url) = url {
            task.insert("request_url".to_owned(), url.into());
        }
        task
    }

    /// An option that is a member of its own.
    fn member(&self, option: &str, value: &str, task: &mut Map, notices: &mut Notices) {
        let mut set = |key: &str, value: Value| drop(task.insert(key.to_owned(), value));
        match option {
            "user" => {
                let (name, password) = value.split_once(':').unwrap_or((value, ""));
                let kind = if self.has("digest") { "digest" } else { "basic" };
                let auth = [("type", kind), ("username", name), ("password", password)];
                set("auth", Value::dict(auth.map(|(key, value)| (key, Value::from(value)))));
            }
            "cookie" if !value.contains('=') => notices.note("files of cookies, not read", value),
            "cookie" => {
                let pairs = value.split(';').filter_map(|pair| pair.trim().split_once('='));
                let pairs = pairs.map(|(name, value)| (name.to_owned(), value.into()));
                set("cookies", Value::Dict(pairs.collect()));
            }
            "insecure" => set("verify", false.into()),
            "cacert" => set("verify", value.into()),
            "location" => set("allow_redirects", true.into()),
            "http2" => set("http2", true.into()),
            "proxy" if value.contains("://") => set("proxy", value.into()),
            "proxy" => set("proxy", format!("http://{value}").into()),
            "cert" => set(
                "cert",
                match self.last("key") {
                    Some(key) => Value::List(vec![value.into(), key.into()]),
                    None => value.into(),
                },
            ),
            "max-time" => match value.parse::<f64>() {
                Ok(seconds) if seconds > 0.0 => set("timeout", Value::of_number(seconds)),
                _ => notices.note("timeouts that are no numbers", value),
            },
            _ => {}
        }
    }
}

fn is_body(option: &str) -> bool {
    option.starts_with("data") || matches!(option, "json" | "form" | "form-string")
}

/// Whether a word ends a command: what follows is not curl's.
fn ends(word: &str) -> bool {
    matches!(word, "|" | "||" | "&&" | ";" | "&" | ">" | ">>")
}

/// A body as JSON, if it is that.
fn body_of(body: &str, task: &mut Map) {
    match Value::parse(body) {
        Ok(json) => task.insert("json".to_owned(), json),
        Err(_) => task.insert("data".to_owned(), body.into()),
    };
}

/// A field of a query.
fn encoded(option: &str, value: &str) -> String {
    match value.split_once('=') {
        _ if option != "data-urlencode" => value.to_owned(),
        Some(("", content)) => Escape::Form.written(content),
        Some((name, content)) => format!("{name}={}", Escape::Form.written(content)),
        None => Escape::Form.written(value),
    }
}

pub(crate) fn dict(members: Vec<(&str, Value)>) -> Value {
    Value::Dict(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A part of a form: a file, or a value.
pub(crate) fn part(value: &str, literal: bool) -> Value {
    let Some(path) = value.strip_prefix(['@', '<']).filter(|_| !literal) else {
        return Value::List(vec![Value::Null, value.into()]);
    };
    let mut pieces = path.split(';');
    let mut upload = vec![("path", Value::from(pieces.next().unwrap_or_default()))];
    for piece in pieces {
        match piece.split_once('=') {
            Some(("type", kind)) => upload.push(("content_type", kind.into())),
            Some(("filename", name)) => upload.push(("filename", name.trim_matches('"').into())),
            _ => {}
        }
    }
    dict(upload)
}
