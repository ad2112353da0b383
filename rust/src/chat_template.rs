//! A compiled chat template: minijinja made to act as Python's jinja2 does, within limits.
//!
//! Instructions are limited by fuel, recursion by minijinja. Memory: operators and filters that make strings are
//! redirected to ones here that charge the bytes they make against a budget, and so does everything that is printed;
//! the literal text that one instruction prints bounds the fuel.

use crate::{clock, python};
use minijinja::machinery::{parse, tokenize, CodeGenerator, Instruction, Instructions, Token, Vm, WhitespaceConfig};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

const SOURCE_BYTES_MAX: usize = 1 << 20;
const CONSTANT_PARTS_MAX: usize = 100_000;
const RECURSION_MAX: usize = 64;
/// All strings made while rendering may be this many times as large as the output may be.
const STRINGS_PER_OUTPUT: usize = 4;
const NO_LOCAL: u8 = !0; // the filter is looked up at each call

const CODE_BAD_TEMPLATE: i32 = 1;
const CODE_RAISED: i32 = 2;
const CODE_LIMIT: i32 = 3;
const CODE_BAD_INPUT: i32 = 4;

pub struct Failure {
    pub code: i32,
    pub message: String,
}

impl Failure {
    pub fn bad_input(message: String) -> Failure {
        Failure { code: CODE_BAD_INPUT, message }
    }
}

#[derive(Clone, Copy)]
pub struct Limits {
    pub instructions: u64,
    pub output_bytes: usize,
}

thread_local! {
    // Of the rendering under way on this thread.
    static BYTES_LEFT: Cell<usize> = const { Cell::new(0) };
    static NOW_SECONDS: Cell<i64> = const { Cell::new(0) };
    static OUTCOME: Cell<i32> = const { Cell::new(CODE_BAD_TEMPLATE) };
}

fn limit_error(what: &str) -> Error {
    OUTCOME.set(CODE_LIMIT);
    Error::new(ErrorKind::InvalidOperation, format!("the template makes too much {what}"))
}

/// Takes `bytes` from what this rendering may still make.
pub fn charge(bytes: usize) -> Result<(), Error> {
    match BYTES_LEFT.get().checked_sub(bytes) {
        Some(left) => {
            BYTES_LEFT.set(left);
            Ok(())
        }
        None => Err(limit_error("text")),
    }
}

pub struct ChatTemplate {
    // Borrows from `environment` and `source`, which are boxed and outlive it: fields are dropped in this order.
    instructions: Instructions<'static>,
    blocks: BTreeMap<&'static str, Instructions<'static>>,
    raw_bytes_max: usize, // the longest literal text that one instruction prints
    environment: Box<Environment<'static>>,
    source: Box<str>,
}

impl ChatTemplate {
    pub fn compile(source: &str) -> Result<ChatTemplate, Failure> {
        if source.len() > SOURCE_BYTES_MAX {
            let message = format!("the template has {} bytes, more than {SOURCE_BYTES_MAX}", source.len());
            return Err(Failure { code: CODE_LIMIT, message });
        }
        let source = replace_generation(source).into_boxed_str();
        // Sound: the box is not moved out of nor changed, and outlives what borrows from it.
        let text: &'static str = unsafe { &*(source.as_ref() as *const str) };
        let syntax_tree = parse(text, "chat_template", Default::default(), whitespace())
            .map_err(|error| Failure { code: CODE_BAD_TEMPLATE, message: describe(&error) })?;
        let mut generator = CodeGenerator::new("chat_template", text);
        generator.compile_stmt(&syntax_tree);
        let (mut instructions, blocks) = generator.finish();
        let raw_bytes_max = redirect(&mut instructions)?;
        Ok(ChatTemplate { instructions, blocks, raw_bytes_max, environment: Box::new(environment()), source })
    }

    pub fn render(&self, variables: &str, now_seconds: i64, limits: Limits) -> Result<String, Failure> {
        let variables: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(variables).map_err(|error| Failure::bad_input(error.to_string()))?;
        let strings = limits.output_bytes.saturating_mul(STRINGS_PER_OUTPUT);
        let by_raw_text = (strings / self.raw_bytes_max.max(1)) as u64;
        BYTES_LEFT.set(strings);
        NOW_SECONDS.set(now_seconds);
        OUTCOME.set(CODE_BAD_TEMPLATE);
        let mut environment = (*self.environment).clone();
        environment.set_fuel(Some(limits.instructions.min(by_raw_text)));
        let text = self.eval(&environment, Value::from_serialize(&variables)).map_err(|error| {
            let code = if error.kind() == ErrorKind::OutOfFuel { CODE_LIMIT } else { OUTCOME.get() };
            let message = match code {
                CODE_RAISED => innermost(&error).detail().unwrap_or_default().to_string(),
                _ => describe(&error),
            };
            Failure { code, message }
        })?;
        if text.len() > limits.output_bytes {
            let message = format!("the text has {} bytes, more than {}", text.len(), limits.output_bytes);
            return Err(Failure { code: CODE_LIMIT, message });
        }
        Ok(text)
    }

