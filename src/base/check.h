// PT_CHECK: our own bugs, always on: prints the condition, the message and the place, then aborts.
// Never used on anything that an outsider can send. PT_DCHECK is for hot loops: on in Debug builds only.
#pragma once

namespace pingti {

[[noreturn]] void CheckFailed(const char* condition, const char* message, const char* file, int line);

}  // namespace pingti

#define PT_CHECK(condition, message)                                                  \
  do {                                                                                \
    if (!(condition)) [[unlikely]]                                                    \
      ::pingti::CheckFailed(#condition, message, __FILE__, __LINE__);                 \
  } while (false)

#ifdef NDEBUG
#define PT_DCHECK(condition, message) \
  do {                                \
  } while (false)
#else
#define PT_DCHECK(condition, message) PT_CHECK(condition, message)
#endif
