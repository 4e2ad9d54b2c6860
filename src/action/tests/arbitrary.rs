//! Documents that nobody would write.

use proptest::prelude::*;

use super::*;

/// What starts or stops something that uses a port of this machine.
fn is_service(name: &str) -> bool {
    ["_server", "_exporter", "_sink", "_dashboard"].iter().any(|kind| name.ends_with(kind))
}

/// Any JSON, with the names of commands and arguments among its strings.
fn json() -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = commands()
        .filter(|name| !is_service(name))
        .chain(["load_density", "name", "value", "file_path", "sources", "success", "sep", ""])
        .collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        "[0-9]{1,40}"
            .prop_map(|digits| Value::parse(digits.trim_start_matches('0')).unwrap_or_default()),
        ".{0,8}".prop_map(Value::Str),
        proptest::sample::select(names.clone()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let key =
            prop_oneof![proptest::sample::select(names.clone()).prop_map(str::to_owned), ".{0,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Dict(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_runs_to_its_end_and_none_panics(
        actions in proptest::collection::vec(json(), 1..4),
        name in proptest::sample::select(commands().filter(|name| !is_service(name)).collect::<Vec<_>>()),
        payload in json(),
    ) {
        let bench = Bench::new();
        let mut actions = actions;
        actions.push(Value::List(vec![name.into(), payload]));
        let count = actions.len();
        let document = Document::parse(Value::List(actions)).expect("a list");
        let mut results = Vec::new();
        bench.executor.execute(document, &mut |event| if let Event::Result(result) = event { results.push(result) }, &CancellationToken::new());
        prop_assert_eq!(results.len(), count);
        for result in results {
            let internal = result.error.is_some_and(|failure| failure.kind == FailureKind::Internal);
            prop_assert!(!internal);
        }
    }
}
