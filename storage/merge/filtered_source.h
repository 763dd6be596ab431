// A source without the rows that deletes hide. Pieces wholly hidden vanish; of those partly hidden the rest is loaded,
// and their statistics count for nothing. Fastest when the pieces of one series are read before those of
// the next are asked for.
// Errors: of the source inside. Threads: one thread at a time.
#pragma once

#include <memory>

#include "storage/merge/row_source.h"
#include "storage/tombstone/tombstone.h"

namespace varve {

// `source` itself when nothing of it is hidden.
std::unique_ptr<RowSource> without_hidden_rows(std::unique_ptr<RowSource> source, HiddenRows hidden);

}  // namespace varve
