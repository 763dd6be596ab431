// What completion offers besides names: the words of both languages, with how they are called.

export interface Word {
  name: string;
  call: string;
  what: string;
}

function words(text: string): Word[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [call = '', what = ''] = line.trim().split(' -- ');
      return { name: call.replace(/\(.*$/, ''), call, what };
    });
}

export const SQL_FUNCTIONS: readonly Word[] = words(`
  time_bucket('5m', time) -- start of the bucket a time is in
  date_bin('5m', time) -- the same, by its other name
  date_trunc('hour', time) -- start of the calendar unit
  now() -- the time of the query
  count(*) -- rows
  sum(x) -- sum
  avg(x) -- mean
  mean(x) -- mean
  min(x) -- least
  max(x) -- greatest
  first(x) -- value of the earliest row
  last(x) -- value of the latest row
  stddev(x) -- standard deviation of the sample
  variance(x) -- variance of the sample
  median(x) -- middle value
  percentile(x, 95) -- value below which 95 % are
  spread(x) -- greatest less least
  rate(x) -- increase of a counter per second
  increase(x) -- increase of a counter, resets left out
  delta(x) -- last less first
  derivative(x, '1s') -- change per unit of time
  integral(x, '1s') -- area under the line
  abs(x) -- without sign
  round(x, 2) -- rounded
  floor(x) -- rounded down
  ceil(x) -- rounded up
  sqrt(x) -- square root
  ln(x) -- natural logarithm
  exp(x) -- e to the power of x
  pow(x, 2) -- x to the power of 2
  coalesce(a, b) -- the first that is not NULL
  lower(s) -- small letters
  upper(s) -- capital letters
  length(s) -- characters
  concat(a, b) -- joined text
  cast(x AS double) -- as another type
`);

export const INFLUXQL_FUNCTIONS: readonly Word[] = words(`
  mean(x) -- mean
  count(x) -- values
  sum(x) -- sum
  min(x) -- least
  max(x) -- greatest
  first(x) -- the earliest
  last(x) -- the latest
  median(x) -- middle value
  mode(x) -- the most frequent
  spread(x) -- greatest less least
  stddev(x) -- standard deviation
  percentile(x, 95) -- value below which 95 % are
  distinct(x) -- each value once
  top(x, 3) -- the greatest
  bottom(x, 3) -- the least
  derivative(mean(x), 1s) -- change per unit of time
  non_negative_derivative(mean(x), 1s) -- the same, for counters
  difference(mean(x)) -- change from the one before
  moving_average(mean(x), 5) -- mean of the last five
  cumulative_sum(mean(x)) -- running sum
  integral(x, 1s) -- area under the line
  time($interval) -- in GROUP BY: one row per bucket
  fill(null) -- of buckets without rows
`);

export const SQL_KEYWORDS = (
  'SELECT FROM WHERE GROUP BY ORDER BY HAVING LIMIT OFFSET DISTINCT AS AND OR NOT IN BETWEEN LIKE IS NULL CASE WHEN ' +
  'THEN ELSE END DESC ASC INTERVAL SAMPLE BY FILL LATEST BY SHOW TABLES DESCRIBE EXPLAIN ANALYZE JOIN LEFT ON UNION ' +
  'WITH OVER PARTITION'
).split(' ');
export const INFLUXQL_KEYWORDS = (
  'SELECT FROM WHERE GROUP BY ORDER BY LIMIT OFFSET SLIMIT SOFFSET AND OR DESC ASC SHOW MEASUREMENTS TAG KEYS VALUES ' +
  'FIELD SERIES WITH KEY DATABASES EXPLAIN ANALYZE TZ'
).split(' ');
