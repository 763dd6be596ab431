#include "web/assets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string gunzip(std::string_view bytes) {
  std::vector<Bytef> in(bytes.begin(), bytes.end());
  std::string out(4 << 20, '\0');  // far above any file of the page
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

const WebAsset* find(std::string_view path) {
  const auto assets = web_assets();
  const auto found =
      std::find_if(assets.begin(), assets.end(), [&](const WebAsset& a) { return a.path == path; });
  return found == assets.end() ? nullptr : &*found;
}

TEST(WebAssets, HoldEveryFileTheFirstPageNamesByARelativeUrl) {
  const WebAsset* index = find("/");
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(index->content_type, "text/html; charset=utf-8");
  const std::string html = gunzip(index->gzip_bytes);
  EXPECT_THAT(html, StartsWith("<!doctype html>"));
  int named = 0;
  for (const std::string_view attribute : {"src=\"", "href=\""}) {
    for (std::size_t at = html.find(attribute); at != std::string::npos; at = html.find(attribute, at + 1)) {
      const std::size_t from = at + attribute.size();
      const std::string url = html.substr(from, html.find('"', from) - from);
      ASSERT_THAT(url, StartsWith("./"));
      EXPECT_NE(find(url.substr(1)), nullptr) << url;
      ++named;
    }
  }
  EXPECT_GE(named, 3);  // script, style, icon
}

TEST(WebAssets, NeedNothingInlineSoAStrictContentSecurityPolicyHolds) {
  const std::string html = gunzip(find("/")->gzip_bytes);
  EXPECT_THAT(html, Not(HasSubstr("<style")));
  EXPECT_THAT(html, Not(HasSubstr(" style=")));
  for (std::size_t at = html.find("<script"); at != std::string::npos; at = html.find("<script", at + 1)) {
    EXPECT_THAT(html.substr(at, html.find('>', at) - at), HasSubstr(" src="));
  }
}

TEST(WebAssets, AreGzippedTypedDistinctAndSmall) {
  std::set<std::string_view> paths;
  std::set<std::string_view> etags;
  std::size_t bytes = 0;
  for (const WebAsset& asset : web_assets()) {
    EXPECT_THAT(std::string(asset.path), StartsWith("/"));
    EXPECT_FALSE(asset.content_type.empty()) << asset.path;
    EXPECT_EQ(asset.etag.front(), '"');
    EXPECT_EQ(asset.etag.back(), '"');
    EXPECT_FALSE(gunzip(asset.gzip_bytes).empty()) << asset.path;
    paths.insert(asset.path);
    etags.insert(asset.etag);
    bytes += asset.gzip_bytes.size();
  }
  EXPECT_EQ(paths.size(), web_assets().size());
  EXPECT_EQ(etags.size(), web_assets().size());
  EXPECT_LE(bytes, 200'000u);
}

}  // namespace
}  // namespace varve
