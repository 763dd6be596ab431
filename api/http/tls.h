// TLS of the server's connections: 1.2 or later, no renegotiation, no compression, no client certificates.
// Errors: open, reload: kInvalidArgument for files that are no certificate chain (PEM) and its key, or a key that others
//         may read; kNotFound, kIo. A reload that fails leaves the certificate as it was.
// Threads: context: any; a session: one at a time.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "storage/base/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace varve {

// What a call on a socket that never blocks came to.
enum class Io { kDone, kWantRead, kWantWrite, kEnd };

class TlsSession {
 public:
  explicit TlsSession(ssl_st* session) : session_(session) {}
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  Io handshake();
  Io read(char* to, size_t size, size_t& got);
  Io write(const char* from, size_t size, size_t& put);
  void say_goodbye();  // once, without waiting for theirs

 private:
  Io outcome(int result);
  ssl_st* const session_;
};

class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> open(const std::string& certificate, const std::string& key);
  Result<void> reload();                           // for the connections to come
  std::unique_ptr<TlsSession> accept(int socket);  // null: out of memory

 private:
  TlsContext(std::string certificate, std::string key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  const std::string certificate_, key_;
  std::mutex mutex_;  // guards context_
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace varve
