#include "base/json.h"

#include <boost/json/src.hpp>

namespace pingti {

Result<json::value> ParseJson(std::string_view text, size_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::stream_parser parser({}, options);
  json::error_code error;
  size_t consumed = 0;
  try {
    consumed = parser.write_some(text.data(), text.size(), error);
    if (!error) parser.finish(error);
  } catch (const std::exception& exception) {
    return InvalidArgument(std::string("JSON cannot be read: ") + exception.what());
  }
  if (!error && consumed < text.size()) {
    const size_t rest = text.find_first_not_of(" \t\r\n", consumed);
    if (rest != std::string_view::npos) {
      return InvalidArgument("JSON is followed by other text at byte " + std::to_string(rest));
    }
  }
  if (error) {
    return InvalidArgument("JSON is not valid at byte " + std::to_string(consumed) + ": " +
                           error.message());
  }
  return parser.release();
}

}  // namespace pingti
