#include "edit_buffer.h"

#include <gtest/gtest.h>

namespace pingti::apps {
namespace {

EditBuffer Buffer(std::string text) {
  EditBuffer buffer;
  buffer.Set(std::move(text));
  return buffer;
}

TEST(EditBufferTest, CharactersNotBytes) {
  EditBuffer buffer = Buffer("平替ok");
  buffer.Left();
  buffer.Left();
  buffer.Backspace();
  EXPECT_EQ(buffer.text(), "平ok");
  buffer.Insert("你好");
  EXPECT_EQ(buffer.text(), "平你好ok");
  buffer.Delete();
  EXPECT_EQ(buffer.text(), "平你好k");
  buffer.Home();
  buffer.Backspace();
  buffer.Right();
  EXPECT_EQ(buffer.cursor(), 3U);
  buffer.End();
  buffer.Delete();
  buffer.Right();
  EXPECT_EQ(buffer.text(), "平你好k");
}

TEST(EditBufferTest, WordsAndLines) {
  EditBuffer buffer = Buffer("one two  three\nfour five");
  buffer.DeleteWord();
  EXPECT_EQ(buffer.text(), "one two  three\nfour ");
  buffer.DeleteToStart();
  EXPECT_EQ(buffer.text(), "one two  three\n");
  EXPECT_TRUE(buffer.Up());
  EXPECT_EQ(buffer.cursor(), 0U);
  buffer.WordRight();
  EXPECT_EQ(buffer.cursor(), 3U);
  buffer.DeleteToEnd();
  EXPECT_EQ(buffer.text(), "one\n");
  EXPECT_FALSE(buffer.Up());
  EXPECT_TRUE(buffer.Down());
  EXPECT_FALSE(buffer.Down());
}

TEST(EditBufferTest, UpKeepsTheCell) {
  EditBuffer buffer = Buffer("平替平替\nab\nabcdef");
  buffer.Left();  // cell 5
  EXPECT_TRUE(buffer.Up());
  EXPECT_EQ(buffer.cursor(), 15U) << "the short line's end";
  EXPECT_TRUE(buffer.Up());
  EXPECT_EQ(buffer.cursor(), 3U) << "cell 2 is after the first wide character";
}

TEST(LayOutTest, CursorAndRows) {
  Layout layout = LayOut("> ", ". ", "abc", 1, 80);
  EXPECT_EQ(layout.screen, "> abc");
  EXPECT_EQ(layout.cursor, (Cell{0, 3}));
  EXPECT_EQ(layout.end, (Cell{0, 5}));
  layout = LayOut("> ", ". ", "a\n平", 5, 80);
  EXPECT_EQ(layout.screen, "> a\r\n. 平");
  EXPECT_EQ(layout.cursor, (Cell{1, 4}));
}

TEST(LayOutTest, WrapsAsTerminalsDo) {
  Layout layout =
      LayOut("> ", ". ", "12345678", 8, 10);  // exactly full: the cursor begins the next row
  EXPECT_EQ(layout.screen, "> 12345678\r\n");
  EXPECT_EQ(layout.cursor, (Cell{1, 0}));
  layout = LayOut("> ", ". ", "1234567平", 7, 10);  // the wide character does not fit
  EXPECT_EQ(layout.end, (Cell{1, 2}));
  layout = LayOut("> ", ". ", "123456789", 9, 10);
  EXPECT_EQ(layout.cursor, (Cell{1, 1}));
}

}  // namespace
}  // namespace pingti::apps
