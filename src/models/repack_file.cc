#include "models/repack_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <system_error>

#include "formats/byte_reader.h"

namespace pingti::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "PTREPACK";
constexpr std::string_view kExtension = ".repack";
constexpr size_t kHeaderBytes = 64;
constexpr size_t kAlignBytes =
    4096;  // of each matrix: whole pages, so that they map and release alone
constexpr size_t kFingerprintChars = 32;
constexpr std::chrono::hours kLeftOverAge{24};

// The file's first bytes, as they are on disk (little-endian).
struct Header {
  std::array<char, 8> magic = {};
  uint32_t version = 0;
  uint32_t count = 0;  // matrices
  uint64_t directory_offset = 0;
  uint64_t directory_bytes = 0;
  uint64_t directory_checksum = 0;
  uint64_t file_bytes = 0;
  std::array<uint64_t, 2> reserved = {};
};
static_assert(sizeof(Header) == kHeaderBytes);

// Finds damage, not malice: eight lanes of multiply and rotate, at the speed of memory.
uint64_t Checksum(std::span<const std::byte> bytes) {
  constexpr size_t kLanes = 8;
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  std::array<uint64_t, kLanes> lanes = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto mix = [](uint64_t lane, uint64_t word) {
    lane = (lane ^ word) * kMultiplier;
    return lane << 31 | lane >> 33;
  };
  size_t offset = 0;
  for (; offset + sizeof(lanes) <= bytes.size(); offset += sizeof(lanes)) {
    std::array<uint64_t, kLanes> words;
    std::memcpy(words.data(), bytes.data() + offset, sizeof(words));
    for (size_t i = 0; i < kLanes; ++i) lanes[i] = mix(lanes[i], words[i]);
  }
  uint64_t sum = bytes.size();
  for (; offset < bytes.size(); ++offset) sum = mix(sum, std::to_integer<uint64_t>(bytes[offset]));
  for (const uint64_t lane : lanes) sum = mix(sum, lane);
  return sum;
}

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutString(std::string& out, std::string_view text) {
  Put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

struct StoredEntry {
  RepackEntry entry;
  uint64_t checksum = 0;
};

Result<Header> ReadHeader(std::span<const std::byte> file) {
  Header header;
  if (file.size() < sizeof(header)) return DataLoss("the file is shorter than its header");
  std::memcpy(&header, file.data(), sizeof(header));
  if (std::string_view(header.magic.data(), header.magic.size()) != kMagic)
    return DataLoss("not a file of repacked weights");
  if (header.version != kRepackVersion) {
    return DataLoss(fmt::format("version {}, wanted {}", header.version, kRepackVersion));
  }
  if (header.file_bytes != file.size() || header.directory_offset > file.size() ||
      header.directory_bytes > file.size() - header.directory_offset) {
    return DataLoss(fmt::format("the header speaks of {} bytes, the file has {}", header.file_bytes,
                                file.size()));
  }
  return header;
}

Result<StoredEntry> ReadEntry(std::span<const std::byte> file, formats::ByteReader& reader) {
  StoredEntry stored;
  PT_ASSIGN(stored.entry.name, reader.ReadString("name"));
  PT_ASSIGN(stored.entry.layout, reader.ReadString("layout"));
  PT_ASSIGN(const uint64_t offset, reader.Read<uint64_t>("offset"));
  PT_ASSIGN(const uint64_t bytes, reader.Read<uint64_t>("bytes"));
  PT_ASSIGN(stored.checksum, reader.Read<uint64_t>("checksum"));
  if (offset % kAlignBytes != 0 || offset > file.size() || bytes > file.size() - offset) {
    return DataLoss(fmt::format("'{}': offset {} + {} bytes is not within the file",
                                stored.entry.name, offset, bytes));
  }
  stored.entry.bytes = file.subspan(offset, bytes);
  return stored;
}

Result<std::vector<StoredEntry>> ReadDirectory(std::span<const std::byte> file,
                                               const RepackKey& key) {
  PT_ASSIGN(const Header header, ReadHeader(file));
  const std::span<const std::byte> directory =
      file.subspan(header.directory_offset, header.directory_bytes);
  if (Checksum(directory) != header.directory_checksum)
    return DataLoss("the directory's checksum is wrong");
  formats::ByteReader reader(directory);
  PT_ASSIGN(const std::string_view fingerprint, reader.ReadString("fingerprint"));
  PT_ASSIGN(const std::string_view isa, reader.ReadString("isa"));
  if (fingerprint != key.fingerprint || isa != key.isa)
    return DataLoss("made of another model or for another machine");
  std::vector<StoredEntry> entries;
  for (uint32_t i = 0; i < header.count; ++i) {
    PT_ASSIGN(StoredEntry entry, ReadEntry(file, reader));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

fs::path RepackPath(const fs::path& folder, const RepackKey& key) {
  return folder /
         fmt::format("{}-{}{}", key.fingerprint.substr(0, kFingerprintChars), key.isa, kExtension);
}

Result<RepackFile> RepackFile::Open(const fs::path& path, const RepackKey& key, ThreadPool& pool) {
  RepackFile file;
  PT_ASSIGN(file.map_, MappedFile::Open(path));
  PT_ASSIGN(std::vector<StoredEntry> entries, ReadDirectory(file.map_.bytes(), key));
  std::atomic<const StoredEntry*> damaged = nullptr;
  pool.ForEach(entries.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (Checksum(entries[i].entry.bytes) != entries[i].checksum) damaged = &entries[i];
    }
  });
  if (damaged != nullptr)
    return DataLoss(fmt::format("the checksum of '{}' is wrong", damaged.load()->entry.name));
  for (StoredEntry& stored : entries) {
    std::string name = stored.entry.name;
    file.entries_.insert_or_assign(std::move(name), std::move(stored.entry));
  }
  // The folder is trimmed by time of last use.
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return file;
}

const RepackEntry* RepackFile::Find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

Result<RepackWriter> RepackWriter::Create(const fs::path& path, const RepackKey& key) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error)
    return FailedPrecondition("cannot create " + path.parent_path().string() + ": " +
                              error.message());
  PT_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  PT_TRY(file.Append(std::array<std::byte, kHeaderBytes>{}));
  RepackWriter writer(std::move(file), key);
  PutString(writer.directory_, key.fingerprint);
  PutString(writer.directory_, key.isa);
  return writer;
}

