// Executor: somewhere to run a task later, in order. Post is thread-safe and never runs the task inside the call.
#pragma once

#include <functional>

namespace pingti {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(std::function<void()> task) = 0;
};

}  // namespace pingti
