#include "api/influxql/select_holt_winters.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace varve::influxql {
namespace {

using Vector = std::vector<double>;

constexpr double kFirstGuess = 0.3;
constexpr double kGuessStep = 0.4;
constexpr double kGuessEnd = 1.0;
constexpr double kStartWeight = 0.5;
constexpr double kEpsilon = 1e-4;
constexpr int kIterationsMax = 1000;

// Parameters of the model in a vector: alpha, beta, gamma, phi, level, trend, then the season.
constexpr size_t kLevel = 4;
constexpr size_t kTrend = 5;
constexpr size_t kSeason = 6;

class Model {
 public:
  Model(Vector y, bool seasonal) : y_(std::move(y)), seasonal_(seasonal) {}

  // Clamps the weights, and leaves the season in `parameters` where the forecast ends.
  Vector forecast(size_t ahead, Vector& parameters) const {
    for (size_t i = 0; i < kLevel; ++i) parameters[i] = std::clamp(parameters[i], 0.0, 1.0);
    const double alpha = parameters[0];
    const double beta = parameters[1];
    const double gamma = parameters[2];
    const double phi = parameters[3];
    double damping = phi;
    double level = parameters[kLevel];
    double trend = parameters[kTrend];
    double* season = parameters.data() + kSeason;
    const size_t length = parameters.size() - kSeason;
    size_t turn = length == 0 ? 0 : length - 1;
    Vector out(y_.size() + ahead);
    double y = out[0] = y_[0];
    for (size_t t = 1; t < out.size(); ++t) {
      const double before = seasonal_ ? season[(t - length + turn) % length] : 1;
      const double ahead_of = seasonal_ ? season[(t - length + t % length + turn) % length] : 1;
      const double expected = level + phi * trend;
      const double next_level = alpha * (y / before) + (1 - alpha) * expected;
      const double next_trend = beta * (next_level - level) + (1 - beta) * phi * trend;
      const double factor = gamma * (y / expected) + (1 - gamma) * before;
      y = (next_level + damping * next_trend) * ahead_of;
      level = next_level;
      trend = next_trend;
      damping += std::pow(phi, static_cast<double>(t));
      if (seasonal_) season[(t + turn++) % length] = factor;
      out[t] = y;
    }
    return out;
  }

  double error(Vector& parameters) const {
    const Vector fit = forecast(0, parameters);
    double sum = 0;
    for (size_t i = 0; i < fit.size(); ++i) {
      if (std::isnan(y_[i])) continue;
      if (std::isnan(fit[i])) return std::numeric_limits<double>::infinity();
      sum += (fit[i] - y_[i]) * (fit[i] - y_[i]);
    }
    return sum;
  }

  const Vector& y() const { return y_; }

 private:
  const Vector y_;
  const bool seasonal_;
};

// The downhill simplex method with the usual coefficients.
class Simplex {
 public:
  Simplex(const Model& model, const Vector& start) : model_(model), size_(start.size()) {
    const auto n = static_cast<double>(size_);
    const double q = (std::sqrt(n + 1) - 1) / (n * std::sqrt(2.0));
    const double p = (std::sqrt(n + 1) - 1 + n) / (n * std::sqrt(2.0));
    vertices_.assign(size_ + 1, start);
    for (size_t i = 1; i <= size_; ++i) {
      for (size_t j = 0; j < size_; ++j) vertices_[i][j] += i - 1 == j ? p : q;
    }
    for (Vector& vertex : vertices_) errors_.push_back(model_.error(vertex));
  }

  double minimise(Vector& best) {
    for (int i = 0; i < kIterationsMax; ++i) {
      step();
      if (deviation() < kEpsilon) break;
    }
    best = vertices_[index_of_least()];
    return model_.error(vertices_[index_of_least()]);
  }

 private:
  size_t index_of_least() const {
    return static_cast<size_t>(std::min_element(errors_.begin(), errors_.end()) - errors_.begin());
  }

  // from + factor * (to - from)
  static Vector along(const Vector& from, const Vector& to, double factor) {
    Vector out(from.size());
    for (size_t i = 0; i < from.size(); ++i) out[i] = from[i] + factor * (to[i] - from[i]);
    return out;
  }

  Vector centre_without(size_t worst) const {
    Vector centre(size_);
    for (size_t i = 0; i < size_; ++i) {
      double sum = 0;
      for (size_t m = 0; m <= size_; ++m) {
        if (m != worst) sum += vertices_[m][i];
      }
      centre[i] = sum / static_cast<double>(size_);
    }
    return centre;
  }

  void put(size_t at, Vector vertex, double error) {
    vertices_[at] = std::move(vertex);
    errors_[at] = error;
  }

  void step() {
    size_t worst = 0;
    for (size_t i = 0; i <= size_; ++i) {
      if (errors_[i] > errors_[worst]) worst = i;
    }
    const size_t best = index_of_least();
    size_t second = best;
    for (size_t i = 0; i <= size_; ++i) {
      if (errors_[i] > errors_[second] && errors_[i] < errors_[worst]) second = i;
    }
    const Vector centre = centre_without(worst);
    Vector reflected(size_);
    for (size_t i = 0; i < size_; ++i) reflected[i] = centre[i] + (centre[i] - vertices_[worst][i]);
    const double error = model_.error(reflected);
    const double error_best = errors_[best];
    if (error < errors_[second] && error >= error_best) put(worst, reflected, error);
    if (error < error_best) {
      Vector expanded = along(centre, reflected, 2);
      const double further = model_.error(expanded);
      further < error ? put(worst, std::move(expanded), further) : put(worst, reflected, error);
    }
    if (error >= errors_[second]) contract(worst, second, best, centre, reflected, error);
  }

