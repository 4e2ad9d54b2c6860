//! The crate's own source as a graph: which file uses which. It reads `use` lines and paths in the
//! code, follows re-exports to where a thing is defined, and leaves out comments, texts, and what is
//! compiled for tests only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path below the crate's root, without `crate`; empty for the root itself.
pub(crate) type Name = Vec<String>;

/// One file's module.
#[derive(Debug, Default)]
struct Module {
    /// Names that it imports or re-exports, with their paths as they stand.
    imports: BTreeMap<String, Name>,
    /// Paths that it uses: imports that are no re-exports, and paths in the code.
    uses: BTreeSet<Name>,
    /// Paths that it only hands on.
    exports: BTreeSet<Name>,
    /// What of it is compiled into the product, without comments and texts.
    code: String,
}

/// All modules of the crate.
#[derive(Debug, Default)]
pub(crate) struct Modules(BTreeMap<Name, Module>);

impl Modules {
    /// Reads every file below `src`.
    pub(crate) fn read() -> Self {
        let mut modules = Self::default();
        modules.add(Path::new("src/lib.rs"), Path::new("src"), &[]);
        modules.add(Path::new("src/main.rs"), Path::new("src/none"), &["main".to_owned()]);
        modules
    }

    /// A crate of files with these names and texts; the first is its root.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut modules = Self::default();
        for (name, text) in files {
            let name: Name =
                name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            modules.0.insert(name, Module::of(&product(text).0));
        }
        modules
    }

    fn add(&mut self, file: &Path, directory: &Path, name: &[String]) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let (code, modules) = product(&text);
        for child in modules {
            let mut name = name.to_vec();
            let (flat, below) = (directory.join(format!("{child}.rs")), directory.join(&child));
            name.push(child);
            let file = if flat.exists() { flat } else { below.join("mod.rs") };
            self.add(&file, &below, &name);
        }
        self.0.insert(name.to_vec(), Module::of(&code));
    }

    /// The code of each module, without comments, texts and tests.
    pub(crate) fn code(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.0.iter().map(|(name, module)| (name, module.code.as_str()))
    }

    /// Which modules each module uses, as its code names them: through a re-export, the one that
    /// re-exports. What a module re-exports it uses, too.
    pub(crate) fn named(&self) -> BTreeSet<(Name, Name)> {
        self.pairs(|module| module.uses.union(&module.exports), |path| self.deepest(&path).0)
    }

    /// Which modules each module uses: those in which the things that it uses are defined.
    pub(crate) fn resolved(&self) -> BTreeSet<(Name, Name)> {
        self.pairs(|module| module.uses.iter(), |path| self.resolve(path, 8))
    }

    fn pairs<'a, I: Iterator<Item = &'a Name>>(
        &'a self,
        paths: impl Fn(&'a Module) -> I,
        find: impl Fn(Name) -> Name,
    ) -> BTreeSet<(Name, Name)> {
        let mut found = BTreeSet::new();
        for (from, module) in &self.0 {
            for path in paths(module) {
                if let Some(path) = self.absolute(from, path) {
                    let to = find(path);
                    if to != *from && !to.is_empty() {
                        found.insert((from.clone(), to));
                    }
                }
            }
        }
        found
    }

    /// A path from the root on; `None` where it leads out of the crate.
    fn absolute(&self, from: &Name, path: &Name) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" | "ldctl" => return Some(rest.to_vec()),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            name => {
                let mut child = from.clone();
                child.push(name.to_owned());
                if self.0.contains_key(&child) {
                    child
                } else {
                    let import = self.0.get(from)?.imports.get(name)?;
                    if import.first().map(String::as_str) == Some(name) {
                        return None;
                    }
                    self.absolute(from, import)?
                }
            }
        };
        let mut rest = rest;
        while let [first, others @ ..] = rest
            && first == "super"
        {
            base.pop();
            rest = others;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The deepest module on a path, and what follows it.
    fn deepest<'a>(&self, path: &'a [String]) -> (Name, &'a [String]) {
        let mut depth = 0;
        while depth < path.len() && self.0.contains_key(&path[..=depth]) {
            depth += 1;
        }
        (path[..depth].to_vec(), &path[depth..])
    }

    /// The module in which the last thing on a path is defined.
    fn resolve(&self, path: Name, most: usize) -> Name {
        let (module, rest) = self.deepest(&path);
        let Some((name, rest)) = rest.split_first().filter(|_| most > 0) else { return module };
        let Some(found) = self.0.get(&module) else { return module };
        if let Some(import) = found.imports.get(name)
            && let Some(mut path) = self.absolute(&module, import)
        {
            path.extend_from_slice(rest);
            return self.resolve(path, most - 1);
        }
        module
    }
}

