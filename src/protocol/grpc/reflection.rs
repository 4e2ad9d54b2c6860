//! What a target says of its own types (gRPC's "server-reflection.md"): asked once per test, before the
//! first user, and never believed beyond a limit.

use std::collections::HashSet;

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::call::{Reply, call};
use super::fault::Fault;
use super::messages::Messages;
use super::types::{Meant, REFLECTION, Room, Wanted};
use crate::net::grpc::{Code, prefixed};
use crate::protocol::http::Http2Session;

/// The versions of the service, the newest first.
const VERSIONS: [&str; 2] = ["v1", "v1alpha"];

/// The most bytes of one round of answers, and the most files.
const MOST_BYTES: usize = 16 << 20;
const MOST_FILES: usize = 5000;

/// The most rounds of questions about files that others import.
const MOST_ROUNDS: usize = 64;

/// A question.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(oneof = "Asked", tags = "3, 4, 7")]
    asked: Option<Asked>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Asked {
    #[prost(string, tag = "3")]
    File(String),
    #[prost(string, tag = "4")]
    Symbol(String),
    #[prost(string, tag = "7")]
    Services(String),
}

/// Its answer.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Problem>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Problem {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Why a target has not said the types that tasks need.
pub(super) enum NotKnown {
    /// It cannot be reached.
    Target(String),
    /// It does not say them: others may.
    Types(String),
    /// It has no such service.
    Service(String),
}

/// A target that is asked.
struct Asking<'a> {
    session: &'a Http2Session,
    /// Makes the head of a call of a path.
    head: &'a dyn Fn(&str) -> Result<http::Request<()>, Fault>,
    version: &'static str,
}

/// Asks a target for the types that tasks need.
pub(super) async fn ask(
    session: &Http2Session,
    head: &dyn Fn(&str) -> Result<http::Request<()>, Fault>,
    wanted: &[&Wanted],
    room: &mut Room,
) -> Result<DescriptorPool, NotKnown> {
    let mut missing = None;
    for version in VERSIONS {
        let asking = Asking { session, head, version };
        match asking.services().await {
            Ok(services) => {
                let missing = wanted.iter().find_map(|one| one.missing_among(&services));
                return match missing {
                    Some(missing) => Err(NotKnown::Service(missing)),
                    None => asking.types(&services, wanted, room).await.map_err(NotKnown::Types),
                };
            }
            Err(Fault::Status(status)) if status.code == Code::UNIMPLEMENTED => {
                missing.get_or_insert(status);
            }
            Err(fault) => return Err(NotKnown::Types(told(&fault))),
        }
    }
    let status = missing.map_or_else(String::new, |status| format!(" ({status})"));
    Err(NotKnown::Types(format!("the target has no server reflection{status}")))
}

fn told(fault: &Fault) -> String {
    format!("server reflection failed: {fault}")
}

impl Asking<'_> {
    /// Asks questions, and returns an answer for each.
    async fn ask(&self, questions: Vec<Asked>) -> Result<Vec<Answer>, Fault> {
        let path =
            format!("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", self.version);
        let count = questions.len();
        let questions = questions.into_iter();
        let questions =
            questions.map(|asked| prefixed(&Question { asked: Some(asked) }.encode_to_vec()));
        let body = Bytes::from(questions.collect::<Vec<_>>().concat());
        let mut reply = Reply::new(Messages::new(MOST_BYTES));
        call(self.session, (self.head)(&path)?, body, &mut reply, true).await?;
        if let Some(status) = reply.status.filter(|status| status.code != Code::OK) {
            return Err(Fault::Status(status));
        }
        let Some(messages) = reply.messages.kept() else {
            return Err(Fault::internal(format!("more than {} MiB of types", MOST_BYTES >> 20)));
        };
        let answers: Result<Vec<Answer>, _> = messages.map(Answer::decode).collect();
        match answers {
            Ok(answers) if answers.len() == count => Ok(answers),
            _ => Err(Fault::internal("the answers are not those of server reflection")),
        }
    }

    /// The names of the target's services.
    async fn services(&self) -> Result<Vec<String>, Fault> {
        let answers = self.ask(vec![Asked::Services(String::new())]).await?;
        let found = answers.into_iter().filter_map(|answer| answer.services);
        let names = found.flat_map(|found| found.services).map(|service| service.name);
        Ok(names.filter(|name| !name.starts_with(REFLECTION)).collect())
    }

    /// The types of those services that tasks may mean.
    async fn types(
        &self,
        services: &[String],
        wanted: &[&Wanted],
        room: &mut Room,
    ) -> Result<DescriptorPool, String> {
        let meant = |name: &&String| wanted.iter().any(|one| one.means(name) != Meant::No);
        let mut questions: Vec<Asked> =
            services.iter().filter(meant).map(|name| Asked::Symbol(name.clone())).collect();
        let mut files: Vec<FileDescriptorProto> = Vec::new();
        let (mut known, mut asked) = (HashSet::new(), HashSet::new());
        for _ in 0..MOST_ROUNDS {
            if questions.is_empty() {
                let set = FileDescriptorSet { file: files };
                return DescriptorPool::from_file_descriptor_set(set)
                    .map_err(|why| format!("the target's types do not fit together: {why}"));
            }
            let answers =
                self.ask(std::mem::take(&mut questions)).await.map_err(|fault| told(&fault))?;
            for answer in answers {
                if let Some(Problem { code, message }) = answer.error {
                    let code = Code(u32::try_from(code).unwrap_or(2));
                    let fault = Fault::Status(crate::net::grpc::Status::new(
                        code,
                        crate::escape::one_line(&message).chars().take(200).collect::<String>(),
                    ));
                    return Err(told(&fault));
                }
                for file in answer.files.unwrap_or_default().files {
                    room.take(file.len())?;
                    let file = FileDescriptorProto::decode(&*file)
                        .map_err(|_| told(&Fault::internal("a file of types cannot be read")))?;
                    if known.insert(file.name().to_owned()) {
                        files.push(file);
                    }
                }
            }
            if files.len() > MOST_FILES {
                return Err(format!("the target's types exceed the limit of {MOST_FILES} files"));
            }
            let imports = files.iter().flat_map(|file| file.dependency.iter());
            let missing = imports.filter(|name| !known.contains(*name));
            let missing: HashSet<&String> = missing.collect();
            for name in missing {
                if !asked.insert(name.clone()) {
                    return Err(format!(
                        "the target's types import {name:?}, which it does not have"
                    ));
                }
                questions.push(Asked::File(name.clone()));
            }
        }
        Err(format!("the target's types import each other more than {MOST_ROUNDS} levels deep"))
    }
}
