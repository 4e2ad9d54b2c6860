//! How a run ends before its time, and what becomes of requests in progress.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stop_lets_requests_in_progress_finish_and_starts_no_others() {
    let stop = Duration::from_millis(2100);
    let run = users(5, 60.0).act(|_| passes_after(500 * MILLI)).stop_at(stop).run().await;
    assert!(run.calls.iter().all(|call| call.at <= stop));
    assert_eq!(run.recording.len(), run.calls.len());
    assert_eq!(run.errors(), [""; 0]);
    let half = Duration::from_millis(2500);
    assert!((half..half + 10 * MILLI).contains(&run.elapsed), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_waiting_users() {
    let tasks = r#"[{"think_time": 1000}, {"throttle": {"rps": 0.001}}]"#;
    for scene in [
        users(5, 600.0).pacing(closed("1000")),
        users(5, 600.0).tasks(TaskOrder::Sequence, tasks),
        users(5, 600.0).tasks(TaskOrder::Sequence, r#"[{"throttle": {"rps": 0.001}}]"#),
        users(5, 600.0).pacing(Pacing::Open(0.001.into())),
        users(5, 600.0)
            .tasks(TaskOrder::Sequence, r#"[{"retry": {"base_delay": 1000, "max_delay": 1000}}]"#)
            .act(|_| fails(Verdict::Transient)),
    ] {
        let run = scene.stop_at(Duration::from_secs(2)).run().await;
        assert!(run.elapsed < Duration::from_secs(2) + 10 * MILLI, "{:?}", run.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_an_iteration_skips_its_other_tasks() {
    let run = users(3, 60.0)
        .tasks(TaskOrder::Sequence, "[{}, {}, {}]")
        .act(|_| passes_after(Duration::from_secs(1)))
        .stop_at(Duration::from_millis(1500))
        .run()
        .await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!(tasks, [0, 0, 0, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_hang_are_dropped_after_the_grace_and_counted_apart() {
    let hangs = Reply { service: None, verdict: Verdict::Passed, recorded: true };
    let act = move |call: Call| if call.user < 2 { hangs } else { passes_after(MILLI) };
    let run = users(5, 2.0).pacing(closed("0.1")).act(act).run().await;
    let end = Duration::from_secs(2) + GRACE;
    assert!((end..end + 10 * MILLI).contains(&run.elapsed), "{:?}", run.elapsed);
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!((run.recording.len() + 2, run.recording.interrupted()), (run.calls.len(), 2));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_test_also_ends_users_in_on_start() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let scene = users(2, 1.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.act(move |_| hangs).run().await;
    assert_eq!(run.calls.len(), 2);
    assert!(run.warnings.iter().any(|text| text.starts_with("2 requests had no response")));
    assert_eq!(run.starts, 0);
}
