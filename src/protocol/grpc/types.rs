//! The types of methods: where they come from (a file, .proto files, or the target itself), and which
//! method of them a task means.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use crate::load::template::Linker;
use crate::memory::{Memory, Share};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Reader, Value};

/// The most bytes of types of a test, from wherever they come.
const MOST_BYTES: usize = 16 << 20;

/// What they take in memory, in bytes per byte of their files.
const UNFOLDED: usize = 16;

/// The most .proto files of a task, imports included.
const MOST_FILES: usize = 1000;

/// How deep brackets of a .proto file may be nested: what reads them calls itself.
const MOST_NESTED: usize = 100;

/// How many candidates a refusal lists.
const MOST_LISTED: usize = 8;

/// The services that servers have for other reasons.
pub(super) const REFLECTION: &str = "grpc.reflection.";

/// Where types come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A FileDescriptorSet.
    Set(Placed<String>),
    /// .proto files, and the folder that imports begin at.
    Proto { files: Vec<Placed<String>>, include: Option<Placed<String>> },
    /// The target.
    Reflection,
}

impl Source {
    /// Takes the fields that name it.
    pub(super) fn parse(fields: &mut Object<'_>) -> Result<Self, Invalid> {
        let set = fields.present("descriptor_set");
        let proto = fields.present("proto");
        let include = fields.present("include");
        if let (Some(include), None) = (&include, &proto) {
            return Err(include.invalid("\"include\" needs \"proto\""));
        }
        let path = |field: &Reader<'_>| {
            let path = field.text()?;
            if path.is_empty() {
                Err(field.expected("a path"))
            } else {
                Ok(Placed::at(field, path.to_owned()))
            }
        };
        match (set, proto) {
            (Some(set), Some(_)) => Err(set.invalid("\"descriptor_set\" excludes \"proto\"")),
            (Some(set), None) => Ok(Self::Set(path(&set)?)),
            (None, None) => Ok(Self::Reflection),
            (None, Some(proto)) => {
                let files = match proto.value() {
                    Value::List(_) => proto.list()?.iter().map(path).collect::<Result<_, _>>()?,
                    _ => vec![path(&proto)?],
                };
                if files.is_empty() {
                    return Err(proto.expected("a path, or a list of paths"));
                }
                let include = include.map(|include| path(&include)).transpose()?;
                Ok(Self::Proto { files, include })
            }
        }
    }

    /// What tells it from others of the test.
    fn key(&self) -> Vec<&str> {
        match self {
            Self::Set(path) => vec!["set", &path.value],
            Self::Proto { files, include } => {
                let include = include.as_ref().map_or("", |include| include.value.as_str());
                let files = files.iter().map(|path| path.value.as_str());
                ["proto", include].into_iter().chain(files).collect()
            }
            Self::Reflection => Vec::new(),
        }
    }
}

/// What the types of a test take of the ceiling for memory, as long as it is kept.
#[derive(Debug)]
pub(crate) struct Room {
    share: Share,
    bytes: usize,
}

impl Room {
    /// Nothing yet.
    pub(super) fn of(memory: &Arc<Memory>) -> Self {
        Self { share: memory.share("types of gRPC"), bytes: 0 }
    }

    /// Takes room for files of so many bytes; the error says that there is none.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST_BYTES {
            return Err(format!("the types exceed the limit of {} MiB", MOST_BYTES >> 20));
        }
        self.share.grow(bytes.saturating_mul(UNFOLDED)).map_err(|full| full.to_string())
    }
}

/// The types that a test has read, each once.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Vec<String>, DescriptorPool>);

impl Known {
    /// The types of a source of files.
    pub(super) fn read(
        &mut self,
        source: &Source,
        linker: &Linker<'_>,
        room: &mut Room,
    ) -> Result<DescriptorPool, Invalid> {
        let key: Vec<String> = source.key().into_iter().map(str::to_owned).collect();
        if let Some(pool) = self.0.get(&key) {
            return Ok(pool.clone());
        }
        let pool = match source {
            Source::Set(path) => {
                let bytes = linker.read_file(&path.value, &path.place)?;
                room.take(bytes.len()).map_err(|why| path.refusal(why))?;
                DescriptorPool::decode(bytes.as_slice()).map_err(|why| {
                    path.refusal(format!(
                        "no set of types (FileDescriptorSet): {why}; make it with \
                         protoc --include_imports --descriptor_set_out"
                    ))
                })?
            }
            Source::Proto { files, include } => compiled(files, include.as_ref(), linker, room)?,
            Source::Reflection => DescriptorPool::new(),
        };
        self.0.insert(key, pool.clone());
        Ok(pool)
    }
}

