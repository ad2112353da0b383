#include "server/api_keys.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "base/file.h"
#include "base/log.h"
#include "server/key_file.h"

namespace pingti::server {

namespace {

constexpr auto kLookEvery = std::chrono::seconds(1);
constexpr int kSaveEveryLooks = 5;
constexpr size_t kUsageBytesMax = 16 << 20;

int64_t SystemNowMs() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

// The key in "Bearer <key>"; empty where there is none.
std::string_view BearerKey(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() ||
      !net::EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  return authorization;
}

const KeyEntry* Find(const std::vector<KeyEntry>& entries, std::string_view key) {
  const KeySum sum = SumOfKey(key);
  // All keys are looked at, so that the time tells nothing about which was near.
  const KeyEntry* found = nullptr;
  for (const KeyEntry& entry : entries) {
    if (CRYPTO_memcmp(entry.sum.data(), sum.data(), sum.size()) == 0) found = &entry;
  }
  return found;
}

Status Unauthenticated(std::string message) {
  return {StatusCode::kUnauthenticated, std::move(message)};
}

Status CheckScope(const KeyEntry& entry, std::string_view scope) {
  if (scope.empty() || entry.scopes.empty()) return Status::Ok();
  if (std::find(entry.scopes.begin(), entry.scopes.end(), scope) != entry.scopes.end())
    return Status::Ok();
  std::string has;
  for (const std::string& name : entry.scopes) has += (has.empty() ? "" : ", ") + name;
  return {StatusCode::kPermissionDenied, "This API key may not do this: wanted the scope '" +
                                             std::string(scope) + "', it has: " + has + "."};
}

}  // namespace

ApiKeys::ApiKeys(Options options, observe::Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics) {
  if (!options_.now_ms) options_.now_ms = SystemNowMs;
  if (options_.usage_file.empty() && !options_.file.empty())
    options_.usage_file = options_.file.string() + ".usage";
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::Open(Options options, observe::Metrics& metrics) {
  std::unique_ptr<ApiKeys> keys(new ApiKeys(std::move(options), metrics));
  keys->read_state_ = keys->StateOfFile();
  PT_ASSIGN(keys->entries_, keys->ReadEntries());
  if (!keys->options_.file.empty() && keys->entries_->empty()) {
    return InvalidArgument(
        keys->options_.file.string() + " holds no key; `pingti keys create NAME` makes one",
        "api_key_file");
  }
  keys->required_ = !keys->entries_->empty();
  PT_TRY(keys->ReadUsage());
  if (!keys->options_.file.empty())
    keys->thread_ = std::thread([raw = keys.get()] { raw->Watch(); });
  return keys;
}

ApiKeys::~ApiKeys() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (const Status saved = SaveUsage(); !saved.ok()) LogWarning(saved.message());
}

void ApiKeys::Watch() {
  bool told = false;
  for (int look = 1;; ++look) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kLookEvery, [this] { return stop_; })) return;
    }
    RereadIfChanged();
    if (look % kSaveEveryLooks != 0 || !usage_changed_) continue;
    const Status saved = SaveUsage();
    if (!saved.ok() && !told) LogWarning("the usage of API keys is not kept: " + saved.message());
    told = !saved.ok();
  }
}

ApiKeys::FileState ApiKeys::StateOfFile() const {
  struct stat found{};
  if (options_.file.empty() || ::stat(options_.file.c_str(), &found) != 0) return {};
  return {.changed_ns = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec,
          .size = static_cast<uintmax_t>(found.st_size),
          .inode = found.st_ino};
}

Result<std::shared_ptr<const ApiKeys::Entries>> ApiKeys::ReadEntries() const {
  Entries entries;
  if (!options_.file.empty()) {
    PT_ASSIGN(entries, ReadKeyFile(options_.file));
  }
  for (size_t i = 0; i < options_.lines.size(); ++i) {
    auto entry = ParseKeyLine(options_.lines[i], entries.size() + 1);
    if (!entry.ok()) return entry.status().WithContext("API key " + std::to_string(i + 1));
    if (*entry) entries.push_back(std::move(**entry));
  }
  return std::make_shared<const Entries>(std::move(entries));
}

