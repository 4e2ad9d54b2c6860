//! A list of objects that all have the same members, such as the rows of a table, in little more
//! memory than their content: the texts lie behind each other in one buffer. What it takes of the
//! memory of the process is held until the last copy is gone.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Value;
use crate::memory::{Full, Share};

/// The least bytes that are taken from the share at a time.
const STEP: usize = 64 * 1024;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// `null`
    Null,
    /// An integer.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(&'a str),
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(number) => number.into(),
            Cell::Float(number) => number.into(),
            Cell::Text(text) => text.into(),
        }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A cell without its text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Slot {
    Null,
    Int(i64),
    Float(f64),
    /// The length of a text.
    Text(usize),
}

/// Rows of the same columns.
#[derive(Debug)]
pub struct Rows {
    names: &'static [&'static str],
    slots: Vec<Slot>,
    text: String,
    share: Share,
}

impl Rows {
    /// No rows, with columns of these names; `share` holds their memory.
    pub fn new(names: &'static [&'static str], share: Share) -> Self {
        Self { names, slots: Vec::new(), text: String::new(), share }
    }

    /// Appends a cell: a row is a cell per column.
    pub fn push(&mut self, cell: Cell<'_>) -> Result<(), Full> {
        let slot = match cell {
            Cell::Null => Slot::Null,
            Cell::Int(number) => Slot::Int(number),
            Cell::Float(number) => Slot::Float(number),
            Cell::Text(text) => Slot::Text(text.len()),
        };
        self.reserve(slot.text_bytes())?;
        self.slots.push(slot);
        if let Cell::Text(text) = cell {
            self.text.push_str(text);
        }
        Ok(())
    }

    /// Takes the memory for one more cell with so many bytes of text, and for the line of all, which
    /// is made beside them when they are written as text.
    fn reserve(&mut self, text: usize) -> Result<(), Full> {
        let after = self.text.len() + text;
        if after > self.text.capacity() {
            let more = text.max(self.text.capacity() / 4).max(STEP);
            self.share.grow(2 * more)?;
            self.text.reserve_exact(more);
        }
        if self.slots.len() == self.slots.capacity() {
            let more = (self.slots.capacity() / 4).max(STEP / size_of::<Slot>());
            self.share.grow(more * (size_of::<Slot>() + NAME_BYTES))?;
            self.slots.reserve_exact(more);
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len() / self.names.len().max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The rows in order, each as pairs of name and cell.
    pub fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (&'static str, Cell<'_>)>> {
        let mut at = 0;
        self.slots.chunks(self.names.len().max(1)).map(move |row| {
            let start = at;
            at += row.iter().map(Slot::text_bytes).sum::<usize>();
            self.cells(row, start)
        })
    }

    /// The cells of a row whose texts begin at `at`.
    fn cells<'a>(
        &'a self,
        row: &'a [Slot],
        mut at: usize,
    ) -> impl Iterator<Item = (&'static str, Cell<'a>)> {
        self.names.iter().zip(row).map(move |(name, slot)| {
            let cell = match slot {
                Slot::Null => Cell::Null,
                Slot::Int(number) => Cell::Int(*number),
                Slot::Float(number) => Cell::Float(*number),
                Slot::Text(length) => {
                    let start = at;
                    at += length;
                    Cell::Text(self.text.get(start..at).unwrap_or_default())
                }
            };
            (*name, cell)
        })
    }

    /// Their memory in bytes.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.slots.capacity() * size_of::<Slot>()
    }

    /// About how many bytes their line in the text dialect has.
    pub fn text_bytes(&self) -> usize {
        self.text.len() + self.slots.len() * NAME_BYTES
    }
}

/// Bytes of a cell's name and signs in a line of text, on average: `'response_time_ms': 12.34, `.
const NAME_BYTES: usize = 20;

impl Slot {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Text(length) => *length,
            _ => 0,
        }
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        (self.names, &self.slots, &self.text) == (other.names, &other.slots, &other.text)
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Row<I>(std::cell::RefCell<I>);
        impl<'a, I: Iterator<Item = (&'static str, Cell<'a>)>> Serialize for Row<I> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                for (name, cell) in &mut *self.0.borrow_mut() {
                    map.serialize_entry(name, &cell)?;
                }
                map.end()
            }
        }
        serializer.collect_seq(self.iter().map(|row| Row(row.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Charset;
    use super::*;
    use crate::memory::Memory;

    const NAMES: &[&str] = &["a", "b", "c"];

    #[test]
    fn rows_are_written_as_a_list_of_objects_in_every_form() {
        let mut rows = Rows::new(NAMES, Memory::new(1 << 20).share("rows"));
        assert!(
            rows.is_empty()
                && !Value::from(Rows::new(NAMES, Memory::new(0).share("no"))).is_truthy()
        );
        let first = [Cell::Text("it's"), Cell::Int(-1), Cell::Null];
        let second = [Cell::Float(0.5), Cell::Text("é\n"), Cell::Text("")];
        first.into_iter().chain(second).for_each(|cell| rows.push(cell).expect("room"));
        assert_eq!(rows.len(), 2);
        let list = Value::List(vec![
            Value::dict([("a", "it's".into()), ("b", Value::Int(-1)), ("c", Value::Null)]),
            Value::dict([("a", 0.5.into()), ("b", "é\n".into()), ("c", "".into())]),
        ]);
        let rows = Value::from(rows);
        assert!(rows.is_truthy());
        assert_eq!(rows.to_text(), list.to_text());
        for charset in [Charset::Ascii, Charset::Unicode] {
            assert_eq!(rows.to_json(charset), list.to_json(charset));
        }
        let json = |value: &Value| serde_json::to_string(value).expect("JSON");
        assert_eq!(json(&rows), json(&list));
    }

    #[test]
    fn rows_take_their_memory_before_they_grow_and_return_it_with_the_last_copy() {
        let memory = Memory::new(4 << 20);
        let mut rows = Rows::new(NAMES, memory.share("rows"));
        let long = "x".repeat(1000);
        let full = loop {
            let mut row = [Cell::Text(&long), Cell::Int(1), Cell::Null].into_iter();
            match row.try_for_each(|cell| rows.push(cell)) {
                Ok(()) => assert!(rows.text.capacity() <= memory.taken()),
                Err(full) => break full,
            }
        };
        assert!(rows.len() > 1000 && full.what == "rows", "{} rows", rows.len());
        let copy = Value::from(rows);
        let other = copy.clone();
        drop(copy);
        assert!(memory.taken() > 2 << 20);
        drop(other);
        assert_eq!(memory.taken(), 0);
    }
}
