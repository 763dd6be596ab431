#include "api/http/client_network.h"

#include <gtest/gtest.h>

#include "api/http/token_guard.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

TEST(ClientNetwork, IsAnAddressOfIpv4AndA64OfIpv6) {
  EXPECT_EQ(client_network("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(client_network("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_NE(client_network("::ffff:192.0.2.7"), client_network("::ffff:192.0.2.8"));
  EXPECT_EQ(client_network("2001:db8:0:7:1:2:3:4"), "2001:db8:0:7::/64");
  EXPECT_EQ(client_network("2001:db8:0:7:ffff::"), "2001:db8:0:7::/64");
  EXPECT_EQ(client_network("2001:db8:0:8::1"), "2001:db8:0:8::/64");
  EXPECT_EQ(client_network("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(client_network("::1"), "::/64");
  EXPECT_EQ(client_network(""), "");
  EXPECT_EQ(client_network("no address"), "no address");
}

TEST(ClientNetwork, WrongTokensOfAll2To64AddressesCountTogether) {
  MetricsRegistry metrics;
  TokenGuard guard(nullptr, false, real_clock(), metrics);
  int64_t wait_seconds = 0;
  for (uint32_t i = 0; i <= TokenGuard::kFailuresMax; ++i) {
    wait_seconds = guard.count_failure("2001:db8:0:7::" + std::to_string(i));
  }
  EXPECT_GT(wait_seconds, 0);
  EXPECT_EQ(guard.count_failure("2001:db8:0:8::1"), 0) << "a neighbour";
}

}  // namespace
}  // namespace varve
