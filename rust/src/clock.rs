//! strftime_now: the C library's strftime of the time that the caller gives, in the local zone.

use minijinja::{Error, ErrorKind};
use std::ffi::{c_char, c_int, c_long, CString};

/// struct tm of the C library on Linux.
#[repr(C)]
#[derive(Default)]
struct Tm {
    fields: [c_int; 9],
    offset: c_long,
    zone: usize,
}

extern "C" {
    fn localtime_r(time: *const i64, out: *mut Tm) -> *mut Tm;
    fn strftime(out: *mut c_char, size: usize, format: *const c_char, time: *const Tm) -> usize;
}

pub fn local(seconds: i64, format: &str) -> Result<String, Error> {
    let invalid = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_string());
    // The mark in front tells an empty result from one that does not fit.
    let format = CString::new(format!(".{format}")).map_err(|_| invalid("strftime_now: the format holds a zero"))?;
    let mut out = [0u8; 256];
    let mut time = Tm::default();
    // Sound: both write within what they are given, and time_t has 64 bits on the platforms that we build for.
    let written = unsafe {
        if localtime_r(&seconds, &mut time).is_null() {
            return Err(invalid("strftime_now: the time is out of range"));
        }
        strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &time)
    };
    if written == 0 {
        return Err(invalid("strftime_now: the result is too long"));
    }
    Ok(String::from_utf8_lossy(&out[1..written]).into_owned())
}
