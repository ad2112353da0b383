#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pingti {

void CheckFailed(const char* condition, const char* message, const char* file, int line) {
  std::fprintf(stderr, "pingti: internal error at %s:%d: %s (check: %s)\n", file, line, message,
               condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace pingti
