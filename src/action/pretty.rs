//! A document as people write it: an object or a list on one line where it fits, else a member on
//! each line.

use crate::value::{Charset, Value};

/// The longest line, in characters.
const WIDTH: usize = 100;

/// The text of a document, with a line end.
pub fn pretty(document: &Value) -> String {
    let mut out = String::new();
    write(document, 0, true, &mut out);
    out.push('\n');
    out
}

/// Writes a value whose lines begin with `indent` blanks; `open` puts its members on lines of their
/// own even where they would fit.
fn write(value: &Value, indent: usize, open: bool, out: &mut String) {
    let flat = value.to_json(Charset::Unicode);
    let column = out.chars().rev().take_while(|c| *c != '\n').count();
    // A bracket and a comma may follow.
    let fits = column + flat.chars().count() + 2 <= WIDTH;
    match value {
        Value::List(items) if (open || !fits) && !items.is_empty() => match items.as_slice() {
            [name @ Value::Str(_), arguments @ Value::Dict(members)] if !members.is_empty() => {
                out.push_str(&format!("[{}, ", name.to_json(Charset::Unicode)));
                write(arguments, indent, true, out);
                out.push(']');
            }
            items => {
                let inside = |item: &Value, out: &mut String| write(item, indent + 2, false, out);
                block(['[', ']'], items, indent, out, inside);
            }
        },
        Value::Dict(members) if (open || !fits) && !members.is_empty() => {
            block(['{', '}'], members, indent, out, |(key, member), out| {
                out.push_str(&format!("{}: ", Value::from(key.as_str()).to_json(Charset::Unicode)));
                write(member, indent + 2, key == "load_density", out);
            });
        }
        _ => out.push_str(&flat),
    }
}

/// Writes brackets, and between them each item on a line of its own.
fn block<T>(
    [begin, end]: [char; 2],
    items: impl IntoIterator<Item = T>,
    indent: usize,
    out: &mut String,
    write: impl Fn(T, &mut String),
) {
    out.push(begin);
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(indent + 2));
        write(item, out);
    }
    out.push_str(&format!("\n{}{end}", " ".repeat(indent)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_an_action_on_each_line_and_long_ones_on_several() {
        let written = r#"{
  "$schema": "x",
  "load_density": [
    ["LD_clear_records"],
    ["LD_start_test", {
      "user_detail_dict": {"user": "fast_http_user", "host": "http://localhost"},
      "tasks": [
        {"method": "get", "request_url": "/a", "name": "é", "headers": {"Accept": "text/html"}},
        {
          "method": "get",
          "request_url": "/a/very/long/path/of/a/page/that/does/not/fit/on/one/line/with/its/name",
          "name": "b",
          "headers": {}
        }
      ]
    }]
  ]
}
"#;
        let document = Value::parse(written).expect("JSON");
        assert_eq!(pretty(&document), written);
    }
}
