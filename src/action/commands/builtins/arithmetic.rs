//! `divmod` and `pow`: exact for integers of any size, as far as a reply may hold them.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::errors::{type_error, type_name, value_error};
use super::number::Number;
use crate::event::Failure;
use crate::value::{MAX_INTEGER_DIGITS, Value};

/// Bits of a decimal digit, rounded down: a power with more cannot be printed.
const MAX_BITS: u64 = (MAX_INTEGER_DIGITS as u64) * 10 / 3 + 8;

fn operands(name: &str, left: &Value, right: &Value) -> Result<(Number, Number), Failure> {
    match (Number::of(left), Number::of(right)) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => {
            let (left, right) = (type_name(left), type_name(right));
            let message = format!("unsupported operand type(s) for {name}: '{left}' and '{right}'");
            Err(type_error(message))
        }
    }
}

/// Python's `divmod`: the quotient is rounded down, the rest has the divisor's sign.
pub(super) fn divmod(arguments: &[Value]) -> Result<Value, Failure> {
    let [left, right] = arguments else {
        let given = arguments.len();
        return Err(type_error(format!("divmod expected 2 arguments, got {given}")));
    };
    let pair = |quotient: Number, rest: Number| Value::Tuple(vec![quotient.into(), rest.into()]);
    match operands("divmod()", left, right)? {
        (Number::Int(_), Number::Int(right)) if right.is_zero() => {
            Err(value_error("integer division or modulo by zero"))
        }
        (Number::Int(left), Number::Int(right)) => {
            let (mut quotient, mut rest) = (&left / &right, &left % &right);
            if !rest.is_zero() && rest.is_negative() != right.is_negative() {
                quotient -= 1;
                rest += right;
            }
            Ok(pair(Number::Int(quotient), Number::Int(rest)))
        }
        (left, right) => {
            let (left, right) = (left.float()?, right.float()?);
            if right == 0.0 {
                return Err(value_error("float divmod()"));
            }
            let (quotient, rest) = float_divmod(left, right);
            Ok(pair(Number::Float(quotient), Number::Float(rest)))
        }
    }
}

/// As CPython computes it (`float_divmod` in floatobject.c).
fn float_divmod(left: f64, right: f64) -> (f64, f64) {
    let mut rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(right);
    } else if (right < 0.0) != (rest < 0.0) {
        rest += right;
        quotient -= 1.0;
    }
    let whole = if quotient == 0.0 {
        0.0_f64.copysign(left / right)
    } else {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    };
    (whole, rest)
}

/// The most work that a power by a modulus may be: bits of the exponent times those of the modulus
/// squared. That of numbers of 2048 bits takes some 10 ms.
const MOST_WORK: u64 = 1 << 33;

/// Python's `pow`, with two numbers or three integers.
pub(super) fn pow(
    base: &Value,
    exponent: &Value,
    modulus: Option<&Value>,
) -> Result<Value, Failure> {
    let (base, exponent) = operands("** or pow()", base, exponent)?;
    if let Some(modulus) = modulus.filter(|modulus| !matches!(modulus, Value::Null)) {
        let (Number::Int(base), Number::Int(exponent), Some(Number::Int(modulus))) =
            (base, exponent, Number::of(modulus))
        else {
            return Err(type_error(
                "pow() 3rd argument not allowed unless all arguments are integers",
            ));
        };
        return modular(&base, &exponent, &modulus);
    }
    match (base, exponent) {
        (Number::Int(base), Number::Int(exponent)) if !exponent.is_negative() => {
            whole(&base, &exponent)
        }
        (base, exponent) => {
            let (base, exponent) = (base.float()?, exponent.float()?);
            if base == 0.0 && exponent < 0.0 {
                return Err(value_error("0.0 cannot be raised to a negative power"));
            }
            if base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0 {
                return Err(value_error(
                    "the result is a complex number, which JSON does not have",
                ));
            }
            let power = base.powf(exponent);
            if power.is_infinite() && base.is_finite() && exponent.is_finite() {
                return Err(value_error("(34, 'Numerical result out of range')"));
            }
            Ok(Value::Float(power))
        }
    }
}

/// A power of integers, unless it would have more digits than may be printed.
fn whole(base: &BigInt, exponent: &BigInt) -> Result<Value, Failure> {
    let small = exponent.to_u32();
    let bits =
        small.map(|exponent| base.bits().saturating_sub(1).saturating_mul(u64::from(exponent)));
    // 0, 1 and -1 have no large powers.
    if base.bits() <= 1 {
        let odd = exponent.bit(0);
        let power = match base.to_i64() {
            Some(-1) if !odd => 1,
            Some(0) if exponent.is_zero() => 1,
            base => base.unwrap_or(0),
        };
        return Ok(Value::Int(power));
    }
    match (small, bits) {
        (Some(exponent), Some(bits)) if bits <= MAX_BITS => {
            let power = base.pow(exponent);
            if power.to_string().trim_start_matches('-').len() > MAX_INTEGER_DIGITS {
                return Err(too_long());
            }
            Ok(Number::Int(power).into())
        }
        _ => Err(too_long()),
    }
}

fn too_long() -> Failure {
    value_error(format!(
        "Exceeds the limit ({MAX_INTEGER_DIGITS} digits) for integer string conversion; use \
         sys.set_int_max_str_digits() to increase the limit"
    ))
}

fn modular(base: &BigInt, exponent: &BigInt, modulus: &BigInt) -> Result<Value, Failure> {
    if modulus.is_zero() {
        return Err(value_error("pow() 3rd argument cannot be 0"));
    }
    let (bits, of_modulus) = (exponent.bits(), modulus.bits());
    if bits.saturating_mul(of_modulus).saturating_mul(of_modulus) > MOST_WORK {
        return Err(value_error(format!(
            "an exponent of {bits} bits with a modulus of {of_modulus} bits takes too long; 2048 \
             bits each are possible"
        )));
    }
    let result = if exponent.is_negative() {
        let inverse = base.modinv(modulus);
        let inverse =
            inverse.ok_or_else(|| value_error("base is not invertible for the given modulus"))?;
        inverse.modpow(&-exponent, modulus)
    } else {
        base.modpow(exponent, modulus)
    };
    Ok(Number::Int(result).into())
}