Status RepackWriter::Append(std::string_view name, std::string_view layout,
                            std::span<const std::byte> bytes) {
  static constexpr std::array<std::byte, kAlignBytes> kZeros = {};
  const size_t padding = (kAlignBytes - file_.size() % kAlignBytes) % kAlignBytes;
  PT_TRY(file_.Append(std::span(kZeros).first(padding)));
  PutString(directory_, name);
  PutString(directory_, layout);
  Put(directory_, uint64_t{file_.size()});
  Put(directory_, uint64_t{bytes.size()});
  Put(directory_, Checksum(bytes));
  ++count_;
  return file_.Append(bytes);
}

Status RepackWriter::Commit() {
  Header header;
  std::ranges::copy(kMagic, header.magic.begin());
  header.version = kRepackVersion;
  header.count = count_;
  header.directory_offset = file_.size();
  header.directory_bytes = directory_.size();
  header.directory_checksum = Checksum(AsBytes(directory_));
  PT_TRY(file_.Append(AsBytes(directory_)));
  header.file_bytes = file_.size();
  PT_TRY(file_.WriteAt(0, std::as_bytes(std::span(&header, 1))));
  return file_.Commit(false);  // what a power cut leaves is found by the checksums
}

void TrimRepackFolder(const fs::path& folder, const fs::path& keep, uintmax_t bytes_max) {
  struct Found {
    fs::path path;
    uintmax_t bytes;
    fs::file_time_type used;
  };
  std::vector<Found> files;
  uintmax_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code skip;
    const Found found = {it->path(), it->file_size(skip), it->last_write_time(skip)};
    const std::string name = found.path.filename().string();
    if (skip || name.find(kExtension) == std::string::npos) continue;
    if (found.path.extension() != kExtension) {  // NAME.repack.tmp123: a writer's, alive or dead
      if (fs::file_time_type::clock::now() - found.used > kLeftOverAge)
        fs::remove(found.path, skip);
      continue;
    }
    bytes += found.bytes;
    if (found.path.filename() != keep.filename()) files.push_back(found);
  }
  std::ranges::sort(files, {}, &Found::used);
  for (const Found& file : files) {
    if (bytes <= bytes_max) return;
    std::error_code skip;
    if (fs::remove(file.path, skip)) bytes -= file.bytes;
  }
}

}  // namespace pingti::models
