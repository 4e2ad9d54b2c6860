//! The runs of `ldctl run` in a browser.

use crate::endings::endless;
use crate::support::web::exchange;
use crate::support::{Running, Target, ldctl, signal, soon_true};

#[test]
fn a_run_without_a_server_is_shown_until_it_ends_and_nothing_can_be_changed() {
    let target = Target::start();
    let document = endless(&target);
    let running = Running::start(&["run", "--web", "127.0.0.1:0", "--json", &document], None);
    let url = running.talk_with("runs in a browser: ");
    let host = url.split("://").nth(1).expect("a URL").trim_end_matches('/').to_owned();
    let ask = |request: &str| {
        let stream = std::net::TcpStream::connect(&host).expect("a door");
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        exchange(stream, head.as_bytes())
    };
    soon_true(|| ask("GET /api/v1/runs/1").status == 200);
    soon_true(|| ask("GET /api/v1/runs/1").json()["requests"].as_u64().is_some_and(|n| n > 0));
    for request in ["POST /api/v1/runs/1/stop", "POST /api/v1/runs"] {
        let (status, kind, message) = ask(request).error();
        assert_eq!((status, kind.as_str()), (403, "forbidden"), "{message}");
    }
    assert!(ask("GET /api/v1/runs/1/document.json").text().contains("LD_start_test"));
    assert_eq!(ask("GET /").status, 200);
    signal("INT", running.id());
    assert_eq!(running.end().0, Some(130));
    let refused = ldctl()
        .args(["run", "--web", "0.0.0.0:0", "--json", "[[\"LD_summary\"]]"])
        .assert()
        .code(2);
    let stderr = String::from_utf8(refused.get_output().stderr.clone()).expect("UTF-8");
    assert!(stderr.contains("is open to the network, and `ldctl run` has no token"), "{stderr}");
}
