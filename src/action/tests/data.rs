use super::*;

#[test]
fn users_have_random_data_and_what_is_given() {
    let bench = Bench::new();
    let lines = bench.lines(
        r#"[["LD_build_user"], ["LD_build_user", [{"username": "ann", "role": "x"}]],
            ["LD_build_user_pool", [3]], ["LD_build_user_pool", [-1]], ["LD_build_user_pool", [100001]]]"#,
    );
    let user = regex::Regex::new(
        r"^\{'email': 'user_[0-9a-f]{8}@example\.test', 'username': '(?:user_[0-9a-f]{6}|ann)', 'password': '[A-Za-z0-9!@#$%^&*]{16}', 'uuid_hex': '[0-9a-f]{32}', 'int_id': [0-9]+(?:, 'role': 'x')?\}$",
    );
    let user = user.expect("a pattern");
    assert!(user.is_match(&lines[0]) && user.is_match(&lines[1]), "{lines:?}");
    assert!(lines[1].contains("'username': 'ann'") && lines[1].contains("'role': 'x'"));
    assert_eq!(lines[2].matches("'email'").count(), 3);
    assert_eq!(lines[3], "[]");
    assert_eq!(lines[4], "PermissionError('100001 users are too many: at most 100000 are made')");
}

#[test]
fn personal_data_is_scrubbed_at_any_depth() {
    let lines = Bench::new().lines(
        r#"[["LD_pii_scrub", [{"a": ["ann@example.test", 5], "api_key": "x"}]], ["LD_pii_scrub_string", ["10.0.0.1"]]]"#,
    );
    let scrubbed = regex::Regex::new(
        r"^\{'a': \['email_[0-9a-f]{8}', 5\], 'api_key': 'secret_[0-9a-f]{8}'\}$",
    );
    assert!(scrubbed.expect("a pattern").is_match(&lines[0]), "{lines:?}");
    assert!(lines[1].starts_with("ip_") && lines[1].len() == 11, "{lines:?}");
}

#[test]
fn more_builtins_compute_as_python_does() {
    // Each made by Python 3.11.
    for (action, line) in [
        (r#"["all", [[1, "x", []]]]"#, "False"),
        (r#"["all", [[]]]"#, "True"),
        (r#"["any", [[0, null, "x"]]]"#, "True"),
        (r#"["any", [5]]"#, "TypeError(\"'int' object is not iterable\")"),
        (r#"["ascii", ["żé🦀"]]"#, r"'\u017c\xe9\U0001f980'"),
        (r#"["repr", [["a", null]]]"#, "['a', None]"),
        (r#"["callable", ["len"]]"#, "False"),
        (r#"["bin", [-5]]"#, "-0b101"),
        (r#"["oct", [8]]"#, "0o10"),
        (r#"["hex", [255]]"#, "0xff"),
        (r#"["hex", [1.5]]"#, "TypeError(\"'float' object cannot be interpreted as an integer\")"),
        (r#"["chr", [8364]]"#, "€"),
        (r#"["chr", [1114112]]"#, "ValueError('chr() arg not in range(0x110000)')"),
        (r#"["ord", ["€"]]"#, "8364"),
        (
            r#"["ord", ["ab"]]"#,
            "TypeError('ord() expected a character, but string of length 2 found')",
        ),
        (r#"["divmod", [-7, 2]]"#, "(-4, 1)"),
        (r#"["divmod", [7, -2]]"#, "(-4, -1)"),
        (r#"["divmod", [-7.5, 2]]"#, "(-4.0, 0.5)"),
        (r#"["divmod", [1, 0]]"#, "ValueError('integer division or modulo by zero')"),
        (r#"["pow", [2, 100]]"#, "1267650600228229401496703205376"),
        (r#"["pow", [2, -1]]"#, "0.5"),
        (r#"["pow", {"base": 3, "exp": -1, "mod": 7}]"#, "5"),
        (r#"["pow", [-3, 5, 7]]"#, "2"),
        (r#"["pow", [0, 0]]"#, "1"),
        (r#"["format", [1234.5, ",.2f"]]"#, "1,234.50"),
        (r##"["format", [255, "#06x"]]"##, "0x00ff"),
        (r#"["format", [0.256, ".1%"]]"#, "25.6%"),
        (r#"["format", [12345.678, ".2e"]]"#, "1.23e+04"),
        (r#"["format", ["ab", "*^7.1s"]]"#, "***a***"),
        (r#"["format", [-5, "+05d"]]"#, "-0005"),
        (r#"["format", [[1]]]"#, "[1]"),
        (r#"["format", [true, "d"]]"#, "1"),
        (
            r#"["format", ["x", "d"]]"#,
            "ValueError(\"Unknown format code 'd' for object of type 'str'\")",
        ),
    ] {
        check(&format!("[{action}]"), &[line]);
    }
}

#[test]
fn no_builtin_takes_more_than_a_reply_holds() {
    for action in [
        r#"["pow", [10, 100000]]"#,
        r#"["pow", [10, 1e400]]"#,
        r#"["pow", [7, 99999999999999999999999]]"#,
        r#"["format", [1, "999999999d"]]"#,
        r#"["format", [1.5, ".999999999f"]]"#,
    ] {
        let line = Bench::new().lines(&format!("[{action}]")).remove(0);
        assert!(line.contains("Error(") || line == "inf", "{action}: {line}");
    }
}

#[test]
fn a_power_by_a_modulus_is_refused_where_it_would_take_long() {
    let power = |bits: u32, of_modulus: u32| {
        let number = |bits: u32| (num_bigint::BigUint::from(1u8) << (bits - 1)) + 1u8;
        let (exponent, modulus) = (number(bits), number(of_modulus));
        let sign = if bits.is_multiple_of(2) { "" } else { "-" };
        Bench::new().lines(&format!(r#"[["pow", [3, {sign}{exponent}, {modulus}]]]"#)).remove(0)
    };
    for (bits, of_modulus) in [(14_000, 14_000), (14_001, 14_000), (2050, 2048), (400, 5000)] {
        let refusal = format!(
            "ValueError('an exponent of {bits} bits with a modulus of {of_modulus} bits takes too \
             long; 2048 bits each are possible')"
        );
        assert_eq!(power(bits, of_modulus), refusal);
    }
    for (bits, of_modulus) in [(512, 512), (14_000, 64), (64, 4096)] {
        let power = power(bits, of_modulus);
        assert!(power.parse::<num_bigint::BigUint>().is_ok(), "{power}");
    }
}
