#include "tests/storage/fault/operations.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

namespace varve::test {
namespace {

constexpr int64_t kTimes =
    60;  // partitions in these tests are narrower, so rows of a flush go to several segments

uint64_t pick(Random& random, uint64_t count) {
  return random() % count;
}

double odd_double(Random& random) {
  const double odd[] = {std::bit_cast<double>(0x7ff8000000000001 + pick(random, 1000)),
                        -0.0,
                        std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::denorm_min(),
                        std::numeric_limits<double>::lowest(),
                        0.1};
  return odd[pick(random, std::size(odd))];
}

Value random_value(Random& random, const std::string& field) {
  const auto number = static_cast<int64_t>(random() % 1'000'000);
  if (field == "level") return static_cast<double>(number) / 4;
  if (field == "raw") return pick(random, 4) == 0 ? odd_double(random) : std::bit_cast<double>(random());
  if (field == "count") return number;
  if (field == "serial") {
    if (pick(random, 4) != 0) return static_cast<int64_t>(random());
    return pick(random, 2) == 0 ? INT64_MAX : INT64_MIN;
  }
  if (field == "open") return pick(random, 2) == 0;
  return pick(random, 6) == 0 ? std::string() : fmt::format("n{}", number);
}

Row random_row(Random& random) {
  Row row;
  row.table = fmt::format("t{}", pick(random, 3));
  row.site = fmt::format("s{}", pick(random, 4));
  row.time = static_cast<int64_t>(pick(random, kTimes)) - 10;
  while (row.fields.empty()) {
    for (const std::string& field : field_names()) {
      if (pick(random, 3) == 0) row.fields[field] = random_value(random, field);
    }
  }
  return row;
}

Record random_record(Random& random) {
  Record record;
  const uint64_t rows = pick(random, 8) == 0 ? 1 + pick(random, 60) : 1 + pick(random, 6);
  for (uint64_t i = 0; i < rows; ++i) {
    record.push_back(random_row(random));
    if (pick(random, 10) == 0) {  // the same row again, with other fields
      Row again = random_row(random);
      again.table = record.back().table;
      again.site = record.back().site;
      again.time = record.back().time;
      record.push_back(std::move(again));
    }
  }
  return record;
}

Deletion random_deletion(Random& random) {
  Deletion deletion;
  deletion.table = fmt::format("t{}", pick(random, 3));
  deletion.time.min = static_cast<int64_t>(pick(random, kTimes)) - 10;
  deletion.time.max = deletion.time.min + static_cast<int64_t>(pick(random, kTimes / 2));
  if (pick(random, 6) == 0) deletion.time = {};
  for (uint64_t site = 0; pick(random, 2) == 0 && site < 2; ++site)
    deletion.sites.insert(fmt::format("s{}", pick(random, 4)));
  return deletion;
}

Operation::Kind random_kind(Random& random) {
  const uint64_t dice = pick(random, 24);
  if (dice < 12) return Operation::Kind::kWrite;
  if (dice < 16) return Operation::Kind::kFlush;
  if (dice < 18) return Operation::Kind::kDeliver;
  if (dice < 19) return Operation::Kind::kRead;
  if (dice < 20) return Operation::Kind::kReopen;
  return dice < 22 ? Operation::Kind::kCompact : Operation::Kind::kDelete;
}

}  // namespace

std::vector<Operation> random_operations(Random& random, size_t count) {
  std::vector<Operation> operations;
  for (size_t i = 0; i < count; ++i) operations.push_back(random_operation(random, random_kind(random)));
  return operations;
}

Operation random_operation(Random& random, Operation::Kind kind) {
  Operation operation;
  operation.kind = kind;
  if (kind == Operation::Kind::kDelete) operation.deletion = random_deletion(random);
  if (kind != Operation::Kind::kWrite) return operation;
  const uint64_t records = pick(random, 3) == 0 ? 1 + pick(random, 5) : 1;
  for (uint64_t i = 0; i < records; ++i) operation.records.push_back(random_record(random));
  return operation;
}

std::string describe(const std::vector<Operation>& operations) {
  std::string text;
  for (const Operation& operation : operations) {
    switch (operation.kind) {
      case Operation::Kind::kFlush:
        text += "flush\n";
        break;
      case Operation::Kind::kDeliver:
        text += "deliver\n";
        break;
      case Operation::Kind::kRead:
        text += "read\n";
        break;
      case Operation::Kind::kReopen:
        text += "reopen\n";
        break;
      case Operation::Kind::kCompact:
        text += "compact\n";
        break;
      case Operation::Kind::kDelete:
        text += fmt::format("delete {} {}..{} of {}\n", operation.deletion.table, operation.deletion.time.min,
                            operation.deletion.time.max,
                            operation.deletion.sites.empty()
                                ? "all"
                                : fmt::format("{}", fmt::join(operation.deletion.sites, " ")));
        break;
      default:
        for (const Record& record : operation.records) {
          text += "write\n";
          for (const Row& row : record) {
            text += fmt::format("  {} {} {}", row.table, row.site, row.time);
            for (const auto& [name, value] : row.fields)
              text += fmt::format(" {}={}", name, value_text(value));
            text += "\n";
          }
        }
    }
  }
  return text;
}

}  // namespace varve::test
