//! What documents can and cannot do with files.

use super::*;

pub(super) fn data_dir() -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = dir.path().join("data");
    std::fs::create_dir(&inside).expect("a directory");
    let files = Files::open(&inside).expect("a data directory");
    (dir, files)
}

#[test]
fn a_missing_permission_and_a_way_out_have_messages_of_their_own() {
    let permission = io::Error::from_raw_os_error(13);
    assert_eq!(permission.kind(), io::ErrorKind::PermissionDenied);
    let said = failure("r.html", &permission).message;
    assert_eq!(said, "\"r.html\" cannot be used: Permission denied");
    let out = io::Error::new(io::ErrorKind::PermissionDenied, "a path led outside");
    let said = failure("r.html", &out).message;
    assert!(said.starts_with("\"r.html\" leads out of the data directory; "), "{said}");
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let (dir, files) = data_dir();
    let write = |text: &str| files.write_atomically("a.txt", |out| out.write_all(text.as_bytes()));
    assert_eq!(write("old").expect("written"), Path::new("a.txt"));
    let broken = files.write_atomically("a.txt", |out| {
        out.write_all(b"half")?;
        Err(io::Error::other("the disk is full"))
    });
    assert_eq!(broken.expect_err("refused").message, "\"a.txt\" cannot be used: the disk is full");
    assert_eq!(files.read("a.txt").expect("readable"), b"old");
    write("new").expect("written");
    assert_eq!(files.read("./a.txt").expect("readable"), b"new");
    let names = std::fs::read_dir(dir.path().join("data")).expect("readable");
    assert_eq!(names.count(), 1, "no temporary file is left");
}

#[cfg(unix)]
#[test]
fn t58_hidden_files_and_what_links_lead_to_are_no_files_for_documents() {
    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    for place in [".ssh", "seen", "seen/.git"] {
        std::fs::create_dir(data.join(place)).expect("a directory");
        std::fs::write(data.join(place).join("key"), "secret").expect("a file");
    }
    std::fs::write(data.join(".env"), "secret").expect("a file");
    for (link, to) in [("keys", ".ssh"), ("key.csv", ".ssh/key"), ("up", "seen/.git")] {
        std::os::unix::fs::symlink(to, data.join(link)).expect("a link");
    }
    let absolute = data.join(".env").display().to_string();
    let paths =
        [".env", "./.env", ".ssh/key", "seen/.git/key", "keys/key", "key.csv", "up/key", &absolute];
    for path in paths {
        let refused = files.read(path).expect_err(path);
        assert!(refused.message.contains(" is hidden "), "{path}: {refused}");
    }
    for path in [".new", ".ssh/new", "keys/new", "seen/.git/new"] {
        let written = files.write_atomically(path, |out| out.write_all(b"x"));
        let refused = written.expect_err(path);
        assert!(refused.message.contains(" is hidden "), "{path}: {refused}");
        files.place(path).expect_err(path);
    }
    files.make_directories("keys/more/new").expect_err("refused");
    assert!(!data.join(".ssh/more").exists());
    assert_eq!(files.read("seen/key").expect("readable"), b"secret");
    let all = files.allowing(FileAccess::All);
    for path in paths {
        assert_eq!(all.read(path).expect(path), b"secret");
    }
    let none = all.allowing(FileAccess::Nothing("it is a test".to_owned()));
    assert_eq!(
        none.read("seen/key").expect_err("refused").message,
        "\"seen/key\" cannot be used: documents have no data directory, because it is a test; \
         name one with --data-dir"
    );
}

#[test]
fn t58_in_a_directory_that_is_only_assumed_reports_replace_nothing_but_reports() {
    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    for (name, text) in [
        ("own.json", "{\"name\": \"x\", \"engines\": {}}"),
        ("old.json", "{\"totals\": 1}"),
        ("empty", "{}\n"),
    ] {
        std::fs::write(data.join(name), text).expect("a file");
    }
    let signs = ["\"totals\""];
    for path in ["own.json", "old.json", "empty", "new"] {
        files.may_replace(path, &signs).expect(path);
    }
    let files = files.allowing(FileAccess::Assumed);
    for path in ["old.json", "empty", "new"] {
        files.may_replace(path, &signs).expect(path);
    }
    let refused = files.may_replace("own.json", &signs).expect_err("refused");
    assert!(refused.message.starts_with("\"own.json\" exists and is no such report"));
}

