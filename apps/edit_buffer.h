// EditBuffer: a text under the cursor, and how it lies on a terminal. Pure; positions are bytes at
// character borders.
#pragma once

#include <string>
#include <string_view>

namespace pingti::apps {

class EditBuffer final {
 public:
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }

  void Set(std::string text);  // the cursor goes to the end
  void Insert(std::string_view text);
  void Backspace();
  void Delete();
  void DeleteWord();     // before the cursor, with the spaces after it
  void DeleteToStart();  // of the line
  void DeleteToEnd();
  void Left();
  void Right();
  void WordLeft();
  void WordRight();
  void Home();  // of the line
  void End();
  // To the line above or below, at the same cell where it can; false: there is none.
  bool Up();
  bool Down();

 private:
  size_t LineBegin() const;
  size_t LineEnd() const;
  size_t Before(size_t at) const;  // the character before `at`
  size_t After(size_t at) const;
  bool MoveTo(size_t line_begin, size_t line_end, int cell);

  std::string text_;
  size_t cursor_ = 0;
};

// A place on the terminal, from where the prompt begins.
struct Cell {
  int row = 0;
  int column = 0;
  bool operator==(const Cell&) const = default;
};

// What is printed for a prompt and a text of lines (the following ones after `continuation`) at
// `width` cells, and where the cursor and the end then are. A character that does not fit goes to
// the next row, as terminals do it.
struct Layout {
  std::string screen;
  Cell cursor;
  Cell end;
};
Layout LayOut(std::string_view prompt, std::string_view continuation, std::string_view text,
              size_t cursor, int width);

}  // namespace pingti::apps
