//! The functions of Python that documents may call.

use super::*;

#[test]
fn builtins_compute_as_python_does() {
    for (json, lines) in [
        (
            r#"[["len", [[1, 2, 3]]], ["len", ["añc"]], ["len", [{"a": 1}]], ["len", [5]], ["len", []]]"#,
            &[
                "3",
                "3",
                "1",
                "TypeError(\"object of type 'int' has no len()\")",
                "TypeError('len() takes exactly one argument (0 given)')",
            ][..],
        ),
        (
            r#"[["max", [1, 5, 3]], ["max", [[1, 5.0, 3]]], ["min", ["b", "a"]], ["max", [[]]],
                ["max", []], ["max", [1, 1.0, true]], ["min", [[[1, 2], [1, true]]]], ["max", [null, 1]],
                ["max", [9007199254740993, 9007199254740992.0]], ["min", ["cab"]], ["max", [5]]]"#,
            &[
                "5",
                "5.0",
                "a",
                "ValueError('max() arg is an empty sequence')",
                "TypeError('max expected at least 1 argument, got 0')",
                "1",
                "[1, True]",
                "TypeError(\"'>' not supported between instances of 'int' and 'NoneType'\")",
                "9007199254740993",
                "a",
                "TypeError(\"'int' object is not iterable\")",
            ],
        ),
        (
            r#"[["sorted", [[3, 1, 2]]], ["sorted", ["cab"]], ["sorted", [[1, "a"]]],
                ["sorted", [{"b": 1, "a": 2}]], ["sorted", [[true, 1, 0.5, 1.0, false]]],
                ["sorted", [[[2], [1, 3], [1]]]], ["sorted", [[1e400, -1e400, 1]]]]"#,
            &[
                "[1, 2, 3]",
                "['a', 'b', 'c']",
                "TypeError(\"'<' not supported between instances of 'str' and 'int'\")",
                "['a', 'b']",
                "[False, 0.5, True, 1, 1.0]",
                "[[1], [1, 3], [2]]",
                "[-inf, 1, inf]",
            ],
        ),
        (
            r#"[["round", [2.5]], ["round", [3.5]], ["round", [2.675, 2]], ["round", [1234, -2]],
                ["round", [1.0]], ["round", [-0.5]], ["round", [0.125, 2]], ["round", [1250, -2]],
                ["round", [true]], ["round", [1e22]], ["round", [1e400]], ["round", ["x"]],
                ["round", {"number": 2.567, "ndigits": 1}], ["round", [1234.5, -2]],
                ["round", [5, -1000000000]], ["round", [1.5, null]], ["round", [1.5, 1.5]],
                ["round", [1.7976931348623157e308, -308]], ["round", [-0.04, 1]]]"#,
            &[
                "2",
                "4",
                "2.67",
                "1200",
                "1",
                "0",
                "0.12",
                "1200",
                "1",
                "10000000000000000000000",
                "ValueError('cannot convert float infinity to integer')",
                "TypeError(\"type str doesn't define __round__ method\")",
                "2.6",
                "1200.0",
                "0",
                "2",
                "TypeError(\"'float' object cannot be interpreted as an integer\")",
                "ValueError('rounded value too large to represent')",
                "-0.0",
            ],
        ),
        (
            r#"[["sum", [[1, 2.5]]], ["sum", [[0.1, 0.2]]], ["sum", [["a"]]], ["sum", [[]]],
                ["sum", [[9223372036854775807, 1, true]]], ["sum", [[[1], [2]], []]],
                ["sum", [[1], "a"]], ["sum", [[], true]], ["sum", [[[1], 2], []]], ["sum", [1, 2, 3]]]"#,
            &[
                "3.5",
                "0.30000000000000004",
                "TypeError(\"unsupported operand type(s) for +: 'int' and 'str'\")",
                "0",
                "9223372036854775809",
                "[1, 2]",
                "TypeError(\"sum() can't sum strings [use ''.join(seq) instead]\")",
                "True",
                "TypeError('can only concatenate list (not \"int\") to list')",
                "TypeError('sum() takes at most 2 arguments (3 given)')",
            ],
        ),
        (
            r#"[["abs", [-9223372036854775808]], ["abs", [true]], ["abs", [-0.0]], ["abs", {"x": 1}],
                ["abs", {}]]"#,
            &[
                "9223372036854775808",
                "1",
                "0.0",
                "TypeError('abs() takes no keyword arguments')",
                "TypeError('abs() takes exactly one argument (0 given)')",
            ],
        ),
    ] {
        check(json, lines);
    }
}
