//! Tasks become a plan without a request being sent. What is refused is
//! refused at its place below `/tasks`, in one line of a reply.

use std::sync::Arc;

use ldctl::action::{Surroundings, check as check_document};
use ldctl::event::{Failure, FailureKind};
use ldctl::load::pacer::{Pacing, Wait};
use ldctl::load::scenario::{STEP, Task, Throttles, tasks};
use ldctl::load::shape::Shape;
use ldctl::load::template::{Bindings, Compiler, Linker, Scope};
use ldctl::load::{Settings, TestLimits};
use ldctl::memory::Memory;
use ldctl::net::Targets;
use ldctl::protocol::{MAX_BODY_BYTES, Reach, Setup, USERS, UserKind, Workload};
use ldctl::value::{Invalid, Reader, Value};
use tokio_util::sync::CancellationToken;

use super::support::{one_line, options};

/// The option of users that speak HTTP, and of no others.
const HTTP2: &str = "http2";

/// The first byte chooses the user: 0 and 1 two of HTTP, 4 the first of those that speak another
/// protocol (sockets), 12 the second (WebSocket), 20 the third (events), 28 the fourth (Redis), 36 the fifth (MQTT), 44 the sixth (gRPC); 2 more ask for HTTP/2. The rest is the arguments of
/// `LD_start_test` as JSON, or its tasks alone.
pub fn check(data: &[u8]) {
    let ([choice], text) = options::<1>(data);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(value) = Value::parse(text) else { return };
    let tasks = match &value {
        Value::Dict(members) if members.contains_key("user_detail_dict") => {
            read(&value);
            members.get("tasks")
        }
        other => Some(other),
    };
    let Some(tasks) = tasks else { return };
    let user = user(choice);
    if let Err(invalid) = linked(tasks, user, choice & 2 != 0) {
        let pointer = &invalid.pointer;
        assert!(pointer == "/tasks" || pointer.starts_with("/tasks/"), "{pointer:?}");
        one_line(&Failure::new(FailureKind::InvalidArgument, invalid.to_string()).to_python());
    }
}

fn user(choice: u8) -> &'static UserKind {
    let speaks_http = |user: &&UserKind| user.options.contains(&HTTP2);
    let (http, others): (Vec<_>, Vec<_>) = USERS.iter().partition(speaks_http);
    match choice & 5 {
        at @ (0 | 1) => http[usize::from(at)],
        _ => others[usize::from(choice >> 3) % others.len()],
    }
}

/// Everything else about the test: users, shape, pacing, limits.
fn read(arguments: &Value) {
    let action = Value::List(vec!["LD_start_test".into(), arguments.clone()]);
    for finding in check_document(&Value::List(vec![action]), &Surroundings::unknown()) {
        assert!(!finding.message.starts_with("a fault in ldctl"), "{}", finding.message);
        let location = finding.place.to_string();
        assert!(location.starts_with("actions[0]"), "{location}");
    }
}

/// Reads the tasks, and links them with what the start of a test could find.
fn linked(value: &Value, user: &UserKind, http2: bool) -> Result<(), Invalid> {
    let bindings = Bindings {
        variable: &|name| (name == "a").then(|| "x\r\ny\"&".to_owned()),
        environment: &|name| (name == "HOME").then(|| "/home".to_owned()),
        // The document's own text serves as the content of the files that it names.
        read_file: &|path| match path {
            "missing" => Err("does not exist".to_owned()),
            path => Ok(path.as_bytes().to_vec()),
        },
        ..Bindings::NONE
    };
    let http2 = Value::Bool(http2);
    let options = user.options.iter().filter(|name| **name == HTTP2);
    let options = options.map(|name| (*name, Reader::at(&http2, format!("/{name}"))));
    let setup = Setup { host: None, options: options.collect() };
    let limits = TestLimits::default();
    let place = Reader::at(value, "/tasks");
    let workload = Workload::read(&place, (user.open)(&setup)?, &limits)?;
    conditions(&place, &limits, bindings)?;
    let settings = Settings {
        users: Shape::immediate(1, None).into(),
        pacing: Pacing::Closed(Wait::DEFAULT),
        keep_bodies: false,
        iterations: None,
        trace: None,
        seed: 1,
    };
    let reach = Reach {
        targets: Targets::default(),
        max_body_bytes: MAX_BODY_BYTES,
        memory: Memory::of_machine(),
        tracer: None,
        cancel: cancelled(),
    };
    workload.link(bindings, &reach, settings).map(|_| ())
}

/// No target is asked anything.
fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

/// No answer of a condition is wrong, but each must come.
fn conditions(
    place: &Reader<'_>,
    limits: &TestLimits,
    bindings: Bindings<'_>,
) -> Result<(), Invalid> {
    let sources = tasks(place, limits)?.tasks;
    assert!((1..=limits.tasks).contains(&sources.len()));
    let (mut compiler, mut throttles) = (Compiler::default(), Throttles::new());
    let mut steps = Vec::new();
    for source in sources {
        steps.push(Task::parse(&mut source.fields.fields(STEP)?, &mut compiler, &mut throttles)?);
    }
    let mut linker = Linker::new(compiler, bindings);
    let steps: Vec<Task> =
        steps.into_iter().map(|step| step.link(&mut linker)).collect::<Result<_, _>>()?;
    let mut scope = Scope::new(&Arc::new(linker.names()), 1);
    for step in &steps {
        let _: bool = step.runs(&mut scope);
    }
    Ok(())
}
