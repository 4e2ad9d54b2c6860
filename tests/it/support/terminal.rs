//! A terminal for programs under test: a pseudo-terminal, and a small model of the screen that its
//! output makes. The model breaks lines again when its width changes, as most terminals do: the harder
//! case for a program that draws a line in its place.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use unicode_width::UnicodeWidthChar;

use super::process::{program, signal, soon_true, wait};

/// A program on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    master: Option<std::os::fd::OwnedFd>,
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `ldctl` on a terminal with so many columns, in a UTF-8 locale.
    pub(crate) fn start(columns: u16, args: &[&str]) -> Self {
        Self::start_with(columns, args, &[("LC_ALL", "C.UTF-8"), ("TERM", "xterm-256color")])
    }

    /// The same with another environment.
    pub(crate) fn start_with(columns: u16, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        tcsetwinsize(&master, size(columns)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let open = || {
            let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
            std::fs::File::options().read(true).write(true).open(path).expect("its other end")
        };
        let mut command: Command = program(args);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LC_CTYPE", "LANG"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        let child = command.spawn().expect("the program");
        // The command would hold the other end open.
        drop(command);
        let screen = Arc::new(Mutex::new(Screen::new(columns.into())));
        let shown = Arc::clone(&screen);
        let mut from = std::fs::File::from(master.try_clone().expect("a descriptor"));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut rest = Vec::new();
            // The end is an error on Linux.
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                rest.extend_from_slice(&bytes[..count]);
                let whole = match std::str::from_utf8(&rest) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = rest.drain(..whole).collect();
                let text = String::from_utf8(text).expect("UTF-8");
                shown.lock().expect("no panic").write(&text);
            }
        });
        Self { child, master: Some(master), screen, reader: Some(reader) }
    }

    /// Changes the width.
    pub(crate) fn resize(&self, columns: u16) {
        let mut screen = self.screen.lock().expect("no panic");
        let master = self.master.as_ref().expect("a terminal");
        tcsetwinsize(master, size(columns)).expect("a terminal");
        screen.resize(columns.into());
    }

    /// Waits until a line on the screen holds a text.
    pub(crate) fn wait_for(&self, text: &str) {
        soon_true(|| self.lines().iter().any(|line| line.contains(text)));
    }

    /// The lines on the screen.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.screen.lock().expect("no panic").lines()
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for the end: the exit code, and what is on the screen then.
    pub(crate) fn end(mut self) -> (Option<i32>, Screen) {
        let code = wait(&mut self.child);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        let screen = self.screen.lock().expect("no panic").clone();
        (code, screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16) -> Winsize {
    Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// What a terminal shows, with all that has scrolled out of it.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    columns: usize,
    rows: Vec<Row>,
    row: usize,
    column: usize,
    /// An escape sequence that has not ended.
    escape: Option<String>,
    /// Lines that the terminal has broken because they were written beyond its last column.
    pub(crate) broken: Vec<String>,
    /// The escape sequences of colours and the like.
    pub(crate) colours: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Row {
    /// Characters with their column; wide ones take two.
    cells: Vec<char>,
    /// Whether it continues on the next one.
    continues: bool,
}

/// Stands in the second column of a wide character.
const FILL: char = '\0';

impl Screen {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: vec![Row::default()],
            row: 0,
            column: 0,
            escape: None,
            broken: Vec::new(),
            colours: Vec::new(),
        }
    }

    /// The text of every row.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = |row: &Row| {
            let text: String = row.cells.iter().filter(|cell| **cell != FILL).collect();
            text.trim_end().to_owned()
        };
        let mut lines: Vec<String> = self.rows.iter().map(text).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// What a program writes.
    pub(crate) fn write(&mut self, text: &str) {
        for c in text.chars() {
            match self.escape.take() {
                Some(mut sequence) => {
                    sequence.push(c);
                    let ends = c.is_ascii_alphabetic();
                    if ends { self.control(&sequence) } else { self.escape = Some(sequence) }
                }
                None => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\x1b' => self.escape = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => {
                self.row += 1;
                self.grow();
            }
            c => {
                let width = c.width().expect("no other control characters");
                if self.column + width > self.columns {
                    self.rows[self.row].continues = true;
                    self.broken.push(self.lines()[self.row].clone());
                    self.row += 1;
                    self.column = 0;
                    self.grow();
                }
                let cells = &mut self.rows[self.row].cells;
                while cells.len() < self.column + width {
                    cells.push(' ');
                }
                if width > 0 {
                    cells[self.column] = c;
                }
                if width == 2 {
                    cells[self.column + 1] = FILL;
                }
                self.column += width;
            }
        }
    }

    fn grow(&mut self) {
        while self.rows.len() <= self.row {
            self.rows.push(Row::default());
        }
    }

    fn control(&mut self, sequence: &str) {
        match sequence {
            "[J" | "[0J" => {
                self.rows.truncate(self.row + 1);
                let row = &mut self.rows[self.row];
                row.cells.truncate(self.column);
                row.continues = false;
            }
            "[K" | "[0K" => self.rows[self.row].cells.truncate(self.column),
            "[2K" => self.rows[self.row].cells.clear(),
            colour if colour.ends_with('m') => self.colours.push(colour.to_owned()),
            other => panic!("an escape sequence that this terminal does not know: {other:?}"),
        }
    }

    /// Another width: lines that no longer fit are broken, and broken ones joined that do.
    pub(crate) fn resize(&mut self, columns: usize) {
        let mut rows = Vec::new();
        let mut cursor = (0, 0);
        let mut at = 0;
        while at < self.rows.len() {
            let mut cells: Vec<char> = Vec::new();
            let mut place = None;
            loop {
                if at == self.row {
                    place = Some(cells.len() + self.column);
                }
                cells.extend(&self.rows[at].cells);
                at += 1;
                if !self.rows[at - 1].continues || at == self.rows.len() {
                    break;
                }
            }
            while cells.last() == Some(&' ') {
                cells.pop();
            }
            let first = rows.len();
            let mut pieces: Vec<Row> = cells
                .chunks(columns)
                .map(|cells| Row { cells: cells.to_vec(), continues: true })
                .collect();
            if pieces.is_empty() {
                pieces.push(Row::default());
            }
            pieces.last_mut().expect("a piece").continues = false;
            rows.extend(pieces);
            if let Some(place) = place {
                cursor = (first + place / columns, place % columns);
            }
        }
        self.rows = rows;
        (self.row, self.column) = cursor;
        self.columns = columns;
        self.grow();
    }
}

#[test]
fn the_model_of_a_terminal_breaks_lines_and_breaks_them_again() {
    let mut screen = Screen::new(10);
    screen.write("0123456789");
    assert!(screen.broken.is_empty(), "the last column may be used");
    screen.write("ab\r\nx\r");
    assert_eq!(screen.lines(), ["0123456789", "ab", "x"]);
    assert_eq!(screen.broken, ["0123456789"]);
    screen.resize(6);
    assert_eq!(screen.lines(), ["012345", "6789ab", "x"]);
    screen.write("y\x1b[J\x1b[31mz日");
    assert_eq!(screen.lines(), ["012345", "6789ab", "yz日"]);
    screen.resize(12);
    assert_eq!(screen.lines(), ["0123456789ab", "yz日"]);
    screen.write("\rlonger than that");
    screen.resize(5);
    assert_eq!(screen.broken.len(), 2);
}
