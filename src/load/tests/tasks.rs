//! Which tasks of an iteration run, how often, and what follows their failure.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failed_task_is_retried_with_growing_delays() {
    let run = users(1, 60.0)
        .pacing(closed("1000"))
        .tasks(
            TaskOrder::Sequence,
            r#"[{"retry": {"transient": 3, "base_delay": 1, "jitter": 0}}, {}]"#,
        )
        .act(|call| match call.task {
            0 => fails(Verdict::Transient),
            _ => passes_after(MILLI),
        })
        .run()
        .await;
    let starts: Vec<(usize, u64)> =
        run.calls.iter().map(|call| (call.task, call.at.as_secs())).collect();
    assert_eq!(starts, [(0, 0), (0, 1), (0, 3), (0, 7), (1, 7)]);
    assert_eq!(run.errors().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_has_its_own_budget() {
    let tries = |tasks, verdict| async move {
        let scene = users(1, 900.0).pacing(closed("1000")).tasks(TaskOrder::Sequence, tasks);
        scene.act(move |_| fails(verdict)).run().await.calls.len()
    };
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Transient).await, 6);
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Flaky).await, 3);
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Permanent).await, 1);
    assert_eq!(tries(r#"[{"retry": {"permanent": 2}}]"#, Verdict::Permanent).await, 3);
    assert_eq!(tries("[{}]", Verdict::Transient).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_holds_its_rate_over_all_users_and_workers() {
    let run = users(50, 10.0)
        .tasks(TaskOrder::Sequence, r#"[{"throttle": {"key": "k", "rps": 40, "burst": 8}}]"#)
        .workers(2)
        .run()
        .await;
    for second in 1..10 {
        let starts = run.calls.iter().filter(|call| call.at.as_secs() == second).count();
        assert!((39..=41).contains(&starts), "{starts} in second {second}");
    }
    let first = run.calls.iter().filter(|call| call.at.as_secs() == 0).count();
    assert!((47..=49).contains(&first), "a burst of 8 and 40 in the first second: {first}");
}

#[tokio::test(start_paused = true)]
async fn tasks_without_a_key_share_a_throttle_by_name() {
    let tasks = r#"[{"name": "a", "throttle": {"rps": 1, "burst": 1}},
                    {"name": "b", "throttle": {"rps": 100}}]"#;
    let run = users(10, 10.0).tasks(TaskOrder::Weighted, tasks).run().await;
    let slow = run.calls.iter().filter(|call| call.task == 0).count();
    assert!((9..=11).contains(&slow), "{slow}");
}

#[tokio::test(start_paused = true)]
async fn a_user_thinks_after_its_task() {
    let run = users(1, 60.0)
        .tasks(TaskOrder::Sequence, r#"[{"think_time": 2}, {"think_time": {"min": 3, "max": 4}}]"#)
        .run()
        .await;
    let starts = run.of_user(0);
    for pair in starts.windows(2).step_by(2) {
        assert_eq!((pair[1] - pair[0]).as_secs(), 2);
    }
    for pair in starts[1..].windows(2).step_by(2) {
        assert!((3..=4).contains(&(pair[1] - pair[0]).as_secs()));
    }
}

#[tokio::test(start_paused = true)]
async fn weights_decide_how_often_a_task_runs() {
    let tasks = r#"[{"weight": 1}, {"weight": 0}, {"weight": 3}]"#;
    let run = users(10, 40.0).pacing(closed("0.1")).tasks(TaskOrder::Weighted, tasks).run().await;
    let of = |task| run.calls.iter().filter(|call| call.task == task).count() as f64;
    assert_eq!(of(1), 0.0);
    assert!((2.7..3.3).contains(&(of(2) / of(0))), "{} and {}", of(2), of(0));
}

#[tokio::test(start_paused = true)]
async fn tasks_of_on_start_run_once_and_in_order_before_a_users_first_iteration() {
    let tasks = r#"[{"weight": 9}, {"run_if": "${off}"}, {}, {"weight": 1}, {"weight": 1}]"#;
    let scene = || users(5, 10.0).pacing(closed("1")).on_start(3);
    for mode in [TaskOrder::Weighted, TaskOrder::Sequence] {
        let run = scene().tasks(mode, tasks).run().await;
        for user in 0..5 {
            let calls = run.calls.iter().filter(|call| call.user == user);
            let tasks: Vec<usize> = calls.map(|call| call.task).collect();
            assert_eq!(tasks[..2], [0, 2], "user {user}");
            assert!(tasks[2..].iter().all(|task| [3, 4].contains(task)), "{tasks:?}");
            assert!(tasks[2..].contains(&3) && tasks[2..].contains(&4), "{tasks:?}");
        }
        assert_eq!(run.live.requests().0, run.calls.len() as u64, "all are recorded");
        let iterations = if mode == TaskOrder::Weighted { 1 } else { 2 };
        assert_eq!(run.starts * iterations, run.calls.len() as u64 - 10, "they are no iteration");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_on_start_does_not_stop_the_user() {
    let act = |call: Call| match call.task {
        0 => fails(Verdict::Permanent),
        _ => passes_after(MILLI),
    };
    let scene = users(1, 10.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.act(act).iterations(3).run().await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!((tasks, run.starts), (vec![0, 1, 1, 1], 3));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_never_ran_are_warned_about_unless_they_are_switched_off() {
    let sequence = r#"[{"name": "fine"}, {"name": "items", "run_if": "${off}"}, {"run_if": false},
                       {"skip_if": true}, {"url": "/a", "skip_if": "${on}"}]"#;
    let weighted = r#"[{"name": "fine", "weight": 1000000}, {"name": "rare"}, {"weight": 0}]"#;
    for (mode, tasks, warning) in [
        (
            TaskOrder::Sequence,
            sequence,
            "task \"items\" and 1 more never ran, each because its conditions did not hold",
        ),
        (TaskOrder::Weighted, weighted, "task \"rare\" never ran: no iteration drew it"),
    ] {
        let run = users(1, 5.0).pacing(closed("1")).tasks(mode, tasks).run().await;
        assert_eq!(run.warnings, [warning]);
    }
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let tasks = r#"[{"name": "slow"}, {"name": "next"}]"#;
    let run = users(1, 1.0).tasks(TaskOrder::Sequence, tasks).act(move |_| hangs).run().await;
    let next = "task \"next\" never ran: no user got that far".to_owned();
    assert!(run.warnings.contains(&next), "{:?}", run.warnings);
}

#[tokio::test(start_paused = true)]
async fn iterations_without_a_request_are_counted_in_a_warning() {
    let act = |call: Call| Reply { recorded: call.turn < 1, ..passes_after(MILLI) };
    let run = users(1, 10.0).act(act).iterations(4).run().await;
    assert_eq!(run.warnings, ["3 of 4 iterations made no request"]);
}

#[tokio::test(start_paused = true)]
async fn conditions_decide_whether_a_task_runs() {
    let tasks = r#"[{"run_if": "${on}"}, {"run_if": "${off}"}, {"skip_if": "${on}"},
                    {"skip_if": {"equals": ["${on}", "x"]}}]"#;
    let run = users(1, 1.0).pacing(closed("10")).tasks(TaskOrder::Sequence, tasks).run().await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!(tasks, [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_scenario_that_runs_nothing_does_not_spin_and_ends() {
    for (mode, tasks) in [
        (TaskOrder::Weighted, r#"[{"weight": 0}]"#),
        (TaskOrder::Sequence, r#"[{"run_if": false}]"#),
    ] {
        let run = users(10, 10.0).tasks(mode, tasks).run().await;
        assert_eq!((run.calls.len(), run.elapsed.as_secs()), (0, 10));
    }
}
