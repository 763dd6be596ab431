// Holt-Winters forecast of evenly spaced points: damped trend, multiplicative season of `season` points (below 2: none).
// The parameters are those with the least squared error that a Nelder-Mead search from a grid of guesses finds.
// Missing points do not count in the error. Fewer than two points, or than a season, give no forecast.
// Threads: pure function. `points` is at most kHoltWintersPointsMax, since the search visits each some 10^4 times.
// Source:  Winters, Management Science 1960; Gardner, J. Forecasting 1985 (damped trend); Nelder, Mead, Computer
//          Journal 1965. Guesses and steps are InfluxDB 1.x's, so that forecasts agree.
#pragma once

#include <cstdint>
#include <functional>

#include "api/influxql/select_points.h"

namespace varve::influxql {

constexpr size_t kHoltWintersPointsMax = 10'000;  // guessed: some seconds of search

struct HoltWintersOptions {
  size_t forecasts = 0;
  size_t season = 0;
  bool with_fit = false;
  int64_t interval_ns = 0;
};

// False from `keep_on` gives up, with no points.
Points holt_winters(const Points& input, const HoltWintersOptions& options,
                    const std::function<bool()>& keep_on);

}  // namespace varve::influxql
