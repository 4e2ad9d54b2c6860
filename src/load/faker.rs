//! `${faker.METHOD}`: the common methods of Python's Faker, under the same names. The texts come
//! from the `fake` crate, so they have Faker's form but not its word lists.

use fake::Fake;
use fake::faker::address::en::{
    BuildingNumber, CityName, CountryName, StateAbbr, StreetName, ZipCode,
};
use fake::faker::company::en::CompanyName;
use fake::faker::internet::en::{FreeEmail, IPv4, Username};
use fake::faker::job::en::Title;
use fake::faker::lorem::en::{Paragraph, Sentence, Word};
use fake::faker::name::en::{FirstName, LastName, Name};
use fake::faker::phone_number::en::PhoneNumber;
use fake::rand::SeedableRng;
use fake::rand::rngs::SmallRng;

/// A method of Faker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faker {
    /// A first and a last name.
    Name,
    /// A first name.
    FirstName,
    /// A last name.
    LastName,
    /// An e-mail address.
    Email,
    /// A login.
    UserName,
    /// A phone number.
    PhoneNumber,
    /// A postal address on two lines.
    Address,
    /// A city.
    City,
    /// A country.
    Country,
    /// A company.
    Company,
    /// A job.
    Job,
    /// A paragraph.
    Text,
    /// A word.
    Word,
    /// A sentence.
    Sentence,
    /// A web address.
    Url,
    /// An IPv4 address.
    Ipv4,
    /// A random UUID.
    Uuid4,
    /// A past date, `YYYY-MM-DD`.
    Date,
}

impl Faker {
    /// The names of all methods.
    #[cfg(test)]
    pub(crate) const NAMES: [&str; 18] = [
        "name",
        "first_name",
        "last_name",
        "email",
        "user_name",
        "phone_number",
        "address",
        "city",
        "country",
        "company",
        "job",
        "text",
        "word",
        "sentence",
        "url",
        "ipv4",
        "uuid4",
        "date",
    ];

    /// Returns the method of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "name" => Self::Name,
            "first_name" => Self::FirstName,
            "last_name" => Self::LastName,
            "email" => Self::Email,
            "user_name" => Self::UserName,
            "phone_number" => Self::PhoneNumber,
            "address" => Self::Address,
            "city" => Self::City,
            "country" => Self::Country,
            "company" => Self::Company,
            "job" => Self::Job,
            "text" => Self::Text,
            "word" => Self::Word,
            "sentence" => Self::Sentence,
            "url" => Self::Url,
            "ipv4" => Self::Ipv4,
            "uuid4" => Self::Uuid4,
            "date" => Self::Date,
            _ => return None,
        })
    }

    /// Returns one random text.
    pub fn make(self, random: &mut fastrand::Rng) -> String {
        let rng = &mut SmallRng::seed_from_u64(random.u64(..));
        match self {
            Self::Name => Name().fake_with_rng(rng),
            Self::FirstName => FirstName().fake_with_rng(rng),
            Self::LastName => LastName().fake_with_rng(rng),
            Self::Email => FreeEmail().fake_with_rng(rng),
            Self::UserName => Username().fake_with_rng(rng),
            Self::PhoneNumber => PhoneNumber().fake_with_rng(rng),
            Self::Address => {
                let number: String = BuildingNumber().fake_with_rng(rng);
                let street: String = StreetName().fake_with_rng(rng);
                let city: String = CityName().fake_with_rng(rng);
                let state: String = StateAbbr().fake_with_rng(rng);
                let code: String = ZipCode().fake_with_rng(rng);
                format!("{number} {street}\n{city}, {state} {code}")
            }
            Self::City => CityName().fake_with_rng(rng),
            Self::Country => CountryName().fake_with_rng(rng),
            Self::Company => CompanyName().fake_with_rng(rng),
            Self::Job => Title().fake_with_rng(rng),
            Self::Text => Paragraph(2..5).fake_with_rng(rng),
            Self::Word => Word().fake_with_rng(rng),
            Self::Sentence => Sentence(4..9).fake_with_rng(rng),
            Self::Url => {
                let word: String = LastName().fake_with_rng::<String, _>(rng).to_ascii_lowercase();
                let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
                // RFC 2606: a domain that cannot be registered.
                format!("https://www.{word}.example/")
            }
            Self::Ipv4 => IPv4().fake_with_rng(rng),
            Self::Uuid4 => uuid::Builder::from_random_bytes(random.u128(..).to_ne_bytes())
                .into_uuid()
                .to_string(),
            Self::Date => {
                let today = jiff::ZonedDateTime::now().date();
                let back = random.i64(1..=20_000);
                let day = today.checked_sub(jiff::Span::new().days(back));
                day.unwrap_or(today).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_returns_a_text_that_the_seed_determines() {
        for name in Faker::NAMES {
            let kind = Faker::named(name).expect(name);
            let one = kind.make(&mut fastrand::Rng::with_seed(1));
            assert!(!one.trim().is_empty(), "{name}");
            assert_eq!(one, kind.make(&mut fastrand::Rng::with_seed(1)), "{name}");
        }
        assert_eq!(Faker::named("__class__"), None);
    }
}