    fn eval(&self, environment: &Environment<'static>, root: Value) -> Result<String, Error> {
        let mut text = String::new();
        // Sound: neither the virtual machine nor what it returns outlives this function.
        let environment: &'static Environment<'static> = unsafe { &*(environment as *const _) };
        let mut output = minijinja::machinery::make_string_output(&mut text);
        Vm::new(environment)
            .eval(&self.instructions, root, &self.blocks, &mut output, AutoEscape::None)
            .map(|_| ())?;
        Ok(text)
    }

    /// The string literals as a JSON array.
    pub fn literals(&self) -> String {
        let tokens = tokenize(&self.source, false, Default::default(), whitespace());
        let literals: BTreeSet<String> = tokens
            .filter_map(|token| match token {
                Ok((Token::Str(text), _)) => Some(text.to_string()),
                Ok((Token::String(text), _)) => Some(text.to_string()),
                _ => None,
            })
            .collect();
        serde_json::to_string(&literals).unwrap_or_else(|_| "[]".into())
    }
}

/// What transformers sets on its jinja2 environment.
fn whitespace() -> WhitespaceConfig {
    WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true }
}

/// {% generation %} marks what an assistant wrote, for training; here it is a scope and nothing else.
fn replace_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        let body = tag.trim_start_matches(['-', '+']).trim_start();
        let prefix = &tag[..tag.len() - body.len()];
        let replacement = [("endgeneration", "endwith"), ("generation", "with")].into_iter().find(|(name, _)| {
            body.strip_prefix(name).is_some_and(|after| after.trim_start().trim_start_matches(['-', '+']).starts_with("%}"))
        });
        rest = match replacement {
            Some((name, with)) => {
                out.push_str(prefix);
                out.push_str(with);
                &body[name.len()..]
            }
            None => tag,
        };
    }
    out + rest
}

/// Whether a constant has at most `left` parts. (The parser multiplies lists, lazily.)
fn is_small(value: &Value, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            value.try_iter().is_ok_and(|mut items| items.all(|item| is_small(&item, left)))
        }
        _ => true,
    }
}

/// Sends operators that make strings to the filters below. Returns the length of the longest literal text.
fn redirect(instructions: &mut Instructions<'static>) -> Result<usize, Failure> {
    let mut raw_bytes_max = 0;
    let mut index = 0;
    while let Some(instruction) = instructions.get_mut(index) {
        match instruction {
            Instruction::StringConcat => *instruction = Instruction::ApplyFilter("bounded_concat", Some(2), NO_LOCAL),
            Instruction::Add => *instruction = Instruction::ApplyFilter("bounded_add", Some(2), NO_LOCAL),
            Instruction::Mul => *instruction = Instruction::ApplyFilter("bounded_mul", Some(2), NO_LOCAL),
            Instruction::LoadConst(value) if !is_small(value, &mut CONSTANT_PARTS_MAX.clone()) => {
                let message = format!("a constant has more than {CONSTANT_PARTS_MAX} parts");
                return Err(Failure { code: CODE_LIMIT, message });
            }
            Instruction::EmitRaw(text) => raw_bytes_max = raw_bytes_max.max(text.len()),
            _ => {}
        }
        index += 1;
    }
    Ok(raw_bytes_max)
}

fn innermost(error: &Error) -> &Error {
    let mut error = error;
    while let Some(source) = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>()) {
        error = source;
    }
    error
}

fn describe(error: &Error) -> String {
    let inner = innermost(error);
    let reason = match inner.detail() {
        Some(detail) => format!("{}: {detail}", inner.kind()),
        None => inner.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("line {line}: {reason}"),
        None => reason,
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(python::call_method);

    environment.add_filter("bounded_concat", concat);
    environment.add_filter("bounded_add", add);
    environment.add_filter("bounded_mul", multiply);
    environment.add_filter("tojson", |value: Value, kwargs: Kwargs| charged(python::tojson(&value, kwargs)?));
    environment.add_filter("string", |value: Value| charged(python::to_str(&value)?));
    environment.add_filter("join", join);
    environment.add_filter("replace", |text: &str, old: &str, new: &str, count: Option<i64>| {
        let mut args = vec![Value::from(old), Value::from(new)];
        args.extend(count.map(Value::from));
        python::str_method(text, "replace", &args)
    });
    environment.add_filter("title", |text: &str| python::str_method(text, "title", &[]));

    environment.add_filter("wordcount", |text: &str| text.split_whitespace().count());
    environment.add_filter("truncate", truncate);
    environment.add_filter("int", |value: Value, default: Option<i64>| {
        python::to_int(&value).map_or_else(|| Value::from(default.unwrap_or(0)), Value::from)
    });

    environment.add_test("mapping", |value: &Value| value.kind() == ValueKind::Map);
    environment.add_test("sequence", |value: &Value| is_container(value));
    environment.add_test("iterable", |value: &Value| is_container(value) || value.is_undefined());
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));

    environment.add_function("raise_exception", |message: Value| -> Result<Value, Error> {
        let message = python::to_str(&message)?;
        OUTCOME.set(CODE_RAISED);
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |format: &str| clock::local(NOW_SECONDS.get(), format));
    environment
}

