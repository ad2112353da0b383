//! What pingti takes from Rust, behind include/pingti_rs.h. Panics end here: each function of the C boundary catches them.

mod chat_template;
mod clock;
mod python;

use chat_template::{ChatTemplate, Failure, Limits};
use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

#[repr(C)]
pub struct PtString {
    data: *mut u8,
    size: usize,
}

impl PtString {
    fn new(text: String) -> PtString {
        let bytes = text.into_bytes().into_boxed_slice();
        let size = bytes.len();
        PtString { data: Box::into_raw(bytes) as *mut u8, size }
    }
}

#[repr(C)]
pub struct PtTemplateLimits {
    instructions_max: u64,
    output_bytes_max: usize,
}

const PT_OK: i32 = 0;
const PT_BAD_TEMPLATE: i32 = 1;
const PT_PANIC: i32 = 5;

/// # Safety
/// `data` points to `size` bytes, or `size` is 0.
unsafe fn text_at<'a>(data: *const u8, size: usize) -> Result<&'a str, Failure> {
    let bytes = if size == 0 { &[] } else { std::slice::from_raw_parts(data, size) };
    std::str::from_utf8(bytes).map_err(|error| Failure::bad_input(format!("not UTF-8: {error}")))
}

/// Runs `body`; a failure or a panic goes to `*error` and its code is returned.
unsafe fn guarded(error: *mut PtString, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // The place of a panic belongs into the error, not on the server's stderr.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| set_hook(Box::new(|panic| PANIC.set(panic.to_string()))));
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => PT_OK,
        Ok(Err(failure)) => {
            error.write(PtString::new(failure.message));
            failure.code
        }
        Err(_) => {
            error.write(PtString::new(format!("the template engine failed: {}", PANIC.take())));
            PT_PANIC
        }
    }
}

/// # Safety
/// As include/pingti_rs.h says.
#[no_mangle]
pub unsafe extern "C" fn pt_template_compile(
    source: *const u8,
    source_size: usize,
    out: *mut *mut ChatTemplate,
    error: *mut PtString,
) -> i32 {
    guarded(error, || {
        let source = text_at(source, source_size).map_err(|failure| Failure { code: PT_BAD_TEMPLATE, ..failure })?;
        out.write(Box::into_raw(Box::new(ChatTemplate::compile(source)?)));
        Ok(())
    })
}

/// # Safety
/// As include/pingti_rs.h says.
#[no_mangle]
pub unsafe extern "C" fn pt_template_render(
    compiled: *const ChatTemplate,
    variables: *const u8,
    variables_size: usize,
    now_seconds: i64,
    limits: PtTemplateLimits,
    out: *mut PtString,
    error: *mut PtString,
) -> i32 {
    guarded(error, || {
        let limits = Limits { instructions: limits.instructions_max, output_bytes: limits.output_bytes_max };
        let text = (*compiled).render(text_at(variables, variables_size)?, now_seconds, limits)?;
        out.write(PtString::new(text));
        Ok(())
    })
}

/// # Safety
/// As include/pingti_rs.h says.
#[no_mangle]
pub unsafe extern "C" fn pt_template_literals(compiled: *const ChatTemplate) -> PtString {
    let literals = catch_unwind(AssertUnwindSafe(|| (*compiled).literals()));
    PtString::new(literals.unwrap_or_else(|_| "[]".into()))
}

/// # Safety
/// `compiled` comes from pt_template_compile and is not used again.
#[no_mangle]
pub unsafe extern "C" fn pt_template_free(compiled: *mut ChatTemplate) {
    if !compiled.is_null() {
        drop(Box::from_raw(compiled));
    }
}

/// # Safety
/// `string` comes from this library and is not used again.
#[no_mangle]
pub unsafe extern "C" fn pt_string_free(string: PtString) {
    if !string.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(string.data, string.size)));
    }
}
