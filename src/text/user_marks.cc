#include "text/user_marks.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "text/unicode.h"

namespace pingti::text {
namespace {

// Planes 15 and 16 are for private use. A mark is a plane's first code + the character.
constexpr char32_t kPrivatePlanes[] = {0xF0000, 0x100000};
constexpr char32_t kMarkedMax = 0xFFFD;

bool IsMark(char32_t code, char32_t base) { return code >= base && code - base <= kMarkedMax; }

// Roles that clients may name; some templates write the role into a control token.
constexpr std::string_view kRoles[] = {"system",    "developer", "user",
                                       "assistant", "tool",      "function"};

// Characters that templates and tojson look at one by one; none of them alone makes a control
// token.
bool IsKept(char32_t code) {
  return code <= ' ' || code == '"' || code == '\\' || code == '\'' || code == 0x7F ||
         (code >= '0' && code <= '9') || code > kMarkedMax ||
         (CharClasses::Get().Of(code) & kSpace) != 0;
}

bool IsIdentifier(std::string_view text) {
  constexpr size_t kBytesMax = 32;
  return !text.empty() && text.size() <= kBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool ContainsAny(std::string_view text, const std::vector<std::string>& parts) {
  return std::ranges::any_of(
      parts, [text](const std::string& part) { return text.find(part) != std::string_view::npos; });
}

void Choose(std::vector<bool>& chosen, size_t begin, size_t end, bool value) {
  std::fill(chosen.begin() + static_cast<ptrdiff_t>(begin),
            chosen.begin() + static_cast<ptrdiff_t>(end), value);
}

// Calls found(begin) for each place where `part` stands in `text`, overlapping ones too.
template <typename Found>
void ForEachPlace(std::string_view text, std::string_view part, Found found) {
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    found(at);
}

// Bytes between two untrusted ranges that belong to them: what is kept unmarked inside a user's
// text.
bool OnlyKept(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = DecodeUtf8(text);
    if (!IsKept(next.code)) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

void AddRange(std::string_view plain, TextRange range, std::vector<TextRange>& ranges) {
  if (!ranges.empty() &&
      OnlyKept(plain.substr(ranges.back().end, range.begin - ranges.back().end))) {
    ranges.back().end = range.end;
  } else {
    ranges.push_back(range);
  }
}

}  // namespace

UserMarks::UserMarks(std::string_view template_source, std::vector<std::string> template_literals,
                     std::vector<std::string> control_texts)
    : source_(template_source), control_(std::move(control_texts)) {
  std::erase_if(control_, [](const std::string& text) { return text.empty(); });
  constexpr size_t kSharedBytesMin = 2;
  for (std::string& literal : template_literals) {
    if (IsIdentifier(literal)) {
      words_.push_back(std::move(literal));
    } else if (literal.size() >= kSharedBytesMin && !ContainsAny(literal, control_)) {
      shared_.push_back(std::move(literal));
    }
  }
}

char32_t UserMarks::ChooseBase(std::string_view plain) {
  for (const char32_t base : kPrivatePlanes) {
    bool used = false;
    for (std::string_view rest = plain; !rest.empty() && !used;) {
      const size_t at = rest.find_first_of("\xF3\xF4");
      if (at == std::string_view::npos) break;
      rest.remove_prefix(at);
      const Utf8Char next = DecodeUtf8(rest);
      used = next.state == Utf8State::kValid && IsMark(next.code, base);
      rest.remove_prefix(next.bytes);
    }
    if (!used) return base;
  }
  return 0;
}

json::value UserMarks::Mark(const json::value& value, Plan plan) const {
  json::value out;
  MarkInto(value, plan, false, out);
  return out;
}

void UserMarks::MarkInto(const json::value& value, Plan plan, bool is_role,
                         json::value& out) const {
  if (const json::string* text = value.if_string()) {
    const bool keep =
        IsTemplateWord(*text) ||
        (is_role && std::ranges::find(kRoles, std::string_view(*text)) != std::end(kRoles));
    out = keep ? json::string(*text) : json::string(MarkText(*text, plan));
  } else if (const json::array* array = value.if_array()) {
    json::array& copies = out.emplace_array();
    for (const json::value& item : *array)
      MarkInto(item, plan, is_role, copies.emplace_back(nullptr));
  } else if (const json::object* object = value.if_object()) {
    json::object& copies = out.emplace_object();
    for (const auto& [key, item] : *object) {
      MarkInto(item, plan, key == "role", copies[MarkKey(key, plan)]);
    }
  } else {
    out = value;
  }
}

// Keys that the template may look up stay.
std::string UserMarks::MarkKey(std::string_view key, Plan plan) const {
  const bool may_be_looked_up = IsIdentifier(key) && source_.find(key) != std::string::npos;
  return may_be_looked_up ? std::string(key) : MarkText(key, plan);
}

bool UserMarks::IsTemplateWord(std::string_view text) const {
  return std::ranges::find(words_, text) != words_.end();
}

std::string UserMarks::MarkText(std::string_view text, Plan plan) const {
  const std::vector<bool> chosen = Chosen(text, plan.extent);
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  for (size_t at = 0; at < text.size();) {
    const Utf8Char next = DecodeUtf8(text.substr(at));
    if (chosen[at] && next.state == Utf8State::kValid && !IsKept(next.code)) {
      AppendUtf8(plan.base + next.code, marked);
    } else {
      marked.append(text.substr(at, next.bytes));
    }
    at += next.bytes;
  }
  return marked;
}

std::vector<bool> UserMarks::Chosen(std::string_view text, Extent extent) const {
  std::vector<bool> chosen(text.size(), extent == Extent::kAll);
  if (extent == Extent::kAll) {
    for (const std::string& literal : shared_) {
      ForEachPlace(text, literal,
                   [&](size_t at) { Choose(chosen, at, at + literal.size(), false); });
    }
  }
  ChooseControl(text, chosen);
  return chosen;
}

// Whole control tokens, and the ends of `text` that would become one beside what the template
// prints.
void UserMarks::ChooseControl(std::string_view text, std::vector<bool>& chosen) const {
  const size_t first = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const size_t last = text.find_last_not_of(" \t\r\n") + 1;  // 0 where there is none
  if (last <= first) return;
  const std::string_view core = text.substr(first, last - first);
  for (const std::string& control : control_) {
    ForEachPlace(text, control, [&](size_t at) { Choose(chosen, at, at + control.size(), true); });
    const bool inside = core.size() < control.size() && !IsIdentifier(core) &&
                        control.find(core) != std::string::npos;
    if (inside) Choose(chosen, first, last, true);
    for (size_t size = 1; size < std::min(control.size(), core.size() + 1); ++size) {
      const std::string_view head = std::string_view(control).substr(0, size);
      const std::string_view tail = std::string_view(control).substr(control.size() - size);
      if (!IsIdentifier(head) && core.ends_with(head)) Choose(chosen, last - size, last, true);
      if (!IsIdentifier(tail) && core.starts_with(tail)) Choose(chosen, first, first + size, true);
    }
  }
}

bool UserMarks::HasMoreControl(std::string_view text, std::string_view reference) const {
  return std::ranges::any_of(control_, [&](const std::string& control) {
    ptrdiff_t more = 0;
    ForEachPlace(text, control, [&](size_t) { ++more; });
    ForEachPlace(reference, control, [&](size_t) { --more; });
    return more > 0;
  });
}

std::optional<std::vector<TextRange>> UserMarks::Compare(std::string_view plain,
                                                         std::string_view marked, char32_t base) {
  std::vector<TextRange> ranges;
  size_t at = 0;
  for (std::string_view rest = marked; !rest.empty();) {
    const Utf8Char next = DecodeUtf8(rest);
    std::string expected;
    const bool is_mark = next.state == Utf8State::kValid && IsMark(next.code, base);
    if (is_mark) {
      AppendUtf8(next.code - base, expected);
    } else {
      expected.assign(rest.substr(0, next.bytes));
    }
    if (plain.substr(at, expected.size()) != expected) return std::nullopt;
    if (is_mark) AddRange(plain, {at, at + expected.size()}, ranges);
    at += expected.size();
    rest.remove_prefix(next.bytes);
  }
  if (at != plain.size()) return std::nullopt;
  return ranges;
}

}  // namespace pingti::text
