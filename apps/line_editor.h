// LineEditor: reads a message from the terminal, with editing, history and several lines
// (Alt-Enter, a backslash at the line's end, or a paste). Where standard input is no terminal it
// reads plain lines. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "edit_buffer.h"

namespace pingti::apps {

class LineEditor final {
 public:
  // `history_file` is read now and rewritten after each line; empty: history of this session only.
  explicit LineEditor(std::filesystem::path history_file);

  enum class Outcome {
    kLine,
    kInterrupt,
    kEnd
  };  // Enter; Ctrl-C; Ctrl-D on an empty line or the end of the input
  // The prompt is plain text, without escape sequences.
  Outcome Read(const std::string& prompt, std::string& line);

 private:
  struct Key;
  Outcome ReadTerminal(const std::string& prompt, std::string& line);
  Outcome ReadPlain(std::string& line);
  bool NextByte(unsigned char& byte, int timeout_ms);
  Key NextKey();
  Key EscapeKey();
  void EditKey(const Key& key);
  void Paste();
  void Browse(int step);
  void Redraw(const std::string& prompt);
  void Remember(const std::string& line);

  std::filesystem::path history_file_;
  std::vector<std::string> history_;
  size_t browsing_ = 0;     // index in history_; its size: the line being written
  std::string unfinished_;  // that line while browsing
  EditBuffer buffer_;
  Cell drawn_cursor_;  // where the last Redraw left the cursor
};

}  // namespace pingti::apps