#[test]
fn an_absolute_path_inside_is_the_same_file() {
    let (dir, files) = data_dir();
    files.write_atomically("a.txt", |out| out.write_all(b"x")).expect("written");
    let absolute = dir.path().join("data/a.txt");
    let absolute = absolute.to_str().expect("text");
    assert_eq!(files.read(absolute).expect("readable"), b"x");
    assert!(files.place(absolute).expect("inside").exists());
}

#[test]
fn t16_paths_that_lead_out_are_refused_and_nothing_outside_changes() {
    let (dir, files) = data_dir();
    let outside = dir.path().join("outside.txt");
    std::fs::write(&outside, "kept").expect("written");
    let data = dir.path().join("data");
    std::os::unix::fs::symlink(&outside, data.join("link")).expect("a link");
    std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
    std::fs::create_dir(data.join("sub")).expect("a directory");
    let long = "x".repeat(4096);
    let long_name = "x".repeat(300);
    for path in [
        "../outside.txt",
        "../../x",
        "sub/../../outside.txt",
        outside.to_str().expect("text"),
        "/abs",
        "a\0b",
        "link",
        "up/outside.txt",
        "up/new.txt",
        &long,
        &long_name,
        "",
        ".",
        "sub",
        "sub/",
        "missing/a.txt",
    ] {
        let written = files.write_atomically(path, |out| out.write_all(b"hacked"));
        let refused = written.expect_err(path);
        assert_eq!(refused.kind, FailureKind::File, "{path}");
    }
    assert_eq!(std::fs::read(&outside).expect("readable"), b"kept");
    let names = std::fs::read_dir(dir.path()).expect("readable");
    assert_eq!(names.count(), 2, "nothing new outside");
}

#[test]
fn t17_only_small_regular_files_inside_are_read() {
    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    std::os::unix::fs::symlink("/etc/shadow", data.join("shadow")).expect("a link");
    std::os::unix::fs::symlink("/dev/zero", data.join("zero")).expect("a link");
    std::os::unix::net::UnixListener::bind(data.join("socket")).expect("a socket");
    let fifo = std::process::Command::new("mkfifo").arg(data.join("fifo")).status();
    assert!(fifo.expect("mkfifo").success());
    let large = std::fs::File::create(data.join("large")).expect("a file");
    large.set_len(1 << 30).expect("a sparse file");
    for path in ["/etc/shadow", "/dev/zero", "shadow", "zero", "socket", "fifo", "large", "no"] {
        let refused = files.read(path).expect_err(path);
        assert_eq!(refused.kind, FailureKind::File, "{path}");
        assert!(refused.message.contains(path), "{}", refused.message);
    }
    assert_eq!(
        files.read("large").expect_err("too large").message,
        "\"large\" is too large: 1073741824 bytes, the limit is 64 MiB"
    );
}

#[test]
fn t49_what_is_exchanged_while_it_is_opened_is_read_and_written_inside_or_not_at_all() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, Ordering};

    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    let outside = dir.path().join("outside");
    for directory in [&outside, &data.join("sub")] {
        std::fs::create_dir(directory).expect("a directory");
        let inside = if *directory == outside { "outside" } else { "inside" };
        std::fs::write(directory.join("a"), inside).expect("written");
    }
    std::os::unix::fs::symlink(&outside, data.join("link")).expect("a link");
    std::fs::write(data.join("file"), "inside").expect("written");
    let fifo = std::process::Command::new("mkfifo").arg(data.join("fifo")).status();
    assert!(fifo.expect("mkfifo").success());
    let done = AtomicBool::new(false);
    let (read, refused) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (one, other) in [("sub", "link"), ("file", "fifo")] {
                    let (one, other) = (data.join(one), data.join(other));
                    renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("done");
                }
            }
        });
        let (mut read, mut refused) = (0, 0);
        for number in 0..2000 {
            // A FIFO that is opened for reading would wait for its writer for ever.
            for path in ["sub/a", "file"] {
                match files.read(path) {
                    Ok(text) => {
                        assert_eq!(text, b"inside");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            let _ = files
                .write_atomically(&format!("sub/{}", number % 8), |out| out.write_all(b"inside"));
            let _ = files.make_directories(&format!("sub/d{}/x", number % 8));
        }
        done.store(true, Ordering::Relaxed);
        (read, refused)
    });
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    let names = std::fs::read_dir(outside).expect("readable");
    assert_eq!(names.count(), 1, "nothing new outside");
}

