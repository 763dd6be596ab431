// What an inventory says about a store: the catalog against the files, both ways.
// Threads: pure.
#pragma once

#include <string>
#include <vector>

#include "storage/check/inventory.h"
#include "storage/leftovers.h"

namespace varve {

struct Findings {
  std::vector<std::string> problems;  // empty = clean
  std::vector<std::string> notes;     // what a crash leaves behind, and the next start clears
  bool catalog_unusable = false;      // missing, damaged, or not of these files: rebuild it
  std::vector<Leftover> unexplained;  // to be set aside
};

// What is wrong with a listed tombstone; empty = nothing.
std::string tombstone_damage(const Inventory& inventory, const CatalogTable& table,
                             const CatalogTombstone& record);

Findings compare(const Inventory& inventory);

}  // namespace varve
