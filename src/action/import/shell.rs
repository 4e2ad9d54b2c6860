//! Texts of a shell as words: quotes and escapes are read as a POSIX shell does, with `$'…'`; what ends a
//! command is a word of its own, and redirections are left out. Nothing is expanded.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

/// The word that ends a command: `|`, `&&`, `;` and the like outside of quotes.
const END: &str = "\u{1}";

/// Stands before the word that a redirection names.
const REDIRECTION: &str = "\u{2}";

/// The words of a text.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) words: Vec<String>,
    /// What the shell would put in: variables and the output of commands, as they are written.
    pub(crate) expansions: BTreeSet<String>,
}

impl Words {
    /// Those of a text; `None` if a quote is not closed.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut plain = Plain { letters: text.chars().peekable(), ..Plain::default() };
        plain.read();
        let mut words = Vec::new();
        let mut all = shlex::split(&plain.out)?.into_iter().peekable();
        while let Some(word) = all.next() {
            if word == REDIRECTION {
                all.next_if(|target| !ends(target));
            } else if !(ends(&word) && words.is_empty()) {
                words.push(word);
            }
        }
        Some(Self { words, expansions: plain.expansions })
    }

    /// The line of the quote that is not closed, from 1.
    pub(crate) fn open_quote(text: &str) -> Option<usize> {
        let mut plain = Plain { letters: text.chars().peekable(), ..Plain::default() };
        let behind = plain.read()?;
        let lines =
            |letters: &mut dyn Iterator<Item = char>| letters.filter(|c| *c == '\n').count();
        Some(lines(&mut text.chars()) - lines(&mut behind.into_iter()) + 1)
    }
}

/// Whether a word ends a command.
pub(crate) fn ends(word: &str) -> bool {
    word == END
}

/// A text with quotes that a POSIX shell has, and with marks for what ends commands.
struct Plain<'a> {
    letters: Peekable<Chars<'a>>,
    out: String,
    /// Where the word begins that is read.
    word: usize,
    /// Behind the last question mark.
    query: usize,
    expansions: BTreeSet<String>,
}

impl Default for Plain<'_> {
    fn default() -> Self {
        Self {
            letters: "".chars().peekable(),
            out: String::new(),
            word: 0,
            query: 0,
            expansions: BTreeSet::new(),
        }
    }
}

