#include "tests/storage/fault/store_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>

namespace varve::test {
namespace {

constexpr uint64_t kReservedBytes = 8192;  // of a log file: enough to tell reserved zeros from an end of file
constexpr std::chrono::seconds kAnswerMax{60};  // past this a write hangs
constexpr std::string_view kSink = "sink";

std::string record_text(const std::vector<RowBatch>& batches) {
  std::vector<std::string> lines;
  for (const RowBatch& batch : batches) {
    for (size_t row = 0; row < batch.rows(); ++row) {
      std::string line = fmt::format("{} {}", batch.table, batch.times[row]);
      for (const TagColumn& tag : batch.tags) {
        if (tag.codes[row] != kAbsentTag) line += " " + tag.values[tag.codes[row]];
      }
      std::map<std::string, std::string> fields;
      for (const FieldColumn& field : batch.fields) {
        if (field.data.is_valid(row)) fields[field.name] = value_text(field.data.value(row));
      }
      for (const auto& [name, value] : fields) line += " " + name + "=" + value;
      lines.push_back(std::move(line));
    }
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::optional<uint64_t> environment_number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

StoreSettings random_settings(Random& random) {
  StoreSettings settings;
  settings.wal_sync = random() % 2 == 0 ? WalSync::kEach : WalSync::kGroup;
  if (random() % 3 == 0) settings.flush_rows = 20 + random() % 60;
  settings.partition_ns = random() % 2 == 0 ? 25 : 1000;
  return settings;
}

StoreRun::StoreRun(FaultFileSystem& files, StoreSettings settings, const Plant& plant)
    : settings_(settings),
      plant_(plant),
      vfs_(files),
      wrapped_files_(plant.files ? plant.files(files) : nullptr),
      files_(wrapped_files_ ? *wrapped_files_ : files) {
  files.limit_reserved(kReservedBytes);
  if (plant_.lies) plant_.lies(files);
}

StoreRun::~StoreRun() {
  close();
}

Result<void> StoreRun::note(Result<void> outcome) {
  if (!outcome) errors_.push_back(outcome.error());
  return outcome;
}

Result<void> StoreRun::open() {
  EngineOptions options;
  options.data_directory = kDataFolder;
  options.wal_sync = settings_.wal_sync;
  options.flush_rows = settings_.flush_rows;
  options.partition_ns = settings_.partition_ns;
  options.file_system = &files_;
  options.catalog_vfs = vfs_.name();
  options.clock = &clock_;
  metrics_ = std::make_unique<MetricsRegistry>();
  options.metrics = metrics_.get();
  auto opened = Engine::open(std::move(options));
  if (!opened) return note(opened.error());
  engine_ = plant_.engine ? plant_.engine(std::move(*opened)) : std::move(*opened);
  history_.next_life();
  auto cursor = engine_->open_cursor(kSink);
  if (!cursor) {
    close();
    return note(cursor.error());
  }
  cursor_ = std::move(*cursor);
  return {};
}

void StoreRun::close() {
  cursor_.reset();
  engine_.reset();
}

Result<void> StoreRun::apply(const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::kWrite:
      return write(operation.records);
    case Operation::Kind::kFlush:
      return note(engine_->flush());
    case Operation::Kind::kDeliver:
      return note(deliver());
    case Operation::Kind::kRead: {
      const auto rows = read_rows(*engine_);
      return rows ? Result<void>() : note(rows.error());
    }
    case Operation::Kind::kReopen:
      close();
      return open();
    case Operation::Kind::kCompact:
      return note(engine_->compact());
    case Operation::Kind::kDelete:
      return note(erase(operation.deletion));
    case Operation::Kind::kCount:
      break;
  }
  return {};
}

Result<void> StoreRun::write(const std::vector<Record>& records) {
  struct Answer {
    int32_t number = 0;
    std::shared_ptr<std::promise<Result<Lsn>>> promise = std::make_shared<std::promise<Result<Lsn>>>();
  };
  std::vector<Answer> answers;
  Result<void> outcome;
  for (const Record& record : records) {
    Event& event = history_.add(record);
    AdmittedWrite admitted = engine_->admit(to_batches(record));
    if (!admitted.rejected().empty()) {
      event.state = Event::State::kRefused;
      return note(invalid_argument("a row was rejected: " + admitted.rejected().front().detail));
    }
    admitted.positions = {{std::string(kStream), event.number, event.number + 1}};
    Answer answer{.number = event.number};
    auto taken = engine_->append(std::move(admitted), [promise = answer.promise](Result<Lsn> lsn) {
      promise->set_value(std::move(lsn));
    });
    if (taken) {
      answers.push_back(std::move(answer));
    } else {
      event.state = Event::State::kRefused;
      outcome = note(std::move(taken));
    }
  }
  for (Answer& answer : answers) {
    auto future = answer.promise->get_future();
    if (future.wait_for(kAnswerMax) != std::future_status::ready)
      return note(Error{ErrorCode::kIo, "an append was never answered"});
    const Result<Lsn> lsn = future.get();
    if (!lsn) {
      // Full disk: nothing of it was kept. Any other error leaves it unknown.
      if (lsn.error().code == ErrorCode::kUnavailable)
        history_.event(answer.number).state = Event::State::kRefused;
      outcome = note(lsn.error());
      continue;
    }
    history_.event(answer.number).state = Event::State::kAcknowledged;
    history_.event(answer.number).lsn = *lsn;
  }
  return outcome;
}

Result<void> StoreRun::erase(const Deletion& deletion) {
  Event& event = history_.add(deletion);
  DeleteRequest request;
  request.database = kDefaultDatabase;
  request.table = deletion.table;
  request.time = deletion.time;
  if (!deletion.sites.empty()) {
    request.series_filter = [&](const SeriesTags& tags) -> Result<bool> {
      return deletion.sites.contains(std::string(tags.value("site")));
    };
  }
  const auto done = engine_->erase(std::move(request));
  if (done) {
    event.state = Event::State::kAcknowledged;
    event.lsn = done->lsn;
    return {};
  }
  if (done.error().code != ErrorCode::kIo) event.state = Event::State::kRefused;
  if (done.error().code == ErrorCode::kNotFound) return {};  // no such table yet: nothing to delete
  return done.error();
}

Result<void> StoreRun::deliver() {
  LogRecord record;
  Lsn last = 0;
  while (true) {
    VARVE_ASSIGN(const bool found, cursor_->next(record, 0));
    if (!found) break;
    if (!record.batches.empty()) delivered_.insert(record_text(record.batches));  // else a delete
    last = record.lsn;
  }
  if (last == 0) return {};
  return cursor_->save(last);
}

std::optional<std::string> StoreRun::check(bool in_order) {
  auto rows = read_rows(*engine_);
  if (!rows) return "a scan failed: " + rows.error().message;
  if (auto wrong = history_.check(engine_->positions(), *rows, in_order)) return wrong;
  return check_statistics(*engine_);
}

std::optional<std::string> StoreRun::reopen_and_check(bool in_order) {
  close();
  if (const auto opened = open(); !opened) return "it does not open: " + opened.error().message;
  if (auto wrong = check(in_order)) return wrong;
  history_.settle(engine_->positions());
  return std::nullopt;
}

std::optional<std::string> StoreRun::check_sink() {
  if (const auto delivered = deliver(); !delivered)
    return "the sink cannot read: " + delivered.error().message;
  std::set<std::string> there;
  for (const Event& event : history_.events()) {
    if (event.state != Event::State::kAcknowledged || event.deletion) continue;
    std::string text = record_text(to_batches(event.record));
    if (!delivered_.contains(text)) return fmt::format("record {} never came to the sink", event.number);
    there.insert(std::move(text));
  }
  for (const std::string& text : delivered_) {
    if (!there.contains(text)) return "the sink got a record that the store does not have: " + text;
  }
  return std::nullopt;
}

std::optional<uint64_t> seed_to_replay() {
  return environment_number("VARVE_SEED");
}

uint64_t power_cuts() {
  return environment_number("VARVE_RUNS").value_or(kPowerCuts / kSweepStep);
}

uint64_t grown(uint64_t usual) {
  return usual * std::max<uint64_t>(power_cuts() / kPowerCuts, 1);
}

}  // namespace varve::test
