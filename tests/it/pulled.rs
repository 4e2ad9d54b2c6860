//! A client whose cable is pulled: nothing says that it is gone. It lives in a network namespace of its
//! own, whose link is taken down, so the test needs `ip` and the right to make namespaces.

use std::process::{Command, Stdio};

use crate::support::{Running, Server, installed, soon_true};

/// Two namespaces with a cable between them.
struct Cable {
    ends: [String; 2],
}

impl Cable {
    /// `None` where namespaces cannot be made.
    fn new() -> Option<Self> {
        let id = std::process::id();
        let cable = Self { ends: [format!("ldctl-a{id}"), format!("ldctl-b{id}")] };
        let [a, b] = cable.ends.each_ref();
        let steps = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("-n {a} link add eth0 type veth peer name eth0 netns {b}"),
            format!("-n {a} addr add 10.213.7.1/24 dev eth0"),
            format!("-n {b} addr add 10.213.7.2/24 dev eth0"),
            format!("-n {a} link set eth0 up"),
            format!("-n {b} link set eth0 up"),
            format!("-n {a} link set lo up"),
        ];
        steps.iter().all(|step| ip(step)).then_some(cable)
    }

    fn pull(&self) {
        assert!(ip(&format!("-n {} link set eth0 down", self.ends[1])));
    }

    /// `ldctl` at one end.
    fn program(&self, end: usize, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.ends[end], env!("CARGO_BIN_EXE_ldctl")]).args(args);
        command.env_remove("LOAD_DENSITY_SOCKET_TOKEN").stdin(Stdio::null());
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.ends.iter().for_each(|end| {
            ip(&format!("netns del {end}"));
        });
    }
}

fn ip(args: &str) -> bool {
    let mut command = Command::new("ip");
    let silent = command.args(args.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

#[test]
fn t61_the_load_of_a_client_whose_cable_was_pulled_ends() {
    if !installed("ip") {
        return;
    }
    let Some(cable) = Cable::new() else {
        eprintln!("no network namespace can be made: nothing is proved here");
        return;
    };
    let serve = ["serve", "--port", "0", "--host", "10.213.7.1", "--allow-unauthenticated"];
    let server = Server::listening(Running::of(&mut cable.program(0, &serve)));
    let port = server.port();
    // The namespace is new, so every port is free.
    let document = r#"[["LD_start_stub_server", {"rules": [], "port": 8080}],
        ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user", "host": "http://127.0.0.1:8080"},
         "user_count": 2, "spawn_rate": 100, "test_time": null,
         "tasks": [{"method": "get", "request_url": "/"}]}]]"#;
    let send =
        ["send", "--output", "json", "--host", "10.213.7.1", "--port", &port, "--json", document];
    let client = Running::of(&mut cable.program(1, &send));
    client.line_with(r#""event":"progress""#);
    let state = || {
        let status = ["status", "1", "--host", "10.213.7.1", "--port", &port, "--output", "json"];
        let output = cable.program(0, &status).output().expect("the program");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(state().contains(r#""state":"running""#), "{}", state());
    cable.pull();
    // Nothing acknowledged for 30 s.
    soon_true(|| state().contains(r#""state":"lost""#));
    assert!(state().contains("its client left"), "{}", state());
}
