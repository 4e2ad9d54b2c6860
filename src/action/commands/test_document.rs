//! Documents that importers return: a test with the imported tasks, and the arguments that say how much
//! load it makes.

use crate::action::arguments::Arguments;
use crate::value::{Field, Invalid, Kind, Literal, Map, Value};

pub(super) const USER: Field =
    Field::optional("user", Kind::Any, "The test's user.").or(Literal::Text("fast_http_user"));

pub(super) const USER_COUNT: Field =
    Field::optional("user_count", Kind::Any, "The number of users.").or(Literal::Int(10));

pub(super) const SPAWN_RATE: Field =
    Field::optional("spawn_rate", Kind::Any, "Users started per second.").or(Literal::Int(5));

pub(super) const TEST_TIME: Field =
    Field::optional("test_time", Kind::Any, "The duration of the test.").or(Literal::Int(60));

/// The load of a test.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) user: Value,
    pub(super) user_count: Value,
    pub(super) spawn_rate: Value,
    pub(super) test_time: Value,
    /// Whether a call says how much load there is.
    given: bool,
}

impl Load {
    pub(super) fn read(given: &Arguments<'_>) -> Result<Self, Invalid> {
        let taken = |name: &str| given.or_default(name, |argument| Ok(argument.value().clone()));
        let says = ["user_count", "spawn_rate", "test_time"];
        Ok(Self {
            user: taken("user")?,
            user_count: taken("user_count")?,
            spawn_rate: taken("spawn_rate")?,
            test_time: taken("test_time")?,
            given: says.iter().any(|name| given.present(name).is_some()),
        })
    }

    /// A test of tasks in sequence; `own` is the load that their source says, which counts if the call
    /// says nothing.
    pub(super) fn test(self, tasks: Vec<Value>, own: Map) -> Map {
        let steps = Value::dict([("mode", Value::from("sequence")), ("tasks", tasks.into())]);
        let mut test = Map::from([
            ("user_detail_dict".to_owned(), Value::dict([("user", self.user)])),
            ("tasks".to_owned(), steps),
            ("user_count".to_owned(), self.user_count),
            ("spawn_rate".to_owned(), self.spawn_rate),
            ("test_time".to_owned(), self.test_time),
        ]);
        if !self.given {
            test.extend(own);
        }
        test
    }
}

/// A document with tests, and nothing else.
pub(super) fn of(tests: Vec<Map>) -> Value {
    document(tests.into_iter().map(|test| action("LD_start_test", test)).collect())
}

pub(super) fn action(command: &str, arguments: Map) -> Value {
    Value::List(vec![command.into(), Value::Dict(arguments)])
}

pub(super) fn document(actions: Vec<Value>) -> Value {
    Value::dict([("load_density", Value::List(actions))])
}
