// Ctrl-C and SIGTERM as a flag that work under way looks at.
#pragma once

#include <atomic>

namespace pingti::apps {

// From the first call on SIGINT (and SIGTERM) set the flag instead of ending the process; it is
// cleared here.
std::atomic<bool>& InterruptFlag();

}  // namespace pingti::apps
