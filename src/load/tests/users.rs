//! How many users there are, and that one does not disturb the others.

use super::*;

fn seconds(count: u64) -> Vec<Duration> {
    // Half past each second: corners of a shape lie on full seconds.
    (0..count).map(|second| Duration::from_secs(second) + Duration::from_millis(500)).collect()
}

/// Checks that the users follow the shape within one user or 2 % at each second, over two workers.
async fn check_curve(shape: Shape, lasts: u64) {
    let plan = shape.clone();
    let scene = users(0, 0.0).shape(shape).pacing(closed("0.1")).workers(2);
    let run = scene.watch(seconds(lasts)).await;
    for (at, seen) in run.seen {
        let want = plan.users(at) as f64;
        let off = (seen as f64 - want).abs();
        assert!(off <= (want * 0.02).max(1.0), "at {at:?}: {seen} users instead of {want}");
    }
}

#[tokio::test(start_paused = true)]
async fn users_start_at_the_spawn_rate() {
    check_curve(Shape::constant(500, 37.0, Some(20.0)), 20).await;
    check_curve(Shape::constant(7, 0.5, Some(20.0)), 20).await;
}

#[tokio::test(start_paused = true)]
async fn users_follow_commands_at_once_up_and_down_over_all_workers() {
    let commands = Commands::new(70, Some(Duration::from_secs(8)));
    let scene = users(0, 0.0).users(Users::Commanded(Arc::clone(&commands)));
    let scene = scene.pacing(closed("0.01")).workers(3);
    let giver = Arc::clone(&commands);
    let give = async move {
        for (at, users) in [(1, 50), (2, 51), (3, 7), (4, 900), (5, 0), (6, 1)] {
            sleep_until(Instant::now() + Duration::from_secs(1)).await;
            assert_eq!(giver.set(users), users.min(70), "{at}");
        }
    };
    let watched: Vec<Duration> = (0..8).map(|n| Duration::from_millis(n * 1000 + 100)).collect();
    let (run, ()) = tokio::join!(scene.watch(watched), give);
    let seen: Vec<usize> = run.seen.iter().map(|(_, seen)| *seen).collect();
    assert_eq!(seen, [0, 50, 51, 7, 70, 0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_the_test_and_drops_what_hangs_only_when_told_to() {
    let commands = Commands::new(10, None);
    let scene = users(0, 0.0).users(Users::Commanded(Arc::clone(&commands))).workers(2);
    // Users of even numbers hang.
    let scene = scene.act(|call| match call.user % 2 {
        0 => Reply { service: None, verdict: Verdict::Passed, recorded: true },
        _ => passes_after(MILLI),
    });
    let giver = Arc::clone(&commands);
    let give = async move {
        let pause = async |millis| sleep(Duration::from_millis(millis)).await;
        giver.set(8);
        pause(500).await;
        assert_eq!(giver.busy(), 8);
        giver.set(0);
        pause(1000).await;
        assert_eq!(giver.busy(), 4, "those that hang");
        giver.drop_unfinished();
        pause(100).await;
        assert_eq!(giver.busy(), 0);
        giver.set(1);
        pause(100).await;
        assert_eq!(giver.busy(), 1, "it goes on");
        giver.end();
        assert_eq!((giver.set(5), giver.users()), (5, 0), "the end is the last command");
    };
    let (run, ()) = tokio::join!(scene.watch(Vec::new()), give);
    assert_eq!(run.recording.interrupted(), 5);
    assert!(run.elapsed < Duration::from_millis(1800) + GRACE, "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn users_follow_every_shape_up_and_down() {
    let stages = r#"{"stages": [{"duration": 10, "users": 200, "spawn_rate": 50},
                                {"duration": 10, "users": 20, "spawn_rate": 30},
                                {"duration": 5, "users": 100, "spawn_rate": 1000}]}"#;
    check_curve(shape("stages", stages), 25).await;
    let spike = r#"{"baseline_users": 10, "spike_users": 300, "spawn_rate": 100,
                    "pre_seconds": 5, "spike_seconds": 10, "post_seconds": 10}"#;
    check_curve(shape("spike", spike), 25).await;
    let soak = r#"{"users": 150, "ramp_seconds": 10, "hold_seconds": 5, "cooldown_seconds": 10}"#;
    check_curve(shape("soak", soak), 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_with_its_shape() {
    let run = users(10, 3.0).pacing(closed("0.1")).run().await;
    assert!(run.calls.iter().all(|call| call.at < Duration::from_secs(3)));
    assert!(run.elapsed < Duration::from_secs(3) + 2 * MILLI, "{:?}", run.elapsed);
    assert_eq!(run.recording.len(), run.calls.len());
}

#[tokio::test(start_paused = true)]
async fn users_removed_by_a_shape_finish_their_requests_in_progress() {
    let shape = shape(
        "stages",
        r#"{"stages": [{"duration": 2, "users": 10, "spawn_rate": 1000},
                       {"duration": 2, "users": 1, "spawn_rate": 1000}]}"#,
    );
    let run = users(0, 0.0).shape(shape).act(|_| passes_after(700 * MILLI)).run().await;
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!(run.recording.len(), run.calls.len());
    assert!(run.calls.iter().filter(|call| call.user > 0).all(|call| call.at.as_secs() < 3));
}

#[tokio::test(start_paused = true)]
async fn users_without_a_target_do_not_spin() {
    let refused = || users(10, 10.0).act(|_| fails(Verdict::Transient));
    let per_user = |run: Run| run.calls.len() / 10;
    assert!(per_user(refused().run().await) <= 100);
    let retry = r#"[{"retry": {"transient": 1000000000, "base_delay": 0}}]"#;
    assert!(per_user(refused().tasks(TaskOrder::Sequence, retry).run().await) <= 1000);
    let none = Reply { recorded: false, ..passes_after(Duration::ZERO) };
    assert!(per_user(users(10, 10.0).act(move |_| none).run().await) <= 100);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_user_does_not_stop_the_others() {
    let act = |call: Call| {
        assert!(call.user != 1, "scripted");
        passes_after(MILLI)
    };
    let run = users(3, 5.0).pacing(closed("1")).act(act).run().await;
    assert_eq!(run.broken, 1);
    assert_eq!((run.of_user(0).len(), run.of_user(2).len()), (5, 5));
    assert_eq!(run.warnings, ["1 virtual user crashed (a bug in ldctl)"]);
}

#[tokio::test(start_paused = true)]
async fn users_differ_but_a_seed_makes_them_repeatable() {
    let starts = || async {
        let run = users(3, 5.0).pacing(Pacing::Closed(Wait::DEFAULT)).run().await;
        (run.of_user(0), run.of_user(1))
    };
    let (first, again) = (starts().await, starts().await);
    assert_eq!(first, again);
    assert_ne!(first.0, first.1);
}
