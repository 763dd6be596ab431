#include "api/http/client_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace varve {

std::string client_network(const std::string& address) {
  constexpr size_t kNetworkBytes = 8;
  constexpr size_t kV4Bytes = 4;
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &v6) != 1) return address;
  char text[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    inet_ntop(AF_INET, v6.s6_addr + sizeof v6.s6_addr - kV4Bytes, text, sizeof text);
    return text;
  }
  std::fill(v6.s6_addr + kNetworkBytes, v6.s6_addr + sizeof v6.s6_addr, uint8_t{0});
  inet_ntop(AF_INET6, &v6, text, sizeof text);
  return std::string(text) + "/64";
}

}  // namespace varve
