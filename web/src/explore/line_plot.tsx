// One uPlot canvas: lines over time, in the page's colours, redrawn in place when data comes; a drag zooms.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { reading } from '../shared/format';
import { useTheme } from '../shared/theme';
import { lineColour } from './colours';
import type { Lines } from './series';

const DAY_MS = 86_400_000;
// Shorter drags are clicks of an unsteady hand.
const DRAG_PX_MIN = 6;
// With more points than this on a line the marks of single ones only cost time.
const DOTS_LINES_MAX = 50;

interface Props {
  lines: Lines;
  from: number; // ms, left edge
  to: number; // ms, right edge
  hidden: ReadonlySet<string>; // names of lines not drawn
  label: string;
  onCursor: (index: number | undefined, nearest: number | undefined) => void;
  onZoom: (from: number, to: number) => void;
}

function timeLabels(_: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  let day = '';
  return splits.map((at) => {
    const iso = new Date(at).toISOString();
    if (step >= DAY_MS) return iso.slice(0, 10);
    const time = step < 1_000 ? iso.slice(11, 23) : iso.slice(11, step < 60_000 ? 19 : 16);
    const newDay = iso.slice(0, 10) !== day;
    day = iso.slice(0, 10);
    return newDay ? `${time}\n${day}` : time;
  });
}

// The line whose value at the cursor is closest to it.
function nearestLine(u: uPlot): number | undefined {
  const { idx, top } = u.cursor;
  if (idx === null || idx === undefined || top === undefined || top < 0) return undefined;
  const wanted = u.posToVal(top, 'y');
  let best: number | undefined;
  let distance = Infinity;
  for (let i = 1; i < u.data.length; i++) {
    const value = u.series[i]?.show === false ? undefined : u.data[i]![idx];
    if (typeof value !== 'number' || Math.abs(value - wanted) >= distance) continue;
    best = i - 1;
    distance = Math.abs(value - wanted);
  }
  return best;
}

export function LinePlot({ lines, from, to, hidden, label, onCursor, onZoom }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const edges = useRef<[number, number]>([from, to]);
  const calls = useRef({ onCursor, onZoom });
  const { shown: theme } = useTheme();
  edges.current = [from, to];
  calls.current = { onCursor, onZoom };

  const shape = JSON.stringify(lines.names);
  useEffect(() => {
    const element = host.current!;
    const css = getComputedStyle(element);
    const colour = (name: string): string => css.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--quiet'),
      font: `12px ${css.fontFamily}`,
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { stroke: colour('--grid'), width: 1, size: 4 },
    };
    const many = lines.names.length > DOTS_LINES_MAX;
    const options: uPlot.Options = {
      width: Math.max(200, element.clientWidth),
      height: Math.max(160, element.clientHeight),
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), 'Etc/UTC'),
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false, setScale: false },
        points: many ? { show: false } : { size: 7 },
      },
      scales: { x: { time: true, range: () => edges.current } },
      axes: [
        { ...axis, values: timeLabels, space: 80, size: 44 },
        {
          ...axis,
          values: (_, splits) => splits.map(reading),
          size: (_, values) => 16 + 7 * Math.max(4, ...(values ?? []).map((value) => value.length)),
        },
      ],
      series: [
        {},
        ...lines.names.map((name, i) => ({
          label: name,
          stroke: lineColour(i, colour, theme),
          width: many ? 1 : 1.75,
          show: !hidden.has(name),
          points: many ? { show: false } : { size: 4 },
        })),
      ],
      hooks: {
        setCursor: [
          (u) => {
            const index = u.cursor.idx ?? undefined;
            calls.current.onCursor(index, index === undefined ? undefined : nearestLine(u));
          },
        ],
        setSelect: [
          (u) => {
            const { left, width } = u.select;
            if (width < DRAG_PX_MIN) return;
            calls.current.onZoom(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
    const made = new uPlot(options, [lines.times, ...lines.values] as uPlot.AlignedData, element);
    plot.current = made;
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape, theme]);

  useEffect(
    () => plot.current?.setData([lines.times, ...lines.values] as uPlot.AlignedData),
    [lines, from, to],
  );

  useEffect(() => {
    const u = plot.current;
    if (u === undefined) return;
    const changed = lines.names.flatMap((name, i) => (u.series[i + 1]?.show === hidden.has(name) ? [i + 1] : []));
    u.batch(() => {
      for (const i of changed) u.setSeries(i, { show: !u.series[i]!.show });
    });
  }, [shape, theme, hidden]);

  return <div class="plot" ref={host} role="img" aria-label={label} />;
}
