//! The page in headless Chromium: at the widths of a phone and of a desktop, in light and dark, it
//! loads nothing, says nothing on the console, keeps its text readable, and its script works under its
//! own content security policy.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::installed;

/// Requests by so many names, two of which fail.
const NAMES: usize = 25;

/// Writes `page.html` of a short test.
fn write_page(directory: &Path) {
    let rules = r#"{"path": "/bad", "status": 503}, {"path": "/ok", "body": "fine"}"#;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let tasks: Vec<String> = (0..NAMES)
        .map(|number| {
            let url = if number % 20 == 0 { "/bad" } else { "/ok" };
            format!(
                r#"{{"method": "get", "url": "{url}", "name": "name-{number} {}"}}"#,
                "long-".repeat(20)
            )
        })
        .collect();
    let document = format!(
        r#"[["LD_start_stub_server", {{"port": {}, "rules": [{rules}]}}],
            ["LD_start_test", {{"user_detail_dict": {{"host": "http://{address}"}}, "tasks": [{}],
                "user_count": 2, "spawn_rate": 100, "test_time": 1, "wait_time": 0}}],
            ["LD_generate_html_report", {{"html_name": "page", "rules": [
                {{"type": "failure_rate", "value": 0.01}}, {{"type": "latency_p95", "value": 60000}}]}}]]"#,
        address.port(),
        tasks.join(", ")
    );
    let file = directory.join("shop.json");
    fs::write(&file, document).expect("a file");
    let run = crate::support::ldctl();
    run.arg("run").arg(&file).current_dir(directory).assert().success();
}

/// Opens the page in a frame of each width, tries what a reader does, and writes what it finds into its
/// own document.
const PROBE: &str = r#"<!doctype html><meta charset="utf-8"><pre id="found"></pre><script>
const found = [];
const probe = (width) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.width = width;
  frame.height = 900;
  frame.onload = () => {
    const page = frame.contentDocument;
    const all = (selector) => [...page.querySelectorAll(selector)];
    const shown = () => all("table.names tbody").filter((group) => !group.hidden).length;
    const say = (what, value) => found.push(`${width} ${what}: ${value}`);
    say("page", page.documentElement.scrollWidth);
    const heights = all(".charts > figure .plot text").filter((text) => text.getBoundingClientRect().height)
      .map((text) => text.getBoundingClientRect().height);
    say("least text", Math.floor(Math.min(...heights)));
    say("first", shown());
    const more = page.querySelector(".tools button");
    more.click();
    say("all", shown());
    const box = page.querySelector(".tools input");
    box.value = "NAME-7";
    box.dispatchEvent(new Event("input"));
    say("filtered", shown());
    const name = all("table.names tbody").find((group) => !group.hidden);
    const charts = name.querySelector(".more");
    const display = () => frame.contentWindow.getComputedStyle(charts).display;
    say("closed", display());
    name.querySelector("details").open = true;
    say("open", display());
    const table = page.querySelector("table.names");
    table.parentElement.scrollLeft = 300;
    const left = name.rows[0].cells[0].getBoundingClientRect().left;
    say("name", Math.round(left - table.parentElement.getBoundingClientRect().left));
    const gate = frame.contentWindow.getComputedStyle(page.querySelector(".stack td")).display;
    say("gates", gate);
    say("background", frame.contentWindow.getComputedStyle(page.body).backgroundColor);
    done();
  };
  frame.src = "page.html";
  document.body.append(frame);
});
probe(400).then(() => probe(1400)).then(() => {
  document.getElementById("found").textContent = found.join("\n");
});
</script>"#;

/// What the probe finds, and what the browser writes on its console.
fn probed(directory: &Path, dark: bool) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().expect("a directory");
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    chromium.args(["--allow-file-access-from-files", "--virtual-time-budget=20000", "--dump-dom"]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display()));
    if dark {
        chromium.arg("--blink-settings=preferredColorScheme=0");
    }
    chromium.arg(format!("file://{}", directory.join("probe.html").display()));
    let output = chromium.output().expect("chromium runs");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    let found =
        stdout.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found.unwrap_or_else(|| panic!("no result: {stdout:.300} {stderr:.300}"));
    (found.to_owned(), console.collect())
}

#[test]
fn the_page_is_whole_in_a_browser_on_a_phone_and_on_a_desktop_in_light_and_dark() {
    if !installed("chromium") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    write_page(directory.path());
    fs::write(directory.path().join("probe.html"), PROBE).expect("a file");
    let mut backgrounds = Vec::new();
    for dark in [false, true] {
        let (found, console) = probed(directory.path(), dark);
        assert_eq!(console, [""; 0], "the console is silent");
        let value = |what: &str| {
            let value = found.lines().find_map(|line| line.strip_prefix(&format!("{what}: ")));
            value.unwrap_or_else(|| panic!("{what} in {found}")).to_owned()
        };
        for width in [400, 1400] {
            let value = |what: &str| value(&format!("{width} {what}"));
            let page: u32 = value("page").parse().expect("a width");
            assert!(page <= width, "nothing overflows: {found}");
            let text: u32 = value("least text").parse().expect("a height");
            assert!(text >= 10, "labels keep their size: {found}");
            assert_eq!((value("first"), value("all")), ("20".to_owned(), NAMES.to_string()));
            assert_eq!(value("filtered"), "1", "{found}");
            assert_eq!((&*value("closed"), &*value("open")), ("none", "table-row"));
            // The border is beside it.
            assert_eq!(value("name"), "1", "the name stays in sight: {found}");
            let stacked = if width == 400 { "block" } else { "table-cell" };
            assert_eq!(value("gates"), stacked);
        }
        backgrounds.push(value("400 background"));
    }
    assert_ne!(backgrounds[0], backgrounds[1], "dark differs from light");
}
