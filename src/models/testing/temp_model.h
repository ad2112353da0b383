// Model files for tests: a temporary folder, written to with GgufWriter, gone at the end.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/check.h"
#include "formats/model_file.h"
#include "formats/testing/gguf_writer.h"

namespace pingti::models::testing {

class TempFolder final {
 public:
  TempFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "pingti_models_XXXXXX").string();
    PT_CHECK(::mkdtemp(pattern.data()) != nullptr, "a temporary folder");
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  std::unique_ptr<formats::ModelFile> Open(formats::testing::GgufWriter& writer) const {
    auto file = formats::OpenModelFile(Write("model.gguf", writer.Bytes()));
    PT_CHECK(file.ok(), file.status().message().c_str());
    return std::move(file).value();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace pingti::models::testing