#[test]
fn t25_a_secret_file_cannot_be_read_or_replaced_by_any_name() {
    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    let token = data.join("token");
    let files = files.without(&[token.clone(), dir.path().join("missing")]);
    std::fs::write(&token, "first").expect("written");
    std::fs::hard_link(&token, data.join("hard")).expect("a link");
    std::os::unix::fs::symlink("token", data.join("soft")).expect("a link");
    // A rotated token is a new file.
    for text in ["first", "second"] {
        for path in ["token", "./token", "hard", "soft"] {
            let refused = files.read(path).expect_err(path);
            assert_eq!(refused.message, format!("{path:?} {SECRET}"));
            files.place(path).expect_err(path);
            let written = files.write_atomically(path, |out| out.write_all(b"hacked"));
            written.expect_err(path);
        }
        assert_eq!(std::fs::read(&token).expect("readable"), text.as_bytes());
        std::fs::remove_file(data.join("hard")).expect("removed");
        std::fs::write(data.join("new"), "second").expect("written");
        std::fs::rename(data.join("new"), &token).expect("renamed");
        std::fs::hard_link(&token, data.join("hard")).expect("a link");
    }
    std::fs::write(data.join("other"), "open").expect("written");
    assert_eq!(files.read("other").expect("readable"), b"open");
}

#[test]
fn t16_directories_are_created_only_inside() {
    let (dir, files) = data_dir();
    let data = dir.path().join("data");
    std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
    std::fs::write(data.join("file"), "kept").expect("written");
    files.make_directories("a/b/c.json").expect("made");
    files.make_directories("a/b/c.json").expect("found");
    files.make_directories("c.json").expect("nothing to make");
    assert!(data.join("a/b").is_dir() && !data.join("a/b/c.json").exists());
    for path in ["../new/a", "up/new/a", "file/new/a", "/new/a", "a/\0/b", ""] {
        files.make_directories(path).expect_err(path);
    }
    let names = std::fs::read_dir(dir.path()).expect("readable");
    assert_eq!(names.count(), 1, "nothing new outside");
}

#[test]
fn a_database_path_is_resolved_only_inside() {
    let (dir, files) = data_dir();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("data/up")).expect("a link");
    std::os::unix::fs::symlink("../x.db", dir.path().join("data/x.db")).expect("a link");
    for path in ["../x.db", "up/x.db", "x.db", "no/such/dir/runs.db"] {
        files.place(path).expect_err(path);
    }
    let lacking: Vec<bool> = ["no/x.db", "x.db", "../no/x.db", "up/no/x.db"]
        .into_iter()
        .map(|path| files.lacks_directory(path))
        .collect();
    assert_eq!(lacking, [true, false, false, true]);
    assert!(!files.place("runs.db").expect("inside").exists());
    for ending in COMPANIONS {
        let beside = dir.path().join(format!("data/runs.db{ending}"));
        std::os::unix::fs::symlink("../outside", &beside).expect("a link");
        let refused = files.place("runs.db").expect_err(ending);
        assert_eq!(
            refused.message,
            format!("\"runs.db{ending}\" is a symbolic link; name the file itself")
        );
        std::fs::remove_file(beside).expect("removed");
    }
}
