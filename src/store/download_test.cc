#include "store/download.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/file.h"
#include "store/digest.h"

namespace pingti::store {
namespace {

namespace fs = std::filesystem;

std::string Sum(std::string_view text, Digest::Kind kind = Digest::Kind::kSha256) {
  Digest digest(kind);
  digest.Add(std::as_bytes(std::span(text)));
  return digest.Hex();
}

// A hub in memory: serves one content with ranges, may cut, lie and redirect.
class FakeFetcher final : public Fetcher {
 public:
  Status Get(const std::string& url, const FetchHeaders& headers, const OnHead& on_head,
             const OnBody& on_body) override {
    ++requests;
    FetchHead seen{0, headers};
    ranges.emplace_back(seen.Get("range"));
    authorizations.emplace_back(seen.Get("authorization"));
    urls.push_back(url);
    if (requests <= refuse_first) return Unavailable("no route");
    if (!redirect.empty() && url.find("/moved") == std::string::npos) {
      return on_head({302, {{"Location", redirect}, {"X-Linked-Etag", '"' + linked + '"'}}});
    }
    size_t begin = 0;
    FetchHead head{status, {{"ETag", etag}}};
    if (status == 200 && !ranges.back().empty() && (seen.Get("if-range") == etag) &&
        !ignore_range) {
      begin = std::stoul(ranges.back().substr(6));
      head.status = begin >= content.size() ? 416 : 206;
      head.headers.emplace_back("Content-Range", "bytes " + std::to_string(begin + lie) + "-" +
                                                     std::to_string(content.size() - 1) + "/" +
                                                     std::to_string(content.size()));
    } else {
      head.headers.emplace_back("Content-Length", std::to_string(content.size()));
    }
    PT_TRY(on_head(head));
    const size_t end = cut_after > 0 ? std::min(content.size(), begin + cut_after) : content.size();
    for (size_t at = begin; at < end; at += 7) {
      PT_TRY(on_body(std::as_bytes(std::span(content)).subspan(at, std::min<size_t>(7, end - at))));
    }
    return end < content.size() ? Unavailable("connection broke") : Status::Ok();
  }

  std::string content = std::string(100, 'a') + std::string(100, 'b');
  std::string etag = "\"v1\"";
  std::string redirect, linked;
  int32_t status = 200;
  size_t cut_after = 0;
  size_t lie = 0;
  int refuse_first = 0;
  bool ignore_range = false;
  int requests = 0;
  std::vector<std::string> ranges, authorizations, urls;
};

class DownloadTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pingti-download-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    options_.url = "http://hub/file";
    options_.target = root_ / "sub/m.gguf";
    options_.sha256 = Sum(hub_.content);
    options_.bytes = hub_.content.size();
    options_.sleep = [this](int64_t ms) { slept_ += ms; };
  }
  void TearDown() override { fs::remove_all(root_); }
  Status Get() { return Download(hub_, options_); }
  std::string Content() {
    return ReadFile(options_.target).ok() ? ReadFile(options_.target).value() : "(none)";
  }
  bool PartLeft() { return fs::exists(options_.target.string() + ".part"); }

  fs::path root_;
  FakeFetcher hub_;
  DownloadOptions options_;
  int64_t slept_ = 0;
};

TEST_F(DownloadTest, WholeFileWithProgress) {
  uint64_t last = 0;
  options_.on_progress = [&](uint64_t done, uint64_t all) {
    EXPECT_EQ(all, 200U);
    EXPECT_GT(done, last);
    last = done;
  };
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(Content(), hub_.content);
  EXPECT_EQ(last, 200U);
  EXPECT_FALSE(PartLeft());
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "sub"), fs::directory_iterator()), 1)
      << "nothing else is left";
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(hub_.requests, 1) << "what is there is not brought again";
}

TEST_F(DownloadTest, CutConnectionsGoOnWhereTheyBroke) {
  hub_.cut_after = 60;
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(Content(), hub_.content);
  EXPECT_EQ(hub_.ranges, (std::vector<std::string>{"", "bytes=60-", "bytes=120-", "bytes=180-"}));
}

TEST_F(DownloadTest, ResumesInANewProcess) {
  hub_.cut_after = 60;
  options_.retries = 0;
  options_.cancelled = [this] { return hub_.requests > 1; };
  EXPECT_EQ(Get().code(), StatusCode::kCancelled);
  EXPECT_TRUE(PartLeft());
  hub_.cut_after = 0;
  options_.cancelled = nullptr;
  hub_.ranges.clear();
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(hub_.ranges, (std::vector<std::string>{"bytes=60-"}));
  EXPECT_EQ(Content(), hub_.content);
}

TEST_F(DownloadTest, AChangedFileIsBroughtAnew) {
  fs::create_directories(root_ / "sub");
  std::ofstream(options_.target.string() + ".part") << "old bytes";
  std::ofstream(options_.target.string() + ".part.etag") << "\"v0\"";
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(Content(), hub_.content);
}

TEST_F(DownloadTest, AServerThatIgnoresRanges) {
  fs::create_directories(root_ / "sub");
  std::ofstream(options_.target.string() + ".part") << hub_.content.substr(0, 50);
  std::ofstream(options_.target.string() + ".part.etag") << hub_.etag;
  hub_.ignore_range = true;
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(Content(), hub_.content);
}

