//! How Python shows and changes values, where templates rely on it: str(), repr(), json.dumps, methods of str and dict.

use crate::chat_template::charge;
use minijinja::value::{from_args, Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt::Write;

/// Deeper values are refused: the recursion below is bounded by this, not by the stack.
const DEPTH_MAX: usize = 128;
/// What a value costs beside its text, in bytes of the budget.
const NODE_COST: usize = 32;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// str(value)
pub fn to_str(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_string());
    }
    if value.is_undefined() {
        return Ok(String::new());
    }
    let mut out = String::new();
    repr(value, DEPTH_MAX, &mut out)?;
    Ok(out)
}

fn repr(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth == 0 {
        return Err(invalid("a value is nested too deeply"));
    }
    charge(NODE_COST)?; // lists that hold one list many times are small in memory and endless in print
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            charge(text.len())?;
            repr_str(text, out);
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                repr(&key, depth - 1, out)?;
                out.push_str(": ");
                repr(&value.get_item(&key)?, depth - 1, out)?;
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (i, item) in value.try_iter()?.enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                repr(&item, depth - 1, out)?;
            }
            out.push(']');
        }
        _ => {
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

fn repr_str(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || (0x7f..0xa1).contains(&(c as u32)) || c as u32 == 0xad => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// int(value), or nothing where Python would raise.
pub fn to_int(value: &Value) -> Option<i64> {
    match value.as_str() {
        Some(text) => text.trim().replace('_', "").parse().ok(),
        None if value.kind() == ValueKind::Bool => Some(i64::from(value.is_true())),
        None if value.is_integer() => i64::try_from(value.clone()).ok(),
        None => f64::try_from(value.clone()).ok().map(|float| float.trunc() as i64),
    }
}

/// repr() of int and float.
fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(float) = f64::try_from(value.clone()) else { return value.to_string() };
    if float.is_nan() {
        return "nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf".into() } else { "-inf".into() };
    }
    // Python: shortest digits that round-trip, exponent form outside 1e-4 .. 1e16.
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || float == 0.0 {
        let plain = format!("{float}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

struct JsonStyle {
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    ensure_ascii: bool,
}

/// json.dumps(value, ensure_ascii=False, indent, separators, sort_keys), as transformers' tojson calls it.
pub fn tojson(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<Value> = kwargs.get("indent")?;
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    let sort_keys: Option<bool> = kwargs.get("sort_keys")?;
    let ensure_ascii: Option<bool> = kwargs.get("ensure_ascii")?;
    kwargs.assert_all_used()?;
    const INDENT_MAX: usize = 64;
    let indent = match indent {
        Some(indent) if !indent.is_none() && !indent.is_undefined() => Some(match indent.as_str() {
            Some(text) => text.to_string(),
            None => " ".repeat(indent.as_usize().unwrap_or(0).min(INDENT_MAX)),
        }),
        _ => None,
    };
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(invalid("separators: wanted two strings")),
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let style = JsonStyle {
        indent,
        item_separator,
        key_separator,
        sort_keys: sort_keys.unwrap_or(false),
        ensure_ascii: ensure_ascii.unwrap_or(false),
    };
    let mut out = String::new();
    json(value, &style, 0, &mut out)?;
    Ok(out)
}

fn json(value: &Value, style: &JsonStyle, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth >= DEPTH_MAX {
        return Err(invalid("a value is nested too deeply"));
    }
    charge(NODE_COST + value.as_str().map_or(0, str::len))?;
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&match number(value).as_str() {
            "nan" => "NaN".to_string(),
            "inf" => "Infinity".to_string(),
            "-inf" => "-Infinity".to_string(),
            other => other.to_string(),
        }),
        ValueKind::String => json_str(value.as_str().unwrap_or_default(), style.ensure_ascii, out),
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if style.sort_keys {
                keys.sort();
            }
            json_items(&keys, ('{', '}'), style, depth, out, |key, out| {
                json_str(&to_str(key)?, style.ensure_ascii, out);
                out.push_str(&style.key_separator);
                json(&value.get_item(key)?, style, depth + 1, out)
            })?;
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            json_items(&items, ('[', ']'), style, depth, out, |item, out| json(item, style, depth + 1, out))?;
        }
        kind => return Err(invalid(format!("Object of type {kind} is not JSON serializable"))),
    }
    Ok(())
}

fn json_items(
    items: &[Value],
    brackets: (char, char),
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
    mut write_item: impl FnMut(&Value, &mut String) -> Result<(), Error>,
) -> Result<(), Error> {
    let new_line = |depth: usize, out: &mut String| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    out.push(brackets.0);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(&style.item_separator);
        }
        new_line(depth + 1, out);
        write_item(item, out)?;
    }
    if !items.is_empty() {
        new_line(depth, out);
    }
    out.push(brackets.1);
    Ok(())
}

