//! When iterations start, in closed and open models, and what their latencies count from.

use super::*;

#[tokio::test(start_paused = true)]
async fn closed_users_wait_between_their_iterations() {
    let run = users(20, 30.0).pacing(Pacing::Closed(Wait::DEFAULT)).run().await;
    let mut gaps = Vec::new();
    for user in 0..20 {
        let starts = run.of_user(user);
        // Each gap is the request's millisecond, the wait, and up to a millisecond of the timer.
        gaps.extend(starts.windows(2).map(|pair| (pair[1] - pair[0] - MILLI).as_secs_f64()));
    }
    assert!(gaps.iter().all(|gap| (0.1..=0.202).contains(gap)), "{gaps:?}");
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((0.147..0.153).contains(&mean), "{mean}");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_counts_from_zero_and_the_cumulative_figures_keep_growing() {
    let cumulative = Arc::default();
    let mut sum = 0;
    for seconds in [2.0, 1.0] {
        let run = users(3, seconds).workers(2).act(|_| passes_after(10 * MILLI));
        let live = run.feeding(&cumulative).run().await.live;
        assert_eq!(live.requests(), (seconds as u64 * 300, 0));
        sum += live.total().requests;
        assert_eq!(cumulative.counts().iter().map(|row| row.requests).sum::<u64>(), sum);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_the_next_iteration_starts_immediately() {
    let run = users(1, 1.0).act(|_| passes_after(10 * MILLI)).run().await;
    assert_eq!(run.calls.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn open_arrivals_keep_their_rate_however_slow_the_responses() {
    for (rate, workers) in [(200.0, 2), (37.0, 1), (1000.0, 3)] {
        let run = users(600, 20.0)
            .pacing(Pacing::Open(rate.into()))
            .workers(workers)
            .act(|call| passes_after(MILLI * (call.turn % 200) as u32))
            .run()
            .await;
        for second in 0..20 {
            let starts = run.calls.iter().filter(|call| call.at.as_secs() == second).count();
            let off = (starts as f64 - rate).abs();
            assert!(off <= (rate * 0.01).max(1.0), "{starts} in second {second} at {rate}");
        }
        assert_eq!(run.starts, (rate * 20.0) as u64);
        assert_eq!(run.warnings, [""; 0]);
    }
}

/// A target that responds in 2 ms, except between the fifth and the sixth second.
fn stalls(call: Call) -> Reply {
    let (from, to) = (Duration::from_secs(5), Duration::from_secs(6));
    let stalled = (from..to).contains(&call.at);
    passes_after(if stalled { to - call.at } else { 2 * MILLI })
}

#[tokio::test(start_paused = true)]
async fn a_stalled_target_shows_in_response_time_but_hides_in_service_time() {
    let run = users(10, 20.0).pacing(Pacing::Open(100.0.into())).act(stalls).run().await;
    assert_eq!(run.recording.len(), 2000, "every arrival is made, late or not");
    let [_, _, service] = run.percentiles(|row| row.service_ms);
    let [_, _, response] = run.percentiles(|row| row.response_ms);
    println!("p99 over a stall of one second: service {service} ms, response {response} ms");
    assert!(service < 5.0, "p99 of service time: {service} ms");
    // 1 % of 2000 requests waited longer than about 0.8 s of the stalled second.
    assert!((700.0..1000.0).contains(&response), "p99 of response time: {response} ms");
}

#[tokio::test(start_paused = true)]
async fn a_closed_model_records_no_delay() {
    let run = users(10, 20.0).act(stalls).run().await;
    assert!(run.recording.rows().all(|row| row.response_ms == row.service_ms));
}

#[tokio::test(start_paused = true)]
async fn arrivals_without_a_free_user_cause_a_warning() {
    let run = users(2, 10.0)
        .pacing(Pacing::Open(100.0.into()))
        .act(|_| passes_after(100 * MILLI))
        .run()
        .await;
    assert_eq!(
        run.warnings,
        ["800 of 1000 planned iterations never started: all max_users were busy; raise max_users \
          or lower the rate"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_model_waits_for_arrivals_after_on_start() {
    let open = Pacing::Open(1.0.into());
    let act = |call: Call| passes_after(if call.task == 0 { 500 * MILLI } else { MILLI });
    let scene = users(3, 10.0).tasks(TaskOrder::Weighted, "[{}, {}]").on_start(1);
    let run = scene.pacing(open).act(act).run().await;
    let first: Vec<&Call> = run.calls.iter().take(3).collect();
    assert!(first.iter().all(|call| call.task == 0 && call.at < MILLI), "{first:?}");
    assert!(run.calls[3..].iter().all(|call| call.task == 1), "{:?}", run.calls);
    assert!((9..=10).contains(&run.starts), "{}", run.starts);
}

#[tokio::test(start_paused = true)]
async fn arrivals_begin_when_all_users_have_ended_on_start() {
    for workers in [1, 2] {
        // Some log in within one second, others within two.
        let act = |call: Call| match call.task {
            0 => passes_after(Duration::from_secs(1 + call.user as u64 / 2 % 2)),
            _ => passes_after(MILLI),
        };
        let scene = users(10, 6.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
        let run = scene.pacing(Pacing::Open(50.0.into())).act(act).workers(workers).run().await;
        let first = run.calls.iter().filter(|call| call.task == 1).map(|call| call.at).min();
        let begin = Duration::from_secs(2);
        assert!(
            first.is_some_and(|first| (begin..begin + 2 * MILLI).contains(&first)),
            "{first:?}"
        );
        let said = "arrivals began 2.0 s after the start of 6.0 s, when all users had ended on_start: \
                    the iterations of that time are not planned";
        assert_eq!((run.starts, &run.warnings[..]), (200, &[said.to_owned()][..]));
        let rates = (run.iterations.rate(), run.iterations.planned_rate());
        assert!(rates.0.is_some_and(|rate| (49.9..50.1).contains(&rate)), "{rates:?}");
        assert!(rates.1.is_some_and(|rate| (49.9..50.1).contains(&rate)), "{rates:?}");
        let late = run.recording.rows().map(|row| row.response_ms - row.service_ms);
        assert!(late.into_iter().all(|late| late < 2.0), "their time counts as latency");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_hangs_in_on_start_ends_with_the_test_and_the_load_counts_as_dropped() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let act = move |call: Call| if call.user == 1 { hangs } else { passes_after(MILLI) };
    let scene = users(2, 4.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.pacing(Pacing::Open(50.0.into())).act(act).run().await;
    assert_eq!((run.calls.len(), run.starts), (2, 0));
    let dropped = "200 of 200 planned iterations never started: arrivals wait until all users have \
                   ended on_start, and 1 had not; give its tasks a shorter timeout, or the test more time";
    assert!(run.warnings.iter().any(|text| text == dropped), "{:?}", run.warnings);
    let whole = Duration::from_secs(4);
    assert_eq!((run.iterations.span, run.iterations.waited), (whole, Duration::ZERO));
    // Of two workers the other one makes its part.
    let scene = users(2, 4.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1).workers(2);
    let run = scene.pacing(Pacing::Open(50.0.into())).act(act).run().await;
    let Iterations { started, dropped, starting, .. } = run.iterations;
    assert_eq!((started, dropped, starting), (100, 100, 1));
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_with_the_last_of_its_iterations() {
    for (count, workers, iterations) in [(3, 1, 7), (3, 2, 7), (4, 4, 2), (1, 1, 1), (5, 2, 1000)] {
        let run = users(count, 3600.0).workers(workers).iterations(iterations).run().await;
        assert_eq!((run.calls.len() as u64, run.starts), (iterations, iterations));
        assert_eq!((run.broken, run.live.users()), (0, 0));
        assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
    }
    // A user of another worker that would only start later is not waited for.
    let late = users(2, 3600.0).shape(Shape::constant(2, 0.01, Some(3600.0)));
    let run = late.workers(2).iterations(1).run().await;
    assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn an_open_model_has_its_iterations_at_its_rate() {
    let open = users(4, 3600.0).pacing(Pacing::Open(10.0.into()));
    let run = open.workers(2).iterations(5).run().await;
    let mut starts: Vec<u128> = run.calls.iter().map(|call| call.at.as_millis()).collect();
    starts.sort_unstable();
    assert_eq!((starts, run.warnings), (vec![0, 100, 200, 300, 400], Vec::<String>::new()));
    assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn iterations_that_there_is_no_time_for_are_left_out() {
    let run = users(1, 0.1).iterations(1_000_000).run().await;
    assert!(run.starts < 1000, "{}", run.starts);
    assert_eq!(run.elapsed.as_millis(), 100);
}

/// With a target of known delays, the recorded percentiles are those of the table.
#[tokio::test(start_paused = true)]
async fn recorded_percentiles_are_those_of_the_target() {
    let mut random = fastrand::Rng::with_seed(7);
    let table: Vec<u64> =
        (0..1000).map(|_| 1 + (-random.f64().max(1e-9).ln() * 20.0) as u64).collect();
    let mut sorted: Vec<u64> = table.iter().map(|millis| millis * 1000).collect();
    sorted.sort_unstable();
    let want = [50.0, 90.0, 99.0].map(|at| percentile(&sorted, at));
    let run = users(50, 100.0)
        .pacing(Pacing::Open(100.0.into()))
        .act(move |call| passes_after(MILLI * table[call.turn % 1000] as u32))
        .run()
        .await;
    let got = run.percentiles(|row| row.service_ms);
    for (got, want) in got.into_iter().zip(want) {
        assert!((got - want).abs() <= want * 0.02 + 0.3, "{got} ms instead of {want} ms");
    }
}

/// Runs on the real clock, which iterations that never wait could keep from being read.
async fn check_that_it_ends(mode: TaskOrder, tasks: &'static str, pacing: Pacing) {
    for stop_at in [None, Some(50 * MILLI)] {
        let mut scene = users(3, 0.2).pacing(pacing).tasks(mode, tasks).workers(2);
        scene.stop_at = stop_at;
        let run = scene.run().await;
        let planned = match pacing {
            Pacing::Open(rate) => (rate.per_second * run.elapsed.as_secs_f64()) as u64,
            Pacing::Closed(_) => u64::MAX,
        };
        assert!(run.starts > 0 && run.starts < planned, "{} of {planned}", run.starts);
        assert!(run.calls.is_empty());
        let dropped = run.warnings.iter().any(|warning| warning.contains("never started"));
        assert_eq!(dropped, planned < u64::MAX, "{:?}", run.warnings);
    }
}

#[tokio::test]
async fn t44_a_test_whose_iterations_never_wait_ends_by_the_clock_and_when_it_is_stopped() {
    let skipped: &'static str =
        Box::leak(format!("[{}]", vec![r#"{"run_if": false}"#; 100].join(",")).into_boxed_str());
    let fast = Pacing::Open(1e7.into());
    check_that_it_ends(TaskOrder::Sequence, skipped, fast).await;
    check_that_it_ends(TaskOrder::Weighted, skipped, fast).await;
    check_that_it_ends(TaskOrder::Weighted, r#"[{"weight": 0}]"#, fast).await;
    check_that_it_ends(TaskOrder::Sequence, skipped, closed("0")).await;
}

#[tokio::test(start_paused = true)]
async fn t44_arrivals_that_are_late_at_the_end_are_dropped() {
    let run = users(1, 2.0)
        .pacing(Pacing::Open(100.0.into()))
        .act(|_| passes_after(Duration::from_secs(1)))
        .run()
        .await;
    assert_eq!(run.starts, 2);
    assert!(run.warnings[0].starts_with("198 of 200 planned iterations never started"));
}
