// StopMatcher: finds stop texts in an answer that arrives in pieces. Text that may turn out to be
// the beginning of a stop text is held back until that is decided. Per answer; one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pingti::runtime {

class StopMatcher final {
 public:
  // `stops` outlives the matcher; none of them is empty. include: a stop text found is kept in the
  // text.
  StopMatcher(const std::vector<std::string>& stops, bool include)
      : stops_(stops), include_(include) {}

  struct Found {
    std::string text;  // to be shown now
    bool stopped = false;
    std::string stop_text;  // the one that is complete first; of several, the longest
  };
  // The next piece, whole characters. Nothing may follow a piece that stopped.
  Found Append(std::string_view piece);
  // What is held back when the answer ends for another reason.
  std::string Flush();

 private:
  size_t HeldBytes() const;

  const std::vector<std::string>& stops_;
  bool include_;
  std::string pending_;
};

}  // namespace pingti::runtime
