import { describe, expect, it } from 'vitest';
import { between, bucketFor, durationText, moved, parseRange, pointsFor, rangeText, windowOf, zoomed } from '../src/explore/time';

const NOW = Date.parse('2026-01-01T12:00:07.300Z');

describe('buckets', () => {
  it.each([
    [300, 300, '1s'],
    [900, 300, '5s'],
    [3_600, 300, '15s'],
    [86_400, 300, '5m'],
    [86_400, 100, '15m'],
    [400 * 86_400, 300, '2d'],
    [300 * 365 * 86_400, 300, '365d'],
  ])('%d s in at most %d points', (seconds, points, sql) => {
    const bucket = bucketFor(seconds, points);
    expect(bucket.sql).toBe(sql);
    expect(seconds / bucket.seconds).toBeLessThanOrEqual(points);
  });
  it('share the budget of points among many lines, and use the width of the screen', () => {
    expect(pointsFor(390, 1)).toBe(150);
    expect(pointsFor(1280, 1)).toBe(300);
    expect(pointsFor(2560, 1)).toBe(600);
    expect(pointsFor(1280, 1_000)).toBe(100);
    expect(pointsFor(1280, 100_000)).toBe(10);
  });
});

describe('the window of a range', () => {
  it('begins with a whole bucket and ends now', () => {
    const window = windowOf({ kind: 'last', seconds: 900 }, NOW, undefined, 300);
    expect(window.from).toBe(Date.parse('2026-01-01T11:45:05Z'));
    expect(window.to).toBe(NOW);
    expect(window.interval).toBe('5s');
  });
  it('ends with a whole bucket for what is counted', () => {
    const window = windowOf({ kind: 'last', seconds: 900 }, NOW, undefined, 300, true);
    expect(window.to).toBe(Date.parse('2026-01-01T12:00:05Z'));
  });
  it('of all data is what the data spans, with its last reading', () => {
    const known = { from: NOW - 86_400_000, to: NOW };
    const window = windowOf({ kind: 'all' }, NOW, known, 300);
    expect(window.from).toBeLessThanOrEqual(known.from);
    expect(window.to).toBeGreaterThan(known.to);
  });
  it('of one reading is still a window', () => {
    const window = windowOf({ kind: 'all' }, NOW, { from: 5, to: 5 }, 300);
    expect(window.to - window.from).toBeGreaterThanOrEqual(60_000);
  });
  it('of two moments is what was chosen, cut to buckets at the left', () => {
    const window = windowOf(between(NOW - 60_000, NOW), NOW, undefined, 300);
    expect([window.from, window.to]).toEqual([Math.floor((NOW - 60_000) / 1000) * 1000, NOW]);
  });
});

describe('steps in time', () => {
  it('zoom around the middle and move by a share', () => {
    expect(zoomed({ from: 0, to: 10_000 }, 0.5)).toEqual({ kind: 'between', from: 2_500, to: 7_500 });
    expect(zoomed({ from: 0, to: 10_000 }, 2)).toEqual({ kind: 'between', from: -5_000, to: 15_000 });
    expect(moved({ from: 0, to: 10_000 }, -0.5)).toEqual({ kind: 'between', from: -5_000, to: 5_000 });
  });
  it('never make an empty or impossible range', () => {
    const far = zoomed({ from: -8e15, to: 8e15 }, 4);
    expect(far.kind === 'between' && new Date(far.from).toISOString().length > 0).toBe(true);
    const near = zoomed({ from: 0, to: 1 }, 0.5);
    expect(near.kind === 'between' && near.to > near.from).toBe(true);
    expect(between(10, 5)).toEqual({ kind: 'between', from: 5, to: 10 });
  });
});

describe('ranges as text', () => {
  it.each(['5m', '15m', '1h', '24h', '7d', 'all', '90s', '2w', '2026-01-01T00:00:00.000Z..2026-01-02T00:00:00.000Z'])(
    '%s comes back as it was',
    (text) => expect(rangeText(parseRange(text)!)).toBe(text),
  );
  it.each(['', '5', '5y', '-5m', '0s', 'now..later', '2026-01-02..2026-01-01', '2026-01-01..', '99999999999s'])(
    '%j is no range',
    (text) => expect(parseRange(text)).toBeUndefined(),
  );
  it('durations are in the largest whole unit', () => {
    expect([60, 90, 3_600, 86_400, 604_800].map(durationText)).toEqual(['1m', '90s', '1h', '1d', '1w']);
  });
});
