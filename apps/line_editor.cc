#include "line_editor.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/file.h"
#include "base/i18n.h"

namespace pingti::apps {
namespace {

constexpr size_t kHistoryLinesMax = 1000;
constexpr size_t kLineBytesMax = 8 << 20;
constexpr int kEscapeWaitMs = 50;  // longer: the Escape key alone
constexpr int kForever = -1;
constexpr std::string_view kContinuation = ". ";
constexpr std::string_view kPasteEnd = "\x1b[201~";

// The terminal passes keys as they come, until this ends.
class RawMode final {
 public:
  RawMode() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode() { tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }

 private:
  termios before_{};
};

void Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

int TerminalWidth() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// History lines hold no line feed: "\n" and "\\" stand for it and the backslash.
std::string Escaped(const std::string& line) {
  std::string out;
  for (const char c : line) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Unescaped(std::string_view line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      out += line[i] == 'n' ? '\n' : line[i];
    } else {
      out += line[i];
    }
  }
  return out;
}

}  // namespace

struct LineEditor::Key {
  enum Name {
    kText,
    kEnter,
    kNewLine,
    kInterrupt,
    kEnd,
    kBackspace,
    kDelete,
    kLeft,
    kRight,
    kUp,
    kDown,
    kHome,
    kLineEnd,
    kWordLeft,
    kWordRight,
    kDeleteWord,
    kDeleteToStart,
    kDeleteToEnd,
    kClear,
    kPaste,
    kNothing,
  };
  Name name = kNothing;
  std::string text;
};

LineEditor::LineEditor(std::filesystem::path history_file)
    : history_file_(std::move(history_file)) {
  if (history_file_.empty()) return;
  const Result<std::string> text = ReadFile(history_file_);
  if (!text.ok()) return;  // the first time
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    history_.push_back(Unescaped(std::string_view(*text).substr(begin, end - begin)));
    begin = end + 1;
  }
}

void LineEditor::Remember(const std::string& line) {
  if (line.empty() || (!history_.empty() && history_.back() == line)) return;
  history_.push_back(line);
  if (history_.size() > kHistoryLinesMax) history_.erase(history_.begin());
  if (history_file_.empty()) return;
  std::string text;
  for (const std::string& entry : history_) text += Escaped(entry) + "\n";
  std::error_code ignored;
  std::filesystem::create_directories(history_file_.parent_path(), ignored);
  if (!WriteFileAtomically(history_file_, std::as_bytes(std::span(text))).ok())
    return;  // a chat goes on without
  std::filesystem::permissions(
      history_file_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
      ignored);
}

