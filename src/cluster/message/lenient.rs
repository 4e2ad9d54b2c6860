//! Reading what another program wrote: a value of another type than expected is as good as none, and
//! lists and maps are bounded.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most entries of a map or list that are read: far more names and buckets than a worker has.
const MOST_ENTRIES: usize = 100_000;

/// A value whose type is not relied on.
#[derive(Debug)]
pub(super) enum Scalar {
    Int(i64),
    Large(u64),
    Float(f64),
    Text(String),
    /// Nothing, a list, a map.
    Other,
}

impl Scalar {
    /// A count: 0 where it is none.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Int(number) => u64::try_from(*number).unwrap_or(0),
            Self::Large(number) => *number,
            // Saturates, and NaN is 0.
            Self::Float(number) => *number as u64,
            Self::Text(_) | Self::Other => 0,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Int(number) => *number as f64,
            Self::Large(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Text(_) | Self::Other => return None,
        };
        number.is_finite().then_some(number)
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Int(number) => number.to_string(),
            Self::Large(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Other => String::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a value")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar::Int(i64::from(truth)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(number).map_or(Scalar::Large(number), Scalar::Int))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Scalar, E> {
                Ok(Scalar::Text(String::from_utf8_lossy(bytes).into_owned()))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }
            fn visit_none<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Scalar, D::Error> {
                IgnoredAny::deserialize(d).map(|_| Scalar::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.count())
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.number().unwrap_or(0.0))
}

pub(super) fn maybe_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.number())
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.text())
}

pub(super) fn maybe_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) => Some(text),
        _ => None,
    })
}

/// The entries of a map in their order; none of what is no map.
pub(super) fn entries<'de, D, K, V>(deserializer: D) -> Result<Vec<(K, V)>, D::Error>
where
    D: Deserializer<'de>,
    K: DeserializeOwned,
    V: DeserializeOwned,
{
    struct Entries<K, V>(std::marker::PhantomData<(K, V)>);
    impl<'de, K: DeserializeOwned, V: DeserializeOwned> Visitor<'de> for Entries<K, V> {
        type Value = Vec<(K, V)>;
        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a map")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<(K, V)>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                bounded(&mut entries, entry)?;
            }
            Ok(entries)
        }
        fn visit_unit<E>(self) -> Result<Vec<(K, V)>, E> {
            Ok(Vec::new())
        }
    }
    deserializer.deserialize_any(Entries(std::marker::PhantomData))
}

fn bounded<T, E: serde::de::Error>(list: &mut Vec<T>, one: T) -> Result<(), E> {
    if list.len() >= MOST_ENTRIES {
        return Err(E::custom("too many entries"));
    }
    list.push(one);
    Ok(())
}

pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(std::marker::PhantomData<T>);
    impl<'de, T: DeserializeOwned> Visitor<'de> for List<T> {
        type Value = Vec<T>;
        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut data: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(one) = data.next_element()? {
                bounded(&mut list, one)?;
            }
            Ok(list)
        }
        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }
    }
    deserializer.deserialize_any(List(std::marker::PhantomData))
}

pub(super) fn pairs<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(u64, u64)>, D::Error> {
    list(deserializer)
}

pub(super) fn map<'de, D: Deserializer<'de>, V: DeserializeOwned>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    let entries = entries::<D, Scalar, V>(deserializer)?;
    Ok(entries.into_iter().map(|(key, value)| (key.text(), value)).collect())
}

pub(super) fn classes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let entries = entries::<D, Scalar, Scalar>(deserializer)?;
    Ok(entries.into_iter().map(|(name, users)| (name.text(), users.count())).collect())
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<i64, u64>, D::Error> {
    let entries = entries::<D, Scalar, Scalar>(deserializer)?;
    let usable = |(second, count): (Scalar, Scalar)| Some((second.number()? as i64, count.count()));
    Ok(entries.into_iter().filter_map(usable).collect())
}
