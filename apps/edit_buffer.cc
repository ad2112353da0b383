#include "edit_buffer.h"

#include <algorithm>

#include "base/i18n.h"

namespace pingti::apps {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool IsInside(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}  // of a UTF-8 character

// Prints a text cell by cell.
class Pen final {
 public:
  explicit Pen(int width) : width_(width) {}
  void Put(std::string_view character, int cells) {
    if (place_.column + cells > width_) {
      place_ = {place_.row + 1, 0};  // the terminal wraps by itself
    }
    screen_ += character;
    place_.column += cells;
  }
  void NewLine() {
    screen_ += "\r\n";
    place_ = {place_.row + 1, 0};
  }
  void PutAll(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      char32_t c = 0;
      const size_t bytes = DecodeUtf8(text, at, c);
      Put(text.substr(at, bytes), DisplayWidthOf(c));
      at += bytes;
    }
  }
  // Where the next character would be.
  Cell place() const { return place_.column >= width_ ? Cell{place_.row + 1, 0} : place_; }
  bool at_edge() const { return place_.column >= width_; }
  std::string& screen() { return screen_; }

 private:
  int width_;
  Cell place_;
  std::string screen_;
};

}  // namespace

void EditBuffer::Set(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

void EditBuffer::Insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

size_t EditBuffer::Before(size_t at) const {
  if (at > 0) --at;
  while (at > 0 && IsInside(text_[at])) --at;
  return at;
}

size_t EditBuffer::After(size_t at) const {
  if (at < text_.size()) ++at;
  while (at < text_.size() && IsInside(text_[at])) ++at;
  return at;
}

size_t EditBuffer::LineBegin() const {
  const size_t before = cursor_ == 0 ? std::string::npos : text_.rfind('\n', cursor_ - 1);
  return before == std::string::npos ? 0 : before + 1;
}

size_t EditBuffer::LineEnd() const { return std::min(text_.find('\n', cursor_), text_.size()); }

void EditBuffer::Backspace() {
  const size_t from = Before(cursor_);
  text_.erase(from, cursor_ - from);
  cursor_ = from;
}

void EditBuffer::Delete() { text_.erase(cursor_, After(cursor_) - cursor_); }

void EditBuffer::DeleteWord() {
  const size_t end = cursor_;
  WordLeft();
  text_.erase(cursor_, end - cursor_);
}

void EditBuffer::DeleteToStart() {
  const size_t begin = LineBegin();
  text_.erase(begin, cursor_ - begin);
  cursor_ = begin;
}

void EditBuffer::DeleteToEnd() { text_.erase(cursor_, LineEnd() - cursor_); }
void EditBuffer::Left() { cursor_ = Before(cursor_); }
void EditBuffer::Right() { cursor_ = After(cursor_); }
void EditBuffer::Home() { cursor_ = LineBegin(); }
void EditBuffer::End() { cursor_ = LineEnd(); }

void EditBuffer::WordLeft() {
  while (cursor_ > 0 && IsSpace(text_[cursor_ - 1])) --cursor_;
  while (cursor_ > 0 && !IsSpace(text_[cursor_ - 1])) --cursor_;
}

void EditBuffer::WordRight() {
  while (cursor_ < text_.size() && IsSpace(text_[cursor_])) ++cursor_;
  while (cursor_ < text_.size() && !IsSpace(text_[cursor_])) ++cursor_;
}

// To the character of the line that covers `cell`, or its end.
bool EditBuffer::MoveTo(size_t line_begin, size_t line_end, int cell) {
  cursor_ = line_begin;
  for (int at = 0; cursor_ < line_end;) {
    char32_t c = 0;
    const size_t bytes = DecodeUtf8(text_, cursor_, c);
    at += DisplayWidthOf(c);
    if (at > cell) break;
    cursor_ += bytes;
  }
  return true;
}

bool EditBuffer::Up() {
  const size_t begin = LineBegin();
  if (begin == 0) return false;
  const int cell = DisplayWidth(std::string_view(text_).substr(begin, cursor_ - begin));
  const size_t end = begin - 1;
  const size_t before = end == 0 ? std::string::npos : text_.rfind('\n', end - 1);
  return MoveTo(before == std::string::npos ? 0 : before + 1, end, cell);
}

bool EditBuffer::Down() {
  const size_t end = LineEnd();
  if (end == text_.size()) return false;
  const size_t begin = LineBegin();
  const int cell = DisplayWidth(std::string_view(text_).substr(begin, cursor_ - begin));
  return MoveTo(end + 1, std::min(text_.find('\n', end + 1), text_.size()), cell);
}

Layout LayOut(std::string_view prompt, std::string_view continuation, std::string_view text,
              size_t cursor, int width) {
  Pen pen(std::max(width, 4));
  pen.PutAll(prompt);
  Layout layout;
  for (size_t at = 0; at < text.size();) {
    if (at == cursor) layout.cursor = pen.place();
    char32_t c = 0;
    const size_t bytes = DecodeUtf8(text, at, c);
    if (c == '\n') {
      pen.NewLine();
      pen.PutAll(continuation);
    } else if (c == '\t' || c >= 0x20) {
      pen.Put(c == '\t' ? " " : text.substr(at, bytes), c == '\t' ? 1 : DisplayWidthOf(c));
    }
    at += bytes;
  }
  if (pen.at_edge()) pen.NewLine();  // terminals wait with the wrap until the next character
  layout.end = pen.place();
  if (cursor >= text.size()) layout.cursor = layout.end;
  layout.screen = std::move(pen.screen());
  return layout;
}

}  // namespace pingti::apps
