// RawClient: a blocking socket for tests that speak HTTP byte by byte. Tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace pingti::net {

class RawClient final {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { Close(); }

  bool connected() const { return connected_; }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Everything until the peer closes or nothing comes for `quiet_ms`.
  std::string ReadAll(int quiet_ms = 5000) {
    std::string text;
    while (ReadSome(text, quiet_ms)) {
    }
    return text;
  }
  // Until `mark` has come (or the end).
  std::string ReadUntil(std::string_view mark, int quiet_ms = 5000) {
    std::string text;
    while (text.find(mark) == std::string::npos && ReadSome(text, quiet_ms)) {
    }
    return text;
  }
  bool closed() const { return peer_closed_; }
  void ShutdownSend() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  bool ReadSome(std::string& text, int quiet_ms) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, quiet_ms) <= 0) return false;
    char buffer[16384];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    if (got <= 0) {
      peer_closed_ = true;
      return false;
    }
    text.append(buffer, static_cast<size_t>(got));
    return true;
  }

  int fd_;
  bool connected_ = false;
  bool peer_closed_ = false;
};

}  // namespace pingti::net