  void contract(size_t worst, size_t second, size_t best, const Vector& centre, const Vector& reflected,
                double error) {
    constexpr double kHalf = 0.5;
    const bool outside = error < errors_[worst] && error >= errors_[second];
    Vector contracted(size_);
    for (size_t i = 0; i < size_; ++i) {
      contracted[i] = outside ? centre[i] + kHalf * (reflected[i] - centre[i])
                              : centre[i] - kHalf * (centre[i] - vertices_[worst][i]);
    }
    const double nearer = model_.error(contracted);
    if (nearer < errors_[worst]) return put(worst, std::move(contracted), nearer);
    for (size_t row = 0; row <= size_; ++row) {
      if (row != best) vertices_[row] = along(vertices_[best], vertices_[row], kHalf);
    }
    errors_[worst] = model_.error(vertices_[worst]);
    errors_[second] = model_.error(vertices_[second]);
  }

  double deviation() const {
    double sum = 0;
    for (const double error : errors_) sum += error;
    const double average = sum / static_cast<double>(size_ + 1);
    double squares = 0;
    for (const double error : errors_)
      squares += (error - average) * (error - average) / static_cast<double>(size_);
    return std::sqrt(squares);
  }

  const Model& model_;
  const size_t size_;
  std::vector<Vector> vertices_;
  Vector errors_;
};

Vector start_of(const Vector& y, size_t season) {
  const bool seasonal = season >= 2;
  Vector start(kSeason + (seasonal ? season : 0));
  if (!seasonal) {
    start[kLevel] = kStartWeight * y[0];
    if (!std::isnan(y[1])) start[kTrend] = kStartWeight * (y[1] - y[0]);
    return start;
  }
  const auto m = static_cast<double>(season);
  for (size_t i = 0; i < season && i < y.size(); ++i) {
    if (!std::isnan(y[i])) start[kLevel] += 1 / m * y[i];
  }
  for (size_t i = 0; i < season && season + i < y.size(); ++i) {
    if (!std::isnan(y[i]) && !std::isnan(y[season + i]))
      start[kTrend] += 1 / (m * m) * (y[season + i] - y[i]);
  }
  for (size_t i = 0; i < season && i < y.size(); ++i) {
    start[kSeason + i] = std::isnan(y[i]) ? 0 : y[i] / start[kLevel];
  }
  return start;
}

Vector best_parameters(const Model& model, Vector guess, const std::function<bool()>& keep_on) {
  Vector best;
  double least = std::numeric_limits<double>::infinity();
  const auto each = [](double& parameter, const auto& body) {
    for (double value = kFirstGuess; value < kGuessEnd; value += kGuessStep) {
      parameter = value;
      body();
    }
  };
  each(guess[0], [&] {
    each(guess[1], [&] {
      each(guess[2], [&] {
        each(guess[3], [&] {
          if (!keep_on()) return;
          Vector found;
          const double error = Simplex(model, guess).minimise(found);
          if (!(error < least) && !best.empty()) return;
          least = error;
          best = std::move(found);
        });
      });
    });
  });
  return best;
}

}  // namespace

Points holt_winters(const Points& input, const HoltWintersOptions& options,
                    const std::function<bool()>& keep_on) {
  Points out;
  const bool seasonal = options.season >= 2;
  std::vector<size_t> points;
  for (size_t i = 0; i < input.size(); ++i) {
    if (input.values.is_valid(i)) points.push_back(i);
  }
  if (points.size() < 2 || (seasonal && points.size() < options.season)) return out;
  const auto rounded = [&](size_t point) {
    const int64_t time = input.times[points[point]];
    return time / options.interval_ns + (time % options.interval_ns > options.interval_ns / 2 ? 1 : 0);
  };
  const auto value = [&](size_t point) {
    const ColumnVector& values = input.values;
    return values.type == FieldType::kInt64 ? static_cast<double>(values.ints[points[point]])
                                            : values.doubles[points[point]];
  };
  if (rounded(points.size() - 1) <= rounded(0)) return out;
  if (rounded(points.size() - 1) - rounded(0) > static_cast<int64_t>(kHoltWintersPointsMax)) return out;
  Vector y{value(0)};
  int64_t place = rounded(0);
  for (size_t i = 1; i < points.size(); ++i) {
    if (rounded(i) <= place) continue;
    y.resize(y.size() + static_cast<size_t>(rounded(i) - place), NAN);
    place = rounded(i);
    y.back() = value(i);
  }
  const Model model(y, seasonal);
  Vector best = best_parameters(model, start_of(y, options.season), keep_on);
  if (best.empty()) return out;
  const Vector forecast = model.forecast(options.forecasts, best);
  const int64_t first = input.times[points.front()];
  const int64_t last = input.times[points.back()];
  for (size_t i = options.with_fit ? 0 : y.size(); i < forecast.size(); ++i) {
    if (!std::isfinite(forecast[i])) continue;
    const auto steps = static_cast<int64_t>(options.with_fit ? i : i - y.size() + 1);
    int64_t ahead = 0;
    if (__builtin_mul_overflow(options.interval_ns, steps, &ahead)) break;  // past the end of time
    out.times.push_back(saturating_add(options.with_fit ? first : last, ahead));
    out.values.push_double(forecast[i]);
  }
  return out;
}

}  // namespace varve::influxql
