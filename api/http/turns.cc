#include "api/http/turns.h"

namespace varve {

bool Turns::take() {
  size_t taken = taken_;
  while (taken < turns_) {
    if (taken_.compare_exchange_weak(taken, taken + 1)) return true;
  }
  return false;
}

bool Turns::begin() {
  return waiting_ == 0 && take();
}

// Whoever joins the line looks for a free turn after that, and this looks at the line after it has freed one: one of the
// two sees the other.
bool Turns::end() {
  --taken_;
  return waiting_ > 0;
}

Turns::Place Turns::join(const std::string& client, int socket) {
  std::list<int>& own = line_[client];
  const Place place = own.insert(own.end(), socket);
  ++waiting_;
  return place;
}

void Turns::leave(const std::string& client, Place place) {
  const auto own = line_.find(client);
  own->second.erase(place);
  if (own->second.empty()) line_.erase(own);
  --waiting_;
}

std::optional<int> Turns::next() {
  if (line_.empty() || !take()) return std::nullopt;
  auto client = line_.upper_bound(last_);
  if (client == line_.end()) client = line_.begin();
  last_ = client->first;
  return client->second.front();
}

}  // namespace varve
