// The page's files, compiled into the binary by web/embed.mjs.
// path:        as requested below the page's base: "/" is index.html, others e.g. "/assets/index-B1x2.js".
//              Names under "/assets/" carry a hash of their content: they may be cached for ever.
//              "/" must be asked for anew each time (ETag, Cache-Control: no-cache).
// etag:        strong, with its quotes, of the gzipped bytes.
// gzip_bytes:  the file, gzipped: send with Content-Encoding: gzip, or gunzip for a client that takes none.
// CSP:         the page needs no more than "default-src 'self'".
// Errors:      none.
// Threads:     constant data, any thread, valid for the whole run of the program (once main has begun).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace varve {

struct WebAsset {
  std::string_view path;
  std::string_view content_type;
  std::string_view etag;
  std::string_view gzip_bytes;
};

std::span<const WebAsset> web_assets();

}  // namespace varve
