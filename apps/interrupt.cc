#include "interrupt.h"

#include <csignal>

namespace pingti::apps {
namespace {

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

void OnSignal(int) { g_interrupted = true; }

}  // namespace

std::atomic<bool>& InterruptFlag() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;  // no SA_RESTART: a read that waits for a line comes back
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  g_interrupted = false;
  return g_interrupted;
}

}  // namespace pingti::apps
