//! Data for tests: `LD_pii_scrub`, `LD_pii_scrub_string`, `LD_build_user`, `LD_build_user_pool`.

mod scrub;

use ring::rand::{SecureRandom, SystemRandom};

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Value};
use scrub::{scrubbed, text_without};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_pii_scrub",
        "Returns a value without personal data.",
        &[Field::required("value", Kind::Any, "The value.")],
        |given| Ok(Box::new(Done(scrubbed(given.required("value")?.value())))),
    )
    .text(
        "Mail addresses, cards, telephone numbers and IPv4 addresses in texts are replaced by names, which \
         are equal for equal data; so are texts of members called token, secret, password or API key.",
    )
    .returns("The value.")
    .example(r#"["LD_pii_scrub", {"value": {"user": "ann@example.test", "password": "x"}}]"#),
    Declaration::named(
        "LD_pii_scrub_string",
        "Returns a text without personal data.",
        &[Field::required("text", Kind::Text, "The text.")],
        |given| Ok(Box::new(Done(text_without(given.required("text")?.text()?).into()))),
    )
    .returns("The text.")
    .example(r#"["LD_pii_scrub_string", {"text": "ann@example.test called"}]"#),
    Declaration::named(
        "LD_build_user",
        "Returns a user with random data.",
        &[OVERRIDES],
        |given| Ok(Box::new(Users { count: None, overrides: overrides(given.present("overrides"))? })),
    )
    .returns("An object: `email`, `username`, `password`, `uuid_hex`, `int_id`.")
    .example(r#"["LD_build_user", {"overrides": {"username": "ann"}}]"#),
    Declaration::named(
        "LD_build_user_pool",
        "Returns users with random data.",
        &[
            Field::required("count", Kind::Integer, "How many.").note("At most 100,000."),
            OVERRIDES,
        ],
        |given| {
            let count = given.required("count")?;
            let wanted = match count.value() {
                Value::Int(number) => usize::try_from(*number).unwrap_or(0),
                _ => return Err(count.expected("an integer")),
            };
            Ok(Box::new(Users {
                count: Some(wanted),
                overrides: overrides(given.present("overrides"))?,
            }))
        },
    )
    .returns("A list of such objects.")
    .example(r#"["LD_build_user_pool", {"count": 3}]"#),
];

const OVERRIDES: Field =
    Field::optional("overrides", Kind::MEMBERS, "Members that are not random, or further ones.")
        .or(Literal::Object);

/// The most users: more do not fit into a reply.
const MAX_USERS: usize = 100_000;

/// What the random members of a user take, in bytes.
const USER_BYTES: usize = 1024;

/// Characters of passwords: the reference's.
const ALPHABET: &[u8; 70] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#$%^&*";

/// How long passwords are.
const PASSWORD: usize = 16;

fn overrides(given: Option<Reader<'_>>) -> Result<Map, Invalid> {
    match given.as_ref().map(Reader::value) {
        None => Ok(Map::new()),
        Some(Value::Dict(members)) => Ok(members.clone()),
        Some(_) => Err(given.map_or_else(
            || Invalid { pointer: String::new(), message: String::new() },
            |given| given.expected("an object"),
        )),
    }
}

/// A value that depends only on the arguments.
#[derive(Debug)]
struct Done(Value);

impl Command for Done {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(self.0)
    }
}

#[derive(Debug)]
struct Users {
    /// `None` for one alone, which is in no list.
    count: Option<usize>,
    overrides: Map,
}

impl Command for Users {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { count, overrides } = *self;
        let refused = |why: String| Failure::new(FailureKind::Refused, why);
        let number = count.unwrap_or(1);
        if number > MAX_USERS {
            return Err(refused(format!(
                "{number} users are too many: at most {MAX_USERS} are made"
            )));
        }
        let mut share = context.memory().share("users");
        let bytes = USER_BYTES + Value::Dict(overrides.clone()).weight();
        share.grow(number.saturating_mul(bytes)).map_err(|full| refused(full.to_string()))?;
        context.hold(share);
        let random = Random(SystemRandom::new());
        let mut users =
            (0..number).map(|_| random.user(&overrides)).collect::<Result<Vec<_>, _>>()?;
        Ok(match count {
            None => users.pop().unwrap_or_default(),
            Some(_) => users.into(),
        })
    }
}

/// Randomness that nobody can guess: the users may become real ones of a system under test.
struct Random(SystemRandom);

impl Random {
    fn bytes<const N: usize>(&self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        let why = "the system gives no random bytes";
        self.0.fill(&mut bytes).map_err(|_| Failure::new(FailureKind::Internal, why))?;
        Ok(bytes)
    }

    fn hex<const N: usize>(&self) -> Result<String, Failure> {
        Ok(self.bytes::<N>()?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn password(&self) -> Result<String, Failure> {
        let mut password = String::new();
        // Bytes beyond a multiple of the alphabet would prefer its beginning.
        let fair = 256 / ALPHABET.len() * ALPHABET.len();
        while password.len() < PASSWORD {
            for byte in self.bytes::<32>()?.into_iter().map(usize::from).filter(|byte| *byte < fair)
            {
                let character = ALPHABET.get(byte % ALPHABET.len()).copied();
                password.extend(character.map(char::from));
            }
        }
        password.truncate(PASSWORD);
        Ok(password)
    }

    fn user(&self, overrides: &Map) -> Result<Value, Failure> {
        let id = u32::from_le_bytes(self.bytes()?) >> 1;
        let mut user = Map::from_iter([
            ("email".to_owned(), format!("user_{}@example.test", self.hex::<4>()?).into()),
            ("username".to_owned(), format!("user_{}", self.hex::<3>()?).into()),
            ("password".to_owned(), self.password()?.into()),
            ("uuid_hex".to_owned(), self.hex::<16>()?.into()),
            ("int_id".to_owned(), Value::Int(i64::from(id))),
        ]);
        user.extend(overrides.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(Value::Dict(user))
    }
}