/// Files that are compiled.
#[derive(Debug, Default)]
struct Read(HashMap<String, File>);

impl FileResolver for Read {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        self.0.get(name).cloned().ok_or_else(|| protox::Error::file_not_found(name))
    }
}

/// Compiles .proto files and what they import.
fn compiled(
    files: &[Placed<String>],
    include: Option<&Placed<String>>,
    linker: &Linker<'_>,
    room: &mut Room,
) -> Result<DescriptorPool, Invalid> {
    let Some(first) = files.first() else { return Ok(DescriptorPool::new()) };
    let parent = first.value.rsplit_once('/').map_or("", |(parent, _)| parent);
    let folder = include.map_or(parent, |include| include.value.trim_end_matches('/'));
    let folder =
        if folder.is_empty() || folder == "." { String::new() } else { format!("{folder}/") };
    let (mut read, google) = (Read::default(), GoogleFileResolver::new());
    let mut names = Vec::new();
    // Each with the place that names it, or the file that imports it.
    let mut due: VecDeque<(String, String, &Placed<String>)> = VecDeque::new();
    for file in files {
        let name = file.value.strip_prefix(&folder).unwrap_or(&file.value).to_owned();
        names.push(name.clone());
        due.push_back((name, file.value.clone(), file));
    }
    let mut seen: HashSet<String> = names.iter().cloned().collect();
    while let Some((name, path, from)) = due.pop_front() {
        if seen.len() > MOST_FILES {
            return Err(from.refusal(format!("it imports more than {MOST_FILES} files")));
        }
        let source = match linker.read_file(&path, &from.place) {
            Ok(bytes) => bytes,
            // The types of Protocol Buffers themselves need no file.
            Err(_) if google.open_file(&name).is_ok() => continue,
            Err(refusal) if path == from.value => return Err(refusal),
            Err(refusal) => {
                let hint = if include.is_none() {
                    "; \"include\" names the folder of imports"
                } else {
                    ""
                };
                return Err(from.refusal(format!("import {name:?}: {}{hint}", refusal.message)));
            }
        };
        room.take(source.len()).map_err(|why| from.refusal(why))?;
        let source = String::from_utf8(source)
            .map_err(|_| from.refusal(format!("{path:?} is not UTF-8")))?;
        if nesting(&source) > MOST_NESTED {
            return Err(from.refusal(format!("{path:?} nests more than {MOST_NESTED} brackets")));
        }
        let file = File::from_source(&name, &source).map_err(|why| from.refusal(in_words(&why)))?;
        for import in &file.file_descriptor_proto().dependency {
            if seen.insert(import.clone()) {
                due.push_back((import.clone(), format!("{folder}{import}"), from));
            }
        }
        read.0.insert(name, file);
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(read);
    resolver.add(google);
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    for (name, from) in names.iter().zip(files) {
        compiler.open_file(name).map_err(|why| from.refusal(in_words(&why)))?;
    }
    Ok(compiler.descriptor_pool())
}

/// What is wrong with a file, and where. The place is only in what the library writes for debugging.
fn in_words(why: &protox::Error) -> String {
    crate::escape::one_line(&format!("{why:?}")).chars().take(300).collect()
}

/// How deep brackets are nested, outside of strings and comments.
fn nesting(source: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    let mut bytes = source.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' | b'(' | b'<' => {
                depth += 1;
                most = most.max(depth);
            }
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            quote @ (b'"' | b'\'') => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'\n' => break,
                        byte if byte == quote => break,
                        _ => {}
                    }
                }
            }
            b'#' | b'/' if byte == b'#' || bytes.peek() == Some(&b'/') => {
                bytes.by_ref().find(|byte| *byte == b'\n');
            }
            b'/' if bytes.peek() == Some(&b'*') => {
                bytes.next();
                let mut before = b' ';
                bytes
                    .by_ref()
                    .find(|byte| std::mem::replace(&mut before, *byte) == b'*' && *byte == b'/');
            }
            _ => {}
        }
    }
    most
}

/// The method that a task means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The service: its full name, or its own; `None` if only the method is named.
    pub(super) service: Option<String>,
    /// The method's own name.
    pub(super) method: String,
}

