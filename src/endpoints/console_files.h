// The console's files (web/), embedded in the binary at build time by cmake/embed_files.cmake. Constant; thread-safe.
#pragma once

#include <span>
#include <string_view>

namespace pingti::endpoints {

struct EmbeddedFile {
  std::string_view path;          // "/console.js"; "/" is index.html
  std::string_view content_type;  // "text/javascript; charset=utf-8"
  std::string_view bytes;
  std::string_view etag;          // quoted, from the SHA-256 of the bytes
};

std::span<const EmbeddedFile> ConsoleFiles();

}  // namespace pingti::endpoints