void ApiKeys::RereadIfChanged() {
  std::lock_guard reread_lock(reread_mutex_);
  const FileState state = StateOfFile();
  if (state == read_state_) return;
  read_state_ = state;
  auto entries = ReadEntries();
  if (!entries.ok())
    return LogError("the API keys stay as they were: " + entries.status().message());
  LogInfo("API keys read again", {{"keys", std::to_string((*entries)->size())}});
  std::lock_guard lock(mutex_);
  entries_ = std::move(entries).value();
}

std::shared_ptr<const ApiKeys::Entries> ApiKeys::entries() const {
  std::lock_guard lock(mutex_);
  return entries_;
}

ApiKeys::Admission ApiKeys::Admit(std::string_view authorization,
                                  const endpoints::RouteOptions& route) {
  const std::string_view given = BearerKey(authorization);
  const auto now_ms = options_.now_ms();
  const auto all = entries();
  const KeyEntry* entry = given.empty() ? nullptr : Find(*all, given);
  Admission admission;
  if (entry == nullptr) {
    admission.status =
        Unauthenticated(given.empty() ? "You didn't provide an API key. Send it in the header "
                                        "'Authorization: Bearer KEY'."
                                      : "Incorrect API key provided.");
    return admission;
  }
  admission.name = entry->name;
  const auto count = [&](const char* result) {
    metrics_.key_requests
        .With("key=\"" + observe::EscapeLabel(entry->name) + "\",result=\"" + result + "\"")
        .Add();
  };
  if (entry->expires_s > 0 && now_ms >= entry->expires_s * 1000) {
    count("expired");
    admission.status =
        Unauthenticated("This API key expired at " + FormatUtc(entry->expires_s) + ".")
            .WithReason("api_key_expired");
    return admission;
  }
  admission.status = CheckScope(*entry, route.scope);
  if (!admission.status.ok()) {
    count("forbidden");
    return admission;
  }
  if (route.weight == endpoints::Weight::kHeavy) {
    QuotaVerdict verdict = usage_.TakeRequest(*entry, now_ms);
    usage_changed_ = true;
    admission.status = std::move(verdict.status);
    admission.retry_after_s = verdict.retry_after_s;
    admission.headers = std::move(verdict.headers);
  }
  count(admission.status.ok() ? "accepted" : "limited");
  return admission;
}

void ApiKeys::Count(const std::string& name, const protocol::Usage& usage) {
  const std::string key = "key=\"" + observe::EscapeLabel(name) + "\",kind=";
  metrics_.key_tokens.With(key + "\"prompt\"").Add(static_cast<double>(usage.prompt_tokens));
  metrics_.key_tokens.With(key + "\"completion\"")
      .Add(static_cast<double>(usage.completion_tokens));
  usage_.AddTokens(name, usage, options_.now_ms());
  usage_changed_ = true;
}

json::object ApiKeys::Describe() const {
  json::array keys;
  const auto all = entries();
  for (const KeyEntry& entry : *all) {
    json::object key = usage_.Describe(entry.name, options_.now_ms());
    key["name"] = entry.name;
    key["hint"] = entry.hint;
    key["scopes"] = json::array(entry.scopes.begin(), entry.scopes.end());
    key["expires"] =
        entry.expires_s > 0 ? json::value(FormatUtc(entry.expires_s)) : json::value(nullptr);
    key["requests_per_minute"] = entry.requests_per_minute;
    key["tokens_per_day"] = entry.tokens_per_day;
    keys.push_back(std::move(key));
  }
  return {{"keys", std::move(keys)}};
}

Status ApiKeys::ReadUsage() {
  if (options_.usage_file.empty() || !std::filesystem::exists(options_.usage_file))
    return Status::Ok();
  PT_ASSIGN(const std::string text, ReadFile(options_.usage_file, kUsageBytesMax));
  const auto value = ParseJson(text);
  const Status read = value.ok() ? usage_.FromJson(*value) : value.status();
  return read.ok() ? read
                   : read.WithContext(options_.usage_file.string() +
                                      " (without it all counts begin at zero)");
}

Status ApiKeys::SaveUsage() {
  if (options_.usage_file.empty() || !usage_changed_.exchange(false)) return Status::Ok();
  const std::string text = ToJson(usage_.ToJson()) + "\n";
  const Status written = WriteFileAtomically(options_.usage_file, std::as_bytes(std::span(text)),
                                             AtomicFile::Access::kPrivate);
  if (!written.ok()) usage_changed_ = true;
  return written;
}

}  // namespace pingti::server
