// Who counts as one client where limits are per address: an IPv4 address, or a /64 of IPv6, which is what one customer
// of a provider has at least, with 2^64 addresses to come from.
// Threads: pure.
#pragma once

#include <string>

namespace varve {

// "192.0.2.7" of "192.0.2.7" and "::ffff:192.0.2.7", "2001:db8:0:7::/64" of "2001:db8:0:7:1::9"; else the text itself.
std::string client_network(const std::string& address);

}  // namespace varve
