#include "api/http/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>

namespace varve {
namespace {

std::string why() {
  const unsigned long code = ERR_get_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown reason" : reason;
}

// An encrypted key would make the library ask for its password on the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

Result<void> check_key_file(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return io_error("server.tls_key: open " + path, errno);
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return invalid_argument(fmt::format(
      "server.tls_key: others may read {} (mode {:04o}); chmod 600 it, and renew the key if they may have",
      path, facts.st_mode & 07777));
}

Result<std::shared_ptr<ssl_ctx_st>> make_context(const std::string& certificate, const std::string& key) {
  VARVE_TRY(check_key_file(key));
  ERR_clear_error();
  const std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Error{ErrorCode::kIo, "TLS: " + why()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    return invalid_argument(fmt::format("server.tls_certificate: {} is no readable PEM certificate chain: {}",
                                        certificate, why()));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return invalid_argument(fmt::format(
        "server.tls_key: {} is no unencrypted PEM key of the certificate {}: {}", key, certificate, why()));
  }
  return context;
}

}  // namespace

TlsSession::~TlsSession() {
  SSL_free(session_);
}

Io TlsSession::outcome(int result) {
  switch (SSL_get_error(session_, result)) {
    case SSL_ERROR_NONE:
      return Io::kDone;
    case SSL_ERROR_WANT_READ:
      return Io::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Io::kWantWrite;
    default:
      return Io::kEnd;
  }
}

Io TlsSession::handshake() {
  ERR_clear_error();
  return outcome(SSL_accept(session_));
}

Io TlsSession::read(char* to, size_t size, size_t& got) {
  ERR_clear_error();
  const int result = SSL_read(session_, to, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  got = result > 0 ? static_cast<size_t>(result) : 0;
  return outcome(result);
}

Io TlsSession::write(const char* from, size_t size, size_t& put) {
  ERR_clear_error();
  const int result = SSL_write(session_, from, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  put = result > 0 ? static_cast<size_t>(result) : 0;
  return outcome(result);
}

void TlsSession::say_goodbye() {
  ERR_clear_error();
  if (SSL_is_init_finished(session_) == 1) (void)SSL_shutdown(session_);
  ERR_clear_error();
}

Result<std::unique_ptr<TlsContext>> TlsContext::open(const std::string& certificate, const std::string& key) {
  std::unique_ptr<TlsContext> context(new TlsContext(certificate, key));
  VARVE_TRY(context->reload());
  return context;
}

Result<void> TlsContext::reload() {
  VARVE_ASSIGN(auto fresh, make_context(certificate_, key_));
  const std::lock_guard lock(mutex_);
  context_ = std::move(fresh);
  return {};
}

std::unique_ptr<TlsSession> TlsContext::accept(int socket) {
  const std::lock_guard lock(mutex_);
  SSL* const session = SSL_new(context_.get());
  if (session == nullptr) return nullptr;
  auto made = std::make_unique<TlsSession>(session);
  return SSL_set_fd(session, socket) == 1 ? std::move(made) : nullptr;
}

}  // namespace varve