impl Wanted {
    /// Takes the fields that name it; also the class of old documents, if there is one.
    pub(super) fn parse(fields: &mut Object<'_>) -> Result<(Self, Option<String>), Invalid> {
        let field = fields.required("method")?;
        let text = field.text()?.trim().trim_start_matches('/');
        let (service, method) = match text.rsplit_once('/').or_else(|| text.rsplit_once('.')) {
            Some((service, method)) => (Some(service.to_owned()), method),
            None => (None, text),
        };
        if method.is_empty()
            || service.as_ref().is_some_and(|name| name.is_empty() || name.contains('/'))
        {
            return Err(field.expected("a method, such as \"pkg.Greeter/SayHello\""));
        }
        let method = method.to_owned();
        let named = fields
            .present("service")
            .map(|field| named_service(&field, service.as_deref()))
            .transpose()?;
        let stub = fields.present("stub_path");
        let stub =
            stub.as_ref().map(|field| field.text()).transpose()?.filter(|path| !path.is_empty());
        let class = stub.map(|path| {
            let class = path.rsplit('.').next().unwrap_or(path);
            class.strip_suffix("Stub").filter(|name| !name.is_empty()).unwrap_or(class).to_owned()
        });
        let service = named.or(service).or(class);
        Ok((Self { service, method }, stub.map(str::to_owned)))
    }

    /// Whether a service is meant, as far as its name says.
    pub(super) fn means(&self, full_name: &str) -> Meant {
        let Some(wanted) = &self.service else { return Meant::Perhaps };
        if wanted == full_name {
            return Meant::Exactly;
        }
        let own = full_name.rsplit('.').next().unwrap_or(full_name);
        if own == wanted { Meant::Perhaps } else { Meant::No }
    }

    /// The refusal where a target that has these services has not the one that is meant.
    pub(super) fn missing_among(&self, services: &[String]) -> Option<String> {
        let wanted = self.service.as_deref()?;
        let missing = services.iter().all(|name| self.means(name) == Meant::No);
        missing.then(|| no_service(wanted, "the target has", services.iter().cloned()))
    }

    /// The method among the types; the error says why there is none.
    pub(super) fn find(&self, pool: &DescriptorPool) -> Result<MethodDescriptor, String> {
        let services: Vec<ServiceDescriptor> = pool.services().collect();
        let exact = services.iter().find(|one| self.means(one.full_name()) == Meant::Exactly);
        let candidates: Vec<&ServiceDescriptor> = match exact {
            Some(exact) => vec![exact],
            None => {
                services.iter().filter(|one| self.means(one.full_name()) != Meant::No).collect()
            }
        };
        let methods = candidates.iter().flat_map(|service| service.methods());
        let found: Vec<MethodDescriptor> =
            methods.filter(|method| method.name() == self.method).collect();
        let known = services.iter().map(|service| service.full_name().to_owned());
        match (found.as_slice(), candidates.as_slice(), &self.service) {
            ([found], ..) => Ok(found.clone()),
            ([], [], Some(wanted)) => Err(no_service(wanted, "the types have", known)),
            ([], [service], _) => {
                let known = service.methods().map(|method| method.name().to_owned());
                let (service, method) = (service.full_name(), &self.method);
                Err(format!("{service} has no method {method:?}; it has {}", listed(known)))
            }
            ([], ..) => Err(format!("no method {:?} in {}", self.method, listed(known))),
            (several, ..) => {
                let names = several.iter().map(|method| {
                    format!("{}/{}", method.parent_service().full_name(), method.name())
                });
                Err(format!("{:?} may be one of several: {}", self.method, listed(names)))
            }
        }
    }
}

/// The service that a field names, which a method that names another one contradicts.
fn named_service(field: &Reader<'_>, of_method: Option<&str>) -> Result<String, Invalid> {
    let name = field.text()?.trim().trim_matches('/');
    match of_method {
        Some(other) if other != name => {
            Err(field.invalid(format!("the method names another service, {other:?}")))
        }
        _ if name.is_empty() => Err(field.expected("a service")),
        _ => Ok(name.to_owned()),
    }
}

/// Whether a service is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Exactly,
    /// If no other has the name exactly.
    Perhaps,
    No,
}

/// Names for a refusal.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    let more = names.len().saturating_sub(MOST_LISTED);
    names.truncate(MOST_LISTED);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => names.join(", "),
        (_, more) => format!("{} and {more} more", names.join(", ")),
    }
}

/// The refusal of a service that is not among those that `have` introduces.
fn no_service(wanted: &str, have: &str, names: impl Iterator<Item = String>) -> String {
    format!("no service is called {wanted:?}; {have} {}", listed(names))
}

