/* The C side of the Rust crate. No function lets a panic out; all are thread-safe on different objects, and
 * pt_template_render on the same one too. Strings are UTF-8 with a length, not terminated. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pt_template pt_template;

/* Owned by the caller, freed with pt_string_free. */
typedef struct {
  char* data;
  size_t size;
} pt_string;

typedef struct {
  uint64_t instructions_max;
  size_t output_bytes_max; /* of the text, and a small multiple of it for all strings made on the way */
} pt_template_limits;

typedef enum {
  PT_OK = 0,
  PT_BAD_TEMPLATE = 1, /* does not compile, or fails; `error` has line and reason */
  PT_RAISED = 2,       /* the template called raise_exception; `error` is its message */
  PT_LIMIT = 3,        /* one of the limits */
  PT_BAD_INPUT = 4,    /* `variables` is no JSON object */
  PT_PANIC = 5,
} pt_code;

/* On PT_OK `*out` is to be freed with pt_template_free, else `*error` is filled. */
pt_code pt_template_compile(const char* source, size_t source_size, pt_template** out, pt_string* error);
/* Renders with `variables`, a JSON object, and the clock at `now_seconds` (Unix time, local zone). On PT_OK `*out` is
 * filled, else `*error`. */
pt_code pt_template_render(const pt_template* compiled, const char* variables, size_t variables_size,
                           int64_t now_seconds, pt_template_limits limits, pt_string* out, pt_string* error);
/* The string literals of the template as a JSON array, without duplicates. */
pt_string pt_template_literals(const pt_template* compiled);
void pt_template_free(pt_template* compiled);
void pt_string_free(pt_string string);

#ifdef __cplusplus
}
#endif
