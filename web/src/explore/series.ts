// An answer of time, names and numbers as lines over one time axis.
import type { Cell, QueryAnswer } from '../shared/api';
import { rolesOf } from './shape';

type Values = (number | null | undefined)[];

// null is a gap; undefined is another line's time, where the pen goes on.
export interface Lines {
  names: string[];
  times: number[]; // ms, ascending
  values: Values[];
  left: number; // lines that are not drawn
}

// A silence this many times the usual step is drawn as a gap.
const GAP_STEPS = 5;
// More canvas paths than this make a chart that nobody can read and a page that nobody can use.
export const LINES_MAX = 1_000;

function milliseconds(cell: Cell | undefined): number {
  return typeof cell === 'number' ? cell : Date.parse(String(cell));
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

// `stepMs` is the width of a bucket where the query has one, else 0.
export function linesOf(answer: QueryAnswer, stepMs: number): Lines {
  const { time, numbers, labels } = rolesOf(answer.columns);
  const lineOf = new Map<string, number>();
  const names: string[] = [];
  const points: Map<number, number>[] = [];
  const left = new Set<string>();
  const seen = new Set<number>();
  for (const row of answer.rows) {
    const at = milliseconds(row[time]);
    if (Number.isNaN(at)) continue;
    seen.add(at);
    const label = labels.map((column) => String(row[column])).join(' · ');
    for (const column of numbers) {
      const value = row[column];
      const number = answer.columns[column]!.name;
      const name = labels.length === 0 ? number : numbers.length === 1 ? label : `${label} · ${number}`;
      let line = lineOf.get(name);
      if (line === undefined) {
        if (names.length >= LINES_MAX) {
          left.add(name);
          continue;
        }
        line = names.length;
        lineOf.set(name, line);
        names.push(name);
        points.push(new Map());
      }
      if (typeof value === 'number') points[line]!.set(at, value);
    }
  }
  const order = names.map((_, i) => i).sort((a, b) => compare(names[a]!, names[b]!));
  const { times, allowed } = axisOf(seen, stepMs);
  return {
    names: order.map((i) => names[i]!),
    times,
    values: order.map((i) => valuesAt(points[i]!, times, allowed)),
    left: left.size,
  };
}

// Drawn or not.
export function linesIn({ names, left }: Lines): number {
  return names.length + left;
}

// Most lines have one point: rows such as the newest ones, which make no picture.
export function isScattered({ values }: Lines): boolean {
  const single = values.filter((line) => line.filter((value) => typeof value === 'number').length < 2);
  return single.length * 2 > values.length;
}

// The order of columns is the query's; names of lines are in the order of people.
const compare = new Intl.Collator('en', { numeric: true }).compare;

// Every time once, and one in the middle of each long silence of all lines, where the pen is lifted.
function axisOf(seen: Set<number>, stepMs: number): { times: number[]; allowed: number } {
  const sorted = [...seen].sort((a, b) => a - b);
  const steps = sorted.slice(1).map((at, i) => at - sorted[i]!);
  const allowed = Math.max(median(steps), stepMs) * GAP_STEPS;
  const times: number[] = [];
  sorted.forEach((at, i) => {
    if (i > 0 && steps[i - 1]! > allowed) times.push(sorted[i - 1]! + steps[i - 1]! / 2);
    times.push(at);
  });
  return { times, allowed };
}

function valuesAt(line: Map<number, number>, times: number[], allowedOfAll: number): Values {
  const values: Values = times.map((at) => line.get(at));
  const own = [...line.keys()].sort((a, b) => a - b);
  // A line that comes seldom has its own usual step.
  const allowed = Math.max(allowedOfAll, median(own.slice(1).map((at, i) => at - own[i]!)) * GAP_STEPS);
  let last = -1;
  for (let i = 0; i < times.length; i++) {
    if (values[i] === undefined) continue;
    // Every time of the silence: uPlot lifts the pen only over those that are null.
    if (last >= 0 && times[i]! - times[last]! > allowed) values.fill(null, last + 1, i);
    last = i;
  }
  return values;
}