TEST_F(DownloadTest, APartOfUnknownOriginIsNotTrusted) {
  fs::create_directories(root_ / "sub");
  std::ofstream(options_.target.string() + ".part") << "rubbish";
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(hub_.ranges[0], "");
  EXPECT_EQ(Content(), hub_.content);
}

TEST_F(DownloadTest, WrongSumIsRefusedAndRemoved) {
  options_.sha256 = Sum("other");
  const Status status = Get();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find(Sum("other")), std::string::npos);
  EXPECT_NE(status.message().find(Sum(hub_.content)), std::string::npos);
  EXPECT_FALSE(PartLeft());
  EXPECT_EQ(Content(), "(none)");
}

TEST_F(DownloadTest, GitSumsOfSmallFiles) {
  options_.sha256.clear();
  options_.git_sha1 = Sum(std::string("blob 200") + '\0' + hub_.content, Digest::Kind::kSha1);
  ASSERT_TRUE(Get().ok());
  fs::remove(options_.target);
  options_.git_sha1 = Sum("x", Digest::Kind::kSha1);
  EXPECT_EQ(Get().code(), StatusCode::kDataLoss);
}

TEST_F(DownloadTest, TheSumOfTheLinkedEtag) {
  options_.sha256.clear();
  hub_.redirect = "http://store/moved";
  hub_.linked = Sum(hub_.content);
  ASSERT_TRUE(Get().ok());
  fs::remove(options_.target);
  hub_.linked = Sum("other");
  EXPECT_EQ(Get().code(), StatusCode::kDataLoss);
}

TEST_F(DownloadTest, RedirectsKeepTheTokenAtHome) {
  options_.headers = {{"Authorization", "Bearer secret"}};
  hub_.redirect = "//store/moved";
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(hub_.urls[1], "http://store/moved");
  EXPECT_EQ(hub_.authorizations, (std::vector<std::string>{"Bearer secret", ""}));
}

TEST_F(DownloadTest, ErrorsOfTheServer) {
  for (const auto& [status, code] :
       std::initializer_list<std::pair<int, StatusCode>>{{404, StatusCode::kNotFound},
                                                         {401, StatusCode::kPermissionDenied},
                                                         {500, StatusCode::kUnavailable}}) {
    hub_.status = status;
    EXPECT_EQ(Get().code(), code) << status;
  }
  EXPECT_GT(slept_, 0) << "a 500 is tried again after a pause";
}

TEST_F(DownloadTest, ARangeThatLies) {
  hub_.cut_after = 60;
  hub_.lie = 3;
  EXPECT_EQ(Get().code(), StatusCode::kDataLoss);
}

TEST_F(DownloadTest, SizesThatDoNotFit) {
  options_.bytes = 150;
  EXPECT_EQ(Get().code(), StatusCode::kDataLoss);
  options_.bytes = uint64_t{1} << 60;
  EXPECT_EQ(Get().code(), StatusCode::kResourceExhausted) << "room on the disk is checked before";
}

TEST_F(DownloadTest, AFewFailuresAreForgiven) {
  hub_.refuse_first = 3;
  ASSERT_TRUE(Get().ok());
  fs::remove(options_.target);
  hub_.refuse_first = 1000;
  EXPECT_EQ(Get().code(), StatusCode::kUnavailable);
  EXPECT_LT(hub_.requests, 20);
}

TEST_F(DownloadTest, TwoAtOnce) {
  FakeFetcher other;
  Status second;
  std::thread thread([&] { second = Download(other, options_); });
  const Status first = Get();
  thread.join();
  EXPECT_TRUE(first.ok()) << first.message();
  EXPECT_TRUE(second.ok()) << second.message();
  EXPECT_EQ(hub_.requests + other.requests, 1);
  EXPECT_EQ(Content(), hub_.content);
}

TEST(UrlTest, Resolve) {
  EXPECT_EQ(ResolveUrl("http://a/b/c?x", "d"), "http://a/b/d");
  EXPECT_EQ(ResolveUrl("http://a", "d"), "http://a/d");
  EXPECT_EQ(ResolveUrl("http://a/b/c", "/d"), "http://a/d");
  EXPECT_EQ(ResolveUrl("https://a/b", "//c/d"), "https://c/d");
  EXPECT_EQ(ResolveUrl("http://a/b", "https://c/d"), "https://c/d");
  EXPECT_EQ(OriginOf("HTTP://Host:8080/x"), "http://host:8080");
}

TEST(FetcherTest, NeverFromHttpsToHttpAndNeverForEver) {
  FakeFetcher hub;
  hub.redirect = "http://store/moved";
  const auto head = [](const FetchHead&) { return Status::Ok(); };
  const auto body = [](std::span<const std::byte>) { return Status::Ok(); };
  EXPECT_EQ(GetFollowing(hub, "https://hub/file", {}, head, body).code(), StatusCode::kDataLoss);
  hub.redirect = "/again";
  EXPECT_EQ(GetFollowing(hub, "https://hub/file", {}, head, body).code(), StatusCode::kDataLoss);
}

TEST(FetcherTest, TextIsBounded) {
  FakeFetcher hub;
  EXPECT_EQ(GetText(hub, "http://hub/list", {}, 1000).value(), hub.content);
  EXPECT_EQ(GetText(hub, "http://hub/list", {}, 100).status().code(),
            StatusCode::kResourceExhausted);
  hub.status = 404;
  EXPECT_EQ(GetText(hub, "http://hub/list", {}, 1000).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace pingti::store
