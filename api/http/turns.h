// Turns of requests that ask (queries of any language): only a few are served at once, and whoever finds no turn waits
// in line, without a thread. So a thousand connections that ask at once cost memory and patience, not threads, and what
// does not ask (writes, status, metrics) never waits behind them.
//   - Turns go to clients (addresses) one after the other, within a client to who came first.
//   - A request that waits for its peer (a body that drips, an answer nobody reads) lends its turn meanwhile.
// Threads: begin() and end() from any; the line belongs to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>

namespace varve {

class Turns {
 public:
  using Place = std::list<int>::iterator;

  explicit Turns(size_t turns) : turns_(turns) {}

  void set(size_t turns) { turns_ = turns; }
  bool begin();  // false: none is free, or others wait for it
  bool end();    // true: somebody waits for it, see next()
  // After end(), when a lent turn is needed again: for a while there may be one too many.
  void take_back() { ++taken_; }

  Place join(const std::string& client, int socket);
  void leave(const std::string& client, Place place);
  std::optional<int> next();  // who has a turn now; still in line
  size_t in_line() const { return waiting_; }

 private:
  bool take();

  std::atomic<size_t> turns_;
  std::atomic<size_t> taken_{0};
  std::atomic<size_t> waiting_{0};
  std::map<std::string, std::list<int>, std::less<>> line_;  // by client, none of them empty
  std::string last_;                                         // the client that had the last turn
};

}  // namespace varve
