use super::*;
use crate::record::fixture::recorder;

/// A bench with a success and a failure.
fn bench() -> Bench {
    let bench = Bench::new();
    let started = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let rows = [
        ("GET", "http://x/", "a", 200, 10.0, 3, None),
        ("GET", "http://x/", "b", 500, 20.0, 3, Some("bad")),
    ];
    bench.executor.shared.keep(Arc::new(Recording::new(started, vec![recorder(&rows)])));
    bench
}

#[test]
fn records_are_written_for_other_tools() {
    let bench = bench();
    bench.check(
        r#"[["LD_generate_sarif_report", ["r"]], ["LD_generate_excel_report", ["r", "label"]],
            ["LD_generate_service_map", ["map"]], ["LD_generate_allure_report", ["sub/allure", "x\ny=1"]]]"#,
        &["r.sarif.json", "r.xlsx", "map.json", "sub/allure"],
    );
    let read = |name: &str| std::fs::read(bench.dir.path().join(name)).expect(name);
    assert!(String::from_utf8_lossy(&read("r.sarif.json")).contains("\"b: bad\""));
    assert!(read("r.xlsx").starts_with(b"PK"));
    let map = String::from_utf8(read("map.json")).expect("UTF-8");
    assert!(map.contains("\"id\": \"a\"") && map.ends_with("\"edges\": []\n}"), "{map}");
    assert_eq!(read("sub/allure/environment.properties"), b"label=x y=1\n");
    let results = std::fs::read_dir(bench.dir.path().join("sub/allure")).expect("a directory");
    assert_eq!(results.count(), 3);
}

#[test]
fn a_cost_is_computed_and_rounded() {
    let bench = Bench::new();
    bench.check(
        r#"[["LD_generate_cost_report", ["c", 1800, 2, 0.33333, 10, 0.1, {"a": 1.00005, "b": 2}]],
            ["LD_generate_cost_report", {"workers": "x"}]]"#,
        &["c.json", "TypeError('LD_generate_cost_report: /workers: expected a number, got \"x\"')"],
    );
    let text = std::fs::read_to_string(bench.dir.path().join("c.json")).expect("a file");
    assert_eq!(
        Value::parse(&text).expect("JSON").to_text(),
        "{'duration_seconds': 1800, 'workers': 2, 'hourly_rate_usd': 0.33333, 'compute_usd': 0.3333, \
         'egress_gb': 10, 'egress_usd': 1.0, 'extras_usd': {'a': 1.0001, 'b': 2}, 'total_usd': 4.3334}"
    );
}
