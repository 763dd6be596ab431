// What the log's tests share: a log in a faulty file system, and its records read back.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/wal/format.h"
#include "storage/wal/recovery.h"
#include "storage/wal/wal.h"
#include "tests/support/fault_file_system.h"

namespace varve {

inline const std::string kLogFolder = "/data/wal";

inline std::string log_file(Lsn first_lsn) {
  return join_path(kLogFolder, wal_file_name(first_lsn));
}
inline std::string payload_of(Lsn lsn) {
  return "payload of record " + std::to_string(lsn);
}
inline uint64_t bytes_of(Lsn lsn) {
  return kWalRecordHeaderBytes + payload_of(lsn).size();
}

class LogFixture : public ::testing::Test {
 protected:
  WalOptions options() {
    WalOptions made;
    made.directory = kLogFolder;
    made.file_bytes = 64 << 10;
    made.file_system = &files_;
    made.metrics = &metrics_;
    return made;
  }

  std::unique_ptr<Wal> open(Lsn next_lsn, WalOptions with) {
    auto wal = Wal::open(std::move(with), next_lsn);
    EXPECT_TRUE(wal) << wal.error().message;
    return wal ? std::move(*wal) : nullptr;
  }
  std::unique_ptr<Wal> open(Lsn next_lsn) { return open(next_lsn, options()); }

  // Appends payload_of(lsn) `count` times and waits until they are durable.
  static void append(Wal& wal, int count) {
    const Lsn first = wal.durable_lsn() + 1;
    Lsn last = 0;
    for (int i = 0; i < count; ++i) {
      auto lsn = wal.append(payload_of(first + static_cast<Lsn>(i)), [](Result<Lsn>) {});
      ASSERT_TRUE(lsn) << lsn.error().message;
      last = *lsn;
    }
    ASSERT_TRUE(wal.wait_durable(last, 60 * kNsPerSecond));
  }

  // Writes records `first`..`last` into one file and closes the log.
  void write_log(Lsn first, Lsn last) {
    auto with = options();
    with.group_delay_ns = 0;
    const auto wal = open(first, with);
    for (Lsn lsn = first; lsn <= last; ++lsn) {
      ASSERT_TRUE(wal->append(payload_of(lsn), [](Result<Lsn>) {}));
    }
    ASSERT_TRUE(wal->wait_durable(last, 60 * kNsPerSecond));
  }

  WalRecovery recover(Lsn from_lsn = 1) {
    found_.clear();
    auto recovery = recover_wal(files_, kLogFolder, from_lsn, [&](Lsn lsn, std::string_view payload) {
      EXPECT_TRUE(found_.empty() || lsn > found_.rbegin()->first) << "out of order";
      found_[lsn] = std::string(payload);
      return Result<void>();
    });
    EXPECT_TRUE(recovery) << recovery.error().message;
    return recovery ? std::move(*recovery) : WalRecovery();
  }

  // The records last recovered are exactly first..last with their payloads.
  void expect_found(Lsn first, Lsn last) {
    EXPECT_EQ(found_.size(), last + 1 - first);
    for (const auto& [lsn, payload] : found_) {
      EXPECT_TRUE(first <= lsn && lsn <= last) << lsn;
      EXPECT_EQ(payload, payload_of(lsn));
    }
  }

  static uint64_t offset_of(Lsn lsn, Lsn first_lsn = 1) {
    uint64_t offset = kWalFirstRecordOffset;
    for (Lsn before = first_lsn; before < lsn; ++before) offset += bytes_of(before);
    return offset;
  }

  void flip_bit(const std::string& path, uint64_t offset, int bit = 0) {
    std::string bytes = files_.bytes(path);
    ASSERT_LT(offset, bytes.size());
    bytes[offset] = static_cast<char>(bytes[offset] ^ (1 << bit));
    files_.set_bytes(path, bytes);
  }

  FaultFileSystem files_;
  MetricsRegistry metrics_;
  std::map<Lsn, std::string> found_;
};

}  // namespace varve
