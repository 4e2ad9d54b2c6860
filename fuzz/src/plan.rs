//! Tasks become a scenario and the driver's requests without one being sent. What is refused is
//! refused at its place below `/tasks`, in one line of a reply.

use std::sync::Arc;

use ldctl::action::{Targets, check as check_document};
use ldctl::event::{Failure, FailureKind};
use ldctl::load::TestLimits;
use ldctl::load::scenario::{Scenario, Step, Throttles, tasks};
use ldctl::load::template::{Compiler, Names, Scope, Space};
use ldctl::protocol::http::{Context, Flavor, Http};
use ldctl::value::{Invalid, Reader, Value};

use super::support::{one_line, options};

/// The first byte chooses the kind of user; the rest is the arguments of `LD_start_test` as JSON, or
/// its tasks alone.
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
    let flavor = if choice & 1 == 0 { Flavor::Fast } else { Flavor::Requests };
    if let Err(invalid) = compiled(tasks, flavor, choice & 2 != 0) {
        let pointer = &invalid.pointer;
        assert!(pointer == "/tasks" || pointer.starts_with("/tasks/"), "{pointer:?}");
        one_line(&Failure::new(FailureKind::InvalidArgument, invalid.to_string()).to_python());
    }
}

/// Everything else about the test: users, shape, pacing, limits.
fn read(arguments: &Value) {
    let action = Value::List(vec!["LD_start_test".into(), arguments.clone()]);
    for finding in check_document(&Value::List(vec![action])) {
        assert!(!finding.message.starts_with("a fault in ldctl"), "{}", finding.message);
        assert!(finding.location.starts_with("actions[0]"), "{}", finding.location);
    }
}

fn compiled(value: &Value, flavor: Flavor, http2: bool) -> Result<(), Invalid> {
    let mut names = Names::default();
    names.set(Space::Var, "a", &Value::from("x\r\ny\"&"));
    names.set(Space::Session, "b", &Value::Int(1));
    let environment = |name: &str| (name == "HOME").then(|| "/home".to_owned());
    // The document's own text serves as the content of the files that it names.
    let read_file = |path: &str| match path {
        "missing" => Err("does not exist".to_owned()),
        path => Ok(path.as_bytes().to_vec()),
    };
    let context =
        Context { base: "http://localhost".to_owned(), flavor, http2, read_file: Some(&read_file) };
    let mut compiler = Compiler::new(names, &environment);
    let mut driver = Http::new(Targets::default());
    let limits = TestLimits::default();
    let (mode, written) = tasks(&Reader::at(value, "/tasks"), &limits)?;
    assert!((1..=limits.tasks).contains(&written.len()));
    let mut throttles = Throttles::new();
    let mut steps = Vec::new();
    for task in written {
        let mut fields = task.fields.object()?;
        steps.push(Step::parse(&mut fields, &mut compiler, &mut throttles)?);
        driver.add(task.method, &mut fields, &task.fields, &context, &mut compiler)?;
        fields.finish()?;
    }
    let mut scope = Scope::new(&Arc::new(compiler.names), 1);
    // No answer is wrong, but each must come.
    for step in &steps {
        let _: bool = step.runs(&mut scope);
    }
    let _ = Scenario::new(mode, steps);
    Ok(())
}