impl<'a> Plain<'a> {
    /// Returns what follows the quote that is not closed.
    fn read(&mut self) -> Option<Peekable<Chars<'a>>> {
        // The quote that is open, and what follows it.
        let mut open = None;
        let mut behind = None;
        while let Some(letter) = self.letters.next() {
            match (open, letter) {
                (None, '$') if self.letters.next_if_eq(&'\'').is_some() => {
                    let value = ansi_c(&mut self.letters);
                    self.out.push_str(&format!("'{}'", value.replace('\'', r"'\''")));
                }
                (None | Some('"'), '$' | '`') => {
                    self.expansion(letter);
                    self.out.push(letter);
                }
                // A line that continues; the splitter would take it for an empty word.
                (None | Some('"'), '\\') if self.letters.next_if_eq(&'\n').is_some() => {}
                (None | Some('"'), '\\') => {
                    self.out.push(letter);
                    self.out.extend(self.letters.next());
                }
                // A comment, whose quotes are none.
                (None, '#') if self.word().is_empty() => {
                    while self.letters.next_if(|letter| *letter != '\n').is_some() {}
                }
                (None, '\'' | '"') => {
                    open = Some(letter);
                    behind = Some(self.letters.clone());
                    self.out.push(letter);
                }
                (None, ';' | '|') => self.end(),
                (None, '&') if self.letters.peek() == Some(&'>') => {
                    self.letters.next();
                    self.redirection();
                }
                // An address without quotes, as people write it.
                (None, '&') if self.is_in_query() => self.out.push('&'),
                (None, '&') => self.end(),
                (None, '>' | '<') => self.redirection(),
                (None, '\n') if self.begins_command() => self.end(),
                (None, letter) if letter.is_whitespace() => {
                    self.out.push(letter);
                    self.word = self.out.len();
                }
                (Some(quote), letter) if quote == letter => {
                    open = None;
                    self.out.push(letter);
                }
                (_, letter) => {
                    self.out.push(letter);
                    if letter == '?' {
                        self.query = self.out.len();
                    }
                }
            }
        }
        open.and(behind)
    }

    fn end(&mut self) {
        self.mark(END);
    }

    /// Also its number and its kind: `2>`, `>>`, `>&`, `>|`, `<<<`.
    fn redirection(&mut self) {
        if self.word().bytes().all(|byte| byte.is_ascii_digit()) {
            self.out.truncate(self.word);
        }
        while self.letters.next_if(|letter| matches!(*letter, '>' | '<' | '&' | '|')).is_some() {}
        self.mark(REDIRECTION);
    }

    fn mark(&mut self, mark: &str) {
        self.out.push_str(&format!(" {mark} "));
        self.word = self.out.len();
    }

    fn word(&self) -> &str {
        self.out.get(self.word..).unwrap_or_default()
    }

    /// Whether `&` stands between the parameters of an address: `?a=1&b=2`.
    fn is_in_query(&self) -> bool {
        let name = self.letters.clone();
        let mut behind = name.skip_while(|c| c.is_alphanumeric() || "_-.[]%".contains(*c));
        let is_named = self.letters.clone().next().is_some_and(char::is_alphanumeric);
        is_named && self.query > self.word && behind.next() == Some('=')
    }

    /// Whether the next line is a command, and not an option or an address.
    fn begins_command(&self) -> bool {
        let line = self.letters.clone().take(MAX_LINE);
        let mut letters = line.skip_while(|c| c.is_whitespace()).peekable();
        let mut length = 0;
        while letters
            .next_if(|c| c.is_alphanumeric() || matches!(*c, '_' | '-'))
            .is_some_and(|c| length > 0 || c != '-')
        {
            length += 1;
        }
        length > 0 && letters.next().is_none_or(char::is_whitespace)
    }

    /// Remembers what the shell would put in; placeholders of documents (`${env.NAME}`) are none.
    fn expansion(&mut self, first: char) {
        let mut rest = self.letters.clone();
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let written = match (first, rest.peek()) {
            ('`', _) => "`…`".to_owned(),
            (_, Some('(')) => "$(…)".to_owned(),
            (_, Some('{')) => {
                let inside: String =
                    rest.skip(1).take_while(|c| *c != '}').take(MAX_NAME).collect();
                if inside.contains(['.', '(']) || inside.is_empty() {
                    return;
                }
                format!("${{{inside}}}")
            }
            (_, Some(letter)) if is_name(letter) => {
                format!("${}", rest.take_while(is_name).take(MAX_NAME).collect::<String>())
            }
            _ => return,
        };
        if self.expansions.len() < MAX_EXPANSIONS {
            self.expansions.insert(written);
        }
    }
}

/// How far the beginning of a line is looked for, in characters.
const MAX_LINE: usize = 1000;

/// The longest name of a variable that is shown, in characters.
const MAX_NAME: usize = 64;

/// How many of them are listed.
const MAX_EXPANSIONS: usize = 100;

/// What stands between `$'` and its end.
fn ansi_c(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => break,
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(kind @ ('u' | 'x')) => {
                    let most = if kind == 'u' { 4 } else { 2 };
                    let mut code = 0;
                    for _ in 0..most {
                        let Some(digit) = letters.peek().and_then(|digit| digit.to_digit(16))
                        else {
                            break;
                        };
                        letters.next();
                        code = code * 16 + digit;
                    }
                    out.extend(char::from_u32(code));
                }
                other => out.extend(other),
            },
            letter => out.push(letter),
        }
    }
    out
}