/// What is sent and received: one message, or a stream of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whether a stream is sent.
    pub(super) sends: bool,
    /// Whether a stream is received.
    pub(super) receives: bool,
}

impl Shape {
    const ALL: [(&'static str, Self); 6] = [
        ("unary", Self { sends: false, receives: false }),
        ("server_stream", Self { sends: false, receives: true }),
        ("client_stream", Self { sends: true, receives: false }),
        ("bidi", Self { sends: true, receives: true }),
        ("bidirectional", Self { sends: true, receives: true }),
        ("bidi_stream", Self { sends: true, receives: true }),
    ];

    /// The shape that a field names, in any case.
    pub(super) fn parse(field: &Reader<'_>) -> Result<Self, Invalid> {
        let name = field.text()?;
        let found = Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, shape)| shape).ok_or_else(|| field.choice(&Self::ALL.map(|(name, _)| name)))
    }

    /// That of a method.
    pub(super) fn of(method: &MethodDescriptor) -> Self {
        Self { sends: method.is_client_streaming(), receives: method.is_server_streaming() }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, shape)| *shape == self).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::load::template::{Bindings, Compiler};

    const PROTO: &str = r#"
        syntax = "proto3";
        package pkg;
        import "google/protobuf/timestamp.proto";
        import "other/more.proto";
        enum Mood { UNSAID = 0; GOOD = 1; }
        message All {
          string text = 1; int32 count = 2; double ratio = 3; uint64 big = 4; bytes data = 5;
          repeated string names = 6; map<string, int32> shares = 7; Mood mood = 8;
          google.protobuf.Timestamp when = 9; All inner = 10; bool two_words = 11; more.More more = 12;
        }
        service Greeter {
          rpc Say(All) returns (All);
          rpc Many(All) returns (stream All);
          rpc Collect(stream All) returns (All);
          rpc Talk(stream All) returns (stream All);
        }
        service Second { rpc Say(All) returns (All); rpc Only(All) returns (All); }
    "#;

    const MORE: &str = r#"syntax = "proto3"; package more; message More { int32 n = 1; }
        service Greeter { rpc Say(More) returns (More); rpc Own(More) returns (More); }"#;

    /// Reads what a task names, from a folder with two files.
    fn read(task: &str) -> Result<DescriptorPool, String> {
        let task = Value::parse(task).expect("JSON");
        let mut fields = Reader::at(&task, "").object().map_err(|why| why.to_string())?;
        let source = Source::parse(&mut fields).map_err(|why| why.to_string())?;
        let bindings = Bindings {
            read_file: &|path| match path {
                "a/main.proto" => Ok(PROTO.into()),
                "a/other/more.proto" | "more.proto" => Ok(MORE.into()),
                "a/lost.proto" => Ok("import \"nope.proto\";".into()),
                "a/wrong.proto" => Ok("syntax = \"proto3\";\nmessage {".into()),
                "a/deep.proto" => Ok("[".repeat(1000).into()),
                "circle.proto" => Ok("syntax = \"proto3\"; import \"circle.proto\";".into()),
                "set" => Ok(pool().encode_to_vec()),
                "empty" => Ok(Vec::new()),
                "text" => Ok(b"no set".to_vec()),
                _ => Err("does not exist".to_owned()),
            },
            ..Bindings::NONE
        };
        let linker = Linker::new(Compiler::default(), bindings);
        let mut room = Room::of(&Memory::unlimited());
        Known::default().read(&source, &linker, &mut room).map_err(|why| why.to_string())
    }

    /// The types of the two files.
    pub(in crate::protocol::grpc) fn pool() -> DescriptorPool {
        read(r#"{"proto": "a/main.proto"}"#).expect("types")
    }

    #[test]
    fn types_are_read_from_proto_files_with_imports_and_from_sets() {
        for task in [
            r#"{"proto": "a/main.proto"}"#,
            r#"{"proto": ["a/main.proto"], "include": "a/"}"#,
            r#"{"proto": ["a/main.proto", "a/other/more.proto"], "include": "a"}"#,
            r#"{"descriptor_set": "set"}"#,
        ] {
            let pool = read(task).expect(task);
            let mut names: Vec<String> =
                pool.services().map(|service| service.full_name().to_owned()).collect();
            names.sort();
            assert_eq!(names, ["more.Greeter", "pkg.Greeter", "pkg.Second"], "{task}");
        }
        assert_eq!(read(r#"{"descriptor_set": "empty"}"#).expect("none").services().len(), 0);
    }

    #[test]
    fn sources_that_cannot_be_used_are_refused_with_the_reason() {
        for (task, why) in [
            (r#"{"proto": "none.proto"}"#, "/proto: does not exist"),
            (
                r#"{"proto": "a/lost.proto"}"#,
                "/proto: import \"nope.proto\": does not exist; \"include\" names the folder",
            ),
            (r#"{"proto": "a/wrong.proto"}"#, "/proto: wrong.proto:2:9: "),
            (
                r#"{"proto": "a/deep.proto"}"#,
                "/proto: \"a/deep.proto\" nests more than 100 brackets",
            ),
            (r#"{"proto": "circle.proto"}"#, "/proto: "),
            (r#"{"proto": []}"#, "/proto: expected a path, or a list of paths"),
            (
                r#"{"proto": "a", "descriptor_set": "b"}"#,
                "/descriptor_set: \"descriptor_set\" excludes",
            ),
            (r#"{"include": "a"}"#, "/include: \"include\" needs \"proto\""),
            (
                r#"{"descriptor_set": "text"}"#,
                "/descriptor_set: no set of types (FileDescriptorSet): ",
            ),
            (r#"{"descriptor_set": ""}"#, "/descriptor_set: expected a path"),
        ] {
            let refusal = read(task).expect_err(task);
            assert!(refusal.starts_with(why), "{task}: {refusal}");
        }
    }

    /// The method that a task means.
    fn found(task: &str) -> Result<String, String> {
        let task = Value::parse(task).expect("JSON");
        let mut fields = Reader::at(&task, "").object().map_err(|why| why.to_string())?;
        let (wanted, _) = Wanted::parse(&mut fields).map_err(|why| why.to_string())?;
        wanted.find(&pool()).map(|method| method.full_name().to_owned())
    }

    #[test]
    fn a_method_is_found_by_its_full_name_its_service_or_the_class_of_old_documents() {
        for (task, expected) in [
            (r#"{"method": "pkg.Greeter/Say"}"#, "pkg.Greeter.Say"),
            (r#"{"method": "/pkg.Greeter/Say"}"#, "pkg.Greeter.Say"),
            (r#"{"method": "pkg.Greeter.Say"}"#, "pkg.Greeter.Say"),
            (r#"{"method": "Say", "service": "more.Greeter"}"#, "more.Greeter.Say"),
            (r#"{"method": "Say", "service": "Second"}"#, "pkg.Second.Say"),
            (r#"{"method": "Own", "stub_path": "x.y_pb2_grpc.GreeterStub"}"#, "more.Greeter.Own"),
            (r#"{"method": "Say", "stub_path": "SecondStub"}"#, "pkg.Second.Say"),
            (r#"{"method": "Only"}"#, "pkg.Second.Only"),
        ] {
            assert_eq!(found(task).as_deref(), Ok(expected), "{task}");
        }
    }

    #[test]
    fn a_method_that_is_none_or_may_be_several_is_refused_with_the_candidates() {
        for (task, why) in [
            (
                r#"{"method": "Say", "stub_path": "m.GreeterStub"}"#,
                "\"Say\" may be one of several: more.Greeter/Say, pkg.Greeter/Say",
            ),
            (
                r#"{"method": "pkg.Greeter/Nope"}"#,
                "pkg.Greeter has no method \"Nope\"; it has Collect, Many, Say, Talk",
            ),
            (
                r#"{"method": "Nope", "service": "a.B"}"#,
                "no service is called \"a.B\"; the types have more.Greeter, pkg.Greeter, pkg.Second",
            ),
            (
                r#"{"method": "Nope"}"#,
                "no method \"Nope\" in more.Greeter, pkg.Greeter, pkg.Second",
            ),
            (r#"{"method": "/"}"#, "/method: expected a method"),
            (r#"{"method": "a/"}"#, "/method: expected a method"),
            (
                r#"{"method": "a/b", "service": "c"}"#,
                "/service: the method names another service, \"a\"",
            ),
        ] {
            let refusal = found(task).expect_err(task);
            assert!(refusal.starts_with(why), "{task}: {refusal}");
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        for (source, depth) in [
            ("a { b [ c ] } d { }", 2),
            ("\"{{{\" '[[' { }", 1),
            ("\"\\\"{{{\" {", 1),
            ("// {{{\n/* {{{ */ { # {{", 1),
            ("}}}} {", 1),
            ("\"{{\n{", 1),
        ] {
            assert_eq!(nesting(source), depth, "{source}");
        }
    }
}
