//! Requests through a simulated network.

use super::*;

const NETWORK: Conditioner =
    Conditioner { latency_ms: 50.0, jitter_ms: 0.0, loss_rate: 0.0, name_filter: None };

fn services(run: &Run) -> Vec<(String, Duration, Option<String>)> {
    let rows = run.recording.rows();
    rows.map(|row| {
        let took = Duration::from_secs_f64(row.service_ms / 1000.0);
        (row.label.name.to_string(), took, row.error.map(str::to_owned))
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_a_simulated_network_is_part_of_the_measured_time() {
    let run = users(1, 1.0).act(|_| passes_after(10 * MILLI)).through(NETWORK).run().await;
    let services = services(&run);
    assert!((15..=17).contains(&services.len()), "{services:?}");
    assert!(services.iter().all(|(_, took, error)| *took == 60 * MILLI && error.is_none()));
    assert_eq!(run.of_user(0)[..2], [50 * MILLI, 110 * MILLI], "when the target sees them");
}

#[tokio::test(start_paused = true)]
async fn an_open_model_counts_the_simulated_latency_once() {
    let run = users(5, 1.0)
        .pacing(Pacing::Open(10.0.into()))
        .act(|_| passes_after(10 * MILLI))
        .through(NETWORK)
        .run()
        .await;
    let latencies: Vec<f64> = run.recording.rows().map(|row| row.response_ms.round()).collect();
    assert_eq!(latencies, [60.0; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_a_failure_of_the_task_that_it_concerns_and_is_retried() {
    const TASKS: &str = r#"[{"name": "task 0", "retry": {"transient": 1, "base_delay": 0.1, "jitter": 0}},
                            {"name": "task 1"}]"#;
    let run = users(1, 1.0)
        .tasks(TaskOrder::Sequence, TASKS)
        .iterations(1)
        .through(Conditioner { loss_rate: 1.0, name_filter: Some("0".to_owned()), ..NETWORK })
        .run()
        .await;
    let lost = ("task 0".to_owned(), 51 * MILLI, Some(LOST.to_owned()));
    let passed = ("task 1".to_owned(), MILLI, None);
    assert_eq!(services(&run), [lost.clone(), lost, passed]);
    assert!(run.recording.rows().all(|row| row.failed() == (row.status == Some(0))));
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_in_a_simulated_network_at_the_end_are_counted_apart() {
    let network = Conditioner { latency_ms: 20_000.0, ..NETWORK };
    let run = users(5, 1.0).through(network).run().await;
    assert_eq!((run.calls.len(), run.recording.len(), run.recording.interrupted()), (0, 0, 5));
    assert!(run.warnings.iter().any(|text| text.starts_with("5 requests had no response")));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_behind_a_simulated_network_is_counted_once() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let run = users(3, 1.0).act(move |_| hangs).through(NETWORK).run().await;
    assert_eq!((run.calls.len(), run.recording.interrupted()), (3, 3));
}