/// Python: everything with a length and items.
fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
}

fn charged(text: String) -> Result<Value, Error> {
    charge(text.len())?;
    Ok(Value::from(text))
}

fn print(output: &mut Output, _: &State, value: &Value) -> Result<(), Error> {
    let written = match value.as_str() {
        Some(text) => {
            charge(text.len())?;
            output.write_str(text)
        }
        None => {
            let text = python::to_str(value)?;
            charge(text.len())?;
            output.write_str(&text)
        }
    };
    written.map_err(|error| Error::new(ErrorKind::WriteFailure, error.to_string()))
}

/// left ~ right
fn concat(left: &Value, right: &Value) -> Result<Value, Error> {
    charged(python::to_str(left)? + &python::to_str(right)?)
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let message = format!("unsupported operand types for {operator}: {} and {}", left.kind(), right.kind());
    Error::new(ErrorKind::InvalidOperation, message)
}

fn is_numeric(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// left + right
fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        charge(left.len() + right.len())?;
        return Ok(Value::from([left, right].concat()));
    }
    if is_numeric(left) && is_numeric(right) {
        return arithmetic(left, right, i64::checked_add, |a, b| a + b);
    }
    if is_list(left) && is_list(right) {
        let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
        charge(items.len() * std::mem::size_of::<Value>())?;
        return Ok(Value::from(items));
    }
    Err(unsupported("+", left, right))
}

/// left * right
fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    if is_numeric(left) && is_numeric(right) {
        return arithmetic(left, right, i64::checked_mul, |a, b| a * b);
    }
    let (content, count) = if is_numeric(left) { (right, left) } else { (left, right) };
    let count = usize::try_from(i64::try_from(count.clone())?.max(0)).unwrap_or(0);
    if let Some(text) = content.as_str() {
        charge(text.len().saturating_mul(count))?;
        return Ok(Value::from(text.repeat(count)));
    }
    if is_list(content) {
        let items: Vec<Value> = content.try_iter()?.collect();
        charge(items.len().saturating_mul(count).saturating_mul(std::mem::size_of::<Value>()))?;
        return Ok(Value::from(vec![items; count].concat()));
    }
    Err(unsupported("*", left, right))
}

fn arithmetic(
    left: &Value,
    right: &Value,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let whole_value = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        _ if value.is_integer() => i64::try_from(value.clone()).ok(),
        _ => None,
    };
    if let (Some(left), Some(right)) = (whole_value(left), whole_value(right)) {
        return whole(left, right)
            .map(Value::from)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the number is too large"));
    }
    let real_value = |value: &Value| match value.kind() {
        ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        _ => f64::try_from(value.clone()),
    };
    Ok(Value::from(real(real_value(left)?, real_value(right)?)))
}

/// text | truncate(length, killwords, end, leeway=)
fn truncate(
    text: &str,
    length: Option<usize>,
    kill_words: Option<bool>,
    end: Option<String>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let length = kwargs.get::<Option<usize>>("length")?.or(length).unwrap_or(255);
    let kill_words = kwargs.get::<Option<bool>>("killwords")?.or(kill_words).unwrap_or(false);
    let end = kwargs.get::<Option<String>>("end")?.or(end).unwrap_or_else(|| "...".into());
    let leeway = kwargs.get::<Option<usize>>("leeway")?.unwrap_or(5);
    kwargs.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.to_string());
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let kept = if kill_words { kept.as_str() } else { kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words) };
    Ok(kept.to_string() + &end)
}

/// values | join(separator, attribute)
fn join(values: &Value, separator: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let attribute: Option<String> = kwargs.get("attribute")?;
    let separator = match (separator, kwargs.get::<Option<Value>>("d")?) {
        (Some(separator), _) | (None, Some(separator)) => python::to_str(&separator)?,
        (None, None) => String::new(),
    };
    kwargs.assert_all_used()?;
    let mut out = String::new();
    if values.is_undefined() {
        return Ok(Value::from(out));
    }
    for (i, value) in values.try_iter()?.enumerate() {
        let value = match &attribute {
            Some(attribute) => value.get_attr(attribute)?,
            None => value,
        };
        let text = python::to_str(&value)?;
        charge(text.len() + separator.len())?;
        if i > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text);
    }
    Ok(Value::from(out))
}
