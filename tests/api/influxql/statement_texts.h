// Reads statements.txt: statements and what InfluxDB says to their text.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace varve::test {

struct StatementText {
  std::string statement;
  std::string outcome;  // "ok", or the error without "error parsing query: "
};

inline std::vector<StatementText> statement_texts() {
  std::ifstream file(VARVE_SOURCE_DIR "/tests/api/influxql/statements.txt");
  if (!file) throw std::runtime_error("no tests/api/influxql/statements.txt");
  std::vector<StatementText> all;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (line.starts_with("  ")) {
      all.back().outcome = line.substr(2);
    } else {
      all.push_back({line, {}});
    }
  }
  return all;
}

}  // namespace varve::test