fn json_str(text: &str, ensure_ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ensure_ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Methods that templates call on str and dict.
pub fn call_method(_: &State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => str_method(value.as_str().unwrap_or_default(), method, args),
        ValueKind::Map => dict_method(value, method, args),
        ValueKind::Seq => list_method(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

pub fn str_method(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    Ok(match method {
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<Value>,) = from_args(args)?;
            Value::from(strip(text, method, chars.as_ref().and_then(|chars| chars.as_str())))
        }
        "split" | "rsplit" => split(text, method == "rsplit", args)?,
        "splitlines" => Value::from_serialize(text.lines().collect::<Vec<_>>()),
        "startswith" | "endswith" => {
            let (affix,): (Value,) = from_args(args)?;
            let test = |affix: &Value| match affix.as_str() {
                Some(affix) if method == "startswith" => Ok(text.starts_with(affix)),
                Some(affix) => Ok(text.ends_with(affix)),
                None => Err(invalid(format!("{method}: wanted a string or several, found {}", affix.kind()))),
            };
            Value::from(match affix.kind() {
                ValueKind::Seq => affix.try_iter()?.map(|one| test(&one)).collect::<Result<Vec<_>, _>>()?.contains(&true),
                _ => test(&affix)?,
            })
        }
        "removeprefix" | "removesuffix" => {
            let (affix,): (&str,) = from_args(args)?;
            let rest = if method == "removeprefix" { text.strip_prefix(affix) } else { text.strip_suffix(affix) };
            Value::from(rest.unwrap_or(text))
        }
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
            charge(text.len().saturating_add(
                text.matches(old).count().min(count).saturating_mul(new.len()),
            ))?;
            Value::from(text.replacen(old, new, count))
        }
        "find" | "rfind" | "count" => {
            let (what,): (&str,) = from_args(args)?;
            let place = if method == "find" { text.find(what) } else { text.rfind(what) };
            match method {
                "count" => Value::from(text.matches(what).count()),
                _ => Value::from(place.map_or(-1, |bytes| text[..bytes].chars().count() as i64)),
            }
        }
        "join" => {
            let (items,): (Value,) = from_args(args)?;
            let items = items.try_iter()?.map(|item| to_str(&item)).collect::<Result<Vec<_>, _>>()?;
            let bytes: usize = items.iter().map(|item| item.len() + text.len()).sum();
            charge(bytes)?;
            Value::from(items.join(text))
        }
        _ => return simple_str_method(text, method, args),
    })
}

/// Methods without arguments.
fn simple_str_method(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let all = |test: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(test));
    let result = match method {
        "upper" => Value::from(text.to_uppercase()),
        "lower" => Value::from(text.to_lowercase()),
        "title" => Value::from(title(text)),
        "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            Value::from(first + &chars.as_str().to_lowercase())
        }
        "isdigit" | "isnumeric" | "isdecimal" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isupper" => Value::from(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)),
        "islower" => Value::from(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    let () = from_args(args)?;
    Ok(result)
}

fn strip<'a>(text: &'a str, method: &str, chars: Option<&str>) -> &'a str {
    let strips = |c: char| match chars {
        Some(chars) => chars.contains(c),
        None => c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c),
    };
    match method {
        "lstrip" => text.trim_start_matches(strips),
        "rstrip" => text.trim_end_matches(strips),
        _ => text.trim_matches(strips),
    }
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = c.is_alphabetic();
    }
    out
}

fn split(text: &str, from_right: bool, args: &[Value]) -> Result<Value, Error> {
    let (separator, count): (Option<Value>, Option<i64>) = from_args(args)?;
    // maxsplit counts the cuts, splitn the pieces.
    let pieces = count.and_then(|count| usize::try_from(count).ok()).map_or(usize::MAX, |count| count + 1);
    let parts: Vec<&str> = match separator.as_ref().and_then(|separator| separator.as_str()) {
        Some("") => return Err(invalid("empty separator")),
        Some(separator) if from_right => {
            let mut parts: Vec<&str> = text.rsplitn(pieces, separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(pieces, separator).collect(),
        None => split_space(text, pieces),
    };
    Ok(Value::from_serialize(parts))
}

fn split_space(text: &str, pieces: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).filter(|_| parts.len() + 1 < pieces);
        let Some(end) = end else {
            parts.push(if parts.len() + 1 < pieces { rest.trim_end() } else { rest });
            break;
        };
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts
}

fn dict_method(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let pair = |key: Value| -> Result<Value, Error> {
        let item = value.get_item(&key)?;
        Ok(Value::from(vec![key, item]))
    };
    Ok(match method {
        "get" => {
            let (key, default): (Value, Option<Value>) = from_args(args)?;
            let found = value.get_item(&key)?;
            if found.is_undefined() {
                default.unwrap_or_else(|| Value::from(()))
            } else {
                found
            }
        }
        "keys" => Value::from(value.try_iter()?.collect::<Vec<_>>()),
        "values" => Value::from(value.try_iter()?.map(|key| value.get_item(&key)).collect::<Result<Vec<_>, _>>()?),
        "items" => Value::from(value.try_iter()?.map(pair).collect::<Result<Vec<_>, _>>()?),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn list_method(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (what,): (Value,) = from_args(args)?;
    let mut items = value.try_iter()?;
    match method {
        "count" => Ok(Value::from(items.filter(|item| *item == what).count())),
        "index" => items.position(|item| item == what).map(Value::from).ok_or_else(|| invalid("the value is not in the list")),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