bool LineEditor::NextByte(unsigned char& byte, int timeout_ms) {
  pollfd waiting{STDIN_FILENO, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0 && read(STDIN_FILENO, &byte, 1) == 1;
}

// What follows ESC: a cursor key, Alt with a key, or the beginning of a paste.
LineEditor::Key LineEditor::EscapeKey() {
  unsigned char byte = 0;
  if (!NextByte(byte, kEscapeWaitMs)) return {};
  if (byte == '\r' || byte == '\n') return {Key::kNewLine, {}};
  if (byte == 'b') return {Key::kWordLeft, {}};
  if (byte == 'f') return {Key::kWordRight, {}};
  if (byte == 0x7F) return {Key::kDeleteWord, {}};
  if (byte != '[' && byte != 'O') return {};
  std::string sequence;
  while (NextByte(byte, kEscapeWaitMs)) {
    sequence += static_cast<char>(byte);
    if (byte >= 0x40 && byte <= 0x7E) break;
  }
  struct Named {
    std::string_view sequence;
    Key::Name name;
  };
  static constexpr Named kSequences[] = {
      {"A", Key::kUp},          {"B", Key::kDown},         {"C", Key::kRight},
      {"D", Key::kLeft},        {"H", Key::kHome},         {"F", Key::kLineEnd},
      {"1~", Key::kHome},       {"4~", Key::kLineEnd},     {"7~", Key::kHome},
      {"8~", Key::kLineEnd},    {"3~", Key::kDelete},      {"1;5C", Key::kWordRight},
      {"1;5D", Key::kWordLeft}, {"1;3C", Key::kWordRight}, {"1;3D", Key::kWordLeft},
      {"200~", Key::kPaste},
  };
  for (const Named& named : kSequences) {
    if (named.sequence == sequence) return {named.name, {}};
  }
  return {};
}

LineEditor::Key LineEditor::NextKey() {
  unsigned char byte = 0;
  if (!NextByte(byte, kForever)) return {Key::kEnd, {}};
  switch (byte) {
    case '\n':  // what was typed ahead while the terminal still turned Enter into a line feed
    case '\r':
      return {Key::kEnter, {}};
    case 1:
      return {Key::kHome, {}};
    case 2:
      return {Key::kLeft, {}};
    case 3:
      return {Key::kInterrupt, {}};
    case 4:
      return {buffer_.text().empty() ? Key::kEnd : Key::kDelete, {}};
    case 5:
      return {Key::kLineEnd, {}};
    case 6:
      return {Key::kRight, {}};
    case 8:
    case 0x7F:
      return {Key::kBackspace, {}};
    case 11:
      return {Key::kDeleteToEnd, {}};
    case 12:
      return {Key::kClear, {}};
    case 14:
      return {Key::kDown, {}};
    case 16:
      return {Key::kUp, {}};
    case 21:
      return {Key::kDeleteToStart, {}};
    case 23:
      return {Key::kDeleteWord, {}};
    case 27:
      return EscapeKey();
    default:
      break;
  }
  if (byte < 0x20 && byte != '\t') return {};
  std::string text(1, static_cast<char>(byte));
  const int following = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
  for (int i = 0; i < following && NextByte(byte, kEscapeWaitMs); ++i)
    text += static_cast<char>(byte);
  return {Key::kText, text};
}

// Everything up to the end mark goes in as it is, line feeds too.
void LineEditor::Paste() {
  std::string text;
  unsigned char byte = 0;
  while (text.size() < kLineBytesMax && NextByte(byte, 1000)) {
    text += static_cast<char>(byte);
    if (text.ends_with(kPasteEnd)) {
      text.resize(text.size() - kPasteEnd.size());
      break;
    }
  }
  std::replace(text.begin(), text.end(), '\r', '\n');
  buffer_.Insert(text);
}

void LineEditor::Browse(int step) {
  const size_t to = browsing_ + static_cast<size_t>(step);
  if ((step < 0 && browsing_ == 0) || to > history_.size()) return;
  if (browsing_ == history_.size()) unfinished_ = buffer_.text();
  browsing_ = to;
  buffer_.Set(browsing_ == history_.size() ? unfinished_ : history_[browsing_]);
}

void LineEditor::EditKey(const Key& key) {
  switch (key.name) {
    case Key::kText:
      return buffer_.Insert(key.text);
    case Key::kNewLine:
      return buffer_.Insert("\n");
    case Key::kBackspace:
      return buffer_.Backspace();
    case Key::kDelete:
      return buffer_.Delete();
    case Key::kLeft:
      return buffer_.Left();
    case Key::kRight:
      return buffer_.Right();
    case Key::kHome:
      return buffer_.Home();
    case Key::kLineEnd:
      return buffer_.End();
    case Key::kWordLeft:
      return buffer_.WordLeft();
    case Key::kWordRight:
      return buffer_.WordRight();
    case Key::kDeleteWord:
      return buffer_.DeleteWord();
    case Key::kDeleteToStart:
      return buffer_.DeleteToStart();
    case Key::kDeleteToEnd:
      return buffer_.DeleteToEnd();
    case Key::kPaste:
      return Paste();
    case Key::kUp:
      if (!buffer_.Up()) Browse(-1);
      return;
    case Key::kDown:
      if (!buffer_.Down()) Browse(1);
      return;
    case Key::kClear:
      return Write("\x1b[H\x1b[2J");
    default:
      return;
  }
}

void LineEditor::Redraw(const std::string& prompt) {
  std::string out;
  if (drawn_cursor_.row > 0) out += "\x1b[" + std::to_string(drawn_cursor_.row) + "A";
  const Layout layout =
      LayOut(prompt, kContinuation, buffer_.text(), buffer_.cursor(), TerminalWidth());
  out += "\r\x1b[J" + layout.screen;
  if (layout.end.row > layout.cursor.row)
    out += "\x1b[" + std::to_string(layout.end.row - layout.cursor.row) + "A";
  out += "\r";
  if (layout.cursor.column > 0) out += "\x1b[" + std::to_string(layout.cursor.column) + "C";
  drawn_cursor_ = layout.cursor;
  Write(out);
}

LineEditor::Outcome LineEditor::ReadTerminal(const std::string& prompt, std::string& line) {
  const RawMode raw;
  Write("\x1b[?2004h");  // pastes come marked
  buffer_.Set("");
  browsing_ = history_.size();
  drawn_cursor_ = {};
  Outcome outcome = Outcome::kLine;
  for (;;) {
    Redraw(prompt);
    const Key key = NextKey();
    if (key.name == Key::kClear) drawn_cursor_ = {};
    if (key.name == Key::kEnter) {
      if (!buffer_.text().ends_with('\\') || buffer_.cursor() != buffer_.text().size()) break;
      buffer_.Backspace();
      buffer_.Insert("\n");
    } else if (key.name == Key::kInterrupt || key.name == Key::kEnd) {
      outcome = key.name == Key::kEnd ? Outcome::kEnd : Outcome::kInterrupt;
      break;
    } else {
      EditKey(key);
    }
  }
  line = buffer_.text();
  buffer_.Set(line);  // the cursor to the end, below all rows
  Redraw(prompt);
  Write("\r\n\x1b[?2004l");
  if (outcome == Outcome::kLine) Remember(line);
  return outcome;
}

LineEditor::Outcome LineEditor::ReadPlain(std::string& line) {
  line.clear();
  for (int c = std::getchar(); c != '\n'; c = std::getchar()) {
    if (c == EOF) return line.empty() ? Outcome::kEnd : Outcome::kLine;
    if (line.size() < kLineBytesMax) line += static_cast<char>(c);
  }
  return Outcome::kLine;
}

LineEditor::Outcome LineEditor::Read(const std::string& prompt, std::string& line) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return ReadPlain(line);
  return ReadTerminal(prompt, line);
}

}  // namespace pingti::apps