/// Groups of modules that use each other in a circle, among those whose path begins alike.
pub(crate) fn circles(uses: &BTreeSet<(Name, Name)>) -> Vec<BTreeSet<String>> {
    let inside: Vec<_> = uses.iter().filter(|(from, to)| from.first() == to.first()).collect();
    let reach = |start: &Name| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(from) = next.pop() {
            for (_, to) in inside.iter().filter(|(user, _)| user == from) {
                if seen.insert(to) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let names: BTreeSet<&Name> = inside.iter().map(|(from, _)| from).collect();
    let reached: BTreeMap<&Name, BTreeSet<&Name>> =
        names.iter().map(|name| (*name, reach(name))).collect();
    let mut circles = BTreeSet::new();
    for (name, below) in &reached {
        let circle: BTreeSet<String> = below
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(name)))
            .map(|other| other.join("::"))
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

impl Module {
    fn of(code: &str) -> Self {
        let mut module = Self { code: code.to_owned(), ..Self::default() };
        let tokens = tokens(code);
        let (mut at, mut public) = (0, false);
        // How deep the braces are, and where modules inside this file begin.
        let (mut depth, mut inline) = (0_usize, Vec::new());
        while let Some(token) = tokens.get(at) {
            match *token {
                "use" => {
                    let length = tokens[at..].iter().position(|token| *token == ";");
                    let end = at + length.unwrap_or(tokens.len() - at);
                    module.import(&tokens[at + 1..end], public, inline.len());
                    (at, public) = (end, false);
                }
                "pub" => {
                    public = true;
                    // `pub(crate)`
                    if tokens.get(at + 1) == Some(&"(") {
                        let length = tokens[at..].iter().position(|token| *token == ")");
                        at += length.unwrap_or_default();
                    }
                }
                "mod" if tokens.get(at + 2) == Some(&"{") => {
                    inline.push(depth);
                    at += 1;
                }
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inline.last() == Some(&depth) {
                        inline.pop();
                    }
                }
                _ => {
                    public = false;
                    if is_word(token) && tokens.get(at + 1) == Some(&"::") {
                        let mut path = vec![(*token).to_owned()];
                        while tokens.get(at + 1) == Some(&"::")
                            && let Some(next) = tokens.get(at + 2).filter(|token| is_word(token))
                        {
                            path.push((*next).to_owned());
                            at += 2;
                        }
                        module.uses.insert(outside(path, inline.len()));
                    }
                }
            }
            at += 1;
        }
        module
    }

    /// One `use`: its tree without the word and the semicolon.
    fn import(&mut self, tree: &[&str], public: bool, depth: usize) {
        let mut prefix: Name = Vec::new();
        let mut outer: Vec<usize> = Vec::new();
        let mut path: Name = Vec::new();
        let mut alias = None;
        let mut finish = |path: &mut Name, alias: &mut Option<String>| {
            if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                path.pop();
            }
            if let Some(last) = path.last().cloned() {
                *path = outside(std::mem::take(path), depth);
                if last == "*" {
                    path.pop();
                } else {
                    self.imports.insert(alias.take().unwrap_or(last), path.clone());
                }
                let used = if public { &mut self.exports } else { &mut self.uses };
                used.insert(path.clone());
            }
            path.clear();
        };
        let mut at = 0;
        while let Some(token) = tree.get(at) {
            match *token {
                "::" => {}
                "{" => {
                    outer.push(prefix.len());
                    prefix.append(&mut path);
                }
                "," | "}" => {
                    if !path.is_empty() {
                        let mut whole = prefix.clone();
                        whole.append(&mut path);
                        finish(&mut whole, &mut alias);
                    }
                    if *token == "}" {
                        prefix.truncate(outer.pop().unwrap_or_default());
                    }
                }
                "as" => {
                    alias = tree.get(at + 1).map(|name| (*name).to_owned());
                    at += 1;
                }
                word => path.push(word.to_owned()),
            }
            at += 1;
        }
        finish(&mut path, &mut alias);
    }
}

/// A path that stands in a module inside the file, `depth` deep, as the file would write it.
fn outside(mut path: Name, depth: usize) -> Name {
    let supers = path.iter().take(depth).take_while(|part| *part == "super").count();
    path.drain(..supers);
    if supers > 0 {
        path.insert(0, "self".to_owned());
    }
    path
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// What of a source is compiled into the product, without comments and texts, and the modules that
/// lie in files of their own.
pub(crate) fn product(source: &str) -> (String, Vec<String>) {
    let code = bare(source);
    let mut kept = String::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[item_length(rest)..];
    }
    kept.push_str(rest);
    let words = tokens(&kept);
    let declared = words.windows(3).filter(|three| three[0] == "mod" && three[2] == ";");
    let modules = declared.map(|three| three[1].to_owned()).collect();
    (kept, modules)
}

/// How long an item is, attributes included: to its semicolon or its closing brace.
fn item_length(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// A source without comments, and with nothing in its texts and characters.
fn bare(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if let Some(length) = raw_text(rest, out.chars().next_back()) {
            length
        } else if let Some(text) = rest.strip_prefix('"') {
            1 + closing(text, '"').unwrap_or(text.len())
        } else if let Some(text) = rest.strip_prefix('\'') {
            // A character, or a lifetime.
            let character = text.starts_with('\\') || text.chars().nth(1) == Some('\'');
            if character { 1 + closing(text, '\'').unwrap_or(text.len()) } else { 0 }
        } else {
            0
        };
        if skip == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            rest = &rest[skip..];
        }
    }
    out
}

/// Where a quoted text ends, its closing quote included.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a raw text that begins here.
fn raw_text(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') && before != Some('b') {
        return None;
    }
    let hashes = rest.strip_prefix('r')?;
    let count = hashes.chars().take_while(|c| *c == '#').count();
    let text = hashes.get(count..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    Some(1 + count + 1 + text.find(&end)? + end.len())
}
